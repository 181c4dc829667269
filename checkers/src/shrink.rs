//! From a refuted history to the smallest part of it that is refuted for the same reason.
//!
//! **What counts.** A part is a *witness* if the checker finds in it an anomaly of the same name
//! on the same key, and if whatever refutes the part refutes the whole ([`Bonds`] says why). The
//! latter is what makes shrinking of histories delicate: a read whose write was left out is
//! invalid, too, and tells nothing about the system.
//!
//! **How.** The operations a checker names in its anomaly are refuted by themselves; with what
//! they cannot do without they are the start. Should that not show the same anomaly, the start is
//! the shortest beginning of the object's history that does. From there operations are taken away,
//! many at once, then fewer, then each by itself (Zeller and Hildebrandt 2002 call that ddmin),
//! until no single one can go.
//!
//! **The claim.** At the end every operation is left out once more, alone. Either the rest is
//! valid then, or it is no witness: [`Shrunk::each`] says which.

mod restrict;

use danso_vocab::{Anomaly, Finding, History, Limits, OpId, Progress, Verdict};

use crate::linearizable::{Bonds, Linearizability};
pub use restrict::{Restricted, restrict};

/// A small witness.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The rows of the operations that are left, by invocation.
    pub rows: Vec<u32>,
    /// The rank of the last event that counts; an operation that ends later stays open.
    pub upto: u32,
    /// What the checker finds in them, with the operations' names in the whole history.
    pub anomaly: Anomaly,
    /// How many operations the object has.
    pub of: usize,
    /// What becomes of it without each of the operations; empty if time ran out before that.
    pub each: Vec<(OpId, Without)>,
    /// How many parts were checked.
    pub tried: u64,
}

/// What is left without one of the operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// A valid history.
    Valid,
    /// Something refuted, but for another reason.
    Other(String),
    /// Nothing that proves anything: what stays may have needed what went.
    Unfounded,
    /// The checker could not tell.
    Unknown(String),
}

/// Why there is nothing to shrink, or no way to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The history is valid.
    Valid,
    /// Nobody knows whether it is.
    Unknown(String),
    /// No part of it that could be found shows the same anomaly by itself.
    Whole(String),
}

/// The smallest witness that is found for any of the anomalies shown.
///
/// # Errors
/// If the history is not refuted, or nothing of it can be left out.
pub fn shrink(
    history: &History,
    checker: &dyn Linearizability,
    limits: &Limits,
) -> Result<Shrunk, Refusal> {
    let finding = checker.check(history, limits);
    match finding.verdict {
        Verdict::Valid => return Err(Refusal::Valid),
        Verdict::Unknown => return Err(Refusal::Unknown(finding.reason)),
        Verdict::Invalid => {}
    }
    let shrunk = finding.anomalies.iter().filter_map(|anomaly| {
        // What came later may be part of it: a value that was read before it was written.
        [true, false].into_iter().find_map(|cut| {
            let mut search = Search::of(history, checker, limits, anomaly, cut);
            let start = search.core()?;
            Some(search.minimize(start))
        })
    });
    if let Some(best) = shrunk.min_by_key(|shrunk| shrunk.rows.len()) {
        return Ok(best);
    }
    let first = &finding.anomalies[0];
    let mut search = Search::of(history, checker, limits, first, false);
    let why = || {
        let name = &first.name;
        format!("the operations of its object by themselves do not show the same {name}")
    };
    let start = search.beginning().ok_or_else(|| Refusal::Whole(why()))?;
    Ok(search.minimize(start))
}

/// Operations beyond which those that cannot be spared are not left out to see what happens.
const MANY: usize = 64;

/// The search for one anomaly.
struct Search<'a> {
    history: &'a History,
    checker: &'a dyn Linearizability,
    limits: &'a Limits,
    anomaly: &'a Anomaly,
    bonds: Bonds,
    tried: u64,
}

