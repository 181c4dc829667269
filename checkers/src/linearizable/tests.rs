//! The checker against an oracle, on small histories by the million.

mod anomalies;
mod certificates;
pub(super) mod clients;
mod every_model;
mod exhaustive;
mod figures;
mod frontier;
pub(super) mod fuzz;
mod limits;
mod live;
mod metamorphic;
mod models;
mod objects;
pub(super) mod oracle;
mod regressions;
mod shrunk;
pub(super) mod simulate;

use danso_vocab::{Event, History, Limits, Model, Outcome, Process, Time, Value, Verdict};

use super::{Linearizable, Reductions};
use crate::models::CasRegister;

/// A history written as a list of events of one register, one tick apart.
fn history(events: impl IntoIterator<Item = Event>) -> History {
    History::of((1..).map(Time).zip(events)).unwrap()
}

fn call(process: u32, f: &'static str, arg: impl Into<Value>) -> Event {
    let call = danso_vocab::Call::new(f, arg);
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

fn verdict<M: Model>(model: M, history: &History, reductions: Reductions) -> Verdict {
    use danso_vocab::Checker;
    Linearizable::with(model, reductions).check(history, &Limits::default()).verdict
}

fn register(history: &History) -> Verdict {
    verdict(CasRegister::default(), history, Reductions::ALL)
}
