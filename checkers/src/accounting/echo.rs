//! [`Echo`]: whoever says something hears the same.

use danso_vocab::{Anomaly, Checker, Finding, History, Limits};

use crate::ledger::Ledger;
use crate::objects::SPELL;

/// `echo value -> value`. Anomaly: `wrong-echo`, an answer that is not what was said. O(operations).
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Checker for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn decides(&self) -> &'static str {
        "every answer is what was said"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["wrong-echo"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut ledger = Ledger::default();
        for (nth, op) in history.ops().enumerate() {
            if nth % SPELL == 0 && limits.stop.is_tripped() {
                return Finding::unknown(self.name(), "out of time; raise --timeout");
            }
            if op.f() != "echo" || !op.is_ok() {
                continue;
            }
            ledger.count("answers", 1);
            if op.ret().is_some_and(|ret| *ret == *op.arg()) {
                continue;
            }
            ledger.anomaly("wrong-echo", || Anomaly {
                name: "wrong-echo".into(),
                key: None,
                ops: vec![op.id()],
                because: format!(
                    "{} was said, but {} was heard ({})",
                    op.arg(),
                    op.ret().unwrap_or_default(),
                    op.id()
                ),
                explain: Vec::new(),
                figure: None,
            });
        }
        ledger
            .finding(self.name(), |l| format!("{} answers are what was said", l.figure("answers")))
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, Event, Outcome, Process, Time, Value, Verdict};

    use super::*;

    fn verdict(answer: Outcome) -> Verdict {
        let (process, node) = (Process(0), None);
        let events = [
            Event::Invoke { process, node, call: Call::new("echo", "a") },
            Event::Complete { process, outcome: answer },
        ];
        let history = History::of((0..).map(Time).zip(events)).unwrap();
        Echo.check(&history, &Limits::default()).verdict
    }

    #[test]
    fn an_answer_is_what_was_said() {
        assert_eq!(verdict(Outcome::Ok("a".into())), Verdict::Valid);
        assert_eq!(verdict(Outcome::Ok("b".into())), Verdict::Invalid);
        assert_eq!(verdict(Outcome::Ok(Value::Nil)), Verdict::Invalid);
        assert_eq!(verdict(Outcome::Ok(["a"].into())), Verdict::Invalid);
        assert_eq!(verdict(Outcome::Info("timeout".into())), Verdict::Valid);
    }
}