impl<'a> Search<'a> {
    fn of(
        history: &'a History,
        checker: &'a dyn Linearizability,
        limits: &'a Limits,
        anomaly: &'a Anomaly,
        cut: bool,
    ) -> Search<'a> {
        let bonds = checker.bonds(history, &anomaly.ops, cut);
        Search { history, checker, limits, anomaly, bonds, tried: 0 }
    }

    /// What the checker finds in a part.
    fn found(&mut self, kept: &[bool]) -> Option<(Restricted, Finding)> {
        self.tried += 1;
        let rows = self.bonds.rows(kept);
        let part = restrict(self.history, &rows, self.bonds.upto())?;
        // Whoever watches counts the objects of the whole.
        let limits = Limits { progress: Progress::default(), ..self.limits.clone() };
        let finding = self.checker.check(&part.history, &limits);
        Some((part, finding))
    }

    fn same<'f>(&self, finding: &'f Finding) -> Option<&'f Anomaly> {
        let same = |a: &&Anomaly| a.name == self.anomaly.name && a.key == self.anomaly.key;
        finding.anomalies.iter().find(same)
    }

    /// Whether a part is a witness.
    fn witness(&mut self, kept: &[bool]) -> bool {
        if !kept.contains(&true) || !self.bonds.hold(kept) {
            return false;
        }
        let Some((_, finding)) = self.found(kept) else { return false };
        self.same(&finding).is_some()
    }

    /// The operations the anomaly names, with what they cannot do without.
    fn core(&mut self) -> Option<Vec<bool>> {
        let named = self.anomaly.ops.iter().filter_map(|id| self.history.op(*id));
        let rows: Vec<u32> = named.map(|op| op.row() as u32).collect();
        let mut kept = self.bonds.marked(&rows);
        self.bonds.complete(&mut kept);
        self.witness(&kept).then_some(kept)
    }

    /// The shortest beginning that is a witness, as far as that grows with its length; else all.
    fn beginning(&mut self) -> Option<Vec<bool>> {
        let all = vec![true; self.bonds.len()];
        if !self.witness(&all) {
            return None;
        }
        let upto = |n: usize| -> Vec<bool> { (0..all.len()).map(|i| i < n).collect() };
        let (mut short, mut long) = (0, all.len());
        while long - short > 1 && !self.limits.stop.is_tripped() {
            let middle = short + (long - short) / 2;
            if self.witness(&upto(middle)) { long = middle } else { short = middle }
        }
        Some(upto(long))
    }

    /// Takes away what can go.
    fn minimize(&mut self, mut kept: Vec<bool>) -> Shrunk {
        let count = |kept: &[bool]| kept.iter().filter(|kept| **kept).count();
        let mut size = count(&kept).div_ceil(2);
        while size > 0 && !self.limits.stop.is_tripped() {
            let before = count(&kept);
            let all: Vec<usize> = (0..kept.len()).filter(|i| kept[*i]).collect();
            // The latest first: what came after the anomaly has nothing to do with it.
            for chunk in all.rchunks(size) {
                let mut fewer = kept.clone();
                chunk.iter().for_each(|i| fewer[*i] = false);
                self.bonds.release(&mut fewer);
                if count(&fewer) < count(&kept) && self.witness(&fewer) {
                    kept = fewer;
                }
            }
            // Single ones again until none goes: taking one away may free another.
            size = if size == 1 && count(&kept) < before { 1 } else { size / 2 };
        }
        self.shrunk(&kept)
    }

    fn shrunk(&mut self, kept: &[bool]) -> Shrunk {
        let anomaly = match self.found(kept) {
            Some((part, finding)) => self.same(&finding).map(|same| part.original(same)),
            None => None,
        };
        let each = if self.limits.stop.is_tripped() { Vec::new() } else { self.each(kept) };
        Shrunk {
            rows: self.bonds.rows(kept),
            upto: self.bonds.upto(),
            anomaly: anomaly.unwrap_or_else(|| self.anomaly.clone()),
            of: self.bonds.len(),
            each,
            tried: self.tried,
        }
    }

    fn each(&mut self, kept: &[bool]) -> Vec<(OpId, Without)> {
        let mut each = Vec::new();
        let many = kept.iter().filter(|kept| **kept).count() > MANY;
        for i in (0..kept.len()).filter(|i| kept[*i]) {
            let mut fewer = kept.to_vec();
            fewer[i] = false;
            let row = self.bonds.rows(&(0..kept.len()).map(|j| j == i).collect::<Vec<_>>());
            let id = self.history.row(row[0] as usize).id();
            // Of many, nobody reads what becomes of each; what is needed is told without checking.
            let needed = many && !self.bonds.hold(&fewer);
            each.push((id, if needed { Without::Unfounded } else { self.without(&fewer) }));
        }
        each
    }

    fn without(&mut self, fewer: &[bool]) -> Without {
        if !fewer.contains(&true) {
            return Without::Valid;
        }
        let Some((_, finding)) = self.found(fewer) else {
            return Without::Unknown("it is no history by itself".to_owned());
        };
        match finding.verdict {
            Verdict::Valid => Without::Valid,
            Verdict::Unknown => Without::Unknown(finding.reason),
            Verdict::Invalid if self.bonds.hold(fewer) => {
                Without::Other(finding.anomalies[0].name.to_string())
            }
            Verdict::Invalid => Without::Unfounded,
        }
    }
}
