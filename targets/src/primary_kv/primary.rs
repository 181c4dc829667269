//! What a primary knows of the members of its view.

use std::collections::BTreeMap;

use danso_vocab::NodeId;

use super::log::Position;
use super::settings::{Bug, Replication, Settings};
use super::view::View;

#[derive(Debug)]
struct Peer {
    /// It can be made primary.
    backup: bool,
    /// It has everything up to here.
    matched: u64,
    /// What it is sent next.
    next: u64,
    /// It lacks what comes before `next`.
    lost: bool,
    /// The latest round it has answered in this view.
    echoed: u64,
    heard_at: u64,
}

/// The primary's part.
#[derive(Debug)]
pub(super) struct Primary {
    settings: Settings,
    /// The end of the log when it became primary of this view.
    began: Position,
    peers: BTreeMap<NodeId, Peer>,
    /// Messages to members are numbered, so that an answer proves that its sender was in this
    /// view after a given moment.
    pub(super) round: u64,
    pub(super) repeat_at: u64,
}

/// What to send to a member: entries after this index, or everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    After(u64),
    Everything,
}

impl Primary {
    /// The primary of this view, whose log ends at `began`. Rounds go on from `round`.
    pub(super) fn new(
        view: &View,
        began: Position,
        round: u64,
        settings: Settings,
        now: u64,
    ) -> Primary {
        let peer = |n: NodeId| Peer {
            backup: view.backups().any(|b| b == n),
            matched: 0,
            next: began.index + 1,
            lost: false,
            echoed: 0,
            heard_at: now,
        };
        let peers = view.members().map(|n| (n, peer(n))).collect();
        Primary { settings, began, peers, round, repeat_at: now }
    }

    /// `from` has everything up to `matched`; it answers this round.
    pub(super) fn acked(&mut self, now: u64, from: NodeId, matched: u64, round: u64) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.matched = peer.matched.max(matched);
            peer.echoed = peer.echoed.max(round);
            peer.heard_at = now;
        }
    }

    /// `from` lacks something before what it was sent.
    pub(super) fn lacks(&mut self, now: u64, from: NodeId) {
        if let Some(peer) = self.peers.get_mut(&from) {
            (peer.lost, peer.heard_at) = (true, now);
        }
    }

    /// Whether somebody is to be sent something, whose log ends at `last`.
    pub(super) fn has_news(&self, last: u64) -> bool {
        self.peers.values().any(|p| p.lost || p.next <= last)
    }

    /// What to send to whom; `again`: what was not answered, too.
    pub(super) fn sends(&mut self, last: u64, again: bool) -> Vec<(NodeId, Send)> {
        let began = self.began.index;
        let send = |(node, peer): (&NodeId, &mut Peer)| {
            if again {
                peer.next = peer.matched.max(began) + 1;
            }
            let everything = std::mem::take(&mut peer.lost);
            let after = peer.next - 1;
            peer.next = last + 1;
            (*node, if everything { Send::Everything } else { Send::After(after) })
        };
        self.peers.iter_mut().map(send).collect()
    }

    /// Alsberg and Day §3, PacificA §3.2: a change is committed when every member has it, so every
    /// backup that may be made primary has every committed change. (`semi-sync`: one of them;
    /// `async`: nobody, and whatever the next primary lacks is lost.)
    pub(super) fn committed(&self, now: u64, last: u64) -> u64 {
        let matched = self.counted(now).map(|p| p.matched);
        if self.settings.bug == Some(Bug::AsyncFailover) {
            return last;
        }
        match self.settings.replication {
            Replication::Sync => matched.min().unwrap_or(last),
            Replication::SemiSync => matched.max().unwrap_or(last),
            Replication::Async => last,
        }
    }

    /// Reads of this round and before are confirmed: any of the backups could have been made
    /// primary, and after the reads came in none of them had been. PacificA §3.1 uses leases for
    /// this; asking costs a round trip and needs no clocks.
    pub(super) fn confirmed(&self, now: u64) -> u64 {
        let echoed = self.counted(now).filter(|p| p.backup).map(|p| p.echoed);
        match self.settings.replication {
            Replication::Sync => echoed.min().unwrap_or(u64::MAX),
            Replication::SemiSync => echoed.max().unwrap_or(u64::MAX),
            Replication::Async => u64::MAX,
        }
    }

    /// Whose word counts: everybody's.
    fn counted(&self, now: u64) -> impl Iterator<Item = &Peer> {
        let alone = self.settings.bug == Some(Bug::SplitBrain);
        let patience = self.settings.dead;
        self.peers.values().filter(move |p| !alone || now < p.heard_at + patience)
    }

    /// Whether everything is committed that was in the log at the beginning: some of it may have
    /// been acknowledged by an earlier primary.
    pub(super) fn is_settled(&self, commit: u64) -> bool {
        commit >= self.began.index
    }

    /// Whether all members have what it had at the beginning. Since then nothing was committed
    /// without them.
    pub(super) fn is_in_step(&self) -> bool {
        self.peers.values().all(|p| p.matched >= self.began.index)
    }
}
