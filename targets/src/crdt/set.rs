//! A set in which additions win (state-based observed-remove set: Shapiro et al., *A
//! comprehensive study of convergent and commutative replicated data types*, 2011, section 3.3.5).

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::codec::json;
use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use super::settings::Bug;

/// Names one addition: the replica it was made at, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Tag(pub(super) u16, pub(super) u64);

impl Tag {
    /// As clients see it: `n2-17`.
    pub(super) fn shown(self) -> Value {
        Value::from(format!("{}-{}", NodeId(self.0), self.1))
    }
}

/// Elements, as JSON, with the tags of the additions that hold them in; and the tags of those
/// that were removed, for ever, since some replica may still offer them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Set {
    elements: BTreeMap<String, BTreeSet<Tag>>,
    removed: BTreeSet<Tag>,
}

impl Set {
    /// The state that, joined to this one, has `element` added under a new tag.
    pub(super) fn add(element: &Value, tag: Tag) -> Set {
        let elements = [(json::to_string(element), [tag].into())].into();
        Set { elements, removed: BTreeSet::new() }
    }

    /// The state that, joined to this one, has all additions of `element` removed that this
    /// replica has observed; and their tags.
    pub(super) fn remove(&self, element: &Value) -> (Set, Vec<Tag>) {
        let observed = self.elements.get(&json::to_string(element));
        let removed: BTreeSet<Tag> = observed.cloned().unwrap_or_default();
        let tags = removed.iter().copied().collect();
        (Set { elements: BTreeMap::new(), removed }, tags)
    }

    /// The elements that some addition holds in.
    pub(super) fn value(&self) -> Value {
        let elements = self.elements.keys().filter_map(|text| json::from_str(text).ok());
        let mut elements: Vec<Value> = elements.collect();
        elements.sort();
        Value::List(elements)
    }

    /// The tags of what was removed.
    pub(super) fn removed(&self) -> &BTreeSet<Tag> {
        &self.removed
    }

    /// The greatest number `node` has given.
    pub(super) fn last_of(&self, node: NodeId) -> u64 {
        let tags = self.elements.values().flatten().chain(&self.removed);
        tags.filter(|tag| tag.0 == node.0).map(|tag| tag.1).max().unwrap_or(0)
    }

    /// The least upper bound of both: all additions but those that either knows to be removed.
    pub(super) fn join(&mut self, other: &Set, bug: Option<Bug>) {
        self.removed.extend(&other.removed);
        for (element, tags) in &other.elements {
            let ours = self.elements.entry(element.clone()).or_default();
            if bug == Some(Bug::MergeDrops) {
                // Additions that only this replica has heard of are dropped.
                ours.clone_from(tags);
            } else {
                ours.extend(tags);
            }
        }
        let removed = &self.removed;
        self.elements.retain(|_, tags| {
            tags.retain(|tag| !removed.contains(tag));
            !tags.is_empty()
        });
    }

    /// Forgets removals. Whoever offers these additions now brings them back.
    pub(super) fn forget(&mut self, removed: &BTreeSet<Tag>) {
        self.removed.retain(|tag| !removed.contains(tag));
    }
}
