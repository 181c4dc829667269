//! What a replica keeps under a key, and how two replicas' states are reconciled.

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::ring::position;
use super::siblings::Siblings;
use crate::kit::json;

/// Where something was made: no two things made anywhere, ever, have the same origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) node: u16,
    /// Which life of that node: another number at every start, even with an emptied disk.
    pub(crate) life: u32,
    /// Counts what was made in that life.
    pub(crate) nth: u64,
}

/// The time of a write. The higher one wins; the origin decides between equal times.
///
/// In mode `abd` time is a counter one above the highest a quorum has (Lynch and Shvartsman 1997,
/// after Attiya, Bar-Noy and Dolev 1995); in mode `lww` it is a hybrid of wall clock and counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) time: u64,
    pub(crate) origin: Origin,
}

/// What a replica keeps under a key. All replicas of a cluster keep the same kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// The last write.
    Last {
        stamp: Stamp,
        #[serde(with = "json")]
        value: Value,
    },
    /// All writes that no other write has seen.
    Siblings(Siblings),
}

impl State {
    /// Learns another replica's state; true if that changed anything. The result does not depend
    /// on order or repetition.
    pub(crate) fn merge(&mut self, other: &State) -> bool {
        match (self, other) {
            (State::Last { stamp, value }, State::Last { stamp: theirs, value: new }) => {
                let newer = *theirs > *stamp;
                if newer {
                    *stamp = *theirs;
                    *value = new.clone();
                }
                newer
            }
            (State::Siblings(mine), State::Siblings(theirs)) => mine.merge(theirs),
            // Nodes of two modes: nothing can be learnt.
            _ => false,
        }
    }

    /// A number that is equal for equal states.
    pub(crate) fn digest(&self) -> u64 {
        // What was read from JSON can be written as JSON.
        position(&serde_json::to_string(self).unwrap_or_default())
    }

    /// The time of the last write; 0 if that is not how it is kept.
    pub(crate) fn time(&self) -> u64 {
        match self {
            State::Last { stamp, .. } => stamp.time,
            State::Siblings(_) => 0,
        }
    }
}

/// The newest of what several replicas said.
pub(crate) fn newest<'a>(found: impl IntoIterator<Item = &'a Option<State>>) -> Option<State> {
    found.into_iter().flatten().fold(None, |newest: Option<State>, state| match newest {
        None => Some(state.clone()),
        Some(mut newest) => {
            newest.merge(state);
            Some(newest)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(time: u64, node: u16, value: i64) -> State {
        let origin = Origin { node, life: 1, nth: 1 };
        State::Last { stamp: Stamp { time, origin }, value: value.into() }
    }

    #[test]
    fn the_higher_stamp_wins_in_any_order() {
        let all = [None, Some(last(2, 1, 10)), Some(last(2, 2, 11)), Some(last(1, 3, 12))];
        assert_eq!(newest(&all), Some(last(2, 2, 11)));
        assert_eq!(newest(all.iter().rev()), Some(last(2, 2, 11)));
        assert_eq!(newest(&[None, None]), None);
        let mut state = last(2, 2, 11);
        assert!(!state.merge(&last(2, 2, 11)) && !state.merge(&last(2, 1, 10)));
        assert!(state.merge(&last(3, 1, 13)));
        assert_eq!(state, last(3, 1, 13));
        assert_ne!(state.digest(), last(3, 1, 14).digest());
    }
}
