//! Why a counter cannot have shown what was read.
//!
//! Steps cannot be taken away, since reads depend on how many there are. Reads can, and so can
//! what began after the last read had ended.

use danso_vocab::Op;

use super::super::events::events;
use super::super::tell::who;
use super::super::{Decision, How, Part, Refutation};
use super::schedule::{Schedule, Stuck};
use super::{Act, act};

/// Reads tried to be taken away one by one.
const TRIED: usize = 32;

fn refuted(name: &'static str, rows: Vec<u32>, because: String) -> Decision {
    Decision::Refuted(Refutation { rows, name: name.into(), because })
}

/// `read` saw less than was counted before it began.
pub(super) fn low(initial: i64, size: i64, part: &Part<'_>, read: u32, forced: &[u32]) -> Decision {
    let op = part.history.row(read as usize);
    let value = value(op);
    if (i128::from(value) - i128::from(initial)) % i128::from(size) != 0 {
        let because =
            format!("{} although it began at {initial} and all steps are {size}", who(op));
        let begun = |step: Op<'_>| step.inv_rank() < op.res_rank();
        return refuted("thin-air", core(part, &[read], begun), because);
    }
    let ended = |other: &Op<'_>| other.is_ok() && other.res_rank() < op.inv_rank();
    let before = steps(part).filter(ended).count() as i128;
    let least = i128::from(initial) + before * i128::from(size);
    let below = if size > 0 { least > value.into() } else { least < value.into() };
    if below {
        let because = format!(
            "{} although {} had ended before it began{}",
            who(op),
            many(before),
            sum(initial, least)
        );
        return refuted("stale-read", core(part, &[read], |step| ended(&step)), because);
    }
    let reads = needed(initial, size, part, read, forced);
    let because = format!(
        "{} although {} had ended before it began, and {} must have been counted beyond these",
        who(op),
        many(before),
        shown(part, &reads[1..])
    );
    let begun = |step: Op<'_>| step.inv_rank() < op.res_rank();
    refuted("stale-read", core(part, &reads, begun), because)
}

/// `read` saw more than could be counted before it ended.
pub(super) fn high(initial: i64, size: i64, part: &Part<'_>, read: u32) -> Decision {
    let op = part.history.row(read as usize);
    let begun = |step: Op<'_>| step.inv_rank() < op.res_rank();
    let before = steps(part).filter(|step| begun(*step)).count() as i128;
    let most = i128::from(initial) + before * i128::from(size);
    let because = format!(
        "{} although only {} began before it ended{}",
        who(op),
        many(before),
        sum(initial, most)
    );
    let all = steps(part).count() as i128 * i128::from(size) + i128::from(initial);
    let beyond = if size > 0 { all < value(op).into() } else { all > value(op).into() };
    let name = if beyond { "thin-air" } else { "future-read" };
    refuted(name, core(part, &[read], begun), because)
}

/// Refutes a counter with steps of several sizes if a read is out of its bounds.
pub(super) fn by_bounds(initial: i64, part: &Part<'_>, how: &How) -> Decision {
    let (mut begun, mut ended) = (Sums::default(), Sums::default());
    let mut since = vec![(0, 0); part.rows.len()];
    for (i, (place, end)) in events(part).enumerate() {
        if i & 0xffff == 0 && how.stop.is_tripped() {
            return Decision::Stopped;
        }
        let op = part.history.row(part.rows[place] as usize);
        match (act(op), end) {
            (Ok(Act::Add(by)), false) => begun.add(by),
            (Ok(Act::Add(by)), true) => ended.add(by),
            (Ok(Act::Read(_)), false) => since[place] = (ended.up, ended.down),
            (Ok(Act::Read(value)), true) => {
                let distance = i128::from(value) - i128::from(initial);
                let (up, down) = since[place];
                if distance < up + begun.down {
                    return bound(initial, part, op, up + begun.down, true);
                }
                if distance > begun.up + down {
                    return bound(initial, part, op, begun.up + down, false);
                }
            }
            _ => {}
        }
    }
    Decision::Unfit("the steps are of several sizes".to_owned())
}

