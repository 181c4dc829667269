//! What those who wait are told.

use super::*;
use crate::raft::answer::Refusal;
use crate::raft::core::{Log, Restored};
use crate::raft::replica::Session;
use crate::raft::toy::Sum;

type Node = super::Node<Sum>;
type Answer = super::Answer<i64>;
type Request = super::Request<i64, ()>;

const MS: u64 = 1_000_000;

fn ms(ms: u64) -> Now {
    Now { mono: ms * MS, wall: 0 }
}

/// A node of three; the first is the most impatient.
fn node(id: u16) -> Node {
    let id = NodeId(id);
    let config = Config {
        id,
        peers: NodeId::all(3).into_iter().filter(|p| *p != id).collect(),
        election_min: 150 * MS * u64::from(id.0),
        election_max: 150 * MS * u64::from(id.0),
        heartbeat: 50 * MS,
        max_entries: 100,
        pre_vote: false,
        lease: None,
        bug: None,
    };
    let limits = Limits { snapshot_every: 0, request_timeout: 1_000 * MS, boot: 7 };
    Node::new(config, limits, (), Rng::new(u64::from(id.0)), Restored::default(), ms(0))
}

/// Adds a number, once.
fn add(value: i64) -> Request {
    let session = Some(Session { client: "c".into(), seq: value as u64 });
    Request::Apply(value, session)
}

/// Passes parcels between these nodes until nobody has anything to say; collects the answers.
fn settle(nodes: &mut [&mut Node], now: Now) -> Vec<(u64, Answer)> {
    let mut answers = Vec::new();
    loop {
        let mut parcels = Vec::new();
        for node in nodes.iter_mut() {
            let ready = node.ready(now);
            answers.extend(ready.answers);
            parcels.extend(ready.parcels.into_iter().map(|(to, p)| (node.id, to, p)));
        }
        parcels.retain(|(_, to, _)| nodes.iter().any(|n| n.id == *to));
        if parcels.is_empty() {
            return answers;
        }
        for (from, to, parcel) in parcels {
            let to = nodes.iter_mut().find(|n| n.id == to).expect("it is one of them");
            to.step(now, Input::Parcel(from, parcel));
        }
    }
}

/// A leader and a follower that knows it; the third node is away.
fn pair() -> (Node, Node) {
    let (mut a, mut b) = (node(1), node(2));
    settle(&mut [&mut a, &mut b], ms(150));
    settle(&mut [&mut a, &mut b], ms(200));
    assert!(a.status().serving && b.status().serving);
    (a, b)
}

fn refused(answers: &[(u64, Answer)]) -> Vec<(u64, Error, bool)> {
    let refusal = |answer: &Answer| match answer {
        Answer::Refused(Refusal { error, definite, .. }) => (*error, *definite),
        other => panic!("{other:?}"),
    };
    answers.iter().map(|(t, a)| (*t, refusal(a))).map(|(t, (e, d))| (t, e, d)).collect()
}

#[test]
fn a_follower_passes_requests_on_and_answers_back() {
    let (mut a, mut b) = pair();
    b.step(ms(201), Input::Request(1, add(5)));
    let answers = settle(&mut [&mut a, &mut b], ms(201));
    assert_eq!(answers, [(1, Answer::Reply(5))]);
    b.step(ms(201), Input::Request(2, Request::Read(())));
    let answers = settle(&mut [&mut a, &mut b], ms(201));
    assert_eq!(answers, [(2, Answer::Reply(5))]);
}

#[test]
fn a_request_is_passed_on_once() {
    let (_, mut b) = pair();
    let parcel = Parcel::Forward { id: 9, request: add(1) };
    b.step(ms(201), Input::Parcel(NodeId(3), parcel));
    let ready = b.ready(ms(201));
    let [(NodeId(3), Parcel::Answer { id: 9, answer })] = &ready.parcels[..] else {
        panic!("{:?}", ready.parcels)
    };
    assert_eq!(refused(&[(0, answer.clone())]), [(0, Error::NotLeader, true)]);
    // The node that passed it on cannot know whether this is the only copy.
    assert_eq!(refused(&[(0, answer.clone().relayed(true))]), [(0, Error::NotLeader, false)]);
}

#[test]
fn without_a_leader_a_request_is_refused_for_certain() {
    let mut n = node(1);
    n.step(ms(0), Input::Request(1, add(1)));
    assert_eq!(refused(&n.ready(ms(0)).answers), [(1, Error::NoLeader, true)]);
}

