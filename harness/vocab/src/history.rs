//! [`History`]: every operation of a run, in columns, well formed by construction.
//!
//! One row an operation, in order of invocation: 53 bytes a row; values, keys and words are
//! interned once, small integers not even that. [`HistoryBuilder`] is the only door, so whoever holds a `History` may rely on:
//!
//! - indices grow strictly in file order;
//! - a process has at most one open operation, and none after an `info`;
//! - a completion belongs to the open operation of its process.
//!
//! Algorithms use event *ranks*, not times: distinct integers `0..2n`, in index order except that
//! among events with the same stamp invocations come first, since operations that only touch are
//! concurrent. An operation whose end nobody knows has rank [`History::NEVER`].

mod builder;
mod intern;
mod order;
mod rearrange;
mod seats;
pub(crate) mod token;
mod values;

pub(crate) use builder::{Begin, End};
pub use builder::{HistoryBuilder, IllFormed};
pub use intern::Interner;
use values::Values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::{Event, NodeId, Note, Process, Time, Value};

/// Names an operation by the history index of its invocation: the number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpId(pub u32);

impl fmt::Display for OpId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "#{}", self.0)
    }
}

/// What is known of an operation's end. An operation still open at the end is `Info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// It happened.
    Ok,
    /// It did not happen.
    Fail,
    /// Nobody knows.
    Info,
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Status::Ok => "ok",
            Status::Fail => "fail",
            Status::Info => "info",
        })
    }
}

/// How many operations ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that happened.
    pub ok: u64,
    /// Operations that did not.
    pub fail: u64,
    /// Operations nobody knows about.
    pub info: u64,
}

impl Counts {
    /// All operations.
    pub fn total(self) -> u64 {
        self.ok + self.fail + self.info
    }

    /// Counts one more.
    pub fn add(&mut self, status: Status) {
        match status {
            Status::Ok => self.ok += 1,
            Status::Fail => self.fail += 1,
            Status::Info => self.info += 1,
        }
    }
}

const NONE: u32 = u32::MAX;

/// A well-formed history; see the [module](self).
#[derive(Clone, Debug, Default)]
pub struct History {
    inv_index: Vec<u32>,
    res_index: Vec<u32>,
    inv_rank: Vec<u32>,
    res_rank: Vec<u32>,
    inv_time: Vec<u64>,
    res_time: Vec<u64>,
    process: Vec<u32>,
    node: Vec<u16>,
    f: Vec<u16>,
    status: Vec<Status>,
    key: Vec<u32>,
    arg: Vec<u32>,
    /// Value id of an `ok`'s result, reason id of a `fail` or `info`.
    ret: Vec<u32>,
    fs: Interner<String>,
    values: Values,
    reasons: Interner<String>,
    notes: Vec<(u32, Time, Note)>,
    /// How many rows lead whose invocation is not in the file. Among them and among the others
    /// indices grow.
    early: usize,
}

impl History {
    /// The rank of an end that never came.
    pub const NEVER: u32 = u32::MAX;

    /// The history of these events, in this order; see [`HistoryBuilder`] for more control.
    ///
    /// # Errors
    /// If they make no well-formed history.
    pub fn of(events: impl IntoIterator<Item = (Time, Event)>) -> Result<History, IllFormed> {
        let mut builder = HistoryBuilder::new();
        for (time, event) in events {
            builder.push(time, event)?;
        }
        Ok(builder.finish())
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.inv_index.len()
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.inv_index.is_empty()
    }

    /// All operations, by invocation.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = Op<'_>> + Clone {
        (0..self.len()).map(|row| Op { history: self, row })
    }

    /// The operation in row `row`.
    ///
    /// # Panics
    /// If `row` is not below [`History::len`].
    pub fn row(&self, row: usize) -> Op<'_> {
        assert!(row < self.len(), "row {row} of a history of {}", self.len());
        Op { history: self, row }
    }

    /// The operation called `id`.
    pub fn op(&self, id: OpId) -> Option<Op<'_>> {
        let (early, rest) = self.inv_index.split_at(self.early);
        let row = match rest.binary_search(&id.0) {
            Ok(at) => self.early + at,
            Err(_) => early.binary_search(&id.0).ok()?,
        };
        Some(Op { history: self, row })
    }

    /// What else happened: index, time and note, in index order.
    pub fn notes(&self) -> impl Iterator<Item = (u32, Time, &Note)> {
        self.notes.iter().map(|(index, time, note)| (*index, *time, note))
    }

    /// The value with this id. Ids are equal exactly if the values are.
    ///
    /// # Panics
    /// If the id is not of this history.
    pub fn value(&self, id: u32) -> Cow<'_, Value> {
        self.values.get(id)
    }

    /// The id of a value, if an operation has it as key, argument or result; a small integer
    /// always has one.
    pub fn value_id(&self, value: &Value) -> Option<u32> {
        self.values.find(value)
    }

    /// The operation names, by id.
    pub fn fs(&self) -> impl Iterator<Item = &str> {
        self.fs.iter().map(String::as_str)
    }

    /// How operations ended, by name.
    pub fn counts(&self) -> BTreeMap<&str, Counts> {
        let mut counts = BTreeMap::<&str, Counts>::new();
        for op in self.ops() {
            counts.entry(op.f()).or_default().add(op.status());
        }
        counts
    }

    /// The stamp of the last event; zero if there is none.
    pub fn end(&self) -> Time {
        let last = |times: &[u64]| times.iter().copied().filter(|t| *t != u64::MAX).max();
        let note = self.notes.last().map(|(_, t, _)| t.0);
        Time(last(&self.res_time).max(last(&self.inv_time)).max(note).unwrap_or(0))
    }

    /// Bytes of memory, with everything the history owns.
    pub fn bytes(&self) -> usize {
        let u32s = [
            &self.inv_index,
            &self.res_index,
            &self.inv_rank,
            &self.res_rank,
            &self.process,
            &self.key,
            &self.arg,
            &self.ret,
        ];
        let words = |words: &Interner<String>| {
            words.bytes() + words.iter().map(String::capacity).sum::<usize>()
        };
        let note = |(_, _, note): &(u32, Time, Note)| {
            note.nodes.capacity() * size_of::<NodeId>() + values::heap(&note.value)
        };
        u32s.iter().map(|column| column.capacity() * 4).sum::<usize>()
            + (self.inv_time.capacity() + self.res_time.capacity()) * 8
            + (self.node.capacity() + self.f.capacity()) * 2
            + self.status.capacity()
            + words(&self.fs)
            + words(&self.reasons)
            + self.values.bytes()
            + self.notes.capacity() * size_of::<(u32, Time, Note)>()
            + self.notes.iter().map(note).sum::<usize>()
    }

    /// Bytes a row takes in the columns, without interned values.
    pub const ROW_BYTES: usize = 4 * 4 + 2 * 8 + 4 + 2 + 2 + 1 + 3 * 4;
}

