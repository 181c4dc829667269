//! An orchestrator and three services that lose, repeat and reorder messages, with bugs to plant.
//!
//! Ground truth is what the simulation did: a planted bug that left a trace must be named, and
//! nothing may be reported where none did (ALGORITHMS, section 6.5).

use std::collections::BTreeSet;

use danso_vocab::{Rng, Verdict};

use super::story::{Heard, STEPS, Story, entry, record};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    SkipCompensation,
    CompensateTwice,
    ForwardOrder,
    ForgetInFlight,
    ChargeOnRetry,
    CompensateAfterCommit,
    DropTombstone,
    LoseStep,
    CommitAfterAbort,
    ChargeTooMuch,
}

const BUGS: [(Bug, &str); 10] = [
    (Bug::SkipCompensation, "missing-compensation"),
    (Bug::CompensateTwice, "double-effect"),
    (Bug::ForwardOrder, "wrong-compensation-order"),
    (Bug::ForgetInFlight, "incomplete-saga"),
    (Bug::ChargeOnRetry, "double-effect"),
    (Bug::CompensateAfterCommit, "compensated-after-commit"),
    (Bug::DropTombstone, "orphan-step"),
    (Bug::LoseStep, "lost-step"),
    (Bug::CommitAfterAbort, "split-decision"),
    (Bug::ChargeTooMuch, "conservation-violated"),
];

/// A message to the service of `step`.
#[derive(Clone, Copy)]
struct Message {
    saga: usize,
    step: usize,
    undo: bool,
    after: usize,
}

/// What the orchestrator does next for a saga.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Forward(usize),
    /// Compensations still to be asked for, last first.
    Backward(usize),
    Ended,
}

struct World {
    story: Story,
    bug: Option<Bug>,
    /// The bug left a trace.
    bitten: bool,
    stages: Vec<Stage>,
    /// Of each saga: steps asked for, and the order of its compensations.
    plans: Vec<Vec<usize>>,
    /// Messages on their way, delivered in any order, maybe twice.
    flying: Vec<Message>,
    /// Per step: sagas applied, undone, barred.
    applied: [BTreeSet<usize>; 3],
    undone: [BTreeSet<usize>; 3],
    refused: [BTreeSet<usize>; 3],
    waiting: Vec<Option<Message>>,
}

impl World {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn write(&mut self, saga: usize, what: &str) {
        self.story.decider.push(record(&name(saga), what));
    }

    fn note(&mut self, message: Message, kind: &str) {
        let entry = entry(message.step, &name(message.saga), kind, message.after);
        self.story.journals[message.step].push(entry);
    }

    /// A service gets a message; true if the step is done or undone as asked.
    fn deliver(&mut self, message: Message) -> bool {
        let Message { saga, step, undo, .. } = message;
        if !undo {
            let barred = self.undone[step].contains(&saga);
            if barred && !self.has(Bug::DropTombstone) || self.refused[step].contains(&saga) {
                self.note(message, "refuse");
                self.refused[step].insert(saga);
                return false;
            }
            if self.applied[step].contains(&saga) && !(step == 1 && self.has(Bug::ChargeOnRetry)) {
                self.note(message, "repeated");
                return true;
            }
            self.bitten |= barred || self.applied[step].contains(&saga);
            self.note(message, "apply");
            if step == 1 && self.has(Bug::ChargeTooMuch) && saga == 1 {
                self.bitten = true;
                if let Some(danso_vocab::Value::Map(last)) = self.story.journals[1].last_mut() {
                    last.insert("amount".to_owned(), 41.into());
                }
            }
            self.applied[step].insert(saga);
            return true;
        }
        let again = self.undone[step].contains(&saga);
        if again && !(step == 1 && self.has(Bug::CompensateTwice)) {
            self.note(message, "repeated");
        } else if self.applied[step].contains(&saga) {
            self.bitten |= again
                || self.has(Bug::CompensateAfterCommit) && {
                    self.story.decider.contains(&record(&name(saga), "committed"))
                };
            self.note(message, "compensate");
        } else {
            self.note(message, "null-compensation");
        }
        self.undone[step].insert(saga);
        true
    }

    /// The orchestrator acts for `saga`: asks, or gives up waiting.
    fn act(&mut self, saga: usize, rng: &mut Rng) {
        if let Some(message) = self.waiting[saga] {
            match self.stages[saga] {
                // Patience ends: the step may or may not have been done.
                Stage::Forward(step) if rng.chance(1, 6) => {
                    self.waiting[saga] = None;
                    self.abort(saga, step + 1);
                }
                _ => self.flying.push(message), // a retry
            }
            return;
        }
        match self.stages[saga] {
            Stage::Forward(3) => {
                self.write(saga, "commit");
                self.write(saga, "committed");
                self.stages[saga] = Stage::Ended;
                if self.has(Bug::CompensateAfterCommit) && rng.chance(1, 2) {
                    self.ask(saga, 1, true);
                    self.waiting[saga] = None;
                }
            }
            Stage::Forward(step) => {
                if step == 0 {
                    self.write(saga, "begin");
                }
                if step == 2 && self.has(Bug::ForgetInFlight) && rng.chance(1, 3) {
                    self.stages[saga] = Stage::Ended;
                    self.bitten = true;
                } else if step == 2 && self.has(Bug::LoseStep) && rng.chance(1, 3) {
                    self.stages[saga] = Stage::Forward(3);
                    self.bitten = true;
                } else {
                    self.ask(saga, step, false);
                }
            }
            Stage::Backward(nth) => match self.plans[saga].get(nth).copied() {
                Some(step) => self.ask(saga, step, true),
                None => {
                    self.write(saga, "aborted");
                    self.stages[saga] = Stage::Ended;
                }
            },
            Stage::Ended => {}
        }
    }

