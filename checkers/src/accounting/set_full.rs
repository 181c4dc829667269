//! [`SetFull`]: what becomes of each element of a set, by every read of it.
//!
//! **Known.** From its first acknowledgement, or from the end of the first read that shows it,
//! an element is known to be there. Each is then
//!
//! - *stable*: the last read that begins shows it, of those that begin later than any without it;
//!   it was *stale* if a read that began when it was known does not show it;
//! - *lost*: a read that began when it was known does not show it, and every read that does had
//!   ended before that one began;
//! - *never read*: no read shows it, none that should have began;
//! - *unsettled*: the last reads to show it and not to show it overlap, so nobody can say.
//!
//! To be stale is allowed unless reads are promised to be linearizable. Final reads are judged
//! and compared as by [`Set`](super::Set).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use danso_vocab::time::human;
use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Time, Value};

use super::elements::{Bits, Element, Elements, shown};
use super::set;
use crate::ledger::Ledger;
use crate::objects::{Object, SPELL, when};

/// `add value` and `read -> [value …]`, as Jepsen's `set-full`. Anomalies: those of
/// [`Set`](super::Set), `duplicate-element`, and `stale-read` if reads are to be linearizable.
/// O(operations + elements read); 60 to 80 bytes an element.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetFull {
    linearizable: bool,
}

impl SetFull {
    /// Stale reads are allowed.
    pub fn new() -> SetFull {
        SetFull::default()
    }

    /// A read that begins when an element is known must show it.
    #[must_use]
    pub fn linearizable(self) -> SetFull {
        SetFull { linearizable: true }
    }
}

impl Checker for SetFull {
    fn name(&self) -> &'static str {
        "set-full"
    }

    fn decides(&self) -> &'static str {
        match self.linearizable {
            true => "an element that was acknowledged or read is in every read from then on, once",
            false => "an element that was acknowledged or read stays in a set, once",
        }
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &[
            "lost-element",
            "unexpected-element",
            "aborted-read",
            "divergence",
            "duplicate-element",
            "stale-read",
        ]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let mut took = Vec::new();
        let mut finding =
            set::check(self.name(), history, limits, |object, elements, _, lost, ledger| {
                let mut book = Book { history, object, ledger };
                let reads = book.reads();
                match book.lives(&reads, elements, limits) {
                    Some(lives) => book.judge(self.linearizable, elements, &lives, lost, &mut took),
                    None => ledger.doubt(|| "stopped before every element was followed".to_owned()),
                }
            });
        took.sort_unstable();
        let most = took.len().saturating_sub(1);
        for (name, place) in [("p50", most / 2), ("p99", most * 99 / 100), ("max", most)] {
            if let Some(ns) = took.get(place) {
                finding = finding.stat(format!("stable-latency-us-{name}"), ns / 1_000);
            }
        }
        finding
    }
}

const NONE: u32 = u32::MAX;

/// What reads tell of one element: 24 bytes.
#[derive(Clone, Copy)]
struct Life {
    /// When it was first known, in ns.
    since: u64,
    /// The row of the last read to begin that shows it, or none.
    present: u32,
    /// The row of the last read to begin that does not.
    absent: u32,
    /// The last end of a read that shows it.
    end: u32,
    /// The read that was looked at last and shows it, counted from 1.
    stamp: u32,
}

impl Life {
    const BLANK: Life = Life { since: u64::MAX, present: NONE, absent: NONE, end: 0, stamp: 0 };
}

/// What became of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stable { stale: bool },
    Lost,
    NeverRead,
    Unsettled,
}

/// What is written down about one object.
struct Book<'b, 'h> {
    history: &'h History,
    object: &'b Object,
    ledger: &'b mut Ledger,
}

