//! What was found, in words and as a picture.

use danso_vocab::{Anomaly, Op, OpId, Value};

use super::super::case::{Case, steps};
use super::super::evidence::{Act, NONE};
use super::super::figure::Guilt;
use super::super::picture::{Happening, Picture};
use super::super::precedence::{Event, Precedence};
use super::super::tally::Tally;
use super::Judge;

impl<'h> Judge<'_, 'h> {
    pub(super) fn tell(&self, tally: &mut Tally, name: &'static str, case: &Case, because: String) {
        self.blame(tally, name, case, because, &Guilt::None);
    }

    /// The same, with what is wrong in the picture.
    pub(super) fn blame(
        &self,
        tally: &mut Tally,
        name: &'static str,
        case: &Case,
        because: String,
        guilt: &Guilt,
    ) {
        tally.add(name, || {
            let mut picture = self.picture(case, &self.precedence(case));
            if let Guilt::Again(again, after) = guilt {
                picture.again(again, *after);
            }
            Anomaly {
                name: name.into(),
                key: Some(Value::from(self.evidence.sagas[case.saga])),
                ops: self.reads(case),
                because,
                explain: self.explain(case, &picture),
                figure: picture.figure(guilt),
            }
        });
    }

    /// The order, and the reads that showed the effects and decisions.
    pub(super) fn reads(&self, case: &Case) -> Vec<OpId> {
        let order = self.evidence.orders[case.saga].row;
        let effects = self.effects.of(case.saga).iter();
        let effects = effects.map(|at| self.evidence.effects.row[*at as usize]);
        let records = self.records.of(case.saga).iter();
        let records = records.map(|at| self.evidence.decisions.row[*at as usize]);
        let mut rows: Vec<u32> = effects.chain(records).collect();
        rows.sort_unstable();
        rows.dedup();
        rows.retain(|row| *row != order);
        let order = (order != NONE).then_some(order);
        order.into_iter().chain(rows).map(|row| self.row(row).id()).collect()
    }

    pub(super) fn explain(&self, case: &Case, picture: &Picture) -> Vec<String> {
        let order = self.evidence.orders[case.saga];
        let order = match order.row {
            NONE => format!("no client ordered {}", self.saga(case)),
            row => format!("ordered by {}", self.row(row)),
        };
        let mut lines = vec![order];
        lines.extend(picture.lines());
        lines
    }

    pub(super) fn picture(&self, case: &Case, precedence: &Precedence<'_>) -> Picture {
        let label = |event| self.words(event);
        let decider = &self.definition.decider;
        Picture::new(self.history, self.evidence, case.saga, precedence, &label, decider)
    }

    pub(super) fn precedence(&self, case: &Case) -> Precedence<'_> {
        Precedence::new(case, self.windows, &self.needs, &self.journal, self.retriable)
    }

    pub(super) fn words(&self, event: Event) -> String {
        match event {
            Event::Apply(i) => self.name(i.into()).to_owned(),
            Event::Compensate(i) => self.definition.steps[usize::from(i)].undo.to_string(),
            Event::Null(i) => {
                format!("{} (nothing to undo)", self.definition.steps[usize::from(i)].undo)
            }
            Event::Begin => "begin".to_owned(),
            Event::Commit => "decide commit".to_owned(),
            Event::Abort => "decide abort".to_owned(),
        }
    }

    /// One more event like this of a step, at this position among all effects.
    pub(super) fn again(&self, event: Event, step: usize, at: u32) -> Happening {
        Happening {
            event,
            words: format!("{} again", self.words(event)),
            journal: self.definition.steps[step].service.to_string(),
            position: self.position(step, at),
            read: self.row(self.evidence.effects.row[at as usize]).id(),
        }
    }

    /// The first event that undid a step, or would have.
    pub(super) fn undoing(&self, case: &Case, step: usize) -> Event {
        let first = |act: Act| case.first[act as usize][step];
        if first(Act::Compensate) < first(Act::Null) {
            Event::Compensate(step as u8)
        } else {
            Event::Null(step as u8)
        }
    }

    pub(super) fn committed_by(&self, case: &Case) -> String {
        let decider = &self.definition.decider;
        match (case.end_committed.min(case.commit), self.evidence.orders[case.saga]) {
            (_, order) if order.committed => {
                format!("committed (as {} heard)", self.row(order.row).id())
            }
            (at, _) => format!("committed (record {at} of {decider})"),
        }
    }

    pub(super) fn aborted_by(&self, case: &Case) -> String {
        let decider = &self.definition.decider;
        match (case.abort.min(case.end_aborted), self.evidence.orders[case.saga]) {
            (NONE, order) => format!("was taken back (as {} heard)", self.row(order.row).id()),
            (at, _) => format!("aborted (record {at} of {decider})"),
        }
    }

    pub(super) fn progress(&self, case: &Case) -> String {
        let list = |mask: u32| steps(mask).map(|i| self.name(i)).collect::<Vec<_>>().join(", ");
        let done = if case.applied() == 0 { "nothing".to_owned() } else { list(case.applied()) };
        match case.undone() {
            0 => format!("{done} done, nothing undone"),
            undone => format!("{done} done, {} undone", list(undone)),
        }
    }

    pub(super) fn position(&self, step: usize, at: u32) -> u32 {
        at - self.evidence.journals[self.journal[step] as usize].range.start as u32
    }

    pub(super) fn name(&self, step: usize) -> &str {
        &self.definition.steps[step].name
    }

    pub(super) fn saga(&self, case: &Case) -> &'h str {
        self.evidence.sagas[case.saga]
    }

    pub(super) fn row(&self, row: u32) -> Op<'h> {
        self.history.row(row as usize)
    }
}
