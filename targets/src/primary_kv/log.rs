//! Changes in order, and the registers they make.

use std::collections::BTreeMap;

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use crate::kit::json;
use crate::kit::register::Action;

/// Applied entries that are kept for replicas that lag.
const KEPT: usize = 1_000;

/// A place in the log. One primary a view gives each index once, so two logs with an entry of the
/// same view at the same index are the same up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) view: u64,
    pub(super) index: u64,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(super) at: Position,
    pub(super) key: String,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Held(#[serde(with = "json")] Value);

/// The registers after some entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Store {
    pub(super) at: Position,
    values: BTreeMap<String, Held>,
}

impl Store {
    /// The value of `key`; nil if it is absent.
    pub(super) fn get(&self, key: &str) -> Value {
        self.values.get(key).map_or(Value::Nil, |held| held.0.clone())
    }

    /// Applies an entry and says whether it changed anything: a compare-and-set may find another
    /// value.
    fn apply(&mut self, entry: &Entry) -> bool {
        self.at = entry.at;
        let new = match &entry.action {
            Action::Read => return true,
            Action::Cas { old, .. } if *old != self.get(&entry.key) => return false,
            Action::Write(new) | Action::Cas { new, .. } => new.clone(),
        };
        self.values.insert(entry.key.clone(), Held(new));
        true
    }
}

/// The log of a replica: entries after `base`, applied up to the position of `store`.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    base: Position,
    entries: Vec<Entry>,
    pub(super) store: Store,
}

impl Log {
    /// A log that begins with these registers, and the entries after them.
    pub(super) fn new(store: Store, entries: Vec<Entry>) -> Log {
        Log { base: store.at, entries, store }
    }

    /// The end.
    pub(super) fn last(&self) -> Position {
        self.entries.last().map_or(self.base, |e| e.at)
    }

    /// The position at this index, if the log still has it.
    pub(super) fn position(&self, index: u64) -> Option<Position> {
        match index.checked_sub(self.base.index)? {
            0 => Some(self.base),
            n => self.entries.get(n as usize - 1).map(|e| e.at),
        }
    }

    /// Whether this position is in it.
    pub(super) fn has(&self, at: Position) -> bool {
        self.position(at.index) == Some(at)
    }

    /// At most `most` entries after this index, which the log must still have.
    pub(super) fn after(&self, index: u64, most: usize) -> &[Entry] {
        let from = (index.saturating_sub(self.base.index) as usize).min(self.entries.len());
        &self.entries[from..self.entries.len().min(from.saturating_add(most))]
    }

    /// Puts an entry where it says, and drops what was there and after it.
    pub(super) fn put(&mut self, entry: Entry) {
        let keep = entry.at.index.saturating_sub(self.base.index + 1) as usize;
        self.entries.truncate(keep);
        self.entries.push(entry);
    }

    /// Applies entries up to `commit`, and says of each whether it changed anything.
    pub(super) fn apply(&mut self, commit: u64) -> Vec<(Position, bool)> {
        let mut applied = Vec::new();
        let from = (self.store.at.index - self.base.index) as usize;
        for entry in self.entries.iter().skip(from).take_while(|e| e.at.index <= commit) {
            applied.push((entry.at, self.store.apply(entry)));
        }
        let done = (self.store.at.index - self.base.index) as usize;
        if done > 2 * KEPT {
            let mut dropped = self.entries.drain(..done - KEPT);
            self.base = dropped.next_back().map_or(self.base, |e| e.at);
        }
        applied
    }
}
