//! Histories of an order business, written down in a few words.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::{Anomaly, Call, Event, Finding, History, Limits, Outcome, Process, Time, Value};

use crate::saga::{Definition, sagas};

pub(super) const SERVICES: [&str; 3] = ["inventory", "payment", "shipping"];
pub(super) const STEPS: [&str; 3] = ["reserve", "charge", "arrange"];
const SECOND: u64 = 1_000_000_000;

/// What a client heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Committed,
    Aborted,
    Failed,
    Nothing,
}

/// A run: who ordered what, and the journals in the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    pub(super) orders: Vec<(String, Heard)>,
    pub(super) journals: [Vec<Value>; 3],
    pub(super) decider: Vec<Value>,
    pub(super) states: Vec<(&'static str, Value)>,
    /// Whether anybody reads the decider's journal.
    pub(super) mute: bool,
}

/// An entry of a service: `reserve s1 apply`, with how many of the decider's records came before.
pub(super) fn entry(step: usize, saga: &str, kind: &str, after: usize) -> Value {
    let key = format!("{saga}/{}/{}", STEPS[step], if kind == "apply" { "do" } else { "undo" });
    let mut map: BTreeMap<String, Value> = BTreeMap::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("saga", saga.into());
    put("step", STEPS[step].into());
    put("kind", kind.into());
    put("key", key.into());
    put("after", (after as i64).into());
    match step {
        0 => {
            put("item", "widget-1".into());
            put("quantity", 2.into());
        }
        1 => {
            put("customer", "c1".into());
            put("amount", 40.into());
        }
        _ => {}
    }
    Value::Map(map)
}

impl Story {
    /// A client orders `saga` and hears this.
    pub(super) fn order(mut self, saga: &str, heard: Heard) -> Story {
        self.orders.push((saga.to_owned(), heard));
        self
    }

    /// The service of `step` writes an entry, asked for after everything the decider has written.
    pub(super) fn effect(mut self, step: usize, saga: &str, kind: &str) -> Story {
        let after = self.decider.len();
        self.journals[step].push(entry(step, saga, kind, after));
        self
    }

    /// The decider writes a record: `begin`, `commit`, `abort`, `committed`, `aborted`, or a step's
    /// name for its effect and `-` and the name for its compensation.
    pub(super) fn record(mut self, saga: &str, what: &str) -> Story {
        self.decider.push(record(saga, what));
        self
    }

    /// The same with a service's last state.
    pub(super) fn state(mut self, service: &'static str, state: Value) -> Story {
        self.states.push((service, state));
        self
    }

    /// Step after step of a saga that commits, as a good system does it.
    pub(super) fn committed(mut self, saga: &str) -> Story {
        self = self.order(saga, Heard::Committed).record(saga, "begin");
        for (step, name) in STEPS.iter().enumerate() {
            self = self.effect(step, saga, "apply").record(saga, name);
        }
        self.record(saga, "commit").record(saga, "committed")
    }

    /// A saga that aborts after `done` steps.
    pub(super) fn aborted(self, saga: &str, done: usize) -> Story {
        self.undone(saga, done, (0..done).rev())
    }

    /// The same, undone in this order.
    pub(super) fn undone(
        mut self,
        saga: &str,
        done: usize,
        order: impl Iterator<Item = usize>,
    ) -> Story {
        self = self.order(saga, Heard::Aborted).record(saga, "begin");
        for (step, name) in STEPS.iter().enumerate().take(done) {
            self = self.effect(step, saga, "apply").record(saga, name);
        }
        self = self.record(saga, "abort");
        for step in order {
            let confirmed = format!("-{}", STEPS[step]);
            self = self.effect(step, saga, "compensate").record(saga, &confirmed);
        }
        self.record(saga, "aborted")
    }

    /// The history: orders one after another, each by a process of its own; after a minute the
    /// decider's journal, those of the services, their states, and the decider's journal again.
    pub(super) fn history(&self) -> History {
        let mut events = Vec::new();
        let mut push = |time: u64, process: u32, call: Call, outcome: Outcome| {
            let process = Process(process);
            events.push((Time(time), Event::Invoke { process, node: None, call }));
            events.push((Time(time + SECOND / 2), Event::Complete { process, outcome }));
        };
        for (i, (saga, heard)) in self.orders.iter().enumerate() {
            let arg = Value::of([
                ("saga", saga.as_str().into()),
                ("item", "widget-1".into()),
                ("quantity", 2.into()),
                ("amount", 40.into()),
                ("customer", "c1".into()),
            ]);
            let outcome = match heard {
                Heard::Committed => Outcome::Ok(Value::of([("outcome", "committed".into())])),
                Heard::Aborted => Outcome::Ok(Value::of([("outcome", "aborted".into())])),
                Heard::Failed => Outcome::Fail("refused".into()),
                Heard::Nothing => Outcome::Info("timeout".into()),
            };
            push(i as u64 * SECOND, i as u32, Call::new("order", arg), outcome);
        }
        let (reader, mut now) = (u32::MAX - 1, self.orders.len() as u64 * SECOND);
        let mut read = |f: &'static str, arg: Value, ret: Value| {
            now += 60 * SECOND;
            push(now, reader, Call::new(f, arg), Outcome::Ok(ret));
        };
        if !self.mute {
            read("journal", "coordinator".into(), self.decider.clone().into());
        }
        for (service, journal) in SERVICES.iter().zip(&self.journals) {
            // In pages, the last one empty.
            let half = journal.len() / 2;
            for (from, page) in
                [(0, &journal[..half]), (half, &journal[half..]), (journal.len(), &[][..])]
            {
                let from = Value::from(from as i64);
                let arg = Value::of([("service", (*service).into()), ("from", from)]);
                read("journal", arg, page.to_vec().into());
            }
        }
        for (service, state) in &self.states {
            read("state", (*service).into(), state.clone());
        }
        if !self.mute {
            read("journal", "coordinator".into(), self.decider.clone().into());
        }
        History::of(events).expect("one operation a process")
    }

    pub(super) fn finding(&self) -> Finding {
        self.finding_by(Definition::orders(Duration::from_secs(1)))
    }

    pub(super) fn finding_by(&self, definition: Definition) -> Finding {
        sagas(definition).check(&self.history(), &Limits::default())
    }

    /// The anomalies' names, each once.
    pub(super) fn names(&self) -> Vec<String> {
        names(&self.finding())
    }
}

/// The names of all anomalies found, shown or not.
pub(super) fn names(finding: &Finding) -> Vec<String> {
    let name = |stat: &danso_vocab::Name| Some(stat.strip_prefix("anomalies-")?.to_owned());
    finding.stats.keys().filter_map(name).collect()
}

/// The record `what` of the decider about `saga`; see [`Story::record`].
pub(super) fn record(saga: &str, what: &str) -> Value {
    let (kind, field, value) = match what {
        "begin" => ("begin", "by", "client"),
        "commit" | "abort" => ("decide", "outcome", what),
        "committed" | "aborted" => ("end", "outcome", what),
        step => {
            let undone = step.strip_prefix('-');
            let action = if undone.is_some() { "compensate" } else { "apply" };
            return Value::of([
                ("saga", saga.into()),
                ("kind", "done".into()),
                ("step", undone.unwrap_or(step).into()),
                ("action", action.into()),
            ]);
        }
    };
    Value::of([("saga", saga.into()), ("kind", kind.into()), (field, value.into())])
}

/// The one anomaly of this name that is shown.
pub(super) fn shown<'f>(finding: &'f Finding, name: &str) -> &'f Anomaly {
    let found = finding.anomalies.iter().find(|a| a.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {finding:?}"))
}
