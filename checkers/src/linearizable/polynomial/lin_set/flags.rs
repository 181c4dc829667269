//! Elements that come and go, each decided by itself: a bit.
//!
//! Nothing happens until an operation that ends demands it; then the bit is flipped by that one
//! of those open that must end first. To wait loses nothing, since what is open stays open until
//! its end; and of two that could flip the bit now, the one that ends first is of no more use
//! later than the other. Those of unknown outcome end last.
//!
//! This does not hold for operations that do not tell whether they changed anything, unless the
//! element only ever comes: then the bit is flipped once, by one that says so if there is any.

use super::super::container::minimal::necessary;
use super::super::container::{NONE, say, stopped};
use super::super::{Decision, How, Part};
use super::parse::{Does, Parsed, Touch, parse};

mod explain;

/// The state of one element.
#[derive(Clone, Copy)]
struct Flag {
    is: bool,
    /// By state: the event at which it last ceased to be so; [`NONE`] if it never was.
    was: [u32; 2],
    /// By state: how many steps had been taken then.
    step: [u32; 2],
    /// By state: the first of a list of open operations that can make it so.
    open: [u32; 2],
    /// The same of those of unknown outcome.
    unknown: [u32; 2],
}

/// What became of all elements.
enum Run {
    /// By operation: when it happens, in steps.
    Fine(Vec<u32>),
    /// This operation has no place.
    Bad(u32),
    Stopped,
}

pub(super) fn decide(part: &Part<'_>, parsed: &Parsed, how: &How) -> Decision {
    match Flags::new(parsed, how.witness).run(how) {
        Run::Fine(_) if parsed.mixed.contains(&true) => {
            let mut mixed = parsed.touches.iter();
            let mixed = mixed.find(|t| t.does == Does::Sets && parsed.mixed[t.element as usize]);
            let row = mixed.map_or(part.rows[0], |touch| touch.row);
            Decision::Unfit(format!(
                "{} does not tell whether it changed anything, and the element comes and goes",
                say(part.history, row)
            ))
        }
        Run::Fine(_) if !how.witness => Decision::Linearizable(None),
        Run::Fine(steps) => {
            let happens = |i: &u32| steps[*i as usize] != NONE;
            let mut order: Vec<u32> = (0..parsed.touches.len() as u32).filter(happens).collect();
            order.sort_by_key(|i| steps[*i as usize]);
            let row = |i: u32| parsed.touches[i as usize].row;
            Decision::Linearizable(Some(order.into_iter().map(row).collect()))
        }
        Run::Bad(touch) => refutation(part, parsed, touch, how),
        Run::Stopped => Decision::Stopped,
    }
}

/// Whether some element is not linearizable, or this was told to stop.
pub(super) fn refuted(parsed: &Parsed, how: &How) -> bool {
    !matches!(Flags::new(parsed, false).run(how), Run::Fine(_))
}

struct Flags<'p> {
    parsed: &'p Parsed,
    touches: &'p [Touch],
    flags: Vec<Flag>,
    /// By operation: the next one in its list.
    next: Vec<u32>,
    /// By operation: whether it has flipped the bit.
    flipped: Vec<bool>,
    /// Steps taken.
    step: u32,
    /// By operation: its step, if wanted. Flips take odd steps, so that others fit in between.
    steps: Vec<u32>,
}

