//! Whole clusters under virtual time; see [`sim`](crate::kit::sim).

use danso_vocab::{Finding, NodeId, Rng};

use super::message::Message;
use super::node::Member;
use super::replica::Replica;
use super::settings::{Bug, Replication, Settings};
use crate::kit::register::Action;
use crate::kit::sim::{Setup, all_valid, is_found, registers};
use crate::kit::{Boot, Ticket};

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

/// A primary that was restarted in its view hears what a backup answered in its last life. Since
/// then the backup may have been made primary.
#[test]
fn an_answer_from_before_a_restart_confirms_no_read() {
    let (settings, _) = Settings::new(&Default::default()).unwrap();
    let (id, all) = (NodeId(2), NodeId::all(3));
    let boot = Boot { id, all, settings, rng: Rng::new(1), start: 2 };
    let mut replica = Replica::new(&boot, Vec::new(), 0);
    replica.tick(0);
    replica.request(0, Ticket(1), "k", Action::Read);
    replica.receive(0, NodeId(3), Message::Ack { view: 1, round: 1_000, matched: 0 });
    replica.tick(1);
    assert!(replica.ready.answers.is_empty(), "{:?}", replica.ready);
    let asked = replica.ready.messages.iter().rev().find_map(|(_, message)| match message {
        Message::Append { round, .. } => Some(*round),
        _ => None,
    });
    let ack = Message::Ack { view: 1, round: asked.unwrap(), matched: 0 };
    replica.receive(2, NodeId(3), ack);
    replica.tick(2);
    assert_eq!(replica.ready.answers.len(), 1);
}

/// The world that showed it.
#[test]
fn world_478_is_linearizable() {
    let (finding, _) = world(478, |s| s.replicas_read = true).unwrap();
    assert_eq!(finding.verdict, danso_vocab::Verdict::Valid, "{finding:#?}");
}
