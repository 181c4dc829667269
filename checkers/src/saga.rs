//! Sagas: whether every one of them was done as a whole or undone as a whole, in order, once.
//!
//! **The model.** A saga is a few steps, each a forward action T of one service with a compensation
//! C (Garcia-Molina and Salem, *Sagas*, SIGMOD 1987); the words pivot and retriable are Richardson's
//! (*Microservices Patterns*, 2018, chapter 4). A finished saga is legal if either all steps are done,
//! in order and none undone; or those that were done are undone, each once and after it was done, in
//! reverse order, and none was done again. A compensation that finds nothing to undo is a *null
//! compensation*, and must keep a step that arrives late from being done. Savepoints are not
//! supported: a step that is done again after it was undone is an anomaly.
//!
//! **The evidence.** Three kinds of operations, all of them reads but the first:
//!
//! | operation | argument | result |
//! | --- | --- | --- |
//! | `order` (as the [`Definition`] calls it) | `{saga: "s17", …}`, with what the ledgers name | `{outcome: "committed"}` or `"aborted"` |
//! | `journal` | a service, or `{service: …, from: 120}` for a page | a list of entries, in the journal's order |
//! | `state` | a service | a map of what the service holds; `journal`: how many entries it includes |
//!
//! An entry of a service is `{saga, step, kind}` with kind `apply`, `compensate`,
//! `null-compensation`, or without effect `refuse`, `blocked`, `repeated`; and, where known, `key` (of
//! idempotency), `after` (how many of the decider's records had been written when it was asked for)
//! and what the ledgers name. An entry of the decider is `{saga, kind}` with kind `begin`, `decide`
//! (with `outcome`: `commit` or `abort`), `done` (with `step` and `action`: `apply` or
//! `compensate`), `end` (with `outcome`: `committed` or `aborted`).
//!
//! **What is decided.** Missing things only of sagas whose end was known before the journal was
//! read to its end; an order only if it is forced, by one journal or by the chain of messages
//! (`windows.rs`); conservation within the bounds that sagas under way leave. So a valid system is
//! not accused of what was merely not seen. A `fail`ed order is taken as the promise that nothing
//! of it remains.
//!
//! **Cost.** O(n log n) for n operations and entries, the logarithm for pages only; below 100 bytes
//! an entry beside the history.

mod case;
mod definition;
mod entry;
mod evidence;
mod figure;
mod isolation;
mod judge;
mod keys;
mod ledger;
mod pages;
mod picture;
mod precedence;
mod tally;
mod windows;

#[cfg(test)]
mod tests;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits};

pub use definition::{Definition, Ledger, Step, StepKind};
use evidence::Evidence;
use judge::Judge;
pub use picture::{Happening, Picture};
pub use precedence::{Edge, Event};
use tally::Tally;
use windows::{Groups, Windows};

/// Sagas judged between two looks at the flag that says "give up".
const BATCH: usize = 4_096;

/// Decides whether every saga of this kind was done or undone as a whole.
pub fn sagas(definition: Definition) -> Box<dyn Checker> {
    Box::new(Sagas { definition })
}

struct Sagas {
    definition: Definition,
}

impl Checker for Sagas {
    fn name(&self) -> &'static str {
        "saga"
    }

    fn decides(&self) -> &'static str {
        "every saga is done as a whole or undone as a whole, each step once and in order"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        tally::NAMES
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        if let Some(flaw) = self.definition.flaw() {
            return Finding::unknown(self.name(), format!("the saga makes no sense: {flaw}"));
        }
        match Evidence::read(history, &self.definition) {
            Ok(evidence) => self.decide(history, &evidence, limits),
            Err(reason) => Finding::unknown(self.name(), reason),
        }
    }
}

impl Sagas {
    fn decide(&self, history: &History, evidence: &Evidence<'_>, limits: &Limits) -> Finding {
        let (name, sagas) = (self.name(), evidence.sagas.len());
        let effects = Groups::new(&evidence.effects.saga, sagas);
        let records = Groups::new(&evidence.decisions.saga, sagas);
        let windows = Windows::new(evidence, &effects, &records);
        let mut tally = Tally::default();
        for rewritten in &evidence.rewritten {
            tally.add("journal-rewritten", || journal_rewritten(history, rewritten));
        }
        let mut judge =
            Judge::new(history, &self.definition, evidence, &effects, &records, &windows);
        for saga in 0..sagas {
            if saga % BATCH == 0 && limits.stop.is_tripped() {
                let reason = format!("stopped after {saga} of {sagas} sagas");
                return Finding::unknown(name, reason);
            }
            judge.judge(saga, &mut tally);
        }
        let figures = judge.figures;
        keys::reused_keys(history, evidence, &mut tally);
        let dirty = isolation::dirty_reads(history, &self.definition, evidence, &mut tally);
        ledger::conservation(history, &self.definition, evidence, &records, &mut tally);

        let mut missing = evidence.missing.clone();
        if !evidence.decisions.asked {
            // Without it nothing is known of decisions; what clients heard must do.
            missing.retain(|m| !m.ends_with(&*self.definition.decider));
        }
        let settled = figures.committed + figures.aborted - figures.unsettled.min(sagas as u64);
        let counts: Vec<(&str, u64)> = tally.counts().collect();
        let found: u64 = counts.iter().map(|(_, n)| n).sum();
        let shown = tally.shown();
        let mut finding = if found > 0 {
            let all: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
            let mut finding = Finding::invalid(name, shown);
            finding.reason += &format!(" (in all {})", all.join(", "));
            finding
        } else if !missing.is_empty() {
            Finding::unknown(name, missing.join("; "))
        } else if figures.committed + figures.aborted == 0 || settled == 0 {
            Finding::unknown(name, "no saga is known to have ended, so nothing could be judged")
        } else {
            let none = if figures.compensations == 0 { ", so undoing was not tested" } else { "" };
            Finding::valid(
                name,
                format!(
                    "{} sagas committed and {} were undone, with {} compensations{none}",
                    figures.committed, figures.aborted, figures.compensations
                ),
            )
        };
        for (name, value) in [
            ("sagas", sagas as u64),
            ("committed", figures.committed),
            ("aborted", figures.aborted),
            ("open", figures.open),
            ("unsettled", figures.unsettled),
            ("entries", (evidence.effects.saga.len() + evidence.decisions.saga.len()) as u64),
            ("compensations", figures.compensations),
            ("null-compensations", figures.null_compensations),
            ("dirty-reads", dirty),
            ("states", evidence.states.len() as u64),
        ] {
            finding.stats.insert(name.into(), value);
        }
        for (name, count) in counts {
            finding.stats.insert(format!("anomalies-{name}").into(), count);
        }
        finding
    }
}

fn journal_rewritten(history: &History, found: &(String, usize, u32, u32)) -> Anomaly {
    let (service, at, one, other) = found;
    let id = |row: &u32| history.row(*row as usize).id();
    Anomaly {
        name: "journal-rewritten".into(),
        key: Some(service.as_str().into()),
        ops: vec![id(one), id(other)],
        because: format!(
            "the journal of {service} must only grow, but {} and {} disagree about position {at}",
            id(one),
            id(other)
        ),
        explain: Vec::new(),
        figure: None,
    }
}
