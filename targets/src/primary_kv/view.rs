//! Views: who is primary, and who may become it.

use danso_vocab::NodeId;
use serde::{Deserialize, Serialize};

/// The node that is the view service.
pub(super) const SERVICE: NodeId = NodeId(1);

/// A configuration. Views are numbered by the view service, and no two have one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) number: u64,
    primary: u16,
    /// Who has every change that was ever acknowledged, and can be made primary.
    backups: Vec<u16>,
    /// Who is being brought up to date (PacificA §3.3, a candidate secondary): must have every new
    /// change, too, but cannot be made primary.
    joining: Vec<u16>,
}

impl View {
    /// The first one. Nobody has anything, so everybody has everything.
    pub(super) fn first(all: &[NodeId]) -> View {
        let replicas: Vec<u16> = all.iter().filter(|n| **n != SERVICE).map(|n| n.0).collect();
        let (primary, backups) = replicas.split_first().map_or((0, &[][..]), |(p, b)| (*p, b));
        View { number: 1, primary, backups: backups.to_vec(), joining: Vec::new() }
    }

    /// The next one: another primary, of the backups. Those who were joining are left out.
    pub(super) fn promote(&self, backup: NodeId) -> View {
        let mut next = self.without(backup);
        (next.primary, next.joining) = (backup.0, Vec::new());
        next
    }

    /// The next one: without this member.
    pub(super) fn without(&self, member: NodeId) -> View {
        let mut next = View { number: self.number + 1, ..self.clone() };
        next.backups.retain(|n| *n != member.0);
        next.joining.retain(|n| *n != member.0);
        next
    }

    /// The next one: these join.
    pub(super) fn join(&self, nodes: impl IntoIterator<Item = NodeId>) -> View {
        let mut next = View { number: self.number + 1, ..self.clone() };
        next.joining.extend(nodes.into_iter().map(|n| n.0));
        next
    }

    /// The next one: those who were joining are up to date.
    pub(super) fn admit(&self) -> View {
        let mut next = View { number: self.number + 1, ..self.clone() };
        next.backups.append(&mut next.joining);
        next
    }

    pub(super) fn primary(&self) -> NodeId {
        NodeId(self.primary)
    }

    pub(super) fn backups(&self) -> impl Iterator<Item = NodeId> {
        self.backups.iter().copied().map(NodeId)
    }

    pub(super) fn is_joining(&self) -> bool {
        !self.joining.is_empty()
    }

    /// Everybody but the primary.
    pub(super) fn members(&self) -> impl Iterator<Item = NodeId> {
        self.backups.iter().chain(&self.joining).copied().map(NodeId)
    }

    /// What `node` is in it.
    pub(super) fn role(&self, node: NodeId) -> &'static str {
        match node.0 {
            n if n == self.primary => "primary",
            n if self.backups.contains(&n) => "backup",
            n if self.joining.contains(&n) => "joining",
            _ => "idle",
        }
    }
}