/// One operation: a row of a [`History`].
#[derive(Clone, Copy)]
pub struct Op<'h> {
    history: &'h History,
    row: usize,
}

impl<'h> Op<'h> {
    /// Its name: the index of its invocation.
    pub fn id(self) -> OpId {
        OpId(self.history.inv_index[self.row])
    }

    /// Its row: its place among the operations, by invocation.
    pub fn row(self) -> usize {
        self.row
    }

    /// Who called.
    pub fn process(self) -> Process {
        Process(self.history.process[self.row])
    }

    /// The node that was asked, if known.
    pub fn node(self) -> Option<NodeId> {
        Some(self.history.node[self.row]).filter(|n| *n > 0).map(NodeId)
    }

    /// What was asked for.
    pub fn f(self) -> &'h str {
        self.history.fs.get(u32::from(self.history.f[self.row]))
    }

    /// The id of [`Op::f`], dense from 0.
    pub fn f_id(self) -> u16 {
        self.history.f[self.row]
    }

    /// The object, if the history names one.
    pub fn key(self) -> Option<Cow<'h, Value>> {
        self.key_id().map(|id| self.history.value(id))
    }

    /// The value id of [`Op::key`].
    pub fn key_id(self) -> Option<u32> {
        Some(self.history.key[self.row]).filter(|id| *id != NONE)
    }

    /// The argument.
    pub fn arg(self) -> Cow<'h, Value> {
        self.history.value(self.arg_id())
    }

    /// The value id of [`Op::arg`].
    pub fn arg_id(self) -> u32 {
        self.history.arg[self.row]
    }

    /// How it ended.
    pub fn status(self) -> Status {
        self.history.status[self.row]
    }

    /// Whether it certainly happened.
    pub fn is_ok(self) -> bool {
        self.status() == Status::Ok
    }

    /// The result, if it is known to have happened.
    pub fn ret(self) -> Option<Cow<'h, Value>> {
        self.ret_id().map(|id| self.history.value(id))
    }

    /// The value id of [`Op::ret`].
    pub fn ret_id(self) -> Option<u32> {
        self.is_ok().then(|| self.history.ret[self.row])
    }

    /// Why it failed or is unknown; `None` for an `ok` and for one still open at the end.
    pub fn reason(self) -> Option<&'h str> {
        let reason = self.history.ret[self.row];
        (!self.is_ok() && reason != NONE).then(|| self.history.reasons.get(reason).as_str())
    }

    /// When it was invoked.
    pub fn inv_time(self) -> Time {
        Time(self.history.inv_time[self.row])
    }

    /// When its client gave its outcome, of whatever status; `None` if it never did.
    pub fn res_time(self) -> Option<Time> {
        Some(self.history.res_time[self.row]).filter(|t| *t != u64::MAX).map(Time)
    }

    /// The history index of its completion, of whatever status.
    pub fn res_index(self) -> Option<u32> {
        Some(self.history.res_index[self.row]).filter(|i| *i != NONE)
    }

    /// The rank of its invocation.
    pub fn inv_rank(self) -> u32 {
        self.history.inv_rank[self.row]
    }

    /// The rank of its end; [`History::NEVER`] for an `info`.
    pub fn res_rank(self) -> u32 {
        self.history.res_rank[self.row]
    }

    /// How long its client waited.
    pub fn latency(self) -> Option<Duration> {
        self.res_time().map(|end| end - self.inv_time())
    }
}

/// Prints as in a report: `#812 p4 read k3 -> 2`.
impl fmt::Display for Op<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.id(), self.process(), self.f())?;
        if let Some(key) = self.key() {
            write!(out, " {key}")?;
        }
        if !self.arg().is_nil() {
            write!(out, " {}", self.arg())?;
        }
        match (self.ret(), self.reason()) {
            (Some(ret), _) if ret.is_nil() && !self.arg().is_nil() => out.write_str(" -> ok"),
            (Some(ret), _) => write!(out, " -> {ret}"),
            (None, Some(reason)) => write!(out, " -> {} ({reason})", self.status()),
            (None, None) => write!(out, " -> {}", self.status()),
        }
    }
}

impl fmt::Debug for Op<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests;
