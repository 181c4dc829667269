//! What those who wait are told.

use super::*;
use crate::raft_kv::answer::Refusal;
use crate::raft_kv::core::Log;
use crate::raft_kv::kv::{Action, Effect, Session};

const MS: u64 = 1_000_000;

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
        bug: None,
    };
    let limits = Limits { snapshot_every: 0, request_timeout: 1_000 * MS, boot: 7 };
    Node::new(config, limits, Rng::new(u64::from(id.0)), Restored::default(), 0)
}

fn put(value: i64) -> Request {
    let session = Some(Session { client: "c".into(), seq: value as u64 });
    let action = Action::Put { value: value.into() };
    Request::Apply(Command { key: "k".into(), action, session })
}

/// Passes parcels between these nodes until nobody has anything to say; collects the answers.
fn settle(nodes: &mut [&mut Node], now: u64) -> Vec<(u64, Answer)> {
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
    settle(&mut [&mut a, &mut b], 150 * MS);
    settle(&mut [&mut a, &mut b], 200 * MS);
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
    b.step(201 * MS, Input::Request(1, put(5)));
    let answers = settle(&mut [&mut a, &mut b], 201 * MS);
    assert_eq!(answers, [(1, Answer::Effect(Effect::Done))]);
    b.step(201 * MS, Input::Request(2, Request::Read { key: "k".into() }));
    let answers = settle(&mut [&mut a, &mut b], 201 * MS);
    assert_eq!(answers, [(2, Answer::Value { value: 5.into() })]);
}

#[test]
fn a_request_is_passed_on_once() {
    let (_, mut b) = pair();
    let parcel = Parcel::Forward { id: 9, request: put(1) };
    b.step(201 * MS, Input::Parcel(NodeId(3), parcel));
    let ready = b.ready(201 * MS);
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
    n.step(0, Input::Request(1, put(1)));
    assert_eq!(refused(&n.ready(0).answers), [(1, Error::NoLeader, true)]);
}

#[test]
fn a_write_that_was_not_committed_in_time_may_still_be() {
    let (mut a, mut b) = pair();
    a.step(201 * MS, Input::Request(1, put(1)));
    a.step(201 * MS, Input::Request(2, Request::Read { key: "k".into() }));
    b.step(201 * MS, Input::Request(3, put(2)));
    a.ready(201 * MS);
    b.ready(201 * MS);
    let late = refused(&a.ready(1_400 * MS).answers);
    assert_eq!(late, [(1, Error::Timeout, false), (2, Error::Timeout, true)]);
    // The follower's leader has been silent for longer than an election timeout.
    let lost = refused(&b.ready(1_400 * MS).answers);
    assert_eq!(lost, [(3, Error::LostLeadership, false)]);
}

#[test]
fn who_waits_for_an_entry_that_was_overwritten_is_told_for_certain() {
    let (mut old, mut b) = pair();
    old.step(201 * MS, Input::Request(1, put(1)));
    old.step(201 * MS, Input::Request(2, Request::Read { key: "k".into() }));
    old.ready(201 * MS);
    // The others go on without it.
    let mut c = node(3);
    settle(&mut [&mut b, &mut c], 900 * MS);
    b.step(901 * MS, Input::Request(9, put(2)));
    settle(&mut [&mut b, &mut c], 901 * MS);
    let last = |n: &Node| n.inspect().0.log().last();
    assert_eq!(last(&b).term, 2);
    let answers = settle(&mut [&mut old, &mut b, &mut c], 1_000 * MS);
    assert_eq!(refused(&answers), [(2, Error::NotLeader, true), (1, Error::Overwritten, true)]);
    assert_eq!(last(&old), last(&b));
}

#[test]
fn a_retry_of_something_applied_is_answered_without_the_log() {
    let (mut a, mut b) = pair();
    a.step(201 * MS, Input::Request(1, put(1)));
    settle(&mut [&mut a, &mut b], 201 * MS);
    let last = |log: &Log| log.last().index;
    let before = last(a.inspect().0.log());
    // A heartbeat, so that the follower knows that it is committed.
    settle(&mut [&mut a, &mut b], 400 * MS);
    for node in [&mut a, &mut b] {
        node.step(401 * MS, Input::Request(2, put(1)));
        assert_eq!(node.ready(401 * MS).answers, [(2, Answer::Effect(Effect::Done))]);
    }
    assert_eq!(last(a.inspect().0.log()), before);
}

#[test]
fn requests_are_refused_when_too_many_wait() {
    let (mut a, _) = pair();
    for ticket in 0..4_097 {
        a.step(201 * MS, Input::Request(ticket, put(ticket as i64 + 1)));
    }
    assert_eq!(refused(&a.ready(201 * MS).answers), [(4_096, Error::Overloaded, true)]);
}