impl<'h> Book<'_, 'h> {
    /// The acknowledged reads that show elements, the first to begin first.
    fn reads(&self) -> Vec<(Op<'h>, &'h [Value])> {
        let ops = self.object.rows.iter().map(|row| self.history.row(*row as usize));
        let reads = ops.filter(|op| op.f() == "read");
        let mut reads: Vec<_> = reads.filter_map(|op| Some((op, shown(op)?))).collect();
        reads.sort_by_key(|(read, _)| read.inv_rank());
        reads
    }

    /// Follows every element from the last read back to the first. Elements that all later reads
    /// show are looked for in each read; what it lacks was absent from it last, and is done. They
    /// are never more than the read before showed, so that this is linear in what reads show.
    /// `None` if it was stopped.
    fn lives(
        &mut self,
        reads: &[(Op<'h>, &'h [Value])],
        elements: &mut Elements<'h>,
        limits: &Limits,
    ) -> Option<Vec<Life>> {
        let mut lives = vec![Life::BLANK; elements.iter().count()];
        for &row in &self.object.rows {
            let op = self.history.row(row as usize);
            if op.f() == "add" && op.is_ok() {
                let life = &mut lives[elements.added(op) as usize];
                life.since = life.since.min(op.res_time().unwrap_or_default().0);
            }
        }
        let mut steady: Vec<u32> =
            elements.iter().filter(|(_, e)| e.known() != History::NEVER).map(|(n, _)| n).collect();
        let mut twice = Bits::default();
        let mut looked = 0;
        for ((read, list), stamp) in reads.iter().rev().zip(1..) {
            let ended = read.res_time().unwrap_or_default().0;
            for value in *list {
                looked += 1;
                if looked % SPELL == 0 && limits.stop.is_tripped() {
                    return None;
                }
                let number = elements.number(value);
                let life = &mut lives[number as usize];
                if std::mem::replace(&mut life.stamp, stamp) == stamp && twice.insert(number) {
                    self.twice(*read, value);
                }
                if life.present == NONE {
                    life.present = read.row() as u32;
                }
                life.end = life.end.max(read.res_rank());
                life.since = life.since.min(ended);
            }
            steady.retain(|number| {
                let life = &mut lives[*number as usize];
                let shown = life.stamp == stamp;
                if !shown {
                    life.absent = read.row() as u32;
                }
                shown
            });
        }
        Some(lives)
    }

    fn twice(&mut self, read: Op<'_>, value: &Value) {
        self.ledger.anomaly("duplicate-element", || Anomaly {
            name: "duplicate-element".into(),
            key: self.object.named(self.history),
            ops: vec![read.id()],
            because: format!(
                "{}'s read{} ({}) shows {value} more than once",
                read.process(),
                self.object.of(self.history),
                read.id()
            ),
            explain: Vec::new(),
            figure: None,
        });
    }

    /// The operation in this row, if there is one.
    fn op(&self, row: u32) -> Option<Op<'h>> {
        (row != NONE).then(|| self.history.row(row as usize))
    }

    /// What becomes of an element of which this is known.
    fn fate(&self, known: u32, life: &Life) -> Fate {
        let missed = self.op(life.absent).filter(|absent| known < absent.inv_rank());
        match (self.op(life.present), self.op(life.absent)) {
            (None, _) if missed.is_some() => Fate::Lost,
            (None, _) => Fate::NeverRead,
            (Some(_), None) => Fate::Stable { stale: false },
            (Some(present), Some(absent)) if absent.inv_rank() < present.inv_rank() => {
                Fate::Stable { stale: missed.is_some() }
            }
            (Some(_), Some(absent)) if missed.is_some() && life.end < absent.inv_rank() => {
                Fate::Lost
            }
            (Some(_), Some(_)) if missed.is_some() => Fate::Unsettled,
            // The read that lacks it began before anybody could know of it.
            (Some(_), Some(_)) => Fate::Stable { stale: false },
        }
    }

    /// Judges every element of which anything is known, but those reported as lost already.
    fn judge(
        &mut self,
        linearizable: bool,
        elements: &Elements<'h>,
        lives: &[Life],
        reported: &Bits,
        took: &mut Vec<u64>,
    ) {
        // By the read that lacks them: elements that no later read shows.
        let mut lost = BTreeMap::<u32, Vec<u32>>::new();
        let (mut stable, mut never) = (0, 0);
        for (number, element) in elements.iter().filter(|(_, e)| e.begun != History::NEVER) {
            let life = &lives[number as usize];
            match self.fate(element.known(), life) {
                Fate::NeverRead => never += 1,
                Fate::Unsettled => {
                    self.ledger.count("unsettled", 1);
                    self.unsettled(elements, element, life);
                }
                Fate::Lost => {
                    self.ledger.count("vanished", 1);
                    if !reported.has(number) {
                        lost.entry(life.absent).or_default().push(number);
                    }
                }
                Fate::Stable { stale } => {
                    stable += 1;
                    let until = self.op(life.absent).filter(|_| stale).map(Op::inv_time);
                    took.push(until.map_or(0, |until| until.0.saturating_sub(life.since)));
                    if stale {
                        self.ledger.count("stale", 1);
                        if linearizable {
                            self.stale(elements, element, life);
                        }
                    }
                }
            }
        }
        self.ledger.count("stable", stable);
        self.ledger.count("never-read", never);
        for (absent, numbers) in lost {
            self.lost(elements, self.history.row(absent as usize), &numbers, lives);
        }
        if stable == 0 {
            let of = self.object.of(self.history);
            self.ledger.doubt(|| format!("no element{of} was seen to stay"));
        }
    }
}

