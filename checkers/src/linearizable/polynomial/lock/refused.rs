//! Where those can be placed who were refused by a lock that one process has at a time.

use rustc_hash::FxHashMap;

use super::super::{Decision, Refutation};
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

/// For each core, what there is in the run it is of: a writer by itself, or all readers without a
/// writer in between. Holds of one run can be on together, those of different runs cannot.
struct Runs {
    /// Until when cores of the run up to this one last.
    until: Vec<u32>,
    /// Of the run up to this one, the hold that can be on longest.
    longest: Vec<u32>,
    /// Of the run from this one on, the hold that can be on first.
    earliest: Vec<u32>,
    /// The next writer, from this one on, by its place; their number if there is none.
    writer: Vec<u32>,
}

impl Runs {
    fn of(ledger: &Ledger<'_>, order: &[u32]) -> Runs {
        let hold = |place: usize| &ledger.holds[order[place] as usize];
        let same = |place: usize| ledger.shares(hold(place)) && ledger.shares(hold(place + 1));
        let (mut until, mut longest) = (Vec::with_capacity(order.len()), order.to_vec());
        let mut earliest = order.to_vec();
        for place in 0..order.len() {
            until.push(ledger.until(hold(place)));
            if place == 0 || !same(place - 1) {
                continue;
            }
            until[place] = until[place].max(until[place - 1]);
            let before = &ledger.holds[longest[place - 1] as usize];
            if ledger.possibly_until(before) > ledger.possibly_until(hold(place)) {
                longest[place] = longest[place - 1];
            }
        }
        let mut writer = vec![order.len() as u32; order.len()];
        for place in (0..order.len()).rev() {
            if !ledger.shares(hold(place)) {
                writer[place] = place as u32;
            } else if place + 1 < order.len() {
                writer[place] = writer[place + 1];
            }
            if place + 1 < order.len() && same(place) {
                let after = &ledger.holds[earliest[place + 1] as usize];
                if ledger.begin(after.take) < ledger.begin(hold(place).take) {
                    earliest[place] = earliest[place + 1];
                }
            }
        }
        Runs { until, longest, earliest, writer }
    }
}

/// The first acquire of unknown outcome, of those that ask to share or of the others.
fn crashed(ledger: &Ledger<'_>, shares: bool) -> Option<u32> {
    let which = |row: &&u32| ledger.asks_to_share(**row) == shares;
    ledger.crashed.iter().find(which).copied()
}

/// A place for everybody who was refused: an instant at which somebody has the lock. The cores of
/// the holds, which are in this `order`, stay as they are. Between two runs of them, the hold of
/// the first that can be on longest is made longer for those who began before its release had
/// ended, and the hold of the second that can be on first begins earlier for all others who can
/// use it. The former began before the latter, so the two holds still do not meet. Who is left can
/// only be helped by an acquire of unknown outcome. Nobody releases that, so nothing may follow
/// that it would be in the way of.
///
/// # Errors
/// With the refutation, if somebody was refused while nobody can have had the lock.
pub(super) fn places(ledger: &Ledger<'_>, order: &[u32]) -> Result<Places, Decision> {
    let runs = Runs::of(ledger, order);
    let mut places = Places::default();
    let (reader, alone) = (crashed(ledger, true), crashed(ledger, false));
    let hold = |i: u32| &ledger.holds[i as usize];
    let mut last_resort: Option<(u64, u32)> = None;
    // The first core that begins after the one in hand; both are in the order of their beginning.
    let mut after = 0;
    for &row in &ledger.refused {
        let (begin, end) = (ledger.begin(row), ledger.end(row));
        while let Some(&core) = order.get(after)
            && ledger.from(hold(core)) < begin
        {
            after += 1;
        }
        let next = order.get(after).map(|core| ledger.from(hold(*core)));
        let longest = after.checked_sub(1).map(|last| runs.longest[last]);
        let earliest = runs.earliest.get(after).copied();
        let began = |crashed: &u32| ledger.begin(*crashed) < end;
        // All cores from here on are behind: none may be in the way.
        let nothing_follows = after == order.len();
        let no_writer_follows =
            runs.writer.get(after).is_none_or(|writer| *writer as usize == order.len());
        let crashed = alone
            .filter(|row| nothing_follows && began(row))
            .or(reader.filter(|row| no_writer_follows && began(row)));
        let instant = if after > 0 && begin < runs.until[after - 1] {
            at(begin) + 1
        } else if let Some(from) = next.filter(|from| *from < end) {
            at(from) + 1
        } else if let Some(i) = longest.filter(|i| begin < ledger.possibly_until(hold(*i))) {
            let given = places.given.entry(i).or_default();
            *given = (*given).max(at(begin) + 2);
            at(begin) + 1
        } else if let Some(i) = earliest.filter(|i| ledger.begin(hold(*i).take) < end) {
            let taken = places.taken.entry(i).or_insert(u64::MAX);
            *taken = (*taken).min(at(end) - 2);
            at(end) - 1
        } else if let Some(crashed) = crashed {
            let this = (at(end) - 2, crashed);
            last_resort = Some(last_resort.map_or(this, |other| other.min(this)));
            at(end) - 1
        } else {
            return Err(Decision::Refuted(nobody(ledger, order, &runs, after, row)));
        };
        places.others.push((instant, row));
    }
    places.others.extend(last_resort);
    Ok(places)
}

/// Why the acquire in `row` was refused wrongly, before the core at the place `after`: nobody had
/// the lock. If an acquire of unknown outcome might have, what is in the way of that is told too.
fn nobody(ledger: &Ledger<'_>, order: &[u32], runs: &Runs, after: usize, row: u32) -> Refutation {
    let began = |other: &u32| ledger.begin(*other) < ledger.end(row);
    let (reader, alone) = (crashed(ledger, true), crashed(ledger, false));
    let reader = reader.filter(|row| alone.is_none_or(|alone| *row < alone) && began(row));
    let mut in_the_way: Vec<u32> = order.get(after).copied().into_iter().collect();
    if reader.is_some()
        && let Some(writer) = runs.writer.get(after).and_then(|place| order.get(*place as usize))
    {
        // Readers come between, which only matters if it might have come before them.
        let take = ledger.holds[*writer as usize].take;
        in_the_way.retain(|first| first != writer && began(&take));
        in_the_way.push(*writer);
    }
    let crashed = reader.or(alone.filter(began)).map(|crashed| (crashed, in_the_way));
    let previous = after.checked_sub(1).map(|last| runs.longest[last]);
    words::refused(ledger, row, [previous, runs.earliest.get(after).copied()], crashed)
}
