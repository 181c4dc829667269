//! Sets that only grow, of which all elements are read.
//!
//! What was read must grow from one result to the next: that sorts the elements into groups, each
//! added between two results, and those never read last. Each element comes at one instant, and
//! what touches it alone bounds that instant on both sides. Going through the groups, let every
//! element come as early as it and the groups and reads before it allow: if then none is too
//! late, that is a linearization, else there is none. O(n) and the lengths of the different
//! results.

mod explain;
mod groups;

use danso_vocab::Stop;

use super::super::container::{NONE, Seen};
use super::super::{Decision, How, Part};
use super::parse::{Does, Parsed, Touch};
use groups::{Groups, Stuck};

/// By element: when it can come.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// Not before this event, because of this operation.
    from: u32,
    because: u32,
    /// Before this event, because of that operation; [`NONE`] if it need not come at all.
    upto: u32,
    proof: u32,
    /// The operation that adds it: one that says so, else the first; [`NONE`] if there is none.
    adder: u32,
}

/// Why a set that only grows is not linearizable: rows that may be enough to show it, and the one
/// to blame first.
struct Flaw {
    name: &'static str,
    rows: Vec<u32>,
}

/// When all elements come.
struct Growth {
    /// By element: the event after which it comes; [`NONE`] if it does not.
    comes: Vec<u32>,
    /// By group: the event after which the last of its elements has come.
    complete: Vec<u32>,
}

pub(super) fn decide(part: &Part<'_>, parsed: &Parsed, how: &How) -> Decision {
    if let Some(touch) = parsed.touches.iter().find(|t| t.does != Does::Sees && !t.to) {
        let row = |row: u32| super::super::container::say(part.history, row);
        let (takes, reads) = (row(touch.row), row(parsed.reads[0].row));
        return Decision::Unfit(format!("{takes} takes an element out, and {reads} reads all"));
    }
    match solve(part, parsed, &how.stop) {
        Solved::Stopped => Decision::Stopped,
        Solved::Twice(row) => {
            let read = part.history.row(row as usize);
            Decision::Unfit(format!(
                "{}'s {} ({}) has an element twice",
                read.process(),
                read.f(),
                read.id()
            ))
        }
        Solved::No(flaw) => explain::refutation(part, parsed, flaw, how),
        Solved::Yes(..) if !how.witness => Decision::Linearizable(None),
        Solved::Yes(groups, windows, growth) => {
            Decision::Linearizable(Some(schedule(parsed, &groups, &windows, &growth)))
        }
    }
}

enum Solved {
    Yes(Groups, Vec<Window>, Growth),
    No(Flaw),
    /// This read has an element twice.
    Twice(u32),
    Stopped,
}

/// Whether such a set is not linearizable.
pub(super) fn refuted(part: &Part<'_>, parsed: &Parsed, stop: &Stop) -> bool {
    matches!(solve(part, parsed, stop), Solved::No(_))
}

fn solve(part: &Part<'_>, parsed: &Parsed, stop: &Stop) -> Solved {
    let groups = match groups::groups(part, parsed, stop) {
        Ok(groups) => groups,
        Err(Stuck::Flaw(flaw)) => return Solved::No(flaw),
        Err(Stuck::Twice(row)) => return Solved::Twice(row),
        Err(Stuck::Stopped) => return Solved::Stopped,
    };
    let grown = windows(parsed).and_then(|mut windows| {
        // What is read is in.
        for (v, window) in windows.iter_mut().enumerate() {
            let group = groups.of[v] as usize;
            if let Some(read) = groups.first.get(group).filter(|read| read.res < window.upto) {
                (window.upto, window.proof) = (read.res, read.row);
            }
        }
        let growth = grow(parsed, &groups, &windows)?;
        Ok((windows, growth))
    });
    match grown {
        Ok((windows, growth)) => Solved::Yes(groups, windows, growth),
        Err(flaw) => Solved::No(flaw),
    }
}

