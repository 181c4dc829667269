//! What leniency repairs, and what it says.

use super::*;

fn edn(events: &[&str]) -> String {
    events.iter().map(|event| format!("{{{event}}}\n")).collect()
}

#[test]
fn repairs_allow_more_and_say_so() {
    let cases: [(&[&str], &[&str], &str); 6] = [
        (
            &[
                ":process 0 :type :invoke :f :write :value 1",
                ":process 0 :type :info :f :write :value 1",
                ":process 0 :type :invoke :f :read",
                ":process 0 :type :ok :f :read :value 1",
                ":process 7 :type :invoke :f :read",
            ],
            &["#0 p0 write 1 -> info ()", "#2 p8 read -> 1", "#4 p7 read -> info"],
            "1×, first in line 3: operations of a process that had an `info`",
        ),
        (
            &[
                ":process 0 :type :invoke :f :write :value 1",
                ":process 0 :type :invoke :f :write :value 2",
                ":process 0 :type :ok :f :write :value 2",
            ],
            &["#0 p0 write 1 -> info", "#1 p1 write 2 -> 2"],
            "1×, first in line 2: operations begun while",
        ),
        (
            &[
                ":process 0 :type :invoke :f :write :value 1",
                ":process 0 :type :info :f :write :value 1",
                ":process 0 :type :ok :f :write :value 1",
            ],
            &["#0 p0 write 1 -> info ()"],
            "1×, first in line 3: ends of operations that had ended",
        ),
        (
            &[
                ":process 1 :type :invoke :f :read",
                ":process 0 :type :ok :f :write :value 1",
                ":process 2 :type :ok :f :read :value 1",
                ":process 3 :type :fail :f :write :value 5",
                ":process 4 :type :info :f :write :value 6",
            ],
            &[
                "#1 p2 write 1 -> 1",
                "#2 p3 read -> 1",
                "#3 p4 write 5 -> fail ()",
                "#4 p5 write 6 -> info ()",
                "#0 p1 read -> info",
            ],
            "4×, first in line 2: ends without an invocation",
        ),
        (
            &[
                ":index 5 :process 0 :type :invoke :f :read",
                ":index 5 :process 0 :type :ok :f :read :value 1",
                ":index 2 :process 0 :type :invoke :f :read",
                ":index 9 :process 0 :type :ok :f :read",
            ],
            &["#5 p0 read -> 1", "#7 p0 read -> nil"],
            "2×, first in line 2: indices that did not grow",
        ),
        (
            &[":process :nemesis :type :hm :f :x", ":process 0 :type :invoke :f :read"],
            &["#0 p0 read -> info"],
            "1×, first in line 1: events that are no client's",
        ),
    ];
    for (events, ops, notice) in cases {
        let text = edn(events);
        strict(&text).unwrap_err();
        let loaded = lenient(&text).unwrap();
        assert_eq!(shown(&loaded.history), ops, "{text}");
        assert_eq!(loaded.notices.len(), 1, "{:?}", loaded.notices);
        assert!(loaded.notices[0].starts_with(notice), "{:?}", loaded.notices);
        for op in loaded.history.ops() {
            assert_eq!(loaded.history.op(op.id()).map(|found| found.row()), Some(op.row()));
        }
    }
}

#[test]
fn what_begins_before_everything_ranks_first() {
    let text = edn(&[
        ":process 1 :type :invoke :f :read",
        ":process 1 :type :ok :f :read",
        ":process 0 :type :ok :f :write :value 1",
        ":process 1 :type :invoke :f :read",
        ":process 2 :type :ok :f :write :value 2",
        ":process 1 :type :ok :f :read",
    ]);
    let history = lenient(&text).unwrap().history;
    let ranks: Vec<_> = history.ops().map(|op| (op.id().0, op.inv_rank(), op.res_rank())).collect();
    assert_eq!(ranks, [(2, 0, 4), (4, 1, 6), (0, 2, 3), (3, 5, 7)]);
}

#[test]
fn what_cannot_be_repaired_safely_is_refused_all_the_same() {
    for text in [
        // Who knows what it wrote.
        "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"key\":\"k\",\"value\":null}",
        // A client's event that says nothing danso knows.
        "{:process 0, :type :begin, :f :read}",
        // An end of something else.
        "{:process 0, :type :invoke, :f :read}{:process 0, :type :ok, :f :write}",
        "{:process :me, :type :invoke, :f :read}",
    ] {
        lenient(text).unwrap_err();
    }
    let read = "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"k\",\"value\":null}";
    assert_eq!(shown(&lenient(read).unwrap().history), ["#0 p0 read k -> nil"]);
}
