//! A source of ids that never gives one out twice.

use std::hash::{Hash, Hasher};

use danso_vocab::{Model, Ret, Unit, Value};
use rustc_hash::FxHasher;

use super::trie::Trie;

/// A source of ids: `generate` answers an id that it has not answered before, whichever it likes.
/// One of unknown outcome gave an id to nobody.
#[derive(Clone, Debug, Default)]
pub struct UniqueIds;

/// The ids that were given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// By hash.
    ids: Trie<Vec<Value>>,
    /// Of all ids, in any order.
    hash: u64,
}

impl Hash for Given {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Given {
    /// These and `id`; `None` if it is among them.
    fn and(&self, id: &Value) -> Option<Given> {
        let mut hasher = FxHasher::default();
        id.hash(&mut hasher);
        let hash = hasher.finish();
        let mut alike = self.ids.get(hash).cloned().unwrap_or_default();
        let place = alike.binary_search(id).err()?;
        alike.insert(place, id.clone());
        Some(Given { ids: self.ids.with(hash, alike), hash: self.hash.wrapping_add(hash) })
    }
}

impl Model for UniqueIds {
    type State = Given;

    fn name(&self) -> &'static str {
        "unique-ids"
    }

    fn init(&self) -> Given {
        Given { ids: Trie::EMPTY, hash: 0 }
    }

    fn step(&self, state: &Given, f: &str, _: &Value, ret: Ret<'_>) -> Option<Given> {
        match (f, ret) {
            ("generate", Ret::Saw(id)) => state.and(id),
            ("generate", Ret::Unknown) => Some(state.clone()),
            _ => None,
        }
    }

    fn unit<'a>(&self, _: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        match ret {
            Ret::Saw(id) => Unit::Of(id),
            Ret::Unknown => Unit::Observer,
        }
    }

    fn describe(&self, _: &Given) -> String {
        "any new id".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_nothing_out_twice() {
        let (model, nil) = (UniqueIds, Value::Nil);
        let step = |state: &Given, id: &Value| model.step(state, "generate", &nil, Ret::Saw(id));
        let ids: Vec<Value> = vec![1.into(), "1".into(), nil.clone(), [1].into()];
        let give = |ids: &mut dyn Iterator<Item = &Value>| {
            ids.fold(model.init(), |state, id| step(&state, id).unwrap())
        };
        let (there, back) = (give(&mut ids.iter()), give(&mut ids.iter().rev()));
        assert_eq!(there, back);
        assert!(ids.iter().all(|id| step(&there, id).is_none()));
        assert_eq!(model.step(&there, "generate", &nil, Ret::Unknown), Some(there.clone()));
        assert_eq!(model.step(&there, "next", &nil, Ret::Unknown), None);
    }
}
