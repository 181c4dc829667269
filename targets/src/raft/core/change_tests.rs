//! Membership changes and leases, rule by rule.

use super::message::Ballot;
use super::tests::{MS, Raft, clocks, config, elect, leader, never, talk};
use super::*;

#[test]
fn one_change_of_the_membership_at_a_time() {
    let (mut leader, mut follower) = leader(None);
    let members = |raft: &Raft| raft.members().iter().map(|n| n.0).collect::<Vec<_>>();
    assert_eq!(follower.change(0, Change::Leave(3)), Err(Unchanged::NotLeader));
    assert_eq!(leader.change(0, Change::Join(3)), Err(Unchanged::Already));
    assert_eq!(leader.change(0, Change::Join(7)), Err(Unchanged::Unknown));
    let at = leader.change(0, Change::Leave(3)).unwrap();
    assert_eq!(members(&leader), [1, 2], "what is in the log counts, committed or not");
    assert_eq!(leader.change(0, Change::Leave(2)), Err(Unchanged::Busy));
    leader.propose(());
    assert_eq!(leader.commit, at.index - 1, "both of the two must have it");
    talk(&mut leader, &mut follower, 0, never);
    assert_eq!((members(&follower), leader.commit), (vec![1, 2], at.index + 1));
    assert!(leader.flush(clocks(50 * MS)).messages.iter().all(|(to, _)| to.0 == 2));
    // It removes itself: it leads until that is committed, without counting itself.
    let at = leader.change(0, Change::Leave(1)).unwrap();
    assert_eq!((leader.role, leader.commit), (Role::Leader, at.index - 1));
    talk(&mut leader, &mut follower, 0, never);
    assert_eq!((leader.role, leader.commit), (Role::Follower, at.index));
    follower.tick(600 * MS);
    assert_eq!(follower.role, Role::Leader, "alone, it needs nobody's vote");
    assert_eq!(follower.commit, at.index + 1);
    assert_eq!(follower.change(0, Change::Leave(2)), Err(Unchanged::LastMember));
    leader.tick(2_000 * MS);
    assert_eq!(leader.role, Role::Follower, "who is no member does not stand");
    assert_eq!(follower.change(0, Change::Join(1)).map(|at| at.term), Ok(follower.term));
}

#[test]
fn the_bug_begins_the_next_change_at_once() {
    let (mut cut_off, _) = leader(Some(Bug::JointSkip));
    cut_off.change(0, Change::Leave(2)).unwrap();
    let at = cut_off.change(0, Change::Leave(3)).unwrap();
    assert_eq!(cut_off.commit, at.index, "alone against a majority that knows nothing of it");
}

#[test]
fn an_overwritten_change_never_was() {
    let (mut cut_off, mut other) = leader(None);
    cut_off.change(0, Change::Leave(3)).unwrap();
    other.propose(());
    elect(&mut other, 3, 0);
    talk(&mut other, &mut cut_off, 50 * MS, never);
    assert_eq!(cut_off.members().len(), 3);
}

#[test]
fn a_snapshot_knows_the_members_and_a_restart_too() {
    let (mut leader, mut follower) = leader(None);
    let at = leader.change(0, Change::Leave(3)).unwrap();
    talk(&mut leader, &mut follower, 0, never);
    let before = Position { term: 1, index: 1 };
    let last = leader.log.last();
    leader.compact(before, (), 0);
    assert_eq!(leader.snapshot.as_ref().unwrap().members, [1, 2, 3].into());
    leader.compact(Position { index: at.index, ..last }, (), 0);
    assert_eq!(leader.snapshot.as_ref().unwrap().members, [1, 2].into());
    let restored = Restored {
        snapshot: leader.snapshot.clone(),
        base: leader.log.base(),
        ..Restored::default()
    };
    let again = Raft::new(config(1, 3), Rng::new(1), restored, 0);
    assert_eq!(again.members().len(), 2);
}

/// A leader with leases of 100 ms by its own clock, and a follower that has just answered it.
fn lessor(bug: Option<Bug>) -> (Raft, Raft) {
    let (mut leader, mut follower) = leader(bug);
    for raft in [&mut leader, &mut follower] {
        raft.config.lease = Some(100 * MS);
    }
    let sent = Now { mono: 50 * MS, wall: 1_050 * MS };
    for (_, message) in leader.flush(sent).messages.into_iter().filter(|m| m.0.0 == 2) {
        follower.receive(60 * MS, NodeId(1), message);
    }
    for (_, answer) in follower.flush(clocks(60 * MS)).messages {
        leader.receive(70 * MS, NodeId(2), answer);
    }
    (leader, follower)
}

#[test]
fn a_lease_counts_from_when_the_answered_message_was_sent() {
    let (mut leader, mut follower) = lessor(None);
    let mut read = |mono| {
        leader.read(mono);
        leader.read_by_lease(Now { mono, wall: 0 });
        leader.take_reads().0.len()
    };
    assert_eq!([read(149 * MS), read(150 * MS)], [1, 0]);
    // Until then nobody gets the follower's vote; it does not even move on to the term.
    let ballot = Ballot { term: 9, last: Position { term: 9, index: 9 } };
    follower.receive(209 * MS, NodeId(3), Message::Vote(ballot));
    assert!(follower.flush(clocks(209 * MS)).messages.is_empty() && follower.term == 2);
    follower.receive(210 * MS, NodeId(3), Message::Vote(ballot));
    assert_eq!(follower.term, 9);
}

#[test]
fn who_was_just_started_may_have_promised() {
    let config = Config { lease: Some(100 * MS), ..config(1, 3) };
    let mut n = Raft::new(config, Rng::new(1), Restored::default(), 0);
    let ballot = Ballot { term: 9, last: Position::default() };
    n.receive(149 * MS, NodeId(3), Message::Vote(ballot));
    assert_eq!(n.term, 0);
    n.receive(150 * MS, NodeId(3), Message::Vote(ballot));
    assert_eq!(n.term, 9);
}

#[test]
fn the_bug_believes_a_wall_clock_that_was_set_back() {
    let (mut leader, _) = lessor(Some(Bug::LeaseNoSkew));
    leader.read(7);
    leader.read_by_lease(Now { mono: 60_000 * MS, wall: 1_000 * MS });
    assert_eq!(leader.take_reads().0.len(), 1);
}

#[test]
fn a_node_alone_needs_nobody() {
    let mut config = config(1, 3);
    config.peers.clear();
    let mut n = Raft::new(config, Rng::new(1), Restored::default(), 0);
    n.tick(300 * MS);
    assert_eq!(n.role, Role::Leader);
    n.propose(());
    assert_eq!(n.commit, 2);
    n.read(7);
    assert_eq!(n.take_reads().0, [(7, 2)]);
}
