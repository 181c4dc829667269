//! A linearization, chain by chain.
//!
//! Chains in order of their zones' starts *are* in a right order: a forward chain happens in its
//! zone, a backward one at its start or, if that is inside a forward zone, right after that.

use danso_vocab::Stop;

use super::super::register_acts::{Act, Alphabet, INITIAL, Reader};
use super::super::{Decision, How, Part};
use super::chains::{Chains, Conflict, NEVER, NONE, Slot};
use super::refute::refute;
use super::{begins, ends};

/// Refused compare-and-sets looked at one by one.
const SCANS: usize = 16;

/// One value in the order.
struct Stay {
    value: u32,
    /// The instant at which it is left there.
    at: u32,
    /// The stretch in which its readers happen.
    from: u32,
    to: u32,
}

/// The decision about a register whose zones fit.
pub(super) fn linearize(of: &Alphabet, part: &Part<'_>, chains: &Chains, how: &How) -> Decision {
    if !how.witness && chains.misses.is_empty() {
        return Decision::Linearizable(None);
    }
    let stays = stays(chains);
    let misses = match misses(part, chains, &stays) {
        Ok(misses) => misses,
        Err(homeless) => return undecided(of, part, chains, &homeless),
    };
    if !how.witness {
        return Decision::Linearizable(None);
    }
    match order(of, part, chains, &stays, &misses, &how.stop) {
        Some(rows) => Decision::Linearizable(Some(rows)),
        None => Decision::Stopped,
    }
}

/// The values in order, with instants that never decrease.
fn stays(chains: &Chains) -> Vec<Stay> {
    let mut stays = Vec::with_capacity(chains.slots.len());
    if chains.zones.first().is_none_or(|zone| zone.root != INITIAL) {
        stays.push(Stay { value: INITIAL, at: 0, from: 0, to: 0 });
    }
    let mut free = 0;
    for zone in &chains.zones {
        let (from, to) = match zone.forward() {
            true => (zone.first_end, zone.last_begin),
            false => (zone.last_begin.max(free), zone.last_begin.max(free)),
        };
        free = to;
        let mut now = 0;
        for value in chains.walk(zone.root) {
            let slot = &chains.slots[value as usize];
            now = now.max(slot.begins);
            stays.push(Stay { value, at: now.clamp(from, to), from: now.clamp(from, to), to });
            now = now.max(slot.last);
        }
    }
    stays
}

/// Where a refused compare-and-set happens: the number of the stay, the instant, the row.
type Place = (u32, u32, u32);

/// The places of refused compare-and-sets, in order.
///
/// # Errors
/// With those that find no place.
fn misses(part: &Part<'_>, chains: &Chains, stays: &[Stay]) -> Result<Vec<Place>, Vec<(u32, u32)>> {
    let (mut places, mut k) = (Vec::with_capacity(chains.misses.len()), 0);
    let mut homeless = Vec::new();
    for &(row, value) in &chains.misses {
        let op = part.history.row(row as usize);
        while stays.get(k + 1).is_some_and(|next| next.at <= begins(op)) {
            k += 1;
        }
        if stays[k].value != value {
            places.push((k as u32, begins(op), row));
            continue;
        }
        // The next value is another one, since none is written twice.
        match stays.get(k + 1).filter(|next| next.at <= ends(op)) {
            Some(next) => places.push((k as u32 + 1, next.at, row)),
            None => homeless.push((row, value)),
        }
    }
    places.sort_unstable();
    if homeless.is_empty() { Ok(places) } else { Err(homeless) }
}

/// What to say of refused compare-and-sets that the order has no place for: that there is none,
/// if the value was there before and nothing else began in time to replace it.
fn undecided(of: &Alphabet, part: &Part<'_>, chains: &Chains, homeless: &[(u32, u32)]) -> Decision {
    let held = chains.held();
    for &(row, value) in homeless.iter().take(SCANS) {
        let op = part.history.row(row as usize);
        let (from, since) = (held[value as usize].0, chains.slots[value as usize].begins);
        // One that nobody saw may have happened all the same.
        let replaces = |other: &Slot| other.exists && other.begins < ends(op) && other.ends > since;
        let others = chains.slots.iter().enumerate().filter(|(v, _)| *v != value as usize);
        if from < begins(op) && !others.into_iter().any(|(_, other)| replaces(other)) {
            let conflict = Conflict::Held { row, value, from, to: NEVER };
            return Decision::Refuted(refute(of, part, chains, conflict));
        }
    }
    Decision::Unfit("whether a refused compare-and-set fits in takes a search".to_owned())
}

/// The order itself; `None` if told to stop.
fn order(
    of: &Alphabet,
    part: &Part<'_>,
    chains: &Chains,
    stays: &[Stay],
    misses: &[Place],
    stop: &Stop,
) -> Option<Vec<u32>> {
    let (ends, readers) = readers(of, part, chains.slots.len(), stop)?;
    let mut order = Vec::with_capacity(part.rows.len());
    let mut misses = misses.iter().peekable();
    for (k, stay) in stays.iter().enumerate() {
        let (value, row) = (stay.value as usize, chains.slots[stay.value as usize].row);
        if row != NONE {
            order.push(row);
        }
        let start = value.checked_sub(1).map_or(0, |before| ends[before]);
        for &reader in &readers[start as usize..ends[value] as usize] {
            let at = begins(part.history.row(reader as usize)).clamp(stay.from, stay.to);
            while let Some(miss) = misses.next_if(|miss| miss.0 == k as u32 && miss.1 <= at) {
                order.push(miss.2);
            }
            order.push(reader);
        }
        while let Some(miss) = misses.next_if(|miss| miss.0 == k as u32) {
            order.push(miss.2);
        }
    }
    Some(order)
}

/// The rows that read each value, by value and beginning, and where those of each value end.
fn readers(
    of: &Alphabet,
    part: &Part<'_>,
    values: usize,
    stop: &Stop,
) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut of_row = Vec::with_capacity(part.rows.len());
    let mut reader = Reader::new(of, part.history, part.rows.len());
    let mut ends = vec![0_u32; values];
    for (i, &row) in part.rows.iter().enumerate() {
        if i & 0xffff == 0 && stop.is_tripped() {
            return None;
        }
        of_row.push(match reader.act(part.history.row(row as usize)) {
            Ok(Act::Reads(value)) => {
                ends[value as usize] += 1;
                value
            }
            _ => NONE,
        });
    }
    let mut sum = 0;
    for end in &mut ends {
        (*end, sum) = (sum, sum + *end);
    }
    let mut readers = vec![0; sum as usize];
    for (&row, &value) in part.rows.iter().zip(&of_row) {
        if value != NONE {
            readers[ends[value as usize] as usize] = row;
            ends[value as usize] += 1;
        }
    }
    Some((ends, readers))
}
