//! The protocol's rules one by one. What they are good for together, the simulation shows.

use super::message::{Append, Appended, Ballot, Fit, PreVoted, Voted};
use super::*;

/// The protocol does not look inside commands and states.
pub(super) type Raft = super::Raft<(), ()>;

pub(super) const MS: u64 = 1_000_000;

pub(super) fn clocks(mono: u64) -> Now {
    Now { mono, wall: 0 }
}

pub(super) fn config(id: u16, nodes: u16) -> Config {
    Config {
        id: NodeId(id),
        peers: NodeId::all(nodes).into_iter().filter(|p| p.0 != id).collect(),
        election_min: 150 * MS,
        election_max: 300 * MS,
        heartbeat: 50 * MS,
        max_entries: 100,
        pre_vote: true,
        lease: None,
        bug: None,
    }
}

/// Node `id` of three with a log of these terms, in the last of them.
pub(super) fn node(id: u16, terms: &[u64], bug: Option<Bug>) -> Raft {
    let entries = (1..)
        .zip(terms)
        .map(|(index, term)| Arc::new(Entry { index, term: *term, content: Content::Nothing }));
    let hard = HardState { term: terms.last().copied().unwrap_or(0), vote: None };
    let restored = Restored { hard, entries: entries.collect(), ..Restored::default() };
    Raft::new(Config { bug, ..config(id, 3) }, Rng::new(u64::from(id)), restored, 0)
}

fn terms(raft: &Raft) -> Vec<u64> {
    raft.log.slice(0, usize::MAX).iter().map(|e| e.term).collect()
}

/// Makes a node stand and win with the vote of `voter`, at once; its messages are lost.
pub(super) fn elect(raft: &mut Raft, voter: u16, now: u64) {
    raft.config.pre_vote = false;
    raft.campaign(now);
    let vote = Voted { term: raft.term, granted: true };
    raft.receive(now, NodeId(voter), Message::Voted(vote));
    assert_eq!(raft.role, Role::Leader);
}

/// Passes messages between two nodes, as they come, until `stop` or nobody has anything to say.
pub(super) fn talk(a: &mut Raft, b: &mut Raft, now: u64, stop: fn(&Raft, &Raft) -> bool) {
    loop {
        let mut said = false;
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            let (id, other) = (from.config.id, to.config.id);
            for (_, message) in
                from.flush(clocks(now)).messages.into_iter().filter(|m| m.0 == other)
            {
                said = true;
                to.receive(now, id, message);
            }
            if stop(a, b) {
                return;
            }
        }
        if !said {
            return;
        }
    }
}

pub(super) fn never(_: &Raft, _: &Raft) -> bool {
    false
}

#[test]
fn one_vote_a_term_and_it_goes_to_disk_first() {
    let mut n = node(1, &[], None);
    let ballot = Ballot { term: 3, last: Position::default() };
    n.receive(0, NodeId(2), Message::Vote(ballot));
    n.receive(0, NodeId(3), Message::Vote(ballot));
    n.receive(0, NodeId(2), Message::Vote(ballot));
    let output = n.flush(clocks(0));
    assert_eq!(output.hard, Some(HardState { term: 3, vote: Some(2) }));
    let granted: Vec<_> = output.messages.iter().map(|(to, m)| (to.0, m.clone())).collect();
    let voted = |granted| Message::Voted(Voted { term: 3, granted });
    assert_eq!(granted, [(2, voted(true)), (3, voted(false)), (2, voted(true))]);
    assert_eq!(output.events, [Event::Became(Role::Follower, 3), Event::VotedFor(NodeId(2), 3)]);
    assert_eq!(n.flush(clocks(0)).hard, None);
}

#[test]
fn the_bug_forgets_the_vote_and_keeps_the_term() {
    let mut n = node(1, &[], Some(Bug::ForgetVote));
    n.receive(0, NodeId(2), Message::Vote(Ballot { term: 3, last: Position::default() }));
    assert_eq!(n.flush(clocks(0)).hard, Some(HardState { term: 3, vote: None }));
}

#[test]
fn no_vote_for_a_log_that_is_behind() {
    let mut n = node(1, &[1, 2, 2], None);
    for (position, granted) in [((1, 9), false), ((2, 2), false), ((2, 3), true), ((3, 1), true)] {
        let last = Position { term: position.0, index: position.1 };
        let term = n.term + 1;
        n.receive(0, NodeId(2), Message::Vote(Ballot { term, last }));
        let answer = n.flush(clocks(0)).messages.remove(0).1;
        assert_eq!(answer, Message::Voted(Voted { term, granted }), "{position:?}");
    }
}

