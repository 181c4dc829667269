//! Whole clusters under virtual time; see [`sim`](crate::kit::sim).

use danso_vocab::Finding;

use super::node::Member;
use super::settings::{Bug, Replication, Settings};
use crate::kit::sim::{Setup, all_valid, is_found, registers};

fn world(seed: u64, tune: impl Fn(&mut Settings)) -> Result<(Finding, u64), String> {
    let (mut settings, _) = Settings::new(&Default::default())?;
    tune(&mut settings);
    let nodes = [4, 4, 3, 5][seed as usize % 4];
    let setup = Setup { seed, nodes, settings, clients: 5, trouble: 10_000_000_000 };
    registers::judge::<Member>(setup).map(|(_, finding, succeeded)| (finding, succeeded))
}

#[test]
fn a_synchronous_cluster_is_linearizable() {
    all_valid(|seed| world(seed, |s| s.replicas_read = seed % 3 > 0), 300);
}

#[test]
fn asynchronous_replication_loses_writes() {
    is_found(|seed| world(seed, |s| s.replication = Replication::Async), registers::LOSSES);
}

#[test]
fn async_failover_is_found() {
    is_found(|seed| world(seed, |s| s.bug = Some(Bug::AsyncFailover)), registers::LOSSES);
}

#[test]
fn split_brain_is_found() {
    is_found(|seed| world(seed, |s| s.bug = Some(Bug::SplitBrain)), registers::LOSSES);
}

#[test]
fn stale_replica_read_is_found() {
    is_found(|seed| world(seed, |s| s.bug = Some(Bug::StaleReplicaRead)), &["stale-read"]);
}
