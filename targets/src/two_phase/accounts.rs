//! Where accounts are, and what is in them at first.

use std::collections::BTreeMap;

use danso_vocab::NodeId;

use super::settings::Settings;

/// The node that coordinates and has no accounts.
pub(super) const COORDINATOR: NodeId = NodeId(1);

/// The nodes that have accounts.
pub(super) fn participants(all: &[NodeId]) -> Vec<NodeId> {
    all.iter().copied().filter(|n| *n != COORDINATOR).collect()
}

/// The participant that has this account.
pub(super) fn home(account: u64, participants: &[NodeId]) -> NodeId {
    participants[(account % participants.len() as u64) as usize]
}

/// What `node` begins with. The workload `bank` begins with the same: an even share each, and what
/// is left over one each to the first accounts.
pub(super) fn opening(
    node: NodeId,
    participants: &[NodeId],
    settings: &Settings,
) -> BTreeMap<u64, i64> {
    let (accounts, total) = (settings.accounts, settings.total);
    let balance = |n: u64| (total / accounts + u64::from(n < total % accounts)) as i64;
    let here = (0..accounts).filter(|n| home(*n, participants) == node);
    here.map(|n| (n, balance(n))).collect()
}
