//! [`HistoryBuilder`]: the only door into a [`History`].

use super::order::Order;
use super::seats::{Seat, Seats};
use super::token::Datum;
use super::{History, NONE, OpId, Status};
use crate::{Event, NodeId, Note, Outcome, Process, Time, Value};

/// Why events do not make a history. Codecs add file, line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllFormed {
    /// A process that has an open operation began another.
    #[error(
        "{process} invokes `{f}` while its operation {open} is still open: a process does one thing at a time, so complete {open} first or give the new operation a process of its own"
    )]
    StillOpen {
        /// The process.
        process: Process,
        /// What it began.
        f: String,
        /// What it had not finished.
        open: OpId,
    },
    /// A completion without an invocation.
    #[error(
        "{process} completes `{f}` without having invoked it: add the invocation or drop this line"
    )]
    NotOpen {
        /// The process.
        process: Process,
        /// What it completed.
        f: String,
    },
    /// A completion of something else than what is open.
    #[error(
        "{process} completes `{f}` but its open operation {open} is `{invoked}`: a completion repeats the invocation's f and key"
    )]
    OtherCall {
        /// The process.
        process: Process,
        /// What it completed.
        f: String,
        /// The open operation.
        open: OpId,
        /// What that one was.
        invoked: String,
    },
    /// A completion of what is open, but on another object.
    #[error(
        "{process} completes `{f}` on {key} but its open operation {open} is on {invoked}: a completion repeats the invocation's f and key"
    )]
    OtherKey {
        /// The process.
        process: Process,
        /// What it completed.
        f: String,
        /// The object of the completion.
        key: Value,
        /// The open operation.
        open: OpId,
        /// Its object.
        invoked: Value,
    },
    /// A process went on after an `info`.
    #[error(
        "{process} goes on after its operation {crashed} ended as `info`: that operation may still take effect, so continue under a new process id"
    )]
    Retired {
        /// The process.
        process: Process,
        /// The operation nobody knows about.
        crashed: OpId,
    },
    /// Indices do not grow.
    #[error(
        "index {index} follows index {last}: indices must grow; drop them to have lines numbered as they stand"
    )]
    Index {
        /// The offending index.
        index: u32,
        /// The one before.
        last: u32,
    },
    /// More than fits.
    #[error("too many {0}: danso counts them in 32 bits; split the history by key")]
    TooMany(&'static str),
}

/// Builds a [`History`] event by event, in file order. After an error it stays as it was before
/// the offending event. It holds the columns and, of events with equal stamps, only their ranks.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    order: Order,
    seats: Seats,
    last_index: Option<u32>,
    /// The greatest process that events named.
    greatest: Option<u32>,
    /// How many processes [`HistoryBuilder::spare`] made.
    spares: u32,
    /// The rows of operations whose invocation is not in the file.
    early: Vec<u32>,
}

/// An operation as it begins. `D` is its key and argument.
pub(crate) struct Begin<'f, D> {
    pub(crate) process: Process,
    pub(crate) node: Option<NodeId>,
    pub(crate) f: &'f str,
    pub(crate) key: Option<D>,
    pub(crate) arg: D,
}

