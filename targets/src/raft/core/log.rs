//! The log: entries after a base, which stands for everything a snapshot covers.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a log. Ordered as elections compare logs (paper, 5.4.1): by term, then by index.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub(crate) struct Position {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry<C> {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) content: Content<C>,
}

/// What an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Content<C> {
    /// Nothing: the entry a leader begins its term with (paper, end of section 8).
    Nothing,
    /// Something for the state machine.
    Command(C),
    /// From here on these are the members (thesis, 4.1).
    Members(BTreeSet<u16>),
}

impl<C> Entry<C> {
    /// What it has for the state machine.
    pub(crate) fn command(&self) -> Option<&C> {
        match &self.content {
            Content::Command(command) => Some(command),
            Content::Nothing | Content::Members(_) => None,
        }
    }
}

/// The log as a node holds it in memory.
#[derive(Clone, Debug)]
pub(crate) struct Log<C> {
    base: Position,
    entries: Vec<Arc<Entry<C>>>,
    /// The first index that changed since it was last asked.
    changed: Option<u64>,
}

impl<C> Log<C> {
    /// A log of these entries after `base`.
    ///
    /// # Panics
    /// If the entries do not follow on `base` without a gap.
    pub(crate) fn new(base: Position, entries: Vec<Arc<Entry<C>>>) -> Log<C> {
        for (entry, index) in entries.iter().zip(base.index + 1..) {
            assert_eq!(entry.index, index, "a log has no gaps");
        }
        Log { base, entries, changed: None }
    }

    /// The place before the first entry that is held.
    pub(crate) fn base(&self) -> Position {
        self.base
    }

    /// The last place.
    pub(crate) fn last(&self) -> Position {
        self.entries.last().map_or(self.base, |e| Position { term: e.term, index: e.index })
    }

    /// The term at `index`; `None` before the base and after the end.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.get(index).map(|e| e.term)
    }

    /// The entry at `index`, if it is held.
    pub(crate) fn get(&self, index: u64) -> Option<&Arc<Entry<C>>> {
        let offset = index.checked_sub(self.base.index + 1)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// At most `max` entries from `from` on.
    pub(crate) fn slice(&self, from: u64, max: usize) -> Vec<Arc<Entry<C>>> {
        let offset = from.saturating_sub(self.base.index + 1) as usize;
        self.entries.iter().skip(offset).take(max).cloned().collect()
    }

    /// Adds an entry at the end and says where.
    pub(crate) fn append(&mut self, term: u64, content: Content<C>) -> u64 {
        let index = self.last().index + 1;
        self.push(Arc::new(Entry { index, term, content }));
        index
    }

    /// Adds an entry whose index is the next one.
    pub(crate) fn push(&mut self, entry: Arc<Entry<C>>) {
        assert_eq!(entry.index, self.last().index + 1, "a log has no gaps");
        self.changed = Some(self.changed.map_or(entry.index, |c| c.min(entry.index)));
        self.entries.push(entry);
    }

    /// Drops `index` and everything after it. Something must be pushed in its place: on disk,
    /// the new entry is what says that the old ones are gone.
    pub(crate) fn truncate(&mut self, index: u64) {
        let keep = index.saturating_sub(self.base.index + 1) as usize;
        self.entries.truncate(keep);
    }

    /// Moves the base forward to `index`, if that is held.
    pub(crate) fn compact(&mut self, index: u64) {
        let Some(term) = self.term(index) else { return };
        self.entries.drain(..(index - self.base.index) as usize);
        self.base = Position { term, index };
    }

    /// Forgets everything: a snapshot up to `base` takes its place.
    pub(crate) fn reset(&mut self, base: Position) {
        *self = Log::new(base, Vec::new());
    }

    /// The first held index of the run of entries of one term that ends at `index`.
    pub(crate) fn first_of_term_at(&self, index: u64) -> u64 {
        let term = self.term(index);
        let mut first = index;
        while first > self.base.index + 1 && self.term(first - 1) == term {
            first -= 1;
        }
        first
    }

    /// The last index before `before` whose term is `term`.
    pub(crate) fn last_of_term(&self, term: u64, before: u64) -> Option<u64> {
        let held = before.saturating_sub(self.base.index + 1) as usize;
        // Terms never fall along a log.
        let end = self.entries[..held.min(self.entries.len())].partition_point(|e| e.term <= term);
        let index = self.base.index + end as u64;
        (self.term(index) == Some(term)).then_some(index)
    }

    /// The entries that changed since this was last called: what must be persisted.
    pub(crate) fn take_changed(&mut self) -> Vec<Arc<Entry<C>>> {
        self.changed.take().map_or_else(Vec::new, |from| self.slice(from, usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: (u64, u64), terms: &[u64]) -> Log<()> {
        let mut log = Log::new(Position { index: base.0, term: base.1 }, Vec::new());
        for term in terms {
            log.append(*term, Content::Nothing);
        }
        log
    }

    #[test]
    fn places_before_the_base_and_after_the_end_are_unknown() {
        let l = log((10, 2), &[2, 3]);
        let terms: Vec<_> = (9..=13).map(|i| l.term(i)).collect();
        assert_eq!(terms, [None, Some(2), Some(2), Some(3), None]);
        assert_eq!(l.last(), Position { index: 12, term: 3 });
        assert!(l.get(10).is_none() && l.get(0).is_none());
    }

    #[test]
    fn logs_compare_by_term_first() {
        assert!(Position { term: 3, index: 1 } > Position { term: 2, index: 9 });
        assert!(Position { term: 3, index: 2 } > Position { term: 3, index: 1 });
    }

    #[test]
    fn terms_are_found_from_both_ends() {
        let l = log((10, 2), &[2, 2, 4, 4, 4, 6]);
        assert_eq!(l.first_of_term_at(15), 13);
        assert_eq!(l.first_of_term_at(12), 11);
        assert_eq!(l.last_of_term(4, 17), Some(15));
        assert_eq!(l.last_of_term(4, 14), Some(13));
        assert_eq!(l.last_of_term(2, 17), Some(12));
        assert_eq!(l.last_of_term(2, 11), Some(10));
        assert_eq!(l.last_of_term(3, 17), None);
        assert_eq!(l.last_of_term(1, 17), None);
        assert_eq!(l.last_of_term(6, 99), Some(16));
    }

    #[test]
    fn what_changed_covers_a_truncation() {
        let mut l = log((0, 0), &[1, 1, 1]);
        assert_eq!(l.take_changed().len(), 3);
        assert!(l.take_changed().is_empty());
        l.truncate(2);
        l.append(2, Content::Nothing);
        l.append(2, Content::Nothing);
        l.truncate(3);
        l.append(3, Content::Nothing);
        let changed: Vec<_> = l.take_changed().iter().map(|e| (e.index, e.term)).collect();
        assert_eq!(changed, [(2, 2), (3, 3)]);
    }

    #[test]
    fn compaction_keeps_what_follows() {
        let mut l = log((0, 0), &[1, 1, 2, 2]);
        l.compact(3);
        assert_eq!(l.base(), Position { index: 3, term: 2 });
        assert_eq!(l.last(), Position { index: 4, term: 2 });
        l.compact(9);
        assert_eq!(l.base().index, 3);
        l.compact(1);
        assert_eq!(l.base().index, 3);
    }
}
