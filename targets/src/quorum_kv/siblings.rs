//! Versions that nobody has reconciled yet (Dynamo, §4.4), told apart by dots.
//!
//! Dynamo's vector clock has one entry a coordinator, so of two clients that write through the
//! same coordinator without having seen each other's write, one seems to have seen the other's.
//! Here every version has a *dot*, its place among the writes of its coordinator, and a key has
//! one *context*, all that was ever seen under it (Preguiça et al. 2010, *Dotted Version
//! Vectors*). A version is outdated if its dot is in a context that does not have the version.

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::state::Origin;
use crate::kit::json;

/// One write: the `count`-th of this actor under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Dot {
    /// Who coordinated it: a replica for as long as it keeps the key.
    pub(crate) actor: Origin,
    pub(crate) count: u64,
}

/// What has been seen: of each actor, how many writes, in order of actors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context(Vec<(Origin, u64)>);

/// One version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) dot: Dot,
    #[serde(with = "json")]
    pub(crate) value: Value,
}

/// All versions that no other version has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Siblings {
    /// In order of their dots.
    versions: Vec<Version>,
    seen: Context,
}

impl Context {
    fn count(&self, actor: Origin) -> u64 {
        self.0.binary_search_by_key(&actor, |(a, _)| *a).map_or(0, |at| self.0[at].1)
    }

    fn covers(&self, dot: Dot) -> bool {
        self.count(dot.actor) >= dot.count
    }

    /// Sees so many writes of this actor; true if they are more than before.
    fn raise(&mut self, actor: Origin, count: u64) -> bool {
        match self.0.binary_search_by_key(&actor, |(a, _)| *a) {
            Ok(at) if self.0[at].1 >= count => false,
            Ok(at) => {
                self.0[at].1 = count;
                true
            }
            Err(at) => {
                self.0.insert(at, (actor, count));
                true
            }
        }
    }

    fn merge(&mut self, other: &Context) -> bool {
        other.0.iter().fold(false, |news, (actor, count)| self.raise(*actor, *count) | news)
    }

    /// As clients get it and give it back, without looking into it.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a client gives back.
    pub(crate) fn parse(text: &str) -> Option<Context> {
        let mut context: Context = serde_json::from_str(text).ok()?;
        context.0.sort_unstable();
        Some(context)
    }
}

impl Siblings {
    /// A client that has seen `context` writes, through the replica `actor`. What it has seen is
    /// replaced by what it writes; what it has not seen stays beside it.
    ///
    /// With `drops`, the write counts as having seen all that went through the same coordinator:
    /// a version vector without dots.
    pub(crate) fn write(&mut self, actor: Origin, context: &Context, value: Value, drops: bool) {
        let dot = Dot { actor, count: self.seen.count(actor) + 1 };
        self.versions.retain(|v| {
            let same = drops && v.dot.actor == actor;
            !same && !context.covers(v.dot)
        });
        self.seen.merge(context);
        self.seen.raise(actor, dot.count);
        self.versions.push(Version { dot, value });
        self.versions.sort_by_key(|v| v.dot);
    }

    /// Learns another replica's siblings; true if that changed anything.
    pub(crate) fn merge(&mut self, other: &Siblings) -> bool {
        let has = |versions: &[Version], dot| versions.iter().any(|v| v.dot == dot);
        let before = self.versions.len();
        self.versions.retain(|v| has(&other.versions, v.dot) || !other.seen.covers(v.dot));
        let gone = self.versions.len() < before;
        let new = other.versions.iter().filter(|v| !self.seen.covers(v.dot));
        let new: Vec<Version> = new.cloned().collect();
        let came = !new.is_empty();
        self.versions.extend(new);
        self.versions.sort_by_key(|v| v.dot);
        self.seen.merge(&other.seen) | gone | came
    }

    /// Their values.
    pub(crate) fn values(&self) -> Vec<Value> {
        self.versions.iter().map(|v| v.value.clone()).collect()
    }

    /// What one who reads them has seen.
    pub(crate) fn context(&self) -> &Context {
        &self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(node: u16) -> Origin {
        Origin { node, life: 1, nth: 1 }
    }

    fn values(siblings: &Siblings) -> Vec<i64> {
        let mut values: Vec<i64> = siblings.values().iter().filter_map(Value::int).collect();
        values.sort_unstable();
        values
    }

    #[test]
    fn who_has_not_seen_a_version_does_not_replace_it() {
        let mut here = Siblings::default();
        here.write(actor(1), &Context::default(), 1.into(), false);
        let seen = here.context().clone();
        // Two clients that both have seen the first version, through the same replica.
        here.write(actor(1), &seen, 2.into(), false);
        here.write(actor(1), &seen, 3.into(), false);
        assert_eq!(values(&here), [2, 3]);
        let all = here.context().clone();
        assert_eq!(Context::parse(&all.text()), Some(all.clone()));
        here.write(actor(2), &all, 4.into(), false);
        assert_eq!(values(&here), [4]);
    }

    #[test]
    fn without_dots_a_sibling_is_dropped() {
        let mut here = Siblings::default();
        here.write(actor(1), &Context::default(), 1.into(), true);
        here.write(actor(1), &Context::default(), 2.into(), true);
        assert_eq!(values(&here), [2], "the client of 2 has never seen 1");
    }

    /// Random writes at three replicas, which meet at random, against sets of all writes that
    /// each write has seen.
    #[test]
    fn replicas_that_have_met_agree_on_what_nobody_has_seen() {
        for seed in 0..400 {
            let mut rng = danso_vocab::Rng::new(seed);
            let mut replicas = vec![Siblings::default(); 3];
            // By value: what its writer had seen, transitively.
            let mut history: Vec<Vec<i64>> = Vec::new();
            for value in 0..12 {
                let at = rng.below(3) as usize;
                let (read, met) = (rng.below(3) as usize, rng.below(3) as usize);
                let context = replicas[read].context().clone();
                let mut seen = values(&replicas[read]);
                for direct in seen.clone() {
                    seen.extend(history[direct as usize].clone());
                }
                replicas[at].write(actor(at as u16), &context, value.into(), false);
                history.push(seen);
                if rng.chance(1, 2) {
                    let other = replicas[met].clone();
                    replicas[at].merge(&other);
                }
            }
            for _ in 0..2 {
                for i in 0..3 {
                    let other = replicas[(i + 1) % 3].clone();
                    replicas[i].merge(&other);
                }
            }
            let (a, b) = (replicas[0].clone(), replicas[1].clone());
            assert!(!replicas[0].merge(&b) && !replicas[1].merge(&a), "seed {seed}");
            assert_eq!(a, b, "seed {seed}");
            let unseen: Vec<i64> =
                (0..12).filter(|v| history.iter().all(|seen| !seen.contains(v))).collect();
            assert_eq!(values(&a), unseen, "seed {seed}");
        }
    }
}
