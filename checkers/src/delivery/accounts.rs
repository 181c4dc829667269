//! [`Accounts`]: every message with all that is known of it, in two sorted columns.

use danso_vocab::{History, Limits, Op, Status};
use rustc_hash::FxHashMap;

use super::reading::{self, Atom, Item, Word};
use super::{Removal, keep_going};

/// No row.
pub(super) const NONE: u32 = u32::MAX;

/// An enqueue of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Send {
    pub(super) message: u32,
    pub(super) row: u32,
}

/// How a message was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Dequeued,
    Drained,
    Dead,
    /// A drain saw it and did not get it.
    Left,
}

/// One sight of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take {
    pub(super) message: u32,
    pub(super) row: u32,
    /// Its place in the list it came in.
    pub(super) place: u32,
    /// Which of its deliveries this is, from 1; 0 if that is not said.
    pub(super) attempt: u32,
    /// The row of its acknowledgement: one that is certain if there is any. [`NONE`] if none.
    pub(super) ack: u32,
    pub(super) how: How,
    /// Where it stands in its partition; [`i64::MIN`] if that is not said.
    pub(super) offset: i64,
}

impl Take {
    /// Whether a client got it.
    pub(super) fn is_delivery(&self) -> bool {
        matches!(self.how, How::Dequeued | How::Drained)
    }
}

/// What is known of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    /// The row of the last operation that says that nothing is left.
    pub(super) cover: Option<u32>,
    /// The rows of dequeues nobody knows about.
    pub(super) crashed: Vec<u32>,
    /// The row of something that may have taken any number of messages.
    pub(super) greedy: Option<u32>,
}

/// The accounts of a history.
pub(super) struct Accounts<'h> {
    history: &'h History,
    pub(super) removal: Removal,
    /// By message, then by row.
    pub(super) sends: Vec<Send>,
    /// By message, then by row.
    pub(super) takes: Vec<Take>,
    /// Where a message's sends and takes begin.
    starts: Vec<[u32; 2]>,
    /// The partition of each message.
    pub(super) home: Vec<u32>,
    pub(super) partitions: Vec<Partition>,
    /// How many enqueues are `ok`.
    pub(super) acknowledged: u64,
}

/// Messages by value, partition by partition, while they are collected.
#[derive(Default)]
struct Names<'h> {
    partitions: FxHashMap<u32, u32>,
    messages: Vec<FxHashMap<Atom<'h>, u32>>,
    home: Vec<u32>,
}

impl<'h> Names<'h> {
    fn partition(&mut self, key: u32) -> u32 {
        let next = self.messages.len() as u32;
        let partition = *self.partitions.entry(key).or_insert(next);
        if partition == next {
            self.messages.push(FxHashMap::default());
        }
        partition
    }

    fn message(&mut self, partition: u32, value: Atom<'h>) -> u32 {
        let next = self.home.len() as u32;
        let message = *self.messages[partition as usize].entry(value).or_insert(next);
        if message == next {
            self.home.push(partition);
        }
        message
    }
}

/// Bytes for each sight of a message, at most: a row of a column, a share of the tables.
const SIGHT_BYTES: u64 = 100;