#[test]
fn a_pre_vote_changes_nothing_and_is_refused_by_whoever_hears_a_leader() {
    let mut n = node(1, &[1], None);
    let ballot = Ballot { term: 9, last: Position { term: 1, index: 1 } };
    let ask = |n: &mut Raft, now| {
        n.receive(now, NodeId(3), Message::PreVote(ballot));
        n.flush(clocks(now)).messages.remove(0).1
    };
    let answer = |granted| Message::PreVoted(PreVoted { term: 1, ballot: 9, granted });
    assert_eq!(ask(&mut n, 0), answer(true));
    let heartbeat = Append {
        term: 1,
        seq: 1,
        prev: Position { term: 1, index: 1 },
        entries: vec![],
        commit: 0,
    };
    n.receive(0, NodeId(2), Message::Append(heartbeat));
    n.flush(clocks(0));
    assert_eq!(ask(&mut n, 149 * MS), answer(false));
    assert_eq!(ask(&mut n, 150 * MS), answer(true));
    assert_eq!(n.term, 1);
}

#[test]
fn a_candidate_asks_again_until_it_is_answered() {
    let mut n = node(1, &[], None);
    n.tick(300 * MS);
    assert_eq!(n.role(), Role::PreCandidate);
    assert_eq!(n.flush(clocks(300 * MS)).messages.len(), 2);
    let granted = PreVoted { term: 0, ballot: 1, granted: true };
    n.receive(301 * MS, NodeId(2), Message::PreVoted(granted));
    assert_eq!(n.role(), Role::Candidate);
    assert_eq!(n.flush(clocks(301 * MS)).messages.len(), 2);
    n.tick(351 * MS);
    assert_eq!(n.flush(clocks(351 * MS)).messages.len(), 2);
    n.receive(352 * MS, NodeId(3), Message::Voted(Voted { term: 1, granted: true }));
    assert_eq!(n.role(), Role::Leader);
}

#[test]
fn back_off_skips_a_term_at_a_time() {
    // Figure 7's (f), more or less: the follower has terms the leader never saw.
    let mut leader = node(1, &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6], None);
    let mut follower = node(2, &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], None);
    elect(&mut leader, 3, 0);
    leader.messages.clear();
    let mut sent = 0;
    while leader.commit < 11 && sent < 20 {
        let (_, message) =
            leader.flush(clocks(0)).messages.into_iter().find(|(to, _)| to.0 == 2).unwrap();
        sent += 1;
        follower.receive(0, NodeId(1), message);
        let (_, answer) = follower.flush(clocks(0)).messages.remove(0);
        leader.receive(0, NodeId(2), answer);
    }
    assert_eq!(terms(&follower), terms(&leader));
    assert!(sent <= 4, "{sent} messages for two differing terms");
}

#[test]
fn a_follower_keeps_what_an_old_message_does_not_mention() {
    let mut n = node(1, &[1, 1, 1], None);
    let entries = n.log.slice(2, 1);
    let append =
        Append { term: 1, seq: 1, prev: Position { term: 1, index: 1 }, entries, commit: 9 };
    n.receive(0, NodeId(2), Message::Append(append));
    assert_eq!(terms(&n), [1, 1, 1]);
    assert_eq!(n.commit, 2, "only what agrees with the leader's log is committed");
}

/// Figure 8 of the paper: S1 replicates an entry of term 2 in term 4; S5 (here S2), whose last
/// entry is of term 3, may still overwrite it.
fn figure_8(bug: Option<Bug>) -> (Raft, Raft) {
    let mut s1 = node(1, &[1, 2], bug);
    let mut s3 = node(3, &[1], bug);
    s1.term = 3;
    s1.config.max_entries = 1;
    elect(&mut s1, 3, 0);
    assert_eq!(terms(&s1), [1, 2, 4]);
    // S1 goes away when a majority has the entry of term 2 and not yet the one of term 4.
    talk(&mut s1, &mut s3, 0, |s1, s3| {
        s3.log.last().index == 2
            && s1.leading.as_ref().is_some_and(|l| l.peers[&NodeId(3)].matched == 2)
    });
    (s1, s3)
}

#[test]
fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let (mut s1, mut s3) = figure_8(None);
    assert_eq!(s1.commit, 0);
    talk(&mut s1, &mut s3, 0, never);
    assert_eq!(s1.commit, 3, "with an entry of its own term, all are");
}

#[test]
fn the_bug_commits_it_and_then_it_is_overwritten() {
    let (s1, mut s3) = figure_8(Some(Bug::CommitOldTerm));
    assert_eq!(s1.commit, 2);
    let mut s2 = node(2, &[1, 3], Some(Bug::CommitOldTerm));
    s2.term = 4;
    elect(&mut s2, 3, 0);
    talk(&mut s2, &mut s3, 0, never);
    assert_eq!(terms(&s3), [1, 3, 5], "what S1 had committed is gone");
}