/// How an operation ended. `D` is its result.
#[derive(Clone)]
pub(crate) enum End<'r, D> {
    Ok(D),
    Fail(&'r str),
    Info(&'r str),
}

impl HistoryBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        HistoryBuilder::default()
    }

    /// The events have no stamps: their order alone counts. Without this, events with equal
    /// stamps are taken to be concurrent.
    pub fn untimed(&mut self) {
        self.order.untimed();
    }

    /// Gives the next event an explicit index; without this it gets the last one's successor.
    ///
    /// # Errors
    /// [`IllFormed::Index`] if it does not grow.
    pub fn index(&mut self, index: u32) -> Result<(), IllFormed> {
        match self.last_index {
            Some(last) if index <= last => Err(IllFormed::Index { index, last }),
            _ if index == NONE => Err(IllFormed::TooMany("events")),
            _ => {
                self.last_index = index.checked_sub(1);
                Ok(())
            }
        }
    }

    /// Adds any event.
    ///
    /// # Errors
    /// As [`HistoryBuilder::invoke`] and [`HistoryBuilder::complete`].
    pub fn push(&mut self, time: Time, event: Event) -> Result<(), IllFormed> {
        match event {
            Event::Invoke { process, node, call } => {
                self.invoke(time, process, node, &call.f, call.key, call.arg).map(drop)
            }
            Event::Complete { process, outcome } => self.complete(time, process, None, outcome),
            Event::Note(note) => self.note(time, note),
        }
    }

    /// A process begins an operation.
    ///
    /// # Errors
    /// If the process has one open or is retired.
    pub fn invoke(
        &mut self,
        time: Time,
        process: Process,
        node: Option<NodeId>,
        f: &str,
        key: Option<Value>,
        arg: Value,
    ) -> Result<OpId, IllFormed> {
        let (key, arg) = (key.map(Datum::Given), Datum::Given(arg));
        self.begin(time, Begin { process, node, f, key, arg })
    }

    /// The open operation of `process` ended. `f`, if given, is compared with what is open.
    ///
    /// # Errors
    /// If nothing is open, something else is, or the process is retired.
    pub fn complete(
        &mut self,
        time: Time,
        process: Process,
        f: Option<&str>,
        outcome: Outcome,
    ) -> Result<(), IllFormed> {
        match outcome {
            Outcome::Ok(value) => self.end(time, process, f, None, End::Ok(Datum::Given(value))),
            Outcome::Fail(reason) => self.end(time, process, f, None, End::Fail(&reason)),
            Outcome::Info(reason) => self.end(time, process, f, None, End::Info(&reason)),
        }
    }

    /// Something else happened.
    ///
    /// # Errors
    /// Only if there are too many events.
    pub fn note(&mut self, time: Time, note: Note) -> Result<(), IllFormed> {
        let index = self.next_index()?;
        self.history.notes.push((index, time, note));
        self.last_index = Some(index);
        Ok(())
    }

    /// [`HistoryBuilder::invoke`] with values that may be borrowed.
    pub(crate) fn begin(
        &mut self,
        time: Time,
        call: Begin<'_, Datum<'_, '_>>,
    ) -> Result<OpId, IllFormed> {
        let process = call.process;
        match self.seats.get(process.0) {
            Seat::Free => {}
            Seat::Open(row) => {
                let (f, open) = (call.f.to_owned(), self.id(row));
                return Err(IllFormed::StillOpen { process, f, open });
            }
            Seat::Retired(row) => {
                return Err(IllFormed::Retired { process, crashed: self.id(row) });
            }
        }
        let (row, index) = self.row(time, call)?;
        self.history.inv_rank[row as usize] = self.order.place(time.0, row, false);
        self.seats.set(process.0, Seat::Open(row));
        Ok(OpId(index))
    }

    /// [`HistoryBuilder::complete`] with a result that may be borrowed. `key`, if given, is
    /// compared with what is open.
    pub(crate) fn end(
        &mut self,
        time: Time,
        process: Process,
        f: Option<&str>,
        key: Option<&Datum<'_, '_>>,
        end: End<'_, Datum<'_, '_>>,
    ) -> Result<(), IllFormed> {
        let row = match self.seats.get(process.0) {
            Seat::Open(row) => row,
            Seat::Free => {
                return Err(IllFormed::NotOpen { process, f: f.unwrap_or("?").to_owned() });
            }
            Seat::Retired(row) => {
                return Err(IllFormed::Retired { process, crashed: self.id(row) });
            }
        };
        let at = row as usize;
        let invoked = self.history.fs.get(u32::from(self.history.f[at]));
        if let Some(f) = f
            && f != invoked
        {
            let (open, invoked) = (self.id(row), invoked.clone());
            return Err(IllFormed::OtherCall { process, f: f.to_owned(), open, invoked });
        }
        if let Some(key) = key
            && !self.history.values.is(self.history.key[at], key)
        {
            let f = invoked.clone();
            let invoked = self.history.row(at).key().unwrap_or_default().into_owned();
            let (key, open) = (key.value(), self.id(row));
            return Err(IllFormed::OtherKey { process, f, key, open, invoked });
        }
        let index = self.next_index()?;
        let status = self.close(time, row, index, end)?;
        let seat = if status == Status::Info { Seat::Retired(row) } else { Seat::Free };
        self.seats.set(process.0, seat);
        Ok(())
    }

    /// An operation of which the file has only the end: it is taken to have been invoked before
    /// everything else, which is the least one can assume. Its name is the index of its end.
    pub(crate) fn end_alone(
        &mut self,
        time: Time,
        call: Begin<'_, Datum<'_, '_>>,
        end: End<'_, Datum<'_, '_>>,
    ) -> Result<(), IllFormed> {
        let (row, index) = self.row(Time::ZERO, call)?;
        self.early.push(row);
        self.close(time, row, index, end).map(drop)
    }

    /// A process that no event names. Its id is settled by [`HistoryBuilder::finish`].
    pub(crate) fn spare(&mut self) -> Process {
        self.spares += 1;
        Process(u32::MAX - (self.spares - 1))
    }

    /// The history so far; operations still open stay `info`.
    pub fn finish(mut self) -> History {
        let h = &mut self.history;
        self.order.finish(&mut h.inv_rank, &mut h.res_rank);
        if self.spares > 0 {
            let first = self.greatest.map_or(0, |p| p + 1);
            for process in &mut h.process {
                if *process > u32::MAX - self.spares {
                    *process = first.saturating_add(u32::MAX - *process);
                }
            }
        }
        h.lead_with(&self.early);
        h.shrink();
        self.history
    }

    /// Adds an open operation without a rank: its row and index.
    fn row(&mut self, time: Time, call: Begin<'_, Datum<'_, '_>>) -> Result<(u32, u32), IllFormed> {
        let index = self.next_index()?;
        let row = u32::try_from(self.history.len())
            .ok()
            .filter(|row| *row < NONE / 2)
            .ok_or(IllFormed::TooMany("operations"))?;
        let h = &mut self.history;
        // Few and looked up often: faster than hashing.
        let f = h.fs.iter().take(8).position(|known| known == call.f);
        let f = match f {
            Some(id) => u32::try_from(id).ok(),
            None => h.fs.intern_ref(call.f),
        };
        let f = f.and_then(|id| u16::try_from(id).ok());
        let f = f.ok_or(IllFormed::TooMany("operation names"))?;
        const VALUES: IllFormed = IllFormed::TooMany("values");
        let key = match call.key {
            Some(key) => h.values.intern(key).ok_or(VALUES)?,
            None => NONE,
        };
        let arg = h.values.intern(call.arg).ok_or(VALUES)?;
        h.inv_index.push(index);
        h.res_index.push(NONE);
        h.inv_rank.push(History::NEVER);
        h.res_rank.push(History::NEVER);
        h.inv_time.push(time.0);
        h.res_time.push(u64::MAX);
        h.process.push(call.process.0);
        h.node.push(call.node.map_or(0, |n| n.0));
        h.f.push(f);
        h.status.push(Status::Info);
        h.key.push(key);
        h.arg.push(arg);
        h.ret.push(NONE);
        if call.process.0 <= u32::MAX - self.spares {
            self.greatest = self.greatest.max(Some(call.process.0));
        }
        self.last_index = Some(index);
        Ok((row, index))
    }

    /// Ends the operation in `row`.
    fn close(
        &mut self,
        time: Time,
        row: u32,
        index: u32,
        end: End<'_, Datum<'_, '_>>,
    ) -> Result<Status, IllFormed> {
        let h = &mut self.history;
        let (status, ret) = match end {
            End::Ok(value) => (Status::Ok, h.values.intern(value)),
            End::Fail(reason) => (Status::Fail, h.reasons.intern_ref(reason)),
            End::Info(reason) => (Status::Info, h.reasons.intern_ref(reason)),
        };
        let at = row as usize;
        h.ret[at] = ret.ok_or(IllFormed::TooMany("values"))?;
        h.status[at] = status;
        h.res_index[at] = index;
        h.res_time[at] = time.0;
        if status != Status::Info {
            h.res_rank[at] = self.order.place(time.0, row, true);
        }
        self.last_index = Some(index);
        Ok(status)
    }

    fn id(&self, row: u32) -> OpId {
        OpId(self.history.inv_index[row as usize])
    }

    fn next_index(&self) -> Result<u32, IllFormed> {
        match self.last_index {
            None => Ok(0),
            Some(last) => {
                last.checked_add(1).filter(|next| *next != NONE).ok_or(IllFormed::TooMany("events"))
            }
        }
    }
}
