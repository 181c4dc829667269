//! What an `error` answer means.
//!
//! | code | it means | outcome |
//! | --- | --- | --- |
//! | 0 | timeout | `info` |
//! | 1 | no such node | `fail` |
//! | 10 | not supported | `fail` |
//! | 11 | temporarily unavailable | `fail` |
//! | 12 | malformed request | `fail` |
//! | 13 | crash | `info` |
//! | 14 | abort | `fail` |
//! | 20 | key does not exist | `fail`; to a read it says that there is no value, which is `ok` |
//! | 21 | key exists already | `fail` |
//! | 22 | precondition failed | `fail` |
//! | 30 | transaction conflict | `fail` |
//! | any other | nobody knows | `info`, unless `definite` in the test file lists it |

use std::collections::BTreeSet;

use danso_vocab::{Outcome, Value};

/// Codes from here on are the user's own.
pub(super) const OWN: i64 = 1_000;
/// The key is not there.
pub(super) const NO_KEY: i64 = 20;
/// The value is another than expected.
pub(super) const MISMATCH: i64 = 22;
/// It is not known how to do that.
pub(super) const UNSUPPORTED: i64 = 10;
/// The request makes no sense.
pub(super) const MALFORMED: i64 = 12;

/// Codes that say that nothing happened and nothing will.
const DEFINITE: [(i64, &str); 9] = [
    (1, "node-not-found"),
    (UNSUPPORTED, "not-supported"),
    (11, "temporarily-unavailable"),
    (MALFORMED, "malformed-request"),
    (14, "abort"),
    (NO_KEY, "key-does-not-exist"),
    (21, "key-already-exists"),
    (MISMATCH, "precondition-failed"),
    (30, "txn-conflict"),
];
const INDEFINITE: [(i64, &str); 2] = [(0, "timeout"), (13, "crash")];
/// So much of an error's text is kept.
const TEXT: usize = 120;

/// The code of an error's body.
pub(super) fn code(body: &Value) -> Option<i64> {
    body.get("code").and_then(Value::int)
}

/// What an error comes to; `definite` are the user's own codes that mean that nothing happened.
pub(super) fn outcome(body: &Value, definite: &BTreeSet<i64>) -> Outcome {
    let Some(code) = code(body) else {
        return Outcome::Info("an error without a code".into());
    };
    let text = body.get("text").and_then(Value::str).unwrap_or_default();
    let mut text: String =
        text.chars().take(TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !text.is_empty() {
        text.insert_str(0, ": ");
    }
    let known =
        |list: &[(i64, &'static str)]| list.iter().find(|(c, _)| *c == code).map(|(_, w)| *w);
    if let Some(word) = known(&DEFINITE) {
        return Outcome::Fail(format!("{code} {word}{text}").into());
    }
    if definite.contains(&code) {
        return Outcome::Fail(format!("{code}{text}").into());
    }
    let word = known(&INDEFINITE).map(|word| format!(" {word}")).unwrap_or_default();
    Outcome::Info(format!("{code}{word}{text}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_definite_codes_fail() {
        let of = |code: i64| Value::of([("code", code.into()), ("text", "no\nluck".into())]);
        let own = BTreeSet::from([1_001]);
        assert_eq!(
            outcome(&of(11), &own),
            Outcome::Fail("11 temporarily-unavailable: no luck".into())
        );
        assert_eq!(outcome(&of(13), &own), Outcome::Info("13 crash: no luck".into()));
        assert_eq!(outcome(&of(1_001), &own), Outcome::Fail("1001: no luck".into()));
        let unknown = [0, 2, 13, 15, 999, 1_000, -1];
        assert!(unknown.iter().all(|c| matches!(outcome(&of(*c), &own), Outcome::Info(_))));
        let fail = [1, 10, 11, 12, 14, 20, 21, 22, 30];
        assert!(fail.iter().all(|c| matches!(outcome(&of(*c), &own), Outcome::Fail(_))));
        assert!(matches!(outcome(&Value::Nil, &own), Outcome::Info(_)));
        let long = Value::of([("code", 11.into()), ("text", "x".repeat(9_999).into())]);
        let Outcome::Fail(said) = outcome(&long, &own) else { panic!("11 is definite") };
        assert!(said.len() < 200);
    }
}
