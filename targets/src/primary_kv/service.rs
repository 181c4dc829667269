//! The view service: hears who lives, and says who is primary.
//!
//! It may be slow, cut off or wrong about who lives: that costs time, never a change. If it is
//! gone the primary serves on, and nobody replaces it.

use std::collections::BTreeMap;

use danso_vocab::NodeId;

use super::log::Position;
use super::view::{SERVICE, View};

/// What a replica said last.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: u64,
    last: Position,
    /// It is the primary of this view, and all members have what it had when it became that.
    in_step: u64,
}

/// The view service.
#[derive(Debug)]
pub(super) struct Service {
    view: View,
    heard: BTreeMap<NodeId, Heard>,
    /// After how long without a ping a replica is taken for dead, in ns.
    dead: u64,
    pub(super) due: u64,
}

impl Service {
    /// A service that starts with this view. It has heard of nobody yet, and gives everybody time:
    /// they may be starting, too.
    pub(super) fn new(view: View, all: &[NodeId], dead: u64, now: u64) -> Service {
        let heard = Heard { at: now + 3 * dead, last: Position::default(), in_step: 0 };
        let replicas = all.iter().filter(|n| **n != SERVICE);
        Service { view, heard: replicas.map(|n| (*n, heard)).collect(), dead, due: now }
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// A replica lives. `in_step` is the view of which it is primary, if its members have what it
    /// had at the beginning.
    pub(super) fn ping(&mut self, now: u64, from: NodeId, last: Position, in_step: u64) {
        if let Some(heard) = self.heard.get_mut(&from) {
            *heard = Heard { at: now, last, in_step: in_step.max(heard.in_step) };
        }
    }

    /// The next view, if it is time for one.
    pub(super) fn tick(&mut self, now: u64) -> Option<View> {
        if now < self.due {
            return None;
        }
        self.due = now + self.dead / 8;
        let next = self.next(now)?;
        self.view = next.clone();
        Some(next)
    }

    /// PacificA §3.1: a primary that is gone is replaced by a secondary, a secondary that is gone
    /// is left out, and only what the primary calls up to date becomes a secondary again. Any
    /// backup will do, since nothing is acknowledged before all of them have it; but where less is
    /// promised (`semi-sync`, `async`), the one that has most loses least.
    fn next(&self, now: u64) -> Option<View> {
        let lives = |n: &NodeId| self.heard.get(n).is_some_and(|h| now < h.at + self.dead);
        let primary = self.view.primary();
        if !lives(&primary) {
            let last = |n: &NodeId| self.heard.get(n).map(|h| h.last);
            let best =
                self.view.backups().filter(lives).max_by_key(|n| (last(n), std::cmp::Reverse(*n)));
            return best.map(|n| self.view.promote(n));
        }
        if let Some(gone) = self.view.members().find(|n| !lives(n)) {
            return Some(self.view.without(gone));
        }
        let in_step = self.heard.get(&primary).is_some_and(|h| h.in_step == self.view.number);
        if self.view.is_joining() {
            return in_step.then(|| self.view.admit());
        }
        let idle: Vec<NodeId> = self
            .heard
            .keys()
            .filter(|n| self.view.role(**n) == "idle" && lives(n))
            .copied()
            .collect();
        (!idle.is_empty()).then(|| self.view.join(idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: u64 = 800;

    fn roles(view: &View) -> Vec<&'static str> {
        (2..=4).map(|n| view.role(NodeId(n))).collect()
    }

    #[test]
    fn who_was_away_is_no_backup_before_the_primary_says_so() {
        let all = NodeId::all(4);
        let mut service = Service::new(View::first(&all), &all, DEAD, 0);
        let hear = |service: &mut Service, now: u64, from: u16, in_step: u64| {
            service.ping(now, NodeId(from), Position::default(), in_step);
        };
        assert!(service.tick(900).is_none(), "it may be starting");
        hear(&mut service, 1_000, 2, 0);
        hear(&mut service, 1_800, 3, 0);
        hear(&mut service, 1_800, 4, 0);
        let view = service.tick(1_900).unwrap();
        assert_eq!((view.number, roles(&view)), (2, vec!["idle", "primary", "backup"]));
        // The old primary is back.
        hear(&mut service, 2_000, 2, 1);
        let view = service.tick(2_000).unwrap();
        assert_eq!(roles(&view), ["joining", "primary", "backup"]);
        // It cannot be made primary, whatever happens.
        hear(&mut service, 2_900, 2, 0);
        assert!(service.tick(2_900).is_none());
        hear(&mut service, 3_000, 3, 2);
        hear(&mut service, 3_000, 4, 0);
        assert!(service.tick(3_000).is_none(), "what the primary said was of an earlier view");
        hear(&mut service, 3_100, 3, 3);
        assert_eq!(roles(&service.tick(3_200).unwrap()), ["backup", "primary", "backup"]);
    }
}
