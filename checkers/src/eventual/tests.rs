//! One history for each anomaly, for each way of not knowing, and for what must be accepted; the
//! oracle on random histories is in [`oracle`].

mod anomalies;
mod figures;
mod oracle;
mod simulate;

use danso_vocab::event::note;
use danso_vocab::{
    Call, Checker, Event, Finding, History, HistoryBuilder, Limits, NodeId, Note, Outcome, Process,
    Time, Value, Verdict,
};

use super::{Eventual, Object, eventual};

/// A history being written by hand, a millisecond an event.
#[derive(Default)]
struct Script {
    builder: HistoryBuilder,
    now: u64,
}

impl Script {
    fn event(mut self, event: Event) -> Script {
        self.now += 1_000_000;
        self.builder.push(Time(self.now), event).unwrap();
        self
    }

    /// Process `process` begins something at node `node`; 0 for nobody knows.
    fn begin(self, process: u32, node: u16, f: &'static str, arg: impl Into<Value>) -> Script {
        let node = Some(NodeId(node)).filter(|n| n.0 > 0);
        self.event(Event::Invoke { process: Process(process), node, call: Call::new(f, arg) })
    }

    fn end(self, process: u32, outcome: Outcome) -> Script {
        self.event(Event::Complete { process: Process(process), outcome })
    }

    /// A whole operation, by a process of the same number as its node.
    fn ok(
        self,
        node: u16,
        f: &'static str,
        arg: impl Into<Value>,
        ret: impl Into<Value>,
    ) -> Script {
        self.by(u32::from(node), node, f, arg, Outcome::Ok(ret.into()))
    }

    fn by(
        self,
        process: u32,
        node: u16,
        f: &'static str,
        arg: impl Into<Value>,
        outcome: Outcome,
    ) -> Script {
        self.begin(process, node, f, arg).end(process, outcome)
    }

    /// Reads at nodes 1, 2, … with these answers.
    fn reads<V: Into<Value>>(mut self, answers: impl IntoIterator<Item = V>) -> Script {
        for (node, answer) in (1..).zip(answers) {
            self = self.ok(node, "read", (), answer);
        }
        self
    }

    fn closing(self) -> Script {
        self.event(Event::Note(Note::new(note::PHASE, "closing")))
    }

    fn history(self) -> History {
        self.builder.finish()
    }

    fn check(self, object: Object) -> Finding {
        self.check_by(&eventual(object, Value::Nil))
    }

    fn check_by(self, checker: &Eventual) -> Finding {
        checker.check(&self.history(), &Limits::default())
    }
}

fn info() -> Outcome {
    Outcome::Info("timeout".into())
}

fn fail() -> Outcome {
    Outcome::Fail("refused".into())
}

fn names(finding: &Finding) -> Vec<&str> {
    finding.anomalies.iter().map(|a| &*a.name).collect()
}

fn assert_valid(finding: &Finding) {
    assert_eq!(finding.verdict, Verdict::Valid, "{finding:#?}");
}

fn assert_unknown(finding: &Finding, why: &str) {
    assert_eq!(finding.verdict, Verdict::Unknown, "{finding:#?}");
    assert!(finding.reason.contains(why), "{}", finding.reason);
}
