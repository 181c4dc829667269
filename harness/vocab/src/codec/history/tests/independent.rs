//! Keys in values.

use super::*;

fn with(text: &str, independent: Option<bool>) -> Result<Loaded, ReadError> {
    read(text.as_bytes(), &Options { independent, ..Options::default() })
}

const KEYED: &str = "{:process 0, :type :invoke, :f :write, :value [7 1]}
{:process 0, :type :ok, :f :write, :value [7 1]}
{:process 0, :type :invoke, :f :cas, :value [\"a\" [1 2]]}
{:process 0, :type :fail, :f :cas, :value [\"a\" [1 2]]}
{:process 0, :type :invoke, :f :read, :value [7 nil]}
{:process 1, :type :invoke, :f :read, :value [7 nil]}
{:process 1, :type :ok, :f :read, :value [7 1]}
{:process :nemesis, :type :info, :f :start, :value [1 2]}";

#[test]
fn arity_decides_and_can_be_overruled() {
    let keyed = [
        "#0 p0 write 7 1 -> 1",
        "#2 p0 cas a [1 2] -> fail ()",
        "#4 p0 read 7 -> info",
        "#5 p1 read 7 -> 1",
    ];
    let auto = with(KEYED, None).unwrap();
    assert_eq!(shown(&auto.history), keyed);
    assert!(auto.notices[0].contains("--independent=false"));
    let forced = with(KEYED, Some(true)).unwrap();
    assert_eq!(seen(&forced.history), seen(&auto.history));
    assert!(forced.notices.is_empty());
    let plain = with(KEYED, Some(false)).unwrap();
    assert_eq!(shown(&plain.history)[0], "#0 p0 write [7 1] -> [7 1]");
    assert!(plain.notices.is_empty());
}

#[test]
fn pairs_are_no_keys_unless_all_say_so() {
    let plain = [
        // A register of pairs.
        "{:process 0, :type :invoke, :f :write, :value [7 1]}{:process 1, :type :invoke, :f :read}",
        // A plain compare-and-set.
        "{:process 0, :type :invoke, :f :cas, :value [7 1]}",
        // Transactions of two.
        "{:process 0, :type :invoke, :f :txn, :value [[:r 1 nil] [:w 2 3]]}",
        // A result of another key.
        "{:process 0, :type :invoke, :f :read, :value [7 nil]}{:process 0, :type :ok, :f :read, :value [8 1]}",
        // Keys of their own.
        "{:process 0, :type :invoke, :f :read, :key 1, :value [7 nil]}",
    ];
    for text in plain {
        let loaded = with(text, None).unwrap();
        assert_eq!(
            seen(&loaded.history),
            seen(&with(text, Some(false)).unwrap().history),
            "{text}"
        );
        assert!(loaded.notices.is_empty(), "{:?}", loaded.notices);
    }
    let unclear = with("{:process 0, :type :invoke, :f :add, :value [7 1]}", None).unwrap();
    assert!(unclear.notices[0].contains("say --independent"));
    assert!(unclear.history.row(0).key().is_none());
}

#[test]
fn a_write_may_answer_nothing_and_nobody_another_key() {
    let text = "{:process 0, :type :invoke, :f :write, :value [7 1]}
{:process 0, :type :ok, :f :write, :value nil}
{:process 0, :type :invoke, :f :read, :value [7 nil]}
{:process 0, :type :ok, :f :read, :value [7 1]}";
    for independent in [None, Some(true)] {
        let loaded = with(text, independent).unwrap();
        assert_eq!(shown(&loaded.history), ["#0 p0 write 7 1 -> ok", "#2 p0 read 7 -> 1"]);
    }
    let other = text.replace("[7 1]}", "[8 1]}").replacen("[8 1]", "[7 1]", 1);
    let error = with(&other, Some(true)).unwrap_err();
    assert_eq!(
        error.message,
        "p0 completes `read` on 8 but its open operation #2 is on 7: a completion repeats the invocation's f and key"
    );
}

#[test]
fn a_value_without_key_is_refused_when_keys_are_asked_for() {
    let text = "{:process 0, :type :invoke, :f :read, :value [7 nil]}
{:process 0, :type :ok, :f :read, :value 3}";
    let error = with(text, Some(true)).unwrap_err();
    assert_eq!((error.line, error.column), (2, 35));
    assert!(error.message.starts_with("the value 3 is no [key value] pair"), "{error}");
}
