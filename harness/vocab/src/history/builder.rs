//! [`HistoryBuilder`]: the only door into a [`History`].

use rustc_hash::FxHashMap;

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
/// the offending event.
#[derive(Debug, Default)]
pub struct HistoryBuilder {
    history: History,
    /// Events of operations in index order: row << 1 | is completion; with their stamps.
    order: Vec<(u64, u64)>,
    open: FxHashMap<u32, u32>,
    retired: FxHashMap<u32, u32>,
    last_index: Option<u32>,
    untimed: bool,
}

impl HistoryBuilder {
    /// An empty builder.
    pub fn new() -> Self {
        HistoryBuilder::default()
    }

    /// The events have no stamps: their order alone counts. Without this, events with equal
    /// stamps are taken to be concurrent.
    pub fn untimed(&mut self) {
        self.untimed = true;
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
        if let Some(&row) = self.open.get(&process.0) {
            let open = self.id(row);
            return Err(IllFormed::StillOpen { process, f: f.to_owned(), open });
        }
        if let Some(&row) = self.retired.get(&process.0) {
            return Err(IllFormed::Retired { process, crashed: self.id(row) });
        }
        let index = self.next_index()?;
        let row = u32::try_from(self.history.len())
            .ok()
            .filter(|row| *row < NONE / 2)
            .ok_or(IllFormed::TooMany("operations"))?;
        let h = &mut self.history;
        let f_id = h.fs.intern_ref(f).and_then(|id| u16::try_from(id).ok());
        let f_id = f_id.ok_or(IllFormed::TooMany("operation names"))?;
        let values = IllFormed::TooMany("values");
        let key = match key {
            Some(key) => h.values.intern(key).ok_or(values.clone())?,
            None => NONE,
        };
        let arg = h.values.intern(arg).ok_or(values)?;
        h.inv_index.push(index);
        h.res_index.push(NONE);
        h.inv_time.push(time.0);
        h.res_time.push(u64::MAX);
        h.process.push(process.0);
        h.node.push(node.map_or(0, |n| n.0));
        h.f.push(f_id);
        h.status.push(Status::Info);
        h.key.push(key);
        h.arg.push(arg);
        h.ret.push(NONE);
        self.order.push((time.0, u64::from(row) << 1));
        self.open.insert(process.0, row);
        self.last_index = Some(index);
        Ok(OpId(index))
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
        let Some(&row) = self.open.get(&process.0) else {
            return Err(match self.retired.get(&process.0) {
                Some(&row) => IllFormed::Retired { process, crashed: self.id(row) },
                None => IllFormed::NotOpen { process, f: f.unwrap_or("?").to_owned() },
            });
        };
        let at = row as usize;
        let invoked = self.history.fs.get(u32::from(self.history.f[at]));
        if let Some(f) = f
            && f != invoked
        {
            let (open, invoked) = (self.id(row), invoked.clone());
            return Err(IllFormed::OtherCall { process, f: f.to_owned(), open, invoked });
        }
        let index = self.next_index()?;
        let h = &mut self.history;
        let (status, ret) = match outcome {
            Outcome::Ok(value) => (Status::Ok, h.values.intern(value)),
            Outcome::Fail(reason) => (Status::Fail, h.reasons.intern_ref(&*reason)),
            Outcome::Info(reason) => (Status::Info, h.reasons.intern_ref(&*reason)),
        };
        h.ret[at] = ret.ok_or(IllFormed::TooMany("values"))?;
        h.status[at] = status;
        h.res_index[at] = index;
        h.res_time[at] = time.0;
        self.open.remove(&process.0);
        if status == Status::Info {
            self.retired.insert(process.0, row);
        } else {
            self.order.push((time.0, u64::from(row) << 1 | 1));
        }
        self.last_index = Some(index);
        Ok(())
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

    /// The history so far; operations still open stay `info`.
    pub fn finish(mut self) -> History {
        let still = |stamps: &[(u64, u64)]| stamps.windows(2).all(|w| w[0].0 == w[1].0);
        if !self.untimed && !still(&self.order) {
            // Stable: among equal stamps invocations first, else file order. Only neighbours are
            // compared, so a clock that steps back does not reorder events.
            let mut from = 0;
            while from < self.order.len() {
                let stamp = self.order[from].0;
                let run = self.order[from..].iter().take_while(|e| e.0 == stamp).count();
                self.order[from..from + run].sort_by_key(|e| e.1 & 1);
                from += run;
            }
        }
        let h = &mut self.history;
        h.inv_rank = vec![History::NEVER; h.inv_index.len()];
        h.res_rank = vec![History::NEVER; h.inv_index.len()];
        for (rank, (_, event)) in self.order.iter().enumerate() {
            let ranks = if event & 1 == 0 { &mut h.inv_rank } else { &mut h.res_rank };
            ranks[(event >> 1) as usize] = rank as u32;
        }
        self.history
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
