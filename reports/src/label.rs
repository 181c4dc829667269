//! Operations in few characters, for bars and tables.

use std::fmt::Write as _;

use danso_vocab::{Op, Status, Value};

use crate::inert;

/// The longest label of a bar, in characters.
const LONGEST: usize = 30;

/// What a person would write at the bar: `w 3`, `r → 2`, `cas 1→2`.
pub(crate) fn bar(op: Op<'_>) -> String {
    let mut out = match op.f() {
        "txn" => transaction(op),
        f => single(f, op),
    };
    out = inert::brief(out, LONGEST);
    match op.status() {
        Status::Ok => {}
        Status::Fail => out.push_str(" ✗"),
        Status::Info => out.push_str(" ?"),
    }
    out
}

fn single(f: &str, op: Op<'_>) -> String {
    let mut out = match f {
        "read" => "r".to_owned(),
        "write" => "w".to_owned(),
        "enqueue" => "enq".to_owned(),
        "dequeue" => "deq".to_owned(),
        f => inert::brief(f, LONGEST),
    };
    let arg = op.arg();
    match (&*arg, arg.pair()) {
        (Value::Nil, _) => {}
        (_, Some((old, new))) if f == "cas" => {
            let _ = write!(out, " {}→{}", short(old), short(new));
        }
        (arg, _) => {
            let _ = write!(out, " {}", short(arg));
        }
    }
    if let Some(ret) = op.ret()
        && (!ret.is_nil() || op.arg().is_nil())
    {
        let _ = write!(out, " → {}", short(&ret));
    }
    out
}

/// Micro-operations `[f key value]`: `r x→[1 2] · append y 3`.
fn transaction(op: Op<'_>) -> String {
    let said = op.ret().unwrap_or_else(|| op.arg());
    let Some(steps) = said.list() else { return single("txn", op) };
    let mut out = String::new();
    for step in steps {
        let Some([f, key, value]) = step.list() else { return single("txn", op) };
        if !out.is_empty() {
            out.push_str(" · ");
        }
        let between = if f.str() == Some("r") { "→" } else { " " };
        let _ = write!(out, "{} {}{between}{}", short(f), short(key), short(value));
        if out.len() > 4 * LONGEST {
            break;
        }
    }
    out
}

/// What a record is known by, the first that is there: which saga, message, or service.
const NAMES: &[&str] = &["saga", "value", "values", "outcome", "service"];

/// A value at a bar, where there is no room for quotes around numbers, for long lists, or for all
/// of a record.
fn short(value: &Value) -> String {
    let named = value.map().and_then(|map| NAMES.iter().find_map(|name| map.get(*name)));
    match (value, named) {
        (_, Some(name)) => short(name),
        (Value::Str(text), None) => inert::brief(text, LONGEST),
        (Value::List(items), None) if items.iter().any(|item| item.map().is_some()) => {
            let mut out = "[".to_owned();
            for (i, item) in items.iter().enumerate() {
                let _ = write!(out, "{}{}", if i > 0 { " " } else { "" }, short(item));
                if out.len() > 4 * LONGEST {
                    break;
                }
            }
            inert::brief(out + "]", LONGEST)
        }
        (value, None) => inert::brief(value, LONGEST),
    }
}

/// What an anomaly's operations have to do with it: the first named, and the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    pub(crate) culprit: &'static str,
    pub(crate) witness: &'static str,
    /// How many other operations help to understand it.
    pub(crate) others: usize,
}

impl Roles {
    /// Checkers that look for an order name the operation that has no place in one; others name
    /// first what the anomaly is about.
    pub(crate) fn of(checker: &str) -> Roles {
        match checker {
            "linearizable" | "sequential" => Roles {
                culprit: "cannot be ordered",
                witness: "contradicts it",
                others: usize::MAX,
            },
            _ => Roles { culprit: "what it is about", witness: "shows it", others: 8 },
        }
    }
}

/// A value in a table.
pub(crate) fn value(value: &Value) -> String {
    inert::clip(value, 100)
}

/// What came of an operation, in a table: the result, or the outcome with its reason.
pub(crate) fn result(op: Op<'_>) -> String {
    match (op.ret(), op.reason()) {
        (Some(ret), _) if ret.is_nil() && !op.arg().is_nil() => "ok".to_owned(),
        (Some(ret), _) => value(&ret),
        (None, Some(reason)) => format!("{}: {}", op.status(), inert::clip(reason, 160)),
        (None, None) => format!("{}: never answered", op.status()),
    }
}

/// A number with its thousands apart.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A share in per cent, never rounded to all or nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "–".to_owned(),
        (0, _) => "0 %".to_owned(),
        (part, whole) if part == whole => "100 %".to_owned(),
        (part, whole) => {
            format!("{:.1} %", (part as f64 / whole as f64 * 100.0).clamp(0.1, 99.9))
        }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, Event, History, Outcome, Process, Time};

    use super::*;

    fn label(call: Call, outcome: Outcome) -> String {
        let process = Process(0);
        let history = History::of([
            (Time(1), Event::Invoke { process, node: None, call }),
            (Time(2), Event::Complete { process, outcome }),
        ])
        .unwrap();
        bar(history.row(0))
    }

    #[test]
    fn bars_read_as_people_write() {
        let ok = |v: Value| Outcome::Ok(v);
        assert_eq!(label(Call::new("write", 3), ok(Value::Nil)), "w 3");
        assert_eq!(label(Call::new("read", ()), ok(2.into())), "r → 2");
        assert_eq!(label(Call::new("read", ()), ok(Value::Nil)), "r → nil");
        assert_eq!(label(Call::new("cas", [1, 2]), ok(Value::Nil)), "cas 1→2");
        assert_eq!(label(Call::new("write", 3), Outcome::Info("".into())), "w 3 ?");
        assert_eq!(label(Call::new("write", "17"), Outcome::Fail("".into())), "w 17 ✗");
        let steps = |v: Value| Value::List(vec![Value::List(vec!["r".into(), "x".into(), v])]);
        let txn = Call::new("txn", steps(().into()));
        assert_eq!(label(txn, ok(steps([1, 2].into()))), "r x→[1 2]");
        let message = |n: i64| Value::of([("attempt", 1.into()), ("value", n.into())]);
        assert_eq!(label(Call::new("dequeue", ()), ok(message(7))), "deq → 7");
        let drained = Value::of([("values", vec![message(7), message(8)].into())]);
        assert_eq!(label(Call::new("drain", ()), ok(drained)), "drain → [7 8]");
        let order = Value::of([("amount", 3.into()), ("saga", "s1".into())]);
        let ended = Value::of([("outcome", "committed".into())]);
        assert_eq!(label(Call::new("order", order), ok(ended)), "order s1 → committed");
        let unnamed = Value::of([("x", 1.into())]);
        assert_eq!(label(Call::new("read", ()), ok(unnamed)), "r → {x: 1}");
    }

    #[test]
    fn numbers_are_grouped_and_shares_honest() {
        assert_eq!(number(1_234_567).replace('\u{202f}', " "), "1 234 567");
        assert_eq!(number(12), "12");
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(0, 5), "0 %");
        assert_eq!(percent(0, 0), "–");
    }
}