/// The sentences.
impl<'h> Book<'_, 'h> {
    /// How an element became known: the operation, and what it did.
    fn origin(&self, elements: &Elements<'h>, element: Element) -> (Option<Op<'h>>, String) {
        match elements.shown(element) {
            Some(add) if element.acknowledged <= element.seen => {
                let said = format!(
                    "{}'s add of {} ({}) was acknowledged",
                    add.process(),
                    add.arg(),
                    add.id()
                );
                (Some(add), said)
            }
            Some(add) => {
                (Some(add), format!("{} (added by {}) had been read", add.arg(), add.id()))
            }
            None => (None, "it had been read".to_owned()),
        }
    }

    fn lost(&mut self, elements: &Elements<'h>, absent: Op<'h>, numbers: &[u32], lives: &[Life]) {
        self.ledger.count("lost", numbers.len() as u64);
        let Some(&first) = numbers.first() else { return };
        let (add, known) = self.origin(elements, elements.get(first));
        let life = &lives[first as usize];
        let last = self.op(life.present);
        let others = match numbers.len() {
            1 => String::new(),
            n => format!("; {n} elements are lost like that: {}", set::words(elements, numbers)),
        };
        self.ledger.anomaly("lost-element", || Anomaly {
            name: "lost-element".into(),
            key: self.object.named(self.history),
            ops: [Some(absent), add, last].into_iter().flatten().map(Op::id).collect(),
            because: format!(
                "{known}{}, but {}'s read{} ({}){} does not show it, and no later one does{others}",
                when(self.history, "at", Time(life.since)),
                absent.process(),
                self.object.of(self.history),
                absent.id(),
                when(self.history, "begun at", absent.inv_time()),
            ),
            explain: last
                .map(|read| {
                    format!("the last to show it was {}'s read ({})", read.process(), read.id())
                })
                .into_iter()
                .collect(),
            figure: None,
        });
    }

    fn stale(&mut self, elements: &Elements<'h>, element: Element, life: &Life) {
        let Some(absent) = self.op(life.absent) else { return };
        let (add, known) = self.origin(elements, element);
        self.ledger.anomaly("stale-read", || Anomaly {
            name: "stale-read".into(),
            key: self.object.named(self.history),
            ops: [Some(absent), add].into_iter().flatten().map(Op::id).collect(),
            because: format!(
                "{known} {} before {}'s read{} ({}) began, which does not show it",
                human(absent.inv_time() - Time(life.since)),
                absent.process(),
                self.object.of(self.history),
                absent.id(),
            ),
            explain: Vec::new(),
            figure: None,
        });
    }

    fn unsettled(&mut self, elements: &Elements<'h>, element: Element, life: &Life) {
        let (Some(present), Some(absent)) = (self.op(life.present), self.op(life.absent)) else {
            return;
        };
        let value = elements.shown(element).map(|add| add.arg().to_string()).unwrap_or_default();
        self.ledger.doubt(|| {
            format!(
                "the last reads overlap and differ: {} shows {value}, {} does not, though it began when that was known",
                present.id(),
                absent.id()
            )
        });
    }
}
