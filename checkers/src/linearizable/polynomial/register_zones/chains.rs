//! [`Chains`]: values joined by compare-and-sets, and whether their stretches of time fit.
//!
//! **Retained.** An operation of unknown outcome whose value nobody saw is dropped: where a
//! linearization contains it, it can be left out, since the operations that follow need other
//! values (whoever needed it would have been seen). All others certainly happened.
//!
//! **Chains.** Between the operation that leaves a value and whoever needs it nothing else may be
//! written. So a value, all values made from it by compare-and-set, and all their readers happen
//! in one piece. Each chain has a greedy schedule, everything as early as can be; if that fails,
//! nothing works.
//!
//! **Zones.** Let *f* be the first end and *s* the last beginning of a chain's operations. If
//! *f* < *s* the chain certainly occupies \[*f*, *s*\] (a *forward* zone), otherwise it can
//! happen at any one instant of \[*s*, *f*\] (a *backward* zone). Clamping the greedy schedule to
//! the zone keeps order and legality, since every operation ends at or after *f* and begins at or
//! before *s*. Hence there is a linearization exactly if forward zones are disjoint and no
//! backward zone lies inside one: then forward chains happen in their zones and backward chains
//! at an instant outside of them (Gibbons and Korach 1997, extended by compare-and-sets). The
//! chain of the initial value begins before everything: *f* = 0.

use danso_vocab::{History, Stop};

use super::super::Part;
use super::super::register_acts::{Act, Alphabet, INITIAL, Reader};
use super::{begins, ends};

pub(super) const NONE: u32 = u32::MAX;
pub(super) const NEVER: u32 = History::NEVER;

/// One value: the operation that leaves it, and who saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// The row that leaves it; [`NONE`] for the initial value and for one nobody leaves.
    pub(super) row: u32,
    pub(super) begins: u32,
    pub(super) ends: u32,
    /// The value it is made from, if by compare-and-set.
    pub(super) old: u32,
    /// The value made from it.
    pub(super) next: u32,
    /// The first end of a read of it.
    pub(super) first: u32,
    /// The last beginning of one.
    pub(super) last: u32,
    /// A compare-and-set needed it that certainly happened.
    pub(super) taken: bool,
    /// Somebody leaves it, or it was there in the beginning.
    pub(super) exists: bool,
}

impl Slot {
    const EMPTY: Slot = Slot {
        row: NONE,
        begins: 0,
        ends: 0,
        old: NONE,
        next: NONE,
        first: NEVER,
        last: 0,
        taken: false,
        exists: false,
    };

    /// Whether somebody certainly saw it.
    fn seen(&self) -> bool {
        self.first != NEVER || self.taken
    }

    /// Whether it certainly was the value once.
    pub(super) fn retained(&self) -> bool {
        self.exists && (self.ends != NEVER || self.seen())
    }
}

/// The stretch of time of a chain: its first end, its last beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) first_end: u32,
    pub(super) last_begin: u32,
    /// The value the chain begins with.
    pub(super) root: u32,
}

impl Zone {
    pub(super) fn forward(&self) -> bool {
        self.first_end < self.last_begin
    }

    /// Where it begins, as a stretch.
    pub(super) fn start(&self) -> u32 {
        self.first_end.min(self.last_begin)
    }
}

/// Why there is no linearization. Numbers are values, or instants as in [`begins`] and [`ends`].
#[derive(Clone, Copy, Debug)]
pub(super) enum Conflict {
    /// This value was seen, but nobody leaves it.
    Nowhere(u32),
    /// This value was seen, but is only made from values that are made from it.
    Circle(u32),
    /// Both are made from the same value.
    Twice(u32, u32),
    /// In a chain, what began at `began` comes before what had ended at `ended`, yet it began later.
    Inverted { began: u32, ended: u32 },
    /// The first is a forward zone; the other overlaps it, or lies inside if backward.
    Clash(Zone, Zone),
    /// A compare-and-set was refused (its row) while its value was certainly there: from an end
    /// to a beginning, or for ever ([`NEVER`]), as nothing else began early enough.
    Held { row: u32, value: u32, from: u32, to: u32 },
}

/// Why there are no chains to go on with.
pub(super) enum Stuck {
    Unfit(String),
    Stopped,
    Refuted(Chains, Conflict),
}

