//! [`LongFork`]: do all readers see writes in one order?
//!
//! Parallel snapshot isolation (Sovran, Power, Aguilera and Li, SOSP 2011) lets two transactions
//! that read the same keys see two independent writes in opposite orders: a *long fork*. No system
//! that promises snapshot isolation or more may.
//!
//! **How.** Each key is written once, so that a read of it shows either nothing or that write. The
//! reads of one group of keys can be ordered if what each sees is contained in what the next sees.
//! So they are sorted by how many writes they see, and only neighbours are compared: two reads of
//! which the smaller is not contained in the greater each see a write that the other does not.

mod figure;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Status, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use self::figure::Write;
use crate::ledger::Ledger;
use crate::numbering::Numbering;
use crate::objects::SPELL;

/// Transactions `write [[w k v]]` and `read [[r k nil] …] -> [[r k v] …]` of groups of keys, as
/// Jepsen's `long-fork`. Anomalies: `long-fork`, `aborted-read`, `unexpected-value`. A key written
/// more than once, and groups that share keys, are beyond it: `unknown`. O(r log r + keys read)
/// for r reads, about 60 bytes an operation of two keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongFork;

impl Checker for LongFork {
    fn name(&self) -> &'static str {
        "long-fork"
    }

    fn decides(&self) -> &'static str {
        "no two reads of the same keys see two writes in opposite orders"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["long-fork", "aborted-read", "unexpected-value"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        let mut ledger = Ledger::default();
        match Forks::collect(history, limits, &mut ledger) {
            Ok(forks) => forks.judge(&mut ledger),
            Err(reason) => ledger.doubt(|| reason),
        }
        ledger.finding(name, |ledger| {
            format!(
                "{} reads of {} groups of keys see {} writes in one order each",
                ledger.figure("reads"),
                ledger.figure("groups"),
                ledger.figure("writes")
            )
        })
    }
}

/// One step of a transaction: `[r k v]` or `[w k v]`.
struct Step<'h> {
    writes: bool,
    key: &'h Value,
    value: &'h Value,
}

/// The steps of a transaction; `None` if it is none.
fn steps(txn: Cow<'_, Value>) -> Option<Vec<Step<'_>>> {
    // A list, and so never copied.
    let Cow::Borrowed(txn) = txn else { return None };
    let step = |step| match Value::list(step)? {
        [f, key, value] => match f.str()? {
            "r" | "read" => Some(Step { writes: false, key, value }),
            "w" | "write" => Some(Step { writes: true, key, value }),
            _ => None,
        },
        _ => None,
    };
    txn.list()?.iter().map(step).collect()
}

/// What was written to a key.
#[derive(Clone, Copy, Default)]
struct Key<'h> {
    /// By the one write that may have happened.
    written: Option<(Op<'h>, &'h Value)>,
    /// By one that failed.
    failed: Option<(Op<'h>, &'h Value)>,
}

/// What one read saw: a bit for each key of its group, and its row.
type Sight = (u64, u32);

/// One group of keys that are read together.
#[derive(Default)]
struct Group<'h> {
    keys: Vec<&'h Value>,
    /// The write of each key, if there is one.
    writes: Vec<Option<Op<'h>>>,
    sights: Vec<Sight>,
}

/// The reads of a history, by groups.
struct Forks<'h> {
    history: &'h History,
    groups: Vec<Group<'h>>,
}