/// When each element can come as far as its own operations tell.
fn windows(parsed: &Parsed) -> Result<Vec<Window>, Flaw> {
    let none = Window { from: 0, because: NONE, upto: NONE, proof: NONE, adder: NONE };
    let mut windows = vec![none; parsed.elements];
    // Which of the operations that may add an element does.
    for (i, touch) in parsed.touches.iter().enumerate().filter(|(_, t)| t.does != Does::Sees) {
        let window = &mut windows[touch.element as usize];
        let says = |i: u32| parsed.touches.get(i as usize).is_some_and(|t| t.does == Does::Flips);
        match (touch.does, says(window.adder)) {
            (Does::Flips, true) => {
                let rows = vec![touch.row, parsed.touches[window.adder as usize].row];
                return Err(Flaw { name: "double-add", rows });
            }
            (Does::Flips, false) => window.adder = i as u32,
            _ if window.adder == NONE => window.adder = i as u32,
            _ => {}
        }
    }
    for window in &mut windows {
        if let Some(adder) = parsed.touches.get(window.adder as usize) {
            (window.from, window.because) = (adder.inv, adder.row);
        }
    }
    for touch in &parsed.touches {
        let Touch { does, to, inv, res, row, .. } = *touch;
        let window = &mut windows[touch.element as usize];
        if does == Does::Sees && !to {
            if inv > window.from {
                (window.from, window.because) = (inv, row);
            }
        } else if res < window.upto {
            (window.upto, window.proof) = (res, row);
        }
    }
    Ok(windows)
}

/// Lets everything come as early as possible.
fn grow(parsed: &Parsed, groups: &Groups, windows: &[Window]) -> Result<Growth, Flaw> {
    let mut comes = vec![NONE; parsed.elements];
    let mut complete = Vec::with_capacity(groups.first.len());
    let mut latest = vec![Seen { row: NONE, element: NONE, inv: 0, res: NONE }; groups.first.len()];
    for (read, group) in parsed.reads.iter().zip(&groups.of_read) {
        let latest = &mut latest[*group as usize];
        if latest.row == NONE || latest.inv < read.inv {
            *latest = *read;
        }
    }
    // Since when the groups so far are complete and read, and because of what.
    let (mut since, mut because) = (0, NONE);
    for (group, elements) in groups.elements.iter().enumerate() {
        let (start, reason) = (since, because);
        for &v in elements {
            let window = &windows[v as usize];
            if window.upto == NONE {
                continue;
            }
            let come = window.from.max(start);
            if window.adder == NONE || come >= window.upto {
                let mut rows = vec![window.proof, window.because, reason];
                rows.extend(group.checked_sub(1).map(|before| groups.first[before].row));
                let name = match window.adder {
                    NONE => "thin-air-read",
                    _ if window.from >= window.upto && window.because == adder(parsed, window) => {
                        "from-the-future"
                    }
                    _ => "stale-read",
                };
                return Err(Flaw { name, rows });
            }
            comes[v as usize] = come;
            if come > since {
                (since, because) = (come, window.because);
            }
        }
        let Some(first) = groups.first.get(group) else { break };
        if since >= first.res {
            return Err(Flaw { name: "stale-read", rows: vec![first.row, because] });
        }
        complete.push(since);
        if latest[group].inv > since {
            (since, because) = (latest[group].inv, latest[group].row);
        }
    }
    Ok(Growth { comes, complete })
}

fn adder(parsed: &Parsed, window: &Window) -> u32 {
    parsed.touches.get(window.adder as usize).map_or(NONE, |touch| touch.row)
}

/// The rows in an order in which they can have taken effect.
fn schedule(parsed: &Parsed, groups: &Groups, windows: &[Window], growth: &Growth) -> Vec<u32> {
    // By event after which; then by group; then what sees an element out, what adds one, what
    // sees it in, what reads all.
    let mut steps = Vec::with_capacity(parsed.touches.len() + parsed.reads.len());
    for (i, touch) in parsed.touches.iter().enumerate() {
        let v = touch.element as usize;
        let (comes, group) = (growth.comes[v], groups.of[v]);
        let adds = windows[v].adder == i as u32;
        match touch.does {
            Does::Sees if !touch.to => steps.push((touch.inv, group, 0, touch.row)),
            _ if adds && comes != NONE => steps.push((comes, group, 1, touch.row)),
            Does::MaySet => {}
            _ => steps.push((touch.inv.max(comes), group, 2, touch.row)),
        }
    }
    for (read, group) in parsed.reads.iter().zip(&groups.of_read) {
        let at = read.inv.max(growth.complete[*group as usize]);
        steps.push((at, *group, 3, read.row));
    }
    steps.sort_unstable();
    steps.into_iter().map(|(.., row)| row).collect()
}