#[test]
fn a_write_that_was_not_committed_in_time_may_still_be() {
    let (mut a, mut b) = pair();
    a.step(ms(201), Input::Request(1, add(1)));
    a.step(ms(201), Input::Request(2, Request::Read(())));
    b.step(ms(201), Input::Request(3, add(2)));
    a.ready(ms(201));
    b.ready(ms(201));
    let late = refused(&a.ready(ms(1_400)).answers);
    assert_eq!(late, [(1, Error::Timeout, false), (2, Error::Timeout, true)]);
    // The follower's leader has been silent for longer than an election timeout.
    let lost = refused(&b.ready(ms(1_400)).answers);
    assert_eq!(lost, [(3, Error::LostLeadership, false)]);
}

#[test]
fn who_waits_for_an_entry_that_was_overwritten_is_told_for_certain() {
    let (mut old, mut b) = pair();
    old.step(ms(201), Input::Request(1, add(1)));
    old.step(ms(201), Input::Request(2, Request::Read(())));
    old.ready(ms(201));
    // The others go on without it.
    let mut c = node(3);
    settle(&mut [&mut b, &mut c], ms(900));
    b.step(ms(901), Input::Request(9, add(2)));
    settle(&mut [&mut b, &mut c], ms(901));
    let last = |n: &Node| n.inspect().0.log().last();
    assert_eq!(last(&b).term, 2);
    let answers = settle(&mut [&mut old, &mut b, &mut c], ms(1_000));
    assert_eq!(refused(&answers), [(2, Error::NotLeader, true), (1, Error::Overwritten, true)]);
    assert_eq!(last(&old), last(&b));
}

#[test]
fn a_retry_of_something_applied_is_answered_without_the_log() {
    let (mut a, mut b) = pair();
    a.step(ms(201), Input::Request(1, add(1)));
    settle(&mut [&mut a, &mut b], ms(201));
    let last = |log: &Log<_>| log.last().index;
    let before = last(a.inspect().0.log());
    // A heartbeat, so that the follower knows that it is committed.
    settle(&mut [&mut a, &mut b], ms(400));
    for node in [&mut a, &mut b] {
        node.step(ms(401), Input::Request(2, add(1)));
        assert_eq!(node.ready(ms(401)).answers, [(2, Answer::Reply(1))]);
    }
    assert_eq!(last(a.inspect().0.log()), before);
}

#[test]
fn requests_are_refused_when_too_many_wait() {
    let (mut a, _) = pair();
    for ticket in 0..4_097 {
        a.step(ms(201), Input::Request(ticket, add(ticket as i64 + 1)));
    }
    assert_eq!(refused(&a.ready(ms(201)).answers), [(4_096, Error::Overloaded, true)]);
}

#[test]
fn the_log_counts_no_more_time_than_passes() {
    let (mut a, mut b) = pair();
    let mut c = node(3);
    let stamps = |n: &Node| -> Vec<u64> {
        let log = n.inspect().0.log().slice(0, usize::MAX);
        log.iter().filter_map(|e| e.command().map(|op| op.time / MS)).collect()
    };
    a.step(ms(300), Input::Request(1, add(1)));
    settle(&mut [&mut a, &mut b], ms(300));
    a.step(ms(450), Input::Request(2, add(2)));
    settle(&mut [&mut a, &mut b], ms(450));
    let first = stamps(&a);
    assert_eq!(first[1] - first[0], 150);
    // Another leader, whose clock says something else entirely: it goes on from there.
    for now in [900, 1_000, 1_100] {
        settle(&mut [&mut b, &mut c], ms(now));
    }
    b.step(ms(1_250), Input::Request(3, add(3)));
    settle(&mut [&mut b, &mut c], ms(1_250));
    let second = stamps(&b);
    assert_eq!(second[..2], first[..]);
    assert!(second[2] >= second[1] && second[2] - second[1] <= 800, "{second:?}");
}

#[test]
fn the_bug_counts_by_the_wall_clock() {
    let (mut a, mut b) = pair();
    a.bug = Some(Bug::WallTime);
    a.step(Now { mono: 201 * MS, wall: 77 }, Input::Request(1, add(1)));
    settle(&mut [&mut a, &mut b], ms(201));
    assert_eq!(a.inspect().1.time(), 77);
}