impl<'h> Forks<'h> {
    /// Collects what was written and read.
    ///
    /// # Errors
    /// If it is not what this checker can judge.
    fn collect(
        history: &'h History,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<Forks<'h>, String> {
        let mut numbers = Numbering::new(history.len());
        let mut keys = Vec::<Key<'h>>::new();
        let mut reads = Vec::new();
        for op in history.ops() {
            if op.row() % SPELL == 0 && limits.stop.is_tripped() {
                return Err("stopped before every transaction was looked at".to_owned());
            }
            let steps = steps(op.arg()).ok_or_else(|| {
                format!("{op} is no transaction of reads or of a write: [[r k nil] …] or [[w k v]]")
            })?;
            if steps.iter().all(|step| !step.writes) {
                if op.is_ok() {
                    reads.push(op);
                }
                continue;
            }
            let [step] = &steps[..] else {
                return Err(format!("{op} writes, and does something else besides"));
            };
            let key = at(&mut keys, numbers.value(step.key));
            if op.status() == Status::Fail {
                key.failed = Some((op, step.value));
            } else if let Some((first, _)) = key.written.replace((op, step.value)) {
                return Err(format!(
                    "{first} and {op} write the same key, so nobody can say which writes a read saw"
                ));
            } else {
                ledger.count("writes", 1);
            }
        }
        let mut forks = Forks { history, groups: Vec::new() };
        let mut places = FxHashMap::<Vec<u32>, u32>::default();
        for read in reads {
            let steps = read.ret().and_then(steps).filter(|s| s.iter().all(|step| !step.writes));
            let steps = steps.ok_or_else(|| format!("{read} does not show what it read"))?;
            forks.read(read, &steps, &mut numbers, &mut keys, &mut places, ledger)?;
        }
        apart(places.keys(), keys.len())?;
        Ok(forks)
    }

    /// One acknowledged read.
    fn read(
        &mut self,
        read: Op<'h>,
        steps: &[Step<'h>],
        numbers: &mut Numbering<'h>,
        keys: &mut Vec<Key<'h>>,
        places: &mut FxHashMap<Vec<u32>, u32>,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let mut seen: Vec<(u32, &Step<'h>)> =
            steps.iter().map(|step| (numbers.value(step.key), step)).collect();
        seen.sort_by_key(|(key, _)| *key);
        if seen.len() > 64 || seen.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(format!("{read} reads a key twice, or more than 64"));
        }
        let group: Vec<u32> = seen.iter().map(|(key, _)| *key).collect();
        let mut bits = 0;
        for (place, (key, step)) in seen.iter().enumerate() {
            if step.value.is_nil() {
                continue;
            }
            let key = *at(keys, *key);
            if key
                .written
                .is_some_and(|(op, value)| value == step.value && op.inv_rank() < read.res_rank())
            {
                bits |= 1 << place;
            } else {
                self.strange(read, step, key, ledger);
                return Ok(());
            }
        }
        let place = match places.get(&group) {
            Some(place) => *place,
            None => {
                let place = self.groups.len() as u32;
                let mut written = |(key, _): &(u32, &Step<'h>)| at(keys, *key).written;
                let writes = seen.iter().map(|key| written(key).map(|(op, _)| op)).collect();
                let keys = seen.iter().map(|(_, step)| step.key).collect();
                self.groups.push(Group { keys, writes, sights: Vec::new() });
                places.insert(group, place);
                place
            }
        };
        self.groups[place as usize].sights.push((bits, read.row() as u32));
        ledger.count("reads", 1);
        ledger.count("seen", bits.count_ones().into());
        Ok(())
    }

    /// Reports a value that was never written, or not when it was read.
    fn strange(&self, read: Op<'h>, step: &Step<'h>, key: Key<'h>, ledger: &mut Ledger) {
        let who = format!(
            "{}'s read ({}) sees {} in {}",
            read.process(),
            read.id(),
            step.value,
            step.key
        );
        let anomaly = |name: &'static str, other: Option<Op<'h>>, because| Anomaly {
            name: name.into(),
            key: Some(step.key.clone()),
            ops: std::iter::once(read.id()).chain(other.map(Op::id)).collect(),
            because,
            explain: Vec::new(),
            figure: None,
        };
        let failed = key.failed.filter(|(_, value)| *value == step.value);
        match (failed, key.written.filter(|(_, value)| *value == step.value)) {
            (Some((write, _)), None) => ledger.anomaly("aborted-read", || {
                let because = format!("{who}, although the write of that ({}) failed", write.id());
                anomaly("aborted-read", Some(write), because)
            }),
            (_, Some((write, _))) => ledger.anomaly("unexpected-value", || {
                let because =
                    format!("{who}, which was not written before it had ended ({})", write.id());
                anomaly("unexpected-value", Some(write), because)
            }),
            (None, None) => ledger.anomaly("unexpected-value", || {
                anomaly("unexpected-value", None, format!("{who}, which nobody wrote"))
            }),
        }
    }

    /// Compares the reads of each group.
    fn judge(self, ledger: &mut Ledger) {
        if ledger.figure("reads") == 0 {
            ledger.doubt(|| "no read succeeded".to_owned());
        } else if ledger.figure("seen") == 0 {
            ledger.doubt(|| "no read saw any write".to_owned());
        } else if self.groups.iter().all(|group| group.keys.len() < 2) {
            ledger.doubt(|| "no read is of two keys or more".to_owned());
        }
        ledger.count("groups", self.groups.len() as u64);
        for group in self.groups {
            let mut sights = group.sights;
            sights.sort_unstable_by_key(|(bits, row)| (bits.count_ones(), *bits, *row));
            sights.dedup_by_key(|(bits, _)| *bits);
            for two in sights.windows(2) {
                let [(less, a), (more, b)] = [two[0], two[1]];
                if less & !more == 0 {
                    continue;
                }
                let place = |bits: u64| bits.trailing_zeros() as usize;
                let (at_x, at_y) = (place(less & !more), place(more & !less));
                let (x, y) = (group.keys[at_x], group.keys[at_y]);
                let write = |at: usize| Some(Write { key: group.keys[at], op: group.writes[at]? });
                let (a, b) = (self.history.row(a as usize), self.history.row(b as usize));
                ledger.anomaly("long-fork", || Anomaly {
                    name: "long-fork".into(),
                    key: None,
                    ops: vec![a.id(), b.id()],
                    because: format!(
                        "{}'s read ({}) sees the write of {x} but not that of {y}, {}'s read ({}) that of {y} but not that of {x}",
                        a.process(),
                        a.id(),
                        b.process(),
                        b.id()
                    ),
                    explain: Vec::new(),
                    figure: write(at_x)
                        .zip(write(at_y))
                        .map(|(x, y)| figure::cycle(a, b, &x, &y)),
                });
            }
        }
    }
}

fn at<'k, 'h>(keys: &'k mut Vec<Key<'h>>, number: u32) -> &'k mut Key<'h> {
    let place = number as usize;
    if place >= keys.len() {
        keys.resize(place + 1, Key::default());
    }
    &mut keys[place]
}

/// Refuses groups that share two keys: reads of them could be in opposite orders, too, and nobody
/// would compare them.
fn apart<'g>(
    groups: impl Iterator<Item = &'g Vec<u32>> + Clone,
    keys: usize,
) -> Result<(), String> {
    let mut taken = vec![false; keys];
    let shared = groups.clone().flatten().any(|key| {
        // A key that nobody wrote and nobody saw has no place.
        taken.get_mut(*key as usize).is_some_and(|taken| std::mem::replace(taken, true))
    });
    let mut pairs = FxHashSet::default();
    for group in groups.filter(|_| shared) {
        for (i, a) in group.iter().enumerate() {
            if group[i + 1..].iter().any(|b| !pairs.insert((*a, *b))) {
                return Err("there are reads of different groups that share two keys, which this checker does not compare".to_owned());
            }
        }
    }
    Ok(())
}
