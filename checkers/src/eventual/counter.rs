//! Counters: a replica ends with the sum of the additions that happened.

use danso_vocab::{OpId, Value};
use rustc_hash::FxHashSet;

use super::key::{Key, Read, lives};
use super::quiet::Finals;
use super::replicas::Replicas;
use super::report::{Report, of_key};
use crate::models::counter;

/// What a counter begins with.
pub(super) fn initial(value: &Value) -> i64 {
    value.int().unwrap_or(0)
}

/// So many times 64 steps the sums of uncertain additions may take to be enumerated; beyond
/// that every number between the least and the greatest counts as a sum.
const WORK: u128 = 1 << 20;

/// Judges a key of a counter.
pub(super) fn judge(
    key: &Key<'_>,
    finals: &Finals<'_, '_>,
    initial: i64,
    replicas: &Replicas,
    report: &mut Report,
) {
    let mut told = FxHashSet::default();
    early(key, initial, &mut told, report);
    let sums = Sums::of(key, initial);
    for (who, read) in finals {
        if sums.has(read.state) || !told.insert(read.state) {
            continue;
        }
        let short = i128::from(read.state) < sums.low && sums.least_delta >= 0;
        let name = if short { "lost-increment" } else { "wrong-sum" };
        report.anomaly(name, key, || explain(key, &sums, &replicas.name(*who), read));
    }
}

/// Reads while additions go on: no replica can have counted what nobody had begun to add.
fn early(key: &Key<'_>, initial: i64, told: &mut FxHashSet<i64>, report: &mut Report) {
    let live: Vec<_> = key.updates.iter().filter(|op| lives(**op)).collect();
    let mut bounds = vec![(i128::from(initial), i128::from(initial))];
    for op in &live {
        let delta = i128::from(counter::added(op.f(), &op.arg()).unwrap_or(0));
        let (low, high) = bounds[bounds.len() - 1];
        bounds.push((low + delta.min(0), high + delta.max(0)));
    }
    for read in &key.reads {
        let begun = live.partition_point(|op| op.inv_rank() < read.op.res_rank());
        let (low, high) = bounds[begun];
        if (low..=high).contains(&i128::from(read.state)) || !told.insert(read.state) {
            continue;
        }
        report.anomaly("wrong-sum", key, || {
            let because = format!(
                "{}'s read{} ({}) returned {}, but all that anybody had begun to add by then sums \
                 up to something from {low} to {high}",
                read.op.process(),
                of_key(key),
                read.op.id(),
                read.state,
            );
            (vec![read.op.id()], because, Vec::new())
        });
    }
}

/// What a counter may end with.
struct Sums {
    /// The least and the greatest.
    low: i128,
    high: i128,
    /// The sum of what was acknowledged, and how many additions are uncertain.
    acknowledged: i128,
    uncertain: usize,
    /// The least that anybody may have added.
    least_delta: i128,
    /// From `low` on, one bit a number; empty if that would be too much.
    exact: Vec<u64>,
}

impl Sums {
    fn of(key: &Key<'_>, initial: i64) -> Sums {
        let mut acknowledged = i128::from(initial);
        let mut open = Vec::new();
        let mut least_delta = 0;
        for op in key.updates.iter().filter(|op| lives(**op)) {
            let delta = i128::from(counter::added(op.f(), &op.arg()).unwrap_or(0));
            least_delta = delta.min(least_delta);
            match op.is_ok() {
                true => acknowledged += delta,
                false => open.push(delta),
            }
        }
        let low = acknowledged + open.iter().map(|d| (*d).min(0)).sum::<i128>();
        let high = acknowledged + open.iter().map(|d| (*d).max(0)).sum::<i128>();
        let words = (high - low) / 64 + 1;
        let mut exact = Vec::new();
        if words * (open.len() as i128) < WORK as i128 {
            // A subset's sum, counted from `low`, is a sum of absolute values.
            exact.resize(words as usize, 0);
            exact[0] = 1;
            for delta in &open {
                add_shifted(&mut exact, delta.unsigned_abs() as usize);
            }
        }
        Sums { low, high, acknowledged, uncertain: open.len(), least_delta, exact }
    }

    fn has(&self, state: i64) -> bool {
        let state = i128::from(state);
        if !(self.low..=self.high).contains(&state) {
            return false;
        }
        let bit = (state - self.low) as usize;
        self.exact.is_empty() || self.exact[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// Adds to a set of numbers each of them increased by `by`.
fn add_shifted(bits: &mut [u64], by: usize) {
    let (words, rest) = (by / 64, by % 64);
    for at in (words..bits.len()).rev() {
        let mut word = bits[at - words] << rest;
        if rest > 0 && at > words {
            word |= bits[at - words - 1] >> (64 - rest);
        }
        bits[at] |= word;
    }
}

fn explain(
    key: &Key<'_>,
    sums: &Sums,
    who: &str,
    read: &Read<'_>,
) -> (Vec<OpId>, String, Vec<String>) {
    let state = i128::from(read.state);
    let could = match (sums.uncertain, sums.low == sums.high) {
        (0, _) | (_, true) => format!("the acknowledged additions sum up to {}", sums.acknowledged),
        (n, false) => format!(
            "the acknowledged additions sum up to {}, which {n} more of unknown outcome can turn \
             into something from {} to {}",
            sums.acknowledged, sums.low, sums.high
        ),
    };
    let off = if state < sums.low {
        format!(": {} are missing", sums.low - state)
    } else if state > sums.high {
        format!(": {} are too many", state - sums.high)
    } else {
        ", but not into this".to_owned()
    };
    let because =
        format!("{who} ended with {state}{} ({}), but {could}{off}", of_key(key), read.op.id());
    // Additions of just what is missing or too many are worth a look.
    let amount = (sums.low - state).max(state - sums.high);
    let suspects = key.updates.iter().filter(|op| {
        let delta = counter::added(op.f(), &op.arg()).map(i128::from);
        delta.is_some_and(|d| d.abs() == amount)
    });
    let mut ops = vec![read.op.id()];
    ops.extend(suspects.clone().map(|op| op.id()).take(5));
    let explain = suspects.take(5).map(|op| format!("as much as {op}")).collect();
    (ops, because, explain)
}
