//! The same events in every format.

use super::*;

#[test]
fn formats_agree() {
    let events = [
        ("0", "invoke", "write", "[1 {:a 2}]", ""),
        ("1", "invoke", "read", "nil", ""),
        ("nemesis", "info", "start", "nil", ""),
        ("nemesis", "info", "start", "\"cut\"", ""),
        ("0", "ok", "write", "[1 {:a 2}]", ""),
        ("1", "fail", "read", "nil", ":timed-out"),
        ("0", "invoke", "cas", "[1 2]", ""),
        ("0", "info", "cas", "[1 2]", "[:no \"route\"]"),
    ];
    let json =
        |edn: &str| edn.replace("{:a 2}", "{\"a\":2}").replace(' ', ",").replace("nil", "null");
    let who = |p: &str| if p == "nemesis" { ":nemesis".to_owned() } else { p.to_owned() };
    let (mut edn, mut txt, mut log, mut old, mut jsonl, mut logging) =
        <(String, String, String, String, String, String)>::default();
    for (process, kind, f, value, error) in events {
        let named = if error.is_empty() { String::new() } else { format!(", :error {error}") };
        let process = who(process);
        edn += &format!(
            "#jepsen.history.Op{{:f :{f}, :process {process}, :type :{kind}, :value {value}{named}}}\n"
        );
        let line = format!("{process}\t:{kind}\t:{f}\t{value}\t{error}").trim_end().to_owned();
        txt += &format!("{line}\n");
        log += &format!(
            "2026-01-02 03:04:05,678{{GMT}}\tINFO\t[jepsen worker 0] jepsen.util: {line}\n"
        );
        log += "2026-01-02 03:04:05,678{GMT}\tINFO\t[jepsen worker 0] jepsen.core: Run complete, 3 :ok\n";
        old += &format!(
            "INFO [2017-01-02 03:04:05,678] jepsen worker 2 - jepsen.util {}\n",
            line.replace('\t', "  ")
        );
        let message = line.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t");
        logging += &format!(
            "{{\"@timestamp\":\"2026\",\"message\":\"{message}\",\"logger_name\":\"jepsen.util\",\"level\":\"INFO\"}}\n"
        );
        let named = if error.is_empty() {
            String::new()
        } else {
            format!(
                ",\"error\":{}",
                if error.starts_with(':') { "\"timed-out\"" } else { "[\"no\",\"route\"]" }
            )
        };
        let process = if process == ":nemesis" { "\"nemesis\"".to_owned() } else { process };
        jsonl += &format!(
            "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{}{named}}}\n",
            json(value)
        );
    }
    let vector = format!(" ; all\n[{edn}]");
    let list = format!("({edn})");
    let array = format!("[{}]", jsonl.trim_end().replace('\n', ",\n"));
    let pretty = jsonl.replace(",\"", ",\n  \"");
    let want = strict(&edn).unwrap();
    assert_eq!(
        shown(&want.history),
        [
            "#0 p0 write [1 {a: 2}] -> [1 {a: 2}]",
            "#1 p1 read -> fail (timed-out)",
            "#6 p0 cas [1 2] -> info ([no route])"
        ]
    );
    assert_eq!(want.history.notes().count(), 2);
    let all = [
        (&edn, Format::Edn),
        (&vector, Format::Edn),
        (&list, Format::Edn),
        (&txt, Format::Txt),
        (&log, Format::Log),
        (&old, Format::Log),
        (&logging, Format::Log),
        (&jsonl, Format::Jsonl),
        (&array, Format::Json),
        (&pretty, Format::Json),
    ];
    for (text, format) in all {
        for text in [text.clone(), text.replace('\n', "\r\n"), format!("\u{feff}{text}")] {
            let loaded = strict(&text).unwrap_or_else(|e| panic!("{text}\n{e}"));
            assert_eq!(loaded.format, format, "{text}");
            assert_eq!(seen(&loaded.history), seen(&want.history), "{text}");
        }
    }
    assert_eq!(
        strict(&log).unwrap().notices,
        ["8×, first in line 2: other lines of the log were left out"]
    );
}

#[test]
fn events_without_process_or_f_are_transactions_of_their_own() {
    let text = "{:type :invoke :value [[:append 1 1]]}
{:type :ok :value [[:append 1 1]]}
{:type :ok :value [[:r 1 [1]]]}";
    let loaded = strict(text).unwrap();
    assert_eq!(
        shown(&loaded.history),
        ["#2 p1 txn [[r 1 [1]]] -> [[r 1 [1]]]", "#0 p0 txn [[append 1 1]] -> [[append 1 1]]"]
    );
    let row = loaded.history.row(0);
    assert_eq!((row.inv_rank(), row.res_rank()), (0, 3));
    assert_eq!(loaded.notices.len(), 3, "{:?}", loaded.notices);
}

#[test]
fn stamps_matter_only_if_all_clients_have_them() {
    let line = |process, kind, time: &str| {
        format!("{{:process {process}, :type :{kind}, :f :read{time}}}\n")
    };
    let timed = |last: &str| {
        line(0, "invoke", " :time 5")
            + &line(0, "ok", " :time 7")
            + "{:process :nemesis, :type :info, :f :start}\n"
            + &line(1, "invoke", " :time 7")
            + &line(1, "ok", last)
    };
    let touching = strict(&timed(" :time 9")).unwrap();
    assert_eq!(touching.history.row(0).res_rank(), 2);
    assert!(touching.notices.is_empty());
    for missing in ["", " :time -1", " :time nil"] {
        let loaded = strict(&timed(missing)).unwrap();
        assert_eq!(loaded.history.row(0).res_rank(), 1);
        assert!(loaded.notices[0].contains("line 5: events have no time"), "{:?}", loaded.notices);
    }
}
