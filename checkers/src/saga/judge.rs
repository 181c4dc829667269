//! The verdict on each saga, from its masks and windows.

mod order;
mod tell;

use danso_vocab::{History, Op};

use super::case::{Case, steps};
use super::definition::{Definition, StepKind};
use super::evidence::{Act, Evidence, NONE};
use super::figure::{Guilt, Missing};
use super::precedence::Event;
use super::tally::Tally;
use super::windows::{Groups, Windows};

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) committed: u64,
    pub(super) aborted: u64,
    /// Nobody knows how they ended, and nothing says they were begun for good.
    pub(super) open: u64,
    pub(super) compensations: u64,
    pub(super) null_compensations: u64,
    /// Sagas that ended too late to be judged for what is missing.
    pub(super) unsettled: u64,
}

/// Judges sagas one by one.
pub(super) struct Judge<'a, 'h> {
    pub(super) history: &'h History,
    pub(super) definition: &'h Definition,
    pub(super) evidence: &'a Evidence<'h>,
    pub(super) effects: &'a Groups,
    pub(super) records: &'a Groups,
    pub(super) windows: &'a Windows,
    needs: Vec<u32>,
    /// The journal of each step.
    journal: Vec<u32>,
    pivots: u32,
    retriable: u32,
    all: u32,
    pub(super) figures: Figures,
}

impl<'a, 'h> Judge<'a, 'h> {
    pub(super) fn new(
        history: &'h History,
        definition: &'h Definition,
        evidence: &'a Evidence<'h>,
        effects: &'a Groups,
        records: &'a Groups,
        windows: &'a Windows,
    ) -> Judge<'a, 'h> {
        let journal = |step: &super::definition::Step| {
            evidence.journals.iter().position(|j| j.service == step.service).unwrap_or(0) as u32
        };
        Judge {
            history,
            definition,
            evidence,
            effects,
            records,
            windows,
            needs: definition.predecessors(),
            journal: definition.steps.iter().map(journal).collect(),
            pivots: definition.of_kind(StepKind::Pivot),
            retriable: definition.of_kind(StepKind::Retriable),
            all: (1 << definition.steps.len()) - 1,
            figures: Figures::default(),
        }
    }

    /// Judges saga number `saga`. O(e²) for its e effects of different kinds, a dozen as a rule.
    pub(super) fn judge(&mut self, saga: usize, tally: &mut Tally) {
        let case = Case::new(
            saga,
            &self.evidence.effects,
            self.effects.of(saga),
            &self.evidence.decisions,
            self.records.of(saga),
        );
        let order = self.evidence.orders[saga];
        let past_pivot = case.applied() & self.pivots != 0;
        let committed = case.commits() || order.committed;
        let aborted = case.aborts() || order.aborted;
        self.figures.compensations += u64::from(case.undone().count_ones());
        self.figures.null_compensations += u64::from(case.has[Act::Null as usize].count_ones());
        self.figures.committed += u64::from(committed);
        self.figures.aborted += u64::from(aborted && !committed);
        self.figures.open += u64::from(!committed && !aborted);

        self.repeated(&case, tally);
        if committed && aborted {
            self.split(&case, tally);
        }
        if (committed || past_pivot) && case.undone() != 0 {
            for i in steps(case.undone()) {
                let t = format!(
                    "{} was undone in saga {}, which {}",
                    self.name(i),
                    self.saga(&case),
                    if committed {
                        self.committed_by(&case)
                    } else {
                        "had passed its pivot".to_owned()
                    }
                );
                self.tell(tally, "compensated-after-commit", &case, t);
            }
        }
        for i in steps(case.undone() & !case.applied()) {
            let t = format!(
                "{} was undone in saga {}, but it had never been done",
                self.name(i),
                self.saga(&case)
            );
            self.tell(tally, "orphan-compensation", &case, t);
        }
        if past_pivot && case.aborts() {
            let t = format!(
                "saga {} was aborted after its pivot, {}",
                self.saga(&case),
                self.progress(&case)
            );
            self.tell(tally, "split-decision", &case, t);
        }
        if committed {
            self.missing_steps(&case, tally);
        } else if aborted {
            self.missing_compensations(&case, tally);
            self.unfounded(&case, tally);
        }
        self.incomplete(&case, tally);
        self.order(&case, tally);
    }

