//! What a backup does with what the primary sends.
//!
//! Messages may come late and twice. Those of an earlier view are refused before they get here;
//! those of this view never take away what an earlier one of this view has brought.

use super::log::{Entry, Log, Position, Store};
use super::message::Record;

/// The log has everything of the primary's up to this index, or lacks what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Matched(u64),
    Gap,
}

/// Takes entries in that follow `prev`. What the log has instead of them is of a primary that is
/// none any more and was not acknowledged.
pub(super) fn append(
    log: &mut Log,
    prev: Position,
    entries: Vec<Entry>,
    records: &mut Vec<Record>,
) -> Taken {
    if !log.has(prev) {
        return Taken::Gap;
    }
    let matched = prev.index + entries.len() as u64;
    for entry in entries {
        if log.has(entry.at) {
            continue;
        }
        if entry.at.index <= log.store.at.index {
            // It was applied here and is not what became of it: only without `sync`. The
            // registers are wrong, too.
            return Taken::Gap;
        }
        records.push(Record::Entry(entry.clone()));
        log.put(entry);
    }
    Taken::Matched(matched)
}

/// Takes the whole state of the primary of view `view` in: registers, and the entries after them.
pub(super) fn replace(
    log: &mut Log,
    view: u64,
    store: Store,
    entries: Vec<Entry>,
    records: &mut Vec<Record>,
) -> u64 {
    let end = entries.last().map_or(store.at, |e| e.at);
    // An entry of this view can only have come from this primary, with all before it.
    let stale = log.last().view == view && end.index <= log.last().index;
    if stale || log.has(end) {
        return end.index;
    }
    records.push(Record::State(store.clone(), entries.clone()));
    *log = Log::new(store, entries);
    end.index
}

#[cfg(test)]
mod tests {
    use danso_vocab::Value;

    use super::*;
    use crate::kit::register::Action;

    fn entry(view: u64, index: u64) -> Entry {
        let action = Action::Write(Value::Int(index as i64));
        Entry { at: Position { view, index }, key: "k".into(), action }
    }

    #[test]
    fn what_was_never_acknowledged_gives_way() {
        let (mut log, mut records) = (Log::default(), Vec::new());
        let start = Position::default();
        let old = vec![entry(1, 1), entry(1, 2), entry(1, 3)];
        assert_eq!(append(&mut log, start, old.clone(), &mut records), Taken::Matched(3));
        log.apply(1);
        // The next primary has the first two only.
        let prev = Position { view: 1, index: 2 };
        let new = vec![entry(2, 3)];
        assert_eq!(append(&mut log, prev, new, &mut records), Taken::Matched(3));
        assert_eq!((log.last(), records.len()), (Position { view: 2, index: 3 }, 4));
        // The same again changes nothing, nor does an earlier message that comes late.
        assert_eq!(append(&mut log, start, old[..2].to_vec(), &mut records), Taken::Matched(2));
        assert_eq!((log.last(), records.len()), (Position { view: 2, index: 3 }, 4));
        let state = replace(&mut log, 2, Store::default(), old[..2].to_vec(), &mut records);
        assert_eq!((state, log.last().index), (2, 3));
        let prev = Position { view: 2, index: 7 };
        assert_eq!(append(&mut log, prev, Vec::new(), &mut records), Taken::Gap);
        // Applied already: only the whole state can mend it.
        assert_eq!(append(&mut log, start, vec![entry(3, 1)], &mut records), Taken::Gap);
        replace(&mut log, 3, Store::default(), vec![entry(3, 1)], &mut records);
        assert_eq!(log.last(), Position { view: 3, index: 1 });
    }
}