/// What steps up and steps down come to.
#[derive(Default)]
struct Sums {
    up: i128,
    down: i128,
}

impl Sums {
    fn add(&mut self, by: i64) {
        *if by > 0 { &mut self.up } else { &mut self.down } += i128::from(by);
    }
}

/// `op` saw less than the least, or more than the most there can be.
fn bound(initial: i64, part: &Part<'_>, op: Op<'_>, distance: i128, least: bool) -> Decision {
    let certain = |step: Op<'_>| {
        let up = matches!(act(step), Ok(Act::Add(by)) if by > 0);
        match up == least {
            true => step.is_ok() && step.res_rank() < op.inv_rank(),
            false => step.inv_rank() < op.res_rank(),
        }
    };
    let (name, word) = match least {
        true => ("stale-read", "at least"),
        false => ("future-read", "at most"),
    };
    let because = format!(
        "{} although the steps before it and beside it leave {word} {}",
        who(op),
        i128::from(initial) + distance
    );
    refuted(name, core(part, &[op.row() as u32], certain), because)
}

/// `reads`, and the steps that count, the latest first.
fn core(part: &Part<'_>, reads: &[u32], counts: impl Fn(Op<'_>) -> bool) -> Vec<u32> {
    let steps: Vec<u32> =
        steps(part).filter(|step| counts(*step)).map(|step| step.row() as u32).collect();
    reads.iter().copied().chain(steps.into_iter().rev()).collect()
}

/// `read`, and those of the reads that forced a step without which it would be possible.
fn needed(initial: i64, size: i64, part: &Part<'_>, read: u32, forced: &[u32]) -> Vec<u32> {
    let end = part.history.row(read as usize).res_rank();
    let steps: Vec<u32> =
        steps(part).filter(|step| step.inv_rank() < end).map(|step| step.row() as u32).collect();
    let stuck = |reads: &[u32]| {
        let mut rows = [steps.as_slice(), reads, &[read]].concat();
        rows.sort_unstable();
        let small = Part { history: part.history, rows: &rows };
        let found = Schedule::of(initial, size, &small, &How::default());
        matches!(found, Err(Stuck::Low(..) | Stuck::High(..)))
    };
    let mut kept = 0;
    while kept < forced.len() && !stuck(&forced[forced.len() - kept..]) {
        kept = (2 * kept).clamp(1, forced.len());
    }
    let mut reads = forced[forced.len() - kept..].to_vec();
    if reads.len() <= TRIED {
        for gone in reads.clone() {
            let rest: Vec<u32> = reads.iter().copied().filter(|other| *other != gone).collect();
            if stuck(&rest) {
                reads = rest;
            }
        }
    }
    reads.insert(0, read);
    reads
}

fn steps<'h>(part: &Part<'h>) -> impl Iterator<Item = Op<'h>> {
    let history = part.history;
    let ops = part.rows.iter().map(move |row| history.row(*row as usize));
    ops.filter(|op| matches!(act(*op), Ok(Act::Add(_))))
}

fn value(op: Op<'_>) -> i64 {
    match act(op) {
        Ok(Act::Read(value)) => value,
        _ => 0,
    }
}

fn many(steps: i128) -> String {
    if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") }
}

fn sum(initial: i64, sum: i128) -> String {
    match initial {
        0 => String::new(),
        _ => format!(", from {initial} to {sum}"),
    }
}

/// `what #3 had seen`
fn shown(part: &Part<'_>, reads: &[u32]) -> String {
    match reads {
        [one] => format!("what {} saw", who(part.history.row(*one as usize))),
        [first, ..] => format!(
            "what {} and {} other reads saw",
            who(part.history.row(*first as usize)),
            reads.len() - 1
        ),
        [] => "others".to_owned(),
    }
}