    fn ask(&mut self, saga: usize, step: usize, undo: bool) {
        let message = Message { saga, step, undo, after: self.story.decider.len() };
        self.flying.push(message);
        self.waiting[saga] = Some(message);
    }

    /// Compensates the first `asked` steps.
    fn abort(&mut self, saga: usize, asked: usize) {
        self.write(saga, "abort");
        if self.has(Bug::CommitAfterAbort) {
            self.write(saga, "commit");
            self.bitten = true;
        }
        let mut plan: Vec<usize> = (0..asked).rev().collect();
        if self.has(Bug::ForwardOrder) {
            plan.reverse();
        }
        if self.has(Bug::SkipCompensation) && self.applied[0].contains(&saga) {
            plan.retain(|step| *step != 0);
            self.bitten = true;
        }
        self.plans[saga] = plan;
        self.stages[saga] = Stage::Backward(0);
    }

    /// A message arrives, and its answer if that is not lost.
    fn arrive(&mut self, message: Message, lost: bool) {
        let done = self.deliver(message);
        let Message { saga, step, undo, .. } = message;
        let expected = self.waiting[saga].is_some_and(|w| w.step == step && w.undo == undo);
        if lost || !expected {
            return;
        }
        self.waiting[saga] = None;
        match (undo, done) {
            (true, _) => {
                self.write(saga, &format!("-{}", STEPS[step]));
                if let Stage::Backward(nth) = self.stages[saga] {
                    self.stages[saga] = Stage::Backward(nth + 1);
                    let both = [0, 1].iter().all(|s| self.applied[*s].contains(&saga));
                    self.bitten |= self.has(Bug::ForwardOrder) && step == 1 && both;
                }
            }
            (false, true) => {
                self.write(saga, STEPS[step]);
                self.stages[saga] = Stage::Forward(step + 1);
            }
            (false, false) => self.abort(saga, step),
        }
    }
}

fn name(saga: usize) -> String {
    format!("s{saga}")
}

/// A run of a few sagas.
fn run(rng: &mut Rng, bug: Option<Bug>) -> World {
    let count = 1 + rng.below(4) as usize;
    let mut world = World {
        story: Story::default(),
        bug,
        bitten: false,
        stages: vec![Stage::Forward(0); count],
        plans: vec![Vec::new(); count],
        flying: Vec::new(),
        applied: Default::default(),
        undone: Default::default(),
        refused: Default::default(),
        waiting: vec![None; count],
    };
    for saga in 0..count {
        if rng.chance(1, 4) {
            world.refused[rng.below(3) as usize].insert(saga);
        }
    }
    while world.stages.iter().any(|s| *s != Stage::Ended) || !world.flying.is_empty() {
        if !world.flying.is_empty() && rng.chance(1, 2) {
            let at = rng.below(world.flying.len() as u64) as usize;
            let message = world.flying[at];
            if !rng.chance(1, 5) {
                world.flying.swap_remove(at); // otherwise it is delivered again
            }
            if !rng.chance(1, 5) {
                world.arrive(message, rng.chance(1, 5));
            }
        } else {
            world.act(rng.below(count as u64) as usize, rng);
        }
    }
    for saga in 0..count {
        let ended = |what| world.story.decider.contains(&record(&name(saga), what));
        let heard = match (ended("committed"), ended("aborted")) {
            _ if rng.chance(1, 5) => Heard::Nothing,
            (true, _) => Heard::Committed,
            (_, true) => Heard::Aborted,
            _ => Heard::Nothing,
        };
        world.story.orders.push((name(saga), heard));
    }
    world
}

#[test]
fn without_bugs_nothing_is_reported() {
    let rng = Rng::new(5);
    for case in 0..3_000 {
        let world = run(&mut rng.split(&case.to_string()), None);
        let finding = world.story.finding();
        assert_eq!(finding.verdict, Verdict::Valid, "case {case}: {finding:#?} {:#?}", world.story);
    }
}

#[test]
fn every_bug_that_left_a_trace_is_named() {
    for (bug, anomaly) in BUGS {
        let rng = Rng::new(6).split(anomaly);
        let mut bitten = 0;
        for case in 0..1_000 {
            let world = run(&mut rng.split(&case.to_string()), Some(bug));
            let names = world.story.names();
            let found = names.iter().any(|n| n == anomaly);
            let what = format!("{bug:?}, case {case}: {names:?}\n{:#?}", world.story);
            if world.bitten {
                bitten += 1;
                assert!(found, "{what}");
            } else {
                assert!(names.is_empty(), "{what}");
            }
        }
        assert!(bitten > 50, "{bug:?} left a trace in {bitten} of 1000 runs only");
    }
}