impl<'p> Flags<'p> {
    fn new(parsed: &'p Parsed, witness: bool) -> Flags<'p> {
        let (none, never) = ([NONE; 2], [NONE; 2]);
        let flag = Flag { is: false, was: never, step: [0; 2], open: none, unknown: none };
        Flags {
            parsed,
            touches: &parsed.touches,
            flags: vec![flag; parsed.elements],
            next: vec![NONE; parsed.touches.len()],
            flipped: vec![false; parsed.touches.len()],
            step: 1,
            steps: if witness { vec![NONE; parsed.touches.len()] } else { Vec::new() },
        }
    }

    fn run(mut self, how: &How) -> Run {
        let mut at = vec![NONE; self.parsed.events as usize];
        for (i, touch) in self.touches.iter().enumerate() {
            if self.parsed.mixed[touch.element as usize] {
                continue;
            }
            at[touch.inv as usize] = (i as u32) << 1;
            if let Some(at) = at.get_mut(touch.res as usize) {
                *at = (i as u32) << 1 | 1;
            }
        }
        for (now, event) in at.iter().enumerate() {
            if stopped(&how.stop, now) {
                return Run::Stopped;
            }
            let i = event >> 1;
            match event & 1 {
                _ if *event == NONE => {}
                0 => self.begins(i),
                _ if self.ends(i, now as u32) => {}
                _ => return Run::Bad(i),
            }
        }
        Run::Fine(self.steps)
    }

    fn begins(&mut self, i: u32) {
        let Touch { element, does, to, .. } = self.touches[i as usize];
        let flag = &mut self.flags[element as usize];
        let list = match does {
            Does::Flips | Does::Sets => &mut flag.open[usize::from(to)],
            Does::MaySet => &mut flag.unknown[usize::from(to)],
            Does::Sees => return,
        };
        self.next[i as usize] = std::mem::replace(list, i);
    }

    /// An operation ends and must have happened; whether it can have.
    fn ends(&mut self, i: u32, now: u32) -> bool {
        let Touch { element, does, to, inv, .. } = self.touches[i as usize];
        if self.flipped[i as usize] {
            return true;
        }
        if does == Does::Flips {
            if self.flags[element as usize].is == to && !self.force(element, !to, now) {
                return false;
            }
            self.unlink(element, to, i);
            self.flip(i, now);
            return true;
        }
        let flag = self.flags[element as usize];
        let was = flag.was[usize::from(to)];
        if flag.is != to && was != NONE && was > inv {
            self.takes_step(i, flag.step[usize::from(to)]);
        } else if flag.is == to || self.force(element, to, now) {
            if !self.flipped[i as usize] {
                self.takes_step(i, self.step);
            }
        } else {
            return false;
        }
        if does == Does::Sets && !self.flipped[i as usize] {
            self.unlink(element, to, i);
        }
        true
    }

    /// Flips the bit of an element to `to` by the best operation, if there is one.
    fn force(&mut self, element: u32, to: bool, now: u32) -> bool {
        let flag = &mut self.flags[element as usize];
        let mut best = NONE;
        // One that must flip it before one that need not.
        let end = |i: u32| match self.touches.get(i as usize) {
            Some(touch) => (touch.does != Does::Flips, touch.res),
            None => (true, NONE),
        };
        let mut i = flag.open[usize::from(to)];
        while i != NONE {
            if end(i) < end(best) {
                best = i;
            }
            i = self.next[i as usize];
        }
        if best == NONE {
            let unknown = &mut flag.unknown[usize::from(to)];
            let Some(next) = self.next.get(*unknown as usize) else { return false };
            best = std::mem::replace(unknown, *next);
        } else {
            self.unlink(element, to, best);
        }
        self.flip(best, now);
        true
    }

    fn flip(&mut self, i: u32, now: u32) {
        let Touch { element, to, .. } = self.touches[i as usize];
        let flag = &mut self.flags[element as usize];
        flag.is = to;
        flag.was[usize::from(!to)] = now;
        // Just before this flip.
        flag.step[usize::from(!to)] = self.step;
        self.flipped[i as usize] = true;
        self.takes_step(i, self.step + 1);
        self.step += 2;
    }

    fn takes_step(&mut self, i: u32, step: u32) {
        if let Some(mine) = self.steps.get_mut(i as usize) {
            *mine = step;
        }
    }

    fn unlink(&mut self, element: u32, to: bool, i: u32) {
        let next = self.next[i as usize];
        let head = &mut self.flags[element as usize].open[usize::from(to)];
        if *head == i {
            *head = next;
            return;
        }
        let mut at = *head;
        while at != NONE && self.next[at as usize] != i {
            at = self.next[at as usize];
        }
        if let Some(before) = self.next.get_mut(at as usize) {
            *before = next;
        }
    }
}

/// The refutation of an element one of whose operations has no place.
fn refutation(part: &Part<'_>, parsed: &Parsed, bad: u32, how: &How) -> Decision {
    let bad = parsed.touches[bad as usize];
    let mine = parsed.touches.iter().filter(|t| t.element == bad.element && t.inv < bad.res);
    let mine = recent(mine.copied().collect());
    let (sees, changes): (Vec<Touch>, Vec<Touch>) =
        mine.into_iter().partition(|touch| touch.does == Does::Sees);
    let rows = |sees: &[Touch]| -> Vec<u32> {
        let mut rows: Vec<u32> = sees.iter().chain(&changes).map(|touch| touch.row).collect();
        rows.sort_unstable();
        rows
    };
    let sees = necessary(sees, |sees| {
        let rows = rows(sees);
        let part = Part { history: part.history, rows: &rows };
        let how = How { witness: false, stop: how.stop.clone() };
        // What is stopped counts as refuted: then this ends soon.
        parse(&part).is_ok_and(|parsed| refuted(&parsed, &how))
    });
    if how.stop.is_tripped() {
        return Decision::Stopped;
    }
    let mut core: Vec<Touch> = sees.into_iter().chain(changes).collect();
    core.sort_by_key(|touch| (touch.row != bad.row, touch.row));
    Decision::Refuted(explain::explain(part, &core))
}

/// The end of an element's history from where it was certainly in or out, with the addition that
/// last made it so.
fn recent(touches: Vec<Touch>) -> Vec<Touch> {
    let (mut from, mut state) = (0, None);
    let (mut end, mut ins, mut added, mut certain) = (0, 0_i32, None, true);
    for (i, touch) in touches.iter().enumerate() {
        // Nothing is open, and all that changed something said so.
        if i > 0 && end < touch.inv && certain {
            (from, state) = (i, added.filter(|_| ins == 1));
        }
        certain &= matches!(touch.does, Does::Flips | Does::Sees);
        end = end.max(touch.res);
        if touch.does == Does::Flips {
            ins += if touch.to { 1 } else { -1 };
            added = if touch.to { Some(*touch) } else { added };
        }
    }
    state.into_iter().chain(touches.into_iter().skip(from)).collect()
}
