//! Where those can be placed who were refused by a lock that one process has at a time.

use rustc_hash::FxHashMap;

use super::super::Decision;
use super::ledger::Ledger;
use super::words;

/// The instant of a rank: there is room for others between two of them.
pub(super) fn at(rank: u32) -> u64 {
    u64::from(rank) * 8
}

/// Instants other than the usual ones.
#[derive(Default)]
pub(super) struct Places {
    /// Holds that begin earlier than they must, and when.
    taken: FxHashMap<u32, u64>,
    /// Holds that end later than they can, and when.
    given: FxHashMap<u32, u64>,
    /// Operations that are no hold's, and when.
    pub(super) others: Vec<(u64, u32)>,
}

impl Places {
    /// When this hold begins, if not at the end of its acquire.
    pub(super) fn taken(&self, hold: usize) -> Option<u64> {
        self.taken.get(&(hold as u32)).copied()
    }

    /// When this hold ends, if not at the beginning of its release.
    pub(super) fn given(&self, hold: usize) -> Option<u64> {
        self.given.get(&(hold as u32)).copied()
    }
}

/// A place for everybody who was refused. The cores of the holds, which come one after another in
/// this `order`, stay as they are; between two of them the first is made longer for those who
/// began before its release had ended, and the second for all others. The former began before
/// the latter, so the two holds still do not meet.
///
/// # Errors
/// With the refutation, if somebody was refused while nobody can have had the lock.
pub(super) fn places(ledger: &Ledger<'_>, order: &[u32]) -> Result<Places, Decision> {
    let mut places = Places::default();
    // What may have been taken after the last hold, for ever: that which began first.
    let crashed = ledger.crashed.first().copied();
    let mut last_resort = u64::MAX;
    for &row in &ledger.refused {
        let (begin, end) = (ledger.begin(row), ledger.end(row));
        let after = order.partition_point(|i| ledger.from(&ledger.holds[*i as usize]) < begin);
        let (previous, next) = (after.checked_sub(1).map(|i| order[i]), order.get(after).copied());
        let previous = previous.map(|i| (i, &ledger.holds[i as usize]));
        let next = next.map(|i| (i, &ledger.holds[i as usize]));
        let instant = match (previous, next) {
            (Some((_, hold)), _) if begin < ledger.until(hold) => at(begin) + 1,
            (_, Some((_, hold))) if ledger.from(hold) < end => at(ledger.from(hold)) + 1,
            (Some((i, hold)), _) if begin < ledger.possibly_until(hold) => {
                let given = places.given.entry(i).or_default();
                *given = (*given).max(at(begin) + 2);
                at(begin) + 1
            }
            (_, Some((i, hold))) if ledger.begin(hold.take) < end => {
                let taken = places.taken.entry(i).or_insert(u64::MAX);
                *taken = (*taken).min(at(end) - 2);
                at(end) - 1
            }
            (_, None) if crashed.is_some_and(|crashed| ledger.begin(crashed) < end) => {
                last_resort = last_resort.min(at(end) - 2);
                at(end) - 1
            }
            (previous, next) => {
                let (previous, next) = (previous.map(|(i, _)| i), next.map(|(i, _)| i));
                return Err(Decision::Refuted(words::refused(ledger, row, previous, next)));
            }
        };
        places.others.push((instant, row));
    }
    if let Some(crashed) = crashed.filter(|_| last_resort < u64::MAX) {
        places.others.push((last_resort, crashed));
    }
    Ok(places)
}