impl<'h> Accounts<'h> {
    /// # Errors
    /// Why it cannot be made.
    pub(super) fn new(
        history: &'h History,
        removal: Removal,
        limits: &Limits,
    ) -> Result<Accounts<'h>, String> {
        if history.len() as u64 * SIGHT_BYTES > limits.memory {
            return Err("not enough memory to account for all messages".to_owned());
        }
        let words: Vec<Option<Word>> = history.fs().map(reading::word).collect();
        let ops = || history.ops().filter_map(|op| Some((op, words[usize::from(op.f_id())]?)));
        // A key that only some operations have is no partition.
        let keyed = ops().all(|(op, _)| op.key_id().is_some());
        let key = |op: Op<'_>| op.key_id().filter(|_| keyed).unwrap_or(NONE);
        let mut names = Names::default();
        let (mut sends, mut takes) = (Vec::new(), Vec::new());
        let (mut acknowledged, mut has_acks) = (0, false);
        for (step, (op, word)) in ops().enumerate() {
            keep_going(step, limits)?;
            let (row, partition) = (op.row() as u32, names.partition(key(op)));
            let mut take = |item: Item<'h>, how, place: usize| {
                takes.push(Take {
                    message: names.message(partition, item.value),
                    row,
                    place: place as u32,
                    attempt: item.attempt.and_then(|a| u32::try_from(a).ok()).unwrap_or(0),
                    ack: NONE,
                    how,
                    offset: item.offset.unwrap_or(i64::MIN),
                });
            };
            match word {
                Word::Enqueue => {
                    let message = names.message(partition, reading::atom(op.arg()));
                    sends.push(Send { message, row });
                    acknowledged += u64::from(reading::fate(op) == Status::Ok);
                }
                Word::Dequeue => {
                    if let Some(item) = reading::taken(op) {
                        take(item, How::Dequeued, 0);
                    }
                }
                Word::Ack => has_acks = true,
                Word::Drain | Word::DeadLetters if op.is_ok() => {
                    let how = if word == Word::Drain { How::Drained } else { How::Dead };
                    let [all, left] = reading::lists(op)?;
                    all.into_iter().enumerate().for_each(|(i, item)| take(item, how, i));
                    left.into_iter().enumerate().for_each(|(i, item)| take(item, How::Left, i));
                }
                Word::Drain | Word::DeadLetters => {}
            }
        }
        let home = names.home;
        let sends = grouped(&sends, home.len(), |send| send.message);
        let takes = grouped(&takes, home.len(), |take| take.message);
        let starts = starts(home.len(), &sends, &takes);
        let partitions = vec![Partition::default(); names.messages.len()];
        let mut accounts =
            Accounts { history, removal, sends, takes, starts, home, partitions, acknowledged };
        let homes = names.partitions;
        let partition = |op: Op<'_>| homes.get(&key(op)).copied().unwrap_or(0);
        if has_acks {
            accounts
                .join(ops().filter(|(_, w)| *w == Word::Ack).map(|(op, _)| (op, partition(op))));
        }
        accounts.cover(ops().map(|(op, word)| (op, word, partition(op))));
        Ok(accounts)
    }

    /// The operation in this row.
    pub(super) fn op(&self, row: u32) -> Op<'h> {
        self.history.row(row as usize)
    }

    /// How many messages there are.
    pub(super) fn messages(&self) -> usize {
        self.home.len()
    }

    /// A message's enqueues and all sights of it.
    pub(super) fn account(&self, message: usize) -> (&[Send], &[Take]) {
        let [send, take] = self.starts[message].map(|start| start as usize);
        let [sends, takes] = self.starts[message + 1].map(|start| start as usize);
        (&self.sends[send..sends], &self.takes[take..takes])
    }

    /// A message in words.
    pub(super) fn value(&self, message: usize) -> String {
        let (sends, takes) = self.account(message);
        if let Some(send) = sends.first() {
            return self.op(send.row).arg().to_string();
        }
        let Some(take) = takes.first() else { return String::new() };
        let op = self.op(take.row);
        let item = match take.how {
            How::Dequeued => reading::taken(op),
            how => reading::lists(op).ok().and_then(|[all, left]| {
                let list = if how == How::Left { left } else { all };
                list.get(take.place as usize).copied()
            }),
        };
        match item.map(|item| item.value) {
            Some(Atom::Int(int)) => int.to_string(),
            Some(Atom::Other(value)) => value.to_string(),
            None => String::new(),
        }
    }

    /// Whether a sight says that the message is done with.
    pub(super) fn settles(&self, take: &Take) -> bool {
        match take.how {
            How::Dequeued => self.removal == Removal::OnDelivery || take.ack != NONE,
            How::Drained | How::Dead => true,
            How::Left => false,
        }
    }

    /// Puts acknowledgements to the deliveries they name.
    fn join(&mut self, acks: impl Iterator<Item = (Op<'h>, u32)>) {
        let mut deliveries = FxHashMap::default();
        for (i, take) in self.takes.iter().enumerate() {
            if take.how == How::Dequeued
                && let Some(name) = reading::taken(self.op(take.row)).and_then(|i| i.delivery)
            {
                let partition = self.home[take.message as usize];
                deliveries.entry((partition, name)).or_insert(i);
            }
        }
        for (ack, partition) in acks {
            if reading::fate(ack) == Status::Fail {
                continue;
            }
            let row = ack.row() as u32;
            let Some(take) = deliveries.get(&(partition, reading::atom(ack.arg()))) else {
                // Whatever it acknowledged is gone.
                self.partitions[partition as usize].greedy.get_or_insert(row);
                continue;
            };
            let old = self.takes[*take].ack;
            if old == NONE || ack.res_rank() < self.op(old).res_rank() {
                self.takes[*take].ack = row;
            }
        }
    }

    /// Finds out what may have taken messages unseen, and what says that none are left.
    fn cover(&mut self, ops: impl Iterator<Item = (Op<'h>, Word, u32)> + Clone) {
        // When the last delivery of each partition ended, and when it last listed what died.
        let mut ends = vec![[0, 0]; self.partitions.len()];
        for (op, word, partition) in ops.clone().filter(|(op, ..)| op.is_ok()) {
            let [delivered, listed] = &mut ends[partition as usize];
            match word {
                Word::Dequeue if reading::taken(op).is_none() => {}
                Word::Dequeue | Word::Drain => *delivered = (*delivered).max(op.res_rank()),
                Word::DeadLetters => *listed = (*listed).max(op.inv_rank()),
                _ => {}
            }
        }
        for (op, word, partition) in ops {
            let [delivered, listed] = ends[partition as usize];
            let row = op.row() as u32;
            let covers = match (word, self.removal) {
                // A queue that says it is empty, and indeed nothing comes any more.
                (Word::Dequeue, Removal::OnDelivery) => {
                    op.is_ok() && reading::taken(op).is_none() && delivered <= op.inv_rank()
                }
                (Word::Drain, Removal::OnDelivery) => op.is_ok(),
                // What was given up is accounted for too.
                (Word::Drain, Removal::OnAck) => op.is_ok() && op.res_rank() < listed,
                _ => false,
            };
            let later = |row: u32| self.op(row).inv_rank() < op.inv_rank();
            if covers && self.partitions[partition as usize].cover.is_none_or(later) {
                self.partitions[partition as usize].cover = Some(row);
            }
            let partition = &mut self.partitions[partition as usize];
            match (word, op.status()) {
                (Word::Dequeue, Status::Info) => partition.crashed.push(row),
                (Word::Drain, Status::Info) => drop(partition.greedy.get_or_insert(row)),
                _ => {}
            }
        }
    }
}

/// The same by group, in the same order within each: a counting sort.
fn grouped<T: Copy>(things: &[T], groups: usize, group: impl Fn(&T) -> u32) -> Vec<T> {
    let Some(first) = things.first() else { return Vec::new() };
    let mut ends = vec![0u32; groups + 1];
    for thing in things {
        ends[group(thing) as usize + 1] += 1;
    }
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let mut sorted = vec![*first; things.len()];
    for thing in things {
        let place = &mut ends[group(thing) as usize];
        sorted[*place as usize] = *thing;
        *place += 1;
    }
    sorted
}

/// Where each message's sends and takes begin, and one more for the end.
fn starts(messages: usize, sends: &[Send], takes: &[Take]) -> Vec<[u32; 2]> {
    let mut starts = vec![[0; 2]; messages + 1];
    for send in sends {
        starts[send.message as usize + 1][0] += 1;
    }
    for take in takes {
        starts[take.message as usize + 1][1] += 1;
    }
    for i in 1..starts.len() {
        let [sends, takes] = starts[i - 1];
        starts[i][0] += sends;
        starts[i][1] += takes;
    }
    starts
}

/// How many of `begins` and `ends` can be paired so that each begin is before its end.
pub(super) fn paired(begins: impl Iterator<Item = u32>, ends: impl Iterator<Item = u32>) -> usize {
    let (mut begins, mut ends): (Vec<u32>, Vec<u32>) = (begins.collect(), ends.collect());
    begins.sort_unstable();
    ends.sort_unstable();
    // The earliest end has the fewest begins to choose from, and all later ones have those too.
    let (mut begun, mut pairs) = (0, 0);
    for end in ends {
        while begun < begins.len() && begins[begun] < end {
            begun += 1;
        }
        pairs += usize::from(pairs < begun);
    }
    pairs
}
