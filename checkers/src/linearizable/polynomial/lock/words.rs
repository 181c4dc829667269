//! What is wrong with a lock, in words.

use danso_vocab::time::human;
use danso_vocab::{Op, Process};

use super::super::Refutation;
use super::Kind;
use super::ledger::{Hold, Ledger, NONE, refutation};

/// An operation as a colleague would say it: `p4's acquire (#812)`.
fn whose(op: Op<'_>) -> String {
    let (process, f, id) = (op.process(), op.f(), op.id());
    match op.key() {
        Some(key) => format!("{process}'s {f} of {key} ({id})"),
        None => format!("{process}'s {f} ({id})"),
    }
}

/// All rows of these holds, the first one's acquire first.
fn rows(ledger: &Ledger<'_>, holds: &[u32]) -> Vec<u32> {
    let holds = || holds.iter().map(|i| &ledger.holds[*i as usize]);
    let gives = holds().map(|hold| hold.give).filter(|give| *give != NONE);
    holds().map(|hold| hold.take).chain(gives).collect()
}

/// How a hold ended: `released only later (#9)`.
fn kept(ledger: &Ledger<'_>, hold: &Hold) -> String {
    match hold.give {
        NONE => "never released".to_owned(),
        give => format!("released no sooner than in {}", ledger.op(give).id()),
    }
}

/// How long before one operation ended another one had.
fn gap(earlier: Op<'_>, later: Op<'_>) -> String {
    let gap = earlier.res_time().zip(later.res_time()).map(|(a, b)| b - a);
    gap.filter(|gap| !gap.is_zero()).map_or(String::new(), |gap| format!(" {} earlier", human(gap)))
}

/// More was taken than there is, when the first of these holds began.
pub(super) fn exceeded(ledger: &Ledger<'_>, together: &[u32]) -> Refutation {
    let hold = |i: usize| &ledger.holds[together[i] as usize];
    let last = ledger.op(hold(0).take);
    let (name, because) = match together {
        [_] => {
            let (weight, capacity) = (hold(0).weight, ledger.capacity);
            let because =
                format!("{} took {weight} permits although there are {capacity}", whose(last));
            ("over-granted", because)
        }
        [_, _] if matches!(ledger.kind, Kind::Semaphore(2..)) => {
            ("over-granted", permits(ledger, together))
        }
        [_, _] => {
            let other = ledger.op(hold(1).take);
            let holder = match other.process() == last.process() {
                true => "it held it itself".to_owned(),
                false => format!("{} held it", other.process()),
            };
            let because = format!(
                "{} succeeded although {holder}: {} had succeeded{} and was {}",
                whose(last),
                whose(other),
                gap(other, last),
                kept(ledger, hold(1)),
            );
            ("double-grant", because)
        }
        _ => ("over-granted", permits(ledger, together)),
    };
    refutation(rows(ledger, together), name, because)
}

fn permits(ledger: &Ledger<'_>, together: &[u32]) -> String {
    const NAMED: usize = 8;
    let holds: Vec<&Hold> = together.iter().map(|i| &ledger.holds[*i as usize]).collect();
    let taken: u64 = holds[1..].iter().map(|hold| u64::from(hold.weight)).sum();
    let who = |hold: &&Hold| {
        let op = ledger.op(hold.take);
        format!("{} ({})", op.process(), op.id())
    };
    let mut names: Vec<String> = holds[1..].iter().take(NAMED).map(who).collect();
    if holds.len() > NAMED + 1 {
        names.push(format!("{} others", holds.len() - NAMED - 1));
    }
    format!(
        "{} succeeded although {taken} of {} permits were held, by {}",
        whose(ledger.op(holds[0].take)),
        ledger.capacity,
        names.join(", "),
    )
}

/// The second hold has no greater token than the first, which ended before it began.
pub(super) fn unfenced(ledger: &Ledger<'_>, first: u32, then: u32) -> Refutation {
    let acquire = |hold: u32| ledger.op(ledger.holds[hold as usize].take);
    let token = |hold: u32| ledger.token(hold).unwrap_or_default();
    let because = format!(
        "{} got token {} after {} had got token {}",
        whose(acquire(then)),
        token(then),
        whose(acquire(first)),
        token(first),
    );
    refutation(rows(ledger, &[then, first]), "fencing-token-not-monotonic", because)
}

/// An acquire was refused between two holds although neither can have been on. One of unknown
/// outcome cannot explain it if the lock was had again: its client never released it.
pub(super) fn refused(
    ledger: &Ledger<'_>,
    row: u32,
    previous: Option<u32>,
    next: Option<u32>,
) -> Refutation {
    let op = ledger.op(row);
    let release = previous.map(|i| ledger.holds[i as usize].give).filter(|give| *give != NONE);
    let mut because = format!("{} was refused although the lock was free", whose(op));
    because += &match release {
        Some(give) => format!(": {} had ended before it began", whose(ledger.op(give))),
        None => ": nobody had acquired it before".to_owned(),
    };
    let crashed = ledger.crashed.iter().filter(|crashed| ledger.begin(**crashed) < ledger.end(row));
    let crashed: Vec<u32> = crashed.copied().collect();
    let mut all = vec![row];
    if let Some(next) = next {
        let hold = &ledger.holds[next as usize];
        because += &format!(", and {} began after it had ended", whose(ledger.op(hold.take)));
        if let Some(&first) = crashed.first() {
            let who = match crashed.len() {
                1 => whose(ledger.op(first)),
                n => format!("{n} acquires of unknown outcome"),
            };
            because += &format!(", so {who} did not take it, for it was never released again");
            all.push(first);
            all.extend(rows(ledger, &[next]));
        }
    }
    refutation(all, "refused-while-free", because)
}

/// The owner of a reentrant lock was refused it.
pub(super) fn refused_inside(ledger: &Ledger<'_>, row: u32, own: u32) -> Refutation {
    let (op, take) = (ledger.op(row), ledger.op(ledger.holds[own as usize].take));
    let because = format!(
        "{} was refused although {} held the lock itself since {}",
        whose(op),
        op.process(),
        take.id()
    );
    refutation(vec![row, take.row() as u32], "refused-while-held-by-itself", because)
}

/// A release of what its process does not have.
pub(super) fn gives_nothing(op: Op<'_>) -> Refutation {
    let process: Process = op.process();
    let because = format!("{} succeeded although {process} held nothing to release", whose(op));
    refutation(vec![op.row() as u32], "release-without-hold", because)
}