/// The values of one register.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// By number.
    pub(super) slots: Vec<Slot>,
    /// By start.
    pub(super) zones: Vec<Zone>,
    /// Refused compare-and-sets: row and the value that was not there, by beginning.
    pub(super) misses: Vec<(u32, u32)>,
}

impl Chains {
    /// The chains of these operations, if their stretches fit.
    ///
    /// # Errors
    /// If they do not, or nobody can say.
    pub(super) fn of(of: &Alphabet, part: &Part<'_>, stop: &Stop) -> Result<Chains, Stuck> {
        let mut chains = Chains::default();
        chains.gather(of, part, stop)?;
        let fits = chains.link().and_then(|()| chains.schedule());
        let fits = fits.and_then(|()| {
            chains.sort(part.rows.len());
            chains.place()
        });
        match fits.and_then(|()| chains.refusals(part)) {
            Ok(()) => Ok(chains),
            Err(conflict) => Err(Stuck::Refuted(chains, conflict)),
        }
    }

    fn gather(&mut self, of: &Alphabet, part: &Part<'_>, stop: &Stop) -> Result<(), Stuck> {
        let mut reader = Reader::new(of, part.history, part.rows.len());
        self.slots.reserve(part.rows.len() / 2);
        self.slots.push(Slot { exists: true, ..Slot::EMPTY });
        for (i, &row) in part.rows.iter().enumerate() {
            if i & 0xffff == 0 && stop.is_tripped() {
                return Err(Stuck::Stopped);
            }
            let op = part.history.row(row as usize);
            let act = reader.act(op).map_err(Stuck::Unfit)?;
            if reader.numbers.len() > self.slots.len() {
                self.slots.resize(reader.numbers.len(), Slot::EMPTY);
            }
            let (value, old) = match act {
                Act::Nothing => continue,
                Act::Misses(value) => {
                    self.misses.push((row, value));
                    continue;
                }
                Act::Reads(value) => {
                    let slot = &mut self.slots[value as usize];
                    slot.first = slot.first.min(ends(op));
                    slot.last = slot.last.max(begins(op));
                    continue;
                }
                Act::Writes(value) => (value, NONE),
                Act::Swaps(old, value) => {
                    self.slots[old as usize].taken |= op.is_ok();
                    (value, old)
                }
            };
            let slot = &mut self.slots[value as usize];
            if slot.exists {
                let again = if value == INITIAL { "the initial value is" } else { "a value is" };
                return Err(Stuck::Unfit(format!("{again} written again by {op}")));
            }
            let (begins, ends) = (begins(op), ends(op));
            *slot = Slot { row, begins, ends, old, exists: true, ..*slot };
        }
        Ok(())
    }

    /// Finds out what certainly happened, and what is made from what.
    fn link(&mut self) -> Result<(), Conflict> {
        for value in 0..self.slots.len() {
            let mut at = value;
            // An unknown compare-and-set whose value was seen happened, and so needed its own.
            while self.slots[at].ends == NEVER && self.slots[at].seen() {
                let old = self.slots[at].old;
                if old == NONE || self.slots[old as usize].taken {
                    break;
                }
                self.slots[old as usize].taken = true;
                at = old as usize;
            }
        }
        let mut conflict = None;
        for value in 0..self.slots.len() as u32 {
            let slot = self.slots[value as usize];
            if slot.seen() && !slot.exists {
                conflict = conflict.or(Some(Conflict::Nowhere(value)));
            }
            if slot.old == NONE || !slot.retained() {
                continue;
            }
            match &mut self.slots[slot.old as usize].next {
                next @ &mut NONE => *next = value,
                next => conflict = conflict.or(Some(Conflict::Twice(*next, value))),
            }
        }
        conflict.map_or(Ok(()), Err)
    }

    /// Schedules each chain by itself.
    fn schedule(&mut self) -> Result<(), Conflict> {
        let (mut retained, mut chained) = (0_usize, 0_usize);
        for root in 0..self.slots.len() as u32 {
            let slot = &self.slots[root as usize];
            retained += usize::from(slot.retained());
            if slot.retained() && slot.old == NONE {
                let zone = self.chain(root, &mut chained)?;
                // The initial value by itself takes no time.
                if zone.last_begin > 0 {
                    self.zones.push(zone);
                }
            }
        }
        if chained == retained {
            return Ok(());
        }
        // Those on no chain were never reached from a value that somebody just wrote.
        let mut reached = vec![false; self.slots.len()];
        for (root, slot) in self.slots.iter().enumerate() {
            if slot.retained() && slot.old == NONE {
                self.walk(root as u32).for_each(|value| reached[value as usize] = true);
            }
        }
        let lost = (0..reached.len()).find(|v| self.slots[*v].retained() && !reached[*v]);
        Err(Conflict::Circle(lost.unwrap_or_default() as u32))
    }

