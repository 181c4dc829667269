//! The order of a saga's events: anomalies where the contrary of what is required is forced.

use super::super::case::{Case, steps};
use super::super::evidence::{Act, NONE};
use super::super::figure::Guilt;
use super::super::precedence::{Edge, Event};
use super::super::tally::Tally;
use super::Judge;

impl Judge<'_, '_> {
    /// S3, S6, S7 and decisions out of order.
    pub(super) fn order(&self, case: &Case, tally: &mut Tally) {
        let precedence = self.precedence(case);
        let mut told = false;
        for (first, second, why) in precedence.contradictions() {
            if let (Event::Apply(i), Event::Compensate(j) | Event::Null(j)) =
                (first.event, second.event)
                && i == j
                && case.late & (1 << i) != 0
            {
                continue; // told as a late step
            }
            told = true;
            let (a, b) = (self.words(first.event), self.words(second.event));
            let t = format!("saga {}: {b} came before {a}", self.saga(case));
            let guilt = Guilt::Against(first.event, second.event);
            self.blame(tally, anomaly(why, first.event), case, t, &guilt);
        }
        // Asked for after the decision to abort: no message on its way explains that.
        for i in steps(case.applied() & !case.late) {
            let at = case.first[Act::Apply as usize][i] as usize;
            let after = self.evidence.effects.after[at];
            if case.abort != NONE && after > case.abort {
                told = true;
                let t = format!(
                    "saga {}: {} was asked for after {} had decided to abort (record {})",
                    self.saga(case),
                    self.name(i),
                    self.definition.decider,
                    case.abort
                );
                let guilt = Guilt::Came(Event::Abort, Event::Apply(i as u8));
                self.blame(tally, "orphan-step", case, t, &guilt);
            }
        }
        if !told && case.late == 0 && precedence.is_cyclic() {
            let picture = self.picture(case, &precedence);
            let cycle = picture.cycle();
            let worst = cycle.iter().filter(|(_, _, why)| !why.is_observed()).min_by_key(|e| e.2);
            let name = worst.map_or("wrong-step-order", |(a, _, why)| anomaly(*why, a.event));
            let words: Vec<String> = cycle
                .iter()
                .map(|(a, b, why)| format!("{} before {} ({why})", a.words, b.words))
                .collect();
            let t = format!(
                "saga {}: its events cannot be put in any legal order: {}",
                self.saga(case),
                words.join(", ")
            );
            self.blame(tally, name, case, t, &Guilt::Cycle);
        }
    }
}

/// What it is called if this requirement, that `first` come first, is broken.
fn anomaly(why: Edge, first: Event) -> &'static str {
    match (why, first) {
        (Edge::ProgramOrder, _) => "wrong-step-order",
        (Edge::ReverseOrder, _) => "wrong-compensation-order",
        (Edge::Compensates | Edge::NoLateStep, _) | (Edge::Decision, Event::Begin) => "orphan-step",
        _ => "early-decision",
    }
}
