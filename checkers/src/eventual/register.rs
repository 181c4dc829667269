//! Registers: a replica ends with a value that was written, and with the last one where the last
//! write wins.

use danso_vocab::{Op, Value};
use rustc_hash::FxHashSet;

use super::elements::Elements;
use super::key::{Key, lives, value_id, written};
use super::quiet::Finals;
use super::replicas::Replicas;
use super::report::{Report, gap, of_key, said};
use super::staleness;

/// All writes of one value.
struct Writes {
    value: i64,
    /// Some of them may have happened.
    lives: bool,
    /// The first of those that may have happened, else the first.
    first: u32,
    /// Of those that may have happened the one that ended last.
    last: u32,
    count: u32,
}

/// Judges a key of a register.
pub(super) fn judge(
    key: &Key<'_>,
    finals: &Finals<'_, '_>,
    (last_wins, initial): (bool, &Value),
    elements: &mut Elements,
    replicas: &Replicas,
    report: &mut Report,
) {
    let initial = value_id(key.history, initial, elements);
    let writes = writes(key, elements);
    let of = |value: i64| {
        writes.binary_search_by_key(&value, |w| w.value).ok().map(|place| &writes[place])
    };
    let mut told = FxHashSet::default();
    for read in key.reads.iter().filter(|read| read.state != initial) {
        let (name, why) = match of(read.state) {
            None => ("invented-value", "nobody ever wrote it".to_owned()),
            Some(writes) => {
                let first = key.updates[writes.first as usize];
                if !writes.lives {
                    ("aborted-read", format!("its only write, {}, had failed", said(first)))
                } else if first.inv_rank() > read.op.res_rank() {
                    let later = gap(read.op, first);
                    ("invented-value", format!("{} began {later} later", said(first)))
                } else {
                    continue;
                }
            }
        };
        if told.insert(read.state) {
            report.anomaly(name, key, || {
                let mut ops = vec![read.op.id()];
                ops.extend(of(read.state).map(|w| key.updates[w.first as usize].id()));
                (ops, format!("{}, but {why}", shown(read.op, key)), Vec::new())
            });
        }
    }
    lost(key, finals, last_wins, |value| of(value).filter(|w| w.lives), initial, replicas, report);
    let unique = |value: i64| match of(value) {
        None if value == initial => Some(None),
        Some(w) if w.lives && w.count == 1 => Some(Some(key.updates[w.first as usize])),
        _ => None,
    };
    staleness::measure(key, unique, report);
}

/// Whether an acknowledged write that nothing overwrote is missing.
fn lost<'w>(
    key: &Key<'_>,
    finals: &Finals<'_, '_>,
    last_wins: bool,
    of: impl Fn(i64) -> Option<&'w Writes>,
    initial: i64,
    replicas: &Replicas,
    report: &mut Report,
) {
    // Nothing overwrites the acknowledged write that began last, but what had not ended by then.
    let Some(newest) = key.updates.iter().rev().find(|op| op.is_ok()).copied() else { return };
    let mut told = FxHashSet::default();
    for (who, read) in finals {
        let held = of(read.state).map(|w| key.updates[w.last as usize]);
        let name = replicas.name(*who);
        let because = match held {
            None if read.state == initial => format!(
                "{name} ended without any value{} ({}), although {} was acknowledged",
                of_key(key),
                read.op.id(),
                said(newest)
            ),
            Some(held) if last_wins && held.res_rank() < newest.inv_rank() => format!(
                "{name} ended with the value{} of {} ({}), although {} began {} after that had \
                 ended and was acknowledged",
                of_key(key),
                said(held),
                read.op.id(),
                said(newest),
                gap(held, newest)
            ),
            _ => continue,
        };
        if told.insert(read.state) {
            report.anomaly("lost-write", key, || {
                let mut ops = vec![read.op.id(), newest.id()];
                ops.extend(held.map(Op::id));
                (ops, because, Vec::new())
            });
        }
    }
}

/// The writes of a key, by value.
fn writes(key: &Key<'_>, elements: &mut Elements) -> Vec<Writes> {
    let mut rows: Vec<(i64, u32)> = Vec::with_capacity(key.updates.len());
    for (row, op) in (0..).zip(&key.updates) {
        rows.push((written(key.history, *op, elements), row));
    }
    rows.sort_unstable();
    let group = |rows: &[(i64, u32)]| {
        let live =
            || rows.iter().map(|(_, row)| *row).filter(|row| lives(key.updates[*row as usize]));
        Writes {
            value: rows[0].0,
            lives: live().next().is_some(),
            first: live().next().unwrap_or(rows[0].1),
            last: live()
                .max_by_key(|row| key.updates[*row as usize].res_rank())
                .unwrap_or(rows[0].1),
            count: rows.len() as u32,
        }
    };
    rows.chunk_by(|a, b| a.0 == b.0).map(group).collect()
}

/// `p4's read of k3 (#812) returned 7`.
fn shown(read: Op<'_>, key: &Key<'_>) -> String {
    let (process, id) = (read.process(), read.id());
    format!("{process}'s read{} ({id}) returned {}", of_key(key), read.ret().unwrap_or_default())
}