    /// The zone of one chain.
    fn chain(&self, root: u32, chained: &mut usize) -> Result<Zone, Conflict> {
        let (mut now, mut zone) = (0, Zone { first_end: NEVER, last_begin: 0, root });
        for value in self.walk(root) {
            let slot = &self.slots[value as usize];
            *chained += 1;
            now = now.max(slot.begins);
            if slot.ends.min(slot.first) < now {
                return Err(Conflict::Inverted { began: now, ended: slot.ends.min(slot.first) });
            }
            now = now.max(slot.last);
            zone.first_end = zone.first_end.min(slot.ends).min(slot.first);
        }
        // Whatever began last is as early as the end of the schedule.
        zone.last_begin = now;
        Ok(zone)
    }

    /// The values made from `root`, in order, with itself.
    pub(super) fn walk(&self, root: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(root), |value| {
            Some(self.slots[*value as usize].next).filter(|next| *next != NONE)
        })
    }

    /// Sorts the zones by start: by buckets, or by comparison if that many would be wasted.
    fn sort(&mut self, ops: usize) {
        let starts = || self.zones.iter().map(Zone::start);
        let (low, high) = (starts().min().unwrap_or(0), starts().max().unwrap_or(0));
        let span = (high - low) as usize + 1;
        if span > ops * 4 {
            self.zones.sort_unstable_by_key(Zone::start);
            return;
        }
        // Starts are events of the chain, so no two are the same.
        let mut buckets = vec![NONE; span];
        for (i, zone) in self.zones.iter().enumerate() {
            buckets[(zone.start() - low) as usize] = i as u32;
        }
        buckets.retain(|i| *i != NONE);
        self.zones = buckets.iter().map(|i| self.zones[*i as usize]).collect();
    }

    /// Whether the zones fit beside each other.
    fn place(&self) -> Result<(), Conflict> {
        let mut ahead: Option<Zone> = None;
        for zone in &self.zones {
            // It starts later, so it overlaps if forward, and lies inside if backward.
            if let Some(outer) = ahead.filter(|outer| zone.first_end < outer.last_begin) {
                return Err(Conflict::Clash(outer, *zone));
            }
            if zone.forward() {
                ahead = Some(*zone);
            }
        }
        Ok(())
    }

    /// Whether somebody was refused while the value was certainly there, between operations that
    /// saw it.
    fn refusals(&self, part: &Part<'_>) -> Result<(), Conflict> {
        if self.misses.is_empty() {
            return Ok(());
        }
        let held = self.held();
        for &(row, value) in &self.misses {
            let (from, to) = held[value as usize];
            let op = part.history.row(row as usize);
            if from < begins(op) && ends(op) < to {
                return Err(Conflict::Held { row, value, from, to });
            }
        }
        Ok(())
    }

    /// From when to when each value was certainly there: it had been left by the first end of
    /// what needs it or comes after it in its chain, and not replaced before the last beginning of
    /// what comes before it, or of its successor.
    pub(super) fn held(&self) -> Vec<(u32, u32)> {
        let mut held = vec![(NEVER, 0); self.slots.len()];
        let mut chain = Vec::new();
        for (root, slot) in self.slots.iter().enumerate() {
            if !slot.retained() || slot.old != NONE {
                continue;
            }
            chain.clear();
            chain.extend(self.walk(root as u32));
            let mut from = NEVER;
            for &value in chain.iter().rev() {
                let slot = &self.slots[value as usize];
                from = from.min(slot.ends).min(slot.first);
                held[value as usize].0 = from;
            }
            let mut to = 0;
            for &value in &chain {
                let slot = &self.slots[value as usize];
                to = to.max(slot.begins).max(slot.last);
                let next = self.slots.get(slot.next as usize);
                held[value as usize].1 = next.map_or(to, |next| to.max(next.begins));
            }
        }
        held
    }
}