    /// Effects applied twice, or applied after they were undone.
    fn repeated(&self, case: &Case, tally: &mut Tally) {
        let keys = |i: usize, act: Act| {
            let effects = &self.evidence.effects;
            let (one, two) = (case.first[act as usize][i], case.again[act as usize][i]);
            match (effects.key[one as usize], effects.key[two as usize]) {
                (Some(a), Some(b)) if a == b => format!("both with the idempotency key {a}"),
                (Some(a), Some(b)) => format!("with the idempotency keys {a} and {b}"),
                _ => "without idempotency keys".to_owned(),
            }
        };
        type Make = fn(u8) -> Event;
        let kinds: [(Act, &str, Make); 2] =
            [(Act::Apply, "done", Event::Apply), (Act::Compensate, "undone", Event::Compensate)];
        for (act, word, event) in kinds {
            for i in steps(case.twice[act as usize]) {
                let again = case.again[act as usize][i];
                let t = format!(
                    "{} was {word} twice in saga {}: positions {} and {} of the journal of {}, {}",
                    self.name(i),
                    self.saga(case),
                    self.position(i, case.first[act as usize][i]),
                    self.position(i, again),
                    self.definition.steps[i].service,
                    keys(i, act)
                );
                let event = event(i as u8);
                let guilt = Guilt::Again(self.again(event, i, again), event);
                self.blame(tally, "double-effect", case, t, &guilt);
            }
        }
        for i in steps(case.late) {
            let t = format!(
                "{} was done in saga {} after it had been undone there: position {} of the journal \
                 of {}",
                self.name(i),
                self.saga(case),
                self.position(i, case.too_late[i]),
                self.definition.steps[i].service
            );
            let (done, undone) = (Event::Apply(i as u8), self.undoing(case, i));
            let guilt = match case.too_late[i] {
                at if at == case.first[Act::Apply as usize][i] => Guilt::Came(undone, done),
                at => Guilt::Again(self.again(done, i, at), undone),
            };
            self.blame(tally, "orphan-step", case, t, &guilt);
        }
    }

    fn split(&self, case: &Case, tally: &mut Tally) {
        let order = self.evidence.orders[case.saga];
        let mut says = Vec::new();
        if order.committed {
            says.push("a client heard that it committed".to_owned());
        }
        if order.aborted {
            says.push("a client heard that nothing of it remains".to_owned());
        }
        let at = |at: u32, what: &str| format!("{} {what} (record {at})", self.definition.decider);
        let records = [
            (case.commit, "decided to commit"),
            (case.abort, "decided to abort"),
            (case.end_committed, "ended it as committed"),
            (case.end_aborted, "ended it as aborted"),
        ];
        says.extend(records.iter().filter(|(r, _)| *r != NONE).map(|(r, what)| at(*r, what)));
        let t = format!("saga {} was decided both ways: {}", self.saga(case), says.join(", "));
        self.tell(tally, "split-decision", case, t);
    }

    /// S10: it committed, and a step left no effect.
    fn missing_steps(&mut self, case: &Case, tally: &mut Tally) {
        let missing = self.all & !case.applied();
        let (settled, late) = self.split_settled(case, missing);
        self.figures.unsettled += u64::from(late != 0);
        for i in steps(settled) {
            let t = format!(
                "saga {} {}, but {} has no effect of {}",
                self.saga(case),
                self.committed_by(case),
                self.definition.steps[i].service,
                self.name(i)
            );
            let guilt = Guilt::Missing(Missing {
                words: self.name(i).to_owned(),
                place: self.definition.steps[i].service.to_string(),
                after: Vec::new(),
                before: vec![Event::Commit],
                why: "what commits has all its steps",
            });
            self.blame(tally, "lost-step", case, t, &guilt);
        }
    }

    /// S1: it aborted, and a step was not undone.
    fn missing_compensations(&mut self, case: &Case, tally: &mut Tally) {
        let missing = case.applied() & !case.undone() & !case.late;
        let (settled, late) = self.split_settled(case, missing);
        self.figures.unsettled += u64::from(late != 0);
        for i in steps(settled) {
            let null = case.first[Act::Null as usize][i];
            let why = match null {
                NONE => "was never undone",
                _ => "was not undone: its compensation did nothing",
            };
            let t = format!(
                "saga {} {}, but its {} {why}",
                self.saga(case),
                self.aborted_by(case),
                self.name(i)
            );
            let guilt = Guilt::Missing(Missing {
                words: self.words(Event::Compensate(i as u8)),
                place: self.definition.steps[i].service.to_string(),
                after: vec![Event::Abort, Event::Apply(i as u8)],
                before: Vec::new(),
                why: "what aborts is undone",
            });
            self.blame(tally, "missing-compensation", case, t, &guilt);
        }
    }

    /// A step was done without another that it needs.
    fn unfounded(&self, case: &Case, tally: &mut Tally) {
        for j in steps(case.applied()) {
            for i in steps(self.needs[j] & !case.applied()).filter(|i| self.settled(case, *i)) {
                let t = format!(
                    "{} was done in saga {} without {}, which it needs",
                    self.name(j),
                    self.saga(case),
                    self.name(i)
                );
                self.tell(tally, "wrong-step-order", case, t);
            }
        }
    }