/// A settled leader of three, with its messages to be passed by hand.
pub(super) fn leader(bug: Option<Bug>) -> (Raft, Raft) {
    let mut leader = node(1, &[1], bug);
    let mut follower = node(2, &[1], bug);
    elect(&mut leader, 2, 0);
    talk(&mut leader, &mut follower, 0, never);
    (leader, follower)
}

#[test]
fn a_read_waits_for_a_majority_to_confirm_what_was_sent_after_it() {
    let (mut leader, mut follower) = leader(None);
    assert!(leader.is_settled());
    assert!(!follower.read(1));
    // A message sent before the read, answered after it, proves nothing.
    leader.propose(());
    let old = leader.flush(clocks(0)).messages;
    assert!(leader.read(7));
    let (_, old) = old.into_iter().find(|(to, _)| to.0 == 2).unwrap();
    follower.receive(0, NodeId(1), old);
    for (_, answer) in follower.flush(clocks(0)).messages {
        leader.receive(0, NodeId(2), answer);
    }
    assert!(leader.take_reads().0.is_empty());
    talk(&mut leader, &mut follower, 0, never);
    assert_eq!(leader.take_reads().0, [(7, 3)]);
}

#[test]
fn a_deposed_leader_refuses_reads() {
    let (mut leader, _) = leader(None);
    leader.read(7);
    leader.flush(clocks(0));
    leader.read(8);
    leader.receive(0, NodeId(3), Message::Voted(Voted { term: 9, granted: false }));
    let (confirmed, mut refused) = leader.take_reads();
    refused.sort_unstable();
    assert_eq!((confirmed, refused), (vec![], vec![7, 8]));
}

#[test]
fn a_new_leader_does_not_answer_reads_before_it_knows_what_is_committed() {
    let mut leader = node(1, &[1], None);
    let mut follower = node(2, &[1], None);
    elect(&mut leader, 2, 0);
    leader.read(7);
    assert!(!leader.wants_round());
    talk(&mut leader, &mut follower, 0, never);
    assert_eq!(leader.take_reads().0, [(7, 2)]);
}

#[test]
fn the_bug_answers_reads_at_once() {
    let (mut leader, _) = leader(Some(Bug::StaleRead));
    leader.read(7);
    assert_eq!(leader.take_reads().0, [(7, 2)]);
}

#[test]
fn an_entry_is_committed_when_a_majority_has_it() {
    let (mut leader, mut follower) = leader(None);
    let at = leader.propose(()).unwrap();
    leader.flush(clocks(0));
    assert_eq!(leader.commit, at.index - 1);
    // That message is lost; the next heartbeat's answer shows it, and the entry is sent again.
    talk(&mut leader, &mut follower, 50 * MS, never);
    assert_eq!(leader.commit, at.index);
    let mut hasty = self::leader(Some(Bug::CommitMinority)).0;
    let at = hasty.propose(()).unwrap();
    assert_eq!(hasty.commit, at.index);
}

#[test]
fn a_peer_too_far_behind_gets_the_snapshot() {
    let mut leader = node(1, &[1; 700], None);
    let mut follower = node(2, &[], None);
    elect(&mut leader, 3, 0);
    let last = Position { term: 1, index: 600 };
    leader.compact(last, (), 50);
    assert!(leader.log.base().index < last.index, "some entries are kept for those close by");
    talk(&mut leader, &mut follower, 0, never);
    assert_eq!(follower.snapshot().unwrap().last, last);
    assert_eq!(follower.log.last(), leader.log.last());
    assert_eq!(leader.commit, 701);
    let (events, base) = (&follower.events, follower.log.base());
    assert!(events.is_empty() && base == last, "{events:?} {base:?}");
}

#[test]
fn a_peer_that_lost_its_log_gets_it_again() {
    let (mut leader, _) = leader(None);
    let mut empty = node(2, &[], None);
    talk(&mut leader, &mut empty, 50 * MS, never);
    assert_eq!(terms(&empty), terms(&leader));
}

#[test]
fn an_old_leader_is_told() {
    let mut n = node(1, &[5], None);
    let append = Append { term: 4, seq: 8, prev: Position::default(), entries: vec![], commit: 0 };
    n.receive(0, NodeId(2), Message::Append(append));
    let answer = n.flush(clocks(0)).messages.remove(0).1;
    let Message::Appended(Appended { term: 5, seq: 8, fit: Fit::Conflict { .. } }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(n.leader(), None);
}
