//! What a node keeps: keys in the order of the ring, and hints for others.

use std::collections::BTreeMap;
use std::ops::Bound;

use danso_vocab::NodeId;

use super::merkle::Tree;
use super::message::Record;
use super::ring::{Range, position};
use super::state::{Origin, State};

/// What is kept under a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) state: State,
    /// As who this node writes to it, once it has. Another one after it has forgotten the key:
    /// it no longer knows how often it wrote.
    pub(crate) actor: Option<Origin>,
    /// Of the state.
    pub(crate) digest: u64,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    keys: BTreeMap<(u64, String), Entry>,
    hints: BTreeMap<(NodeId, String), State>,
}

impl Store {
    /// Applies a record from the journal; false if it is none of the store's.
    pub(crate) fn restore(&mut self, record: Record) -> bool {
        match record {
            Record::Key { key, state, actor } => {
                let digest = state.digest();
                self.keys.insert((position(&key), key), Entry { state, actor, digest });
            }
            Record::Forgotten { key } => drop(self.keys.remove(&(position(&key), key))),
            Record::Hint { node, key, state } => {
                self.hints.insert((NodeId(node), key), state);
            }
            Record::Delivered { node, key } => drop(self.hints.remove(&(NodeId(node), key))),
            Record::Members { .. } => return false,
        }
        true
    }

    /// Records that say it all.
    pub(crate) fn records(&self) -> Vec<Record> {
        let keys = self.keys.iter().map(|((_, key), entry)| entry.record(key));
        let hints = self.hints.iter().map(|((node, key), state)| Record::Hint {
            node: node.0,
            key: key.clone(),
            state: state.clone(),
        });
        keys.chain(hints).collect()
    }

    /// What is kept under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.keys.get(&(position(key), key.to_owned()))
    }

    /// Learns a state of `key`; the record if that was news.
    pub(crate) fn merge(&mut self, key: &str, state: &State) -> Option<Record> {
        let place = (position(key), key.to_owned());
        match self.keys.get_mut(&place) {
            Some(entry) => {
                if !entry.state.merge(state) {
                    return None;
                }
                entry.digest = entry.state.digest();
                Some(entry.record(key))
            }
            None => Some(self.put(key, state.clone(), None)),
        }
    }

    /// Replaces what is kept under `key`.
    pub(crate) fn put(&mut self, key: &str, state: State, actor: Option<Origin>) -> Record {
        let digest = state.digest();
        let entry = Entry { state, actor, digest };
        let record = entry.record(key);
        self.keys.insert((position(key), key.to_owned()), entry);
        record
    }

    /// Forgets a key.
    pub(crate) fn forget(&mut self, key: &str) -> Record {
        self.keys.remove(&(position(key), key.to_owned()));
        Record::Forgotten { key: key.to_owned() }
    }

    /// All keys with their places on the ring.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u64, &str, &Entry)> {
        self.keys.iter().map(|((at, key), entry)| (*at, key.as_str(), entry))
    }

    /// The keys in a range, some of which may be on both sides of the end of the numbers.
    pub(crate) fn within(&self, range: Range) -> impl Iterator<Item = (&str, &Entry)> {
        let low = (Bound::Included((range.after, String::new())), Bound::Unbounded);
        let wraps = range.after >= range.to;
        let above = self.keys.range(low);
        let below = self.keys.iter().take(if wraps { usize::MAX } else { 0 });
        let below = below.take_while(move |((at, _), _)| *at <= range.to);
        let above = above.take_while(move |((at, _), _)| wraps || *at <= range.to);
        let in_order = above.chain(below).filter(move |((at, _), _)| range.contains(*at));
        in_order.map(|((_, key), entry)| (key.as_str(), entry))
    }

    /// The hash tree over a range.
    pub(crate) fn tree(&self, range: Range) -> Tree {
        Tree::of(self.within(range).map(|(key, entry)| (key, entry.digest)))
    }

    /// Keeps a state for `node`; the record if that was news.
    pub(crate) fn hint(&mut self, node: NodeId, key: &str, state: &State) -> Option<Record> {
        let kept = self.hints.entry((node, key.to_owned()));
        let mut news = false;
        let kept = kept.and_modify(|kept| news = kept.merge(state)).or_insert_with(|| {
            news = true;
            state.clone()
        });
        let state = kept.clone();
        news.then(|| Record::Hint { node: node.0, key: key.to_owned(), state })
    }

    /// What is kept for others.
    pub(crate) fn hints(&self) -> impl Iterator<Item = (NodeId, &str, &State)> {
        self.hints.iter().map(|((node, key), state)| (*node, key.as_str(), state))
    }

    /// What is kept for others under `key`.
    pub(crate) fn hinted<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a State> {
        self.hints.iter().filter(move |((_, k), _)| k == key).map(|(_, state)| state)
    }

    /// `node` has the state with this digest: its hint, if it is that one, is done with.
    pub(crate) fn delivered(&mut self, node: NodeId, key: &str, digest: u64) -> Option<Record> {
        let place = (node, key.to_owned());
        if self.hints.get(&place).is_none_or(|state| state.digest() != digest) {
            return None;
        }
        self.hints.remove(&place);
        Some(Record::Delivered { node: node.0, key: key.to_owned() })
    }
}

impl Entry {
    fn record(&self, key: &str) -> Record {
        Record::Key { key: key.to_owned(), state: self.state.clone(), actor: self.actor }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::Rng;

    use super::super::state::Stamp;
    use super::*;

    fn state(time: u64) -> State {
        let origin = Origin { node: 1, life: 1, nth: time };
        State::Last { stamp: Stamp { time, origin }, value: (time as i64).into() }
    }

    #[test]
    fn a_range_has_the_keys_that_lie_in_it_once() {
        let mut store = Store::default();
        (0..500).for_each(|k| drop(store.merge(&format!("k{k}"), &state(k))));
        let mut rng = Rng::new(3);
        for _ in 0..200 {
            let range = Range { after: rng.bits(), to: rng.bits() };
            let mut found: Vec<&str> = store.within(range).map(|(k, _)| k).collect();
            let all = store.keys().filter(|(at, ..)| range.contains(*at)).map(|(_, k, _)| k);
            let mut want: Vec<&str> = all.collect();
            found.sort_unstable();
            want.sort_unstable();
            assert_eq!(found, want);
        }
        let whole = Range { after: 7, to: 7 };
        assert_eq!(store.within(whole).count(), 500);
    }

    #[test]
    fn what_was_recorded_is_restored() {
        let mut store = Store::default();
        let mut records = vec![store.merge("a", &state(1)).unwrap()];
        assert_eq!(store.merge("a", &state(1)), None, "no news");
        records.extend(store.merge("a", &state(2)));
        records.extend(store.merge("b", &state(3)));
        records.extend(store.hint(NodeId(2), "a", &state(2)));
        records.extend(store.hint(NodeId(3), "a", &state(1)));
        records.extend(store.hint(NodeId(3), "a", &state(2)));
        assert_eq!(store.delivered(NodeId(3), "a", state(1).digest()), None, "it has newer hints");
        records.extend(store.delivered(NodeId(3), "a", state(2).digest()));
        records.push(store.forget("b"));
        assert_eq!(records.len(), 8);
        let restored = |records: Vec<Record>| {
            let mut store = Store::default();
            records.into_iter().for_each(|r| assert!(store.restore(r)));
            (store.keys, store.hints)
        };
        let compact = store.records();
        assert_eq!(compact.len(), 2);
        assert_eq!(restored(records), (store.keys.clone(), store.hints.clone()));
        assert_eq!(restored(compact), (store.keys, store.hints));
    }
}
