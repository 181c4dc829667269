//! The checker against definitions written independently, and by hand.

mod anomalies;
mod broker;
mod limits;
mod oracle;

use danso_vocab::{Call, Event, Finding, History, Outcome, Process, Rng, Time, Value};

use super::*;

/// A history of these events, one tick apart.
fn history(events: impl IntoIterator<Item = Event>) -> History {
    History::of((1..).map(Time).zip(events)).unwrap()
}

fn call(process: u32, f: &'static str, arg: impl Into<Value>) -> Event {
    on(process, f, None, arg)
}

fn on(process: u32, f: &'static str, key: Option<i64>, arg: impl Into<Value>) -> Event {
    let mut call = Call::new(f, arg);
    call.key = key.map(Value::Int);
    Event::Invoke { process: Process(process), node: None, call }
}

fn ok(process: u32, ret: impl Into<Value>) -> Event {
    Event::Complete { process: Process(process), outcome: Outcome::Ok(ret.into()) }
}

fn info(process: u32) -> Event {
    Event::Complete { process: Process(process), outcome: Outcome::Info("timeout".into()) }
}

fn fail(process: u32) -> Event {
    Event::Complete { process: Process(process), outcome: Outcome::Fail("refused".into()) }
}

/// An operation that nothing overlaps.
fn did(f: &'static str, arg: impl Into<Value>, ret: impl Into<Value>) -> [Event; 2] {
    [call(0, f, arg), ok(0, ret)]
}

fn check(promise: Delivery, history: &History) -> Finding {
    let finding = promise.check(history, &Limits::default());
    let shown = finding.anomalies.iter().all(|anomaly| {
        !anomaly.because.is_empty() && anomaly.ops.iter().all(|id| history.op(*id).is_some())
    });
    assert!(shown, "{finding:?}");
    finding
}

/// The names of what was found, each once.
fn names(finding: &Finding) -> Vec<&str> {
    let mut names: Vec<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// What clients talk to in a history drawn at random.
trait System {
    /// What a client asks next.
    fn begin(&mut self, rng: &mut Rng) -> Call;
    /// How that ends.
    fn end(&mut self, rng: &mut Rng, call: &Call) -> Outcome;
}

/// Events drawn one by one: some process begins something or ends what it has open.
fn drawn(rng: &mut Rng, processes: u32, steps: u64, system: &mut dyn System) -> Vec<Event> {
    let mut seats: Vec<(u32, Option<Call>)> = (0..processes).map(|p| (p, None)).collect();
    let mut next = processes;
    let mut events = Vec::new();
    for _ in 0..steps {
        let seat = &mut seats[rng.below(u64::from(processes)) as usize];
        let process = Process(seat.0);
        if let Some(call) = seat.1.take() {
            let outcome = system.end(rng, &call);
            if let Outcome::Info(_) = outcome {
                seat.0 = next;
                next += 1;
            }
            events.push(Event::Complete { process, outcome });
        } else {
            let call = system.begin(rng);
            seat.1 = Some(call.clone());
            events.push(Event::Invoke { process, node: None, call });
        }
    }
    events
}