    /// S8: neither done nor undone although there was time enough; and sagas nobody began.
    fn incomplete(&mut self, case: &Case, tally: &mut Tally) {
        let decisions = &self.evidence.decisions;
        let order = self.evidence.orders[case.saga];
        let (applied, open) = (case.applied(), case.applied() & !case.undone());
        if decisions.asked {
            let Some(end) = decisions.end else { return };
            let end = self.row(end);
            if case.decided_anything() {
                if case.ended().is_some() {
                    return;
                }
                // The clock runs from when somebody saw it open.
                let records = self.records.of(case.saga);
                let seen = records.iter().map(|r| self.row(decisions.row[*r as usize]));
                let seen = seen.filter_map(Op::res_time).min();
                if seen.is_some_and(|seen| seen + self.definition.recovery <= end.inv_time()) {
                    let t = format!(
                        "saga {} was begun and never ended: {} after it was seen open, {} has no \
                         record of its end ({})",
                        self.saga(case),
                        danso_vocab::time::human(self.definition.recovery),
                        self.definition.decider,
                        self.progress(case)
                    );
                    self.tell(tally, "incomplete-saga", case, t);
                } else {
                    self.figures.unsettled += 1;
                }
                return;
            }
            // An effect comes after the beginning of its saga, which the decider wrote down.
            let read = self
                .effects
                .of(case.saga)
                .iter()
                .map(|at| self.row(self.evidence.effects.row[*at as usize]).res_rank());
            let read_before = read.min().is_some_and(|rank| rank < end.inv_rank());
            if applied == 0 || !read_before {
                return;
            }
            let partial = open != 0 && open != self.all;
            let (name, why) = match order.row {
                NONE => ("orphan-step", "has effects, although nobody ordered it"),
                _ if order.aborted => return, // told already if anything remains
                _ if partial => ("incomplete-saga", "is neither done nor undone"),
                _ => ("orphan-step", "has effects"),
            };
            let t = format!(
                "saga {} {why}, and {} has no record of it ({})",
                self.saga(case),
                self.definition.decider,
                self.progress(case)
            );
            self.tell(tally, name, case, t);
        } else if order.row == NONE && open != 0 {
            let t = format!("nobody ordered saga {}, but {}", self.saga(case), self.progress(case));
            self.tell(tally, "orphan-step", case, t);
        } else if !order.committed && !order.aborted && open != 0 && open != self.all {
            self.abandoned(case, tally);
        }
    }

    /// Without a decider's journal only the clock says that nobody goes on with a saga.
    fn abandoned(&mut self, case: &Case, tally: &mut Tally) {
        let read = self.effects.of(case.saga).iter();
        let read = read.map(|at| self.row(self.evidence.effects.row[*at as usize]));
        let seen = read.filter_map(Op::res_time).min();
        let ends = self.evidence.journals.iter().map(|j| j.end.map(|end| self.row(end).inv_time()));
        let asked = ends.min().flatten();
        if seen.zip(asked).is_some_and(|(s, a)| s + self.definition.recovery <= a) {
            let t = format!(
                "saga {} is neither done nor undone {} after that was first seen ({})",
                self.saga(case),
                danso_vocab::time::human(self.definition.recovery),
                self.progress(case)
            );
            self.tell(tally, "incomplete-saga", case, t);
        } else {
            self.figures.unsettled += 1;
        }
    }

    /// Of these steps those whose journal was read after the saga's end, and the others.
    fn split_settled(&self, case: &Case, missing: u32) -> (u32, u32) {
        let settled =
            steps(missing).filter(|i| self.settled(case, *i)).fold(0, |mask, i| mask | 1 << i);
        (settled, missing & !settled)
    }

    /// Whether the journal of step `i` was read, to its end, after the saga had ended.
    fn settled(&self, case: &Case, i: usize) -> bool {
        let journal = &self.evidence.journals[self.journal[i] as usize];
        let Some(read) = journal.end.map(|end| self.row(end)) else { return false };
        let order = self.evidence.orders[case.saga];
        let decisions = &self.evidence.decisions;
        let ended = case.ended().map(|at| self.row(decisions.row[at as usize]));
        if ended.is_some_and(|op| op.res_rank() < read.inv_rank()) {
            return true;
        }
        if case.decided_anything() && ended.is_none() {
            return false; // incomplete, if anything
        }
        let answer = (order.row != NONE).then(|| self.row(order.row));
        if order.committed && answer.is_some_and(|op| op.res_rank() < read.inv_rank()) {
            return true;
        }
        // An answer may come before the last compensation.
        let heard = answer.filter(|_| order.aborted).and_then(Op::res_time);
        heard.is_some_and(|known| known + self.definition.recovery <= read.inv_time())
    }
}
