//! The state machine and its interface, without a network.

use danso_vocab::Value;

use super::locks::{Command, Locks, Query, Reply};
use super::settings::Bug;
use crate::kit::Request;
use crate::kit::http::Method;
use crate::raft::{Machine, Moment, Service, Wish};

/// Does this at that index and time.
fn at(locks: &mut Locks, bug: Option<Bug>, index: u64, time: u64, command: Command) -> Reply {
    let json = serde_json::to_string(locks).unwrap();
    // All of it must be in its JSON.
    *locks = serde_json::from_str(&json).unwrap();
    locks.apply(&bug, Moment { index, time }, &command)
}

fn acquire(owner: &str) -> Command {
    Command::Acquire { lock: "l".into(), owner: owner.into(), ttl: 100 }
}

fn write(token: u64) -> Command {
    let value = Value::Int(token as i64 * 10);
    Command::Write { resource: "l".into(), token, value }
}

fn campaign(candidate: &str) -> Command {
    Command::Campaign { election: "e".into(), candidate: candidate.into(), ttl: 100 }
}

#[test]
fn a_lock_has_one_holder_until_its_lease_is_over() {
    let mut l = Locks::default();
    let release = |token| Command::Release { lock: "l".into(), token };
    assert_eq!(at(&mut l, None, 5, 1_000, acquire("a")), Reply::Token(5));
    assert_eq!(at(&mut l, None, 6, 1_099, acquire("b")), Reply::Held);
    assert_eq!(at(&mut l, None, 7, 1_099, release(4)), Reply::NotHeld);
    let holder = |l: &Locks, time| l.query(&None, time, &Query::Holder { lock: "l".into() });
    assert_eq!(holder(&l, 1_099), Reply::Holder { owner: "a".into(), token: 5 });
    assert_eq!(holder(&l, 1_100), Reply::Nothing);
    assert_eq!(at(&mut l, None, 8, 1_100, acquire("b")), Reply::Token(8));
    assert_eq!(at(&mut l, None, 9, 1_101, release(5)), Reply::NotHeld);
    assert_eq!(at(&mut l, None, 10, 1_101, release(8)), Reply::Done);
    assert_eq!(at(&mut l, None, 11, 1_101, acquire("a")), Reply::Token(11));
}

#[test]
fn a_resource_refuses_a_smaller_token_unless_it_has_the_bug() {
    for (bug, late) in [(None, Reply::StaleToken), (Some(Bug::NoFencing), Reply::Done)] {
        let mut l = Locks::default();
        assert_eq!(at(&mut l, bug, 1, 0, write(5)), Reply::Done);
        assert_eq!(at(&mut l, bug, 2, 0, write(8)), Reply::Done);
        assert_eq!(at(&mut l, bug, 3, 0, write(8)), Reply::Done);
        assert_eq!(at(&mut l, bug, 4, 0, write(5)), late);
        let holds = if late == Reply::Done { 5 } else { 8 };
        let found = l.query(&bug, 0, &Query::Resource { resource: "l".into() });
        assert_eq!(found, Reply::Found { token: holds, value: Value::Int(holds as i64 * 10) });
    }
}

#[test]
fn a_term_has_one_leader() {
    let mut l = Locks::default();
    let leads = |term, leader: &str| Reply::Leader { term, leader: leader.into() };
    let resign = |who: &str| Command::Resign { election: "e".into(), candidate: who.into() };
    assert_eq!(at(&mut l, None, 1, 0, campaign("a")), leads(1, "a"));
    assert_eq!(at(&mut l, None, 2, 99, campaign("b")), Reply::Led);
    assert_eq!(at(&mut l, None, 3, 99, campaign("a")), leads(1, "a"));
    let who = |l: &Locks, time| l.query(&None, time, &Query::Leader { election: "e".into() });
    assert_eq!((who(&l, 198), who(&l, 199)), (leads(1, "a"), Reply::Nothing));
    assert_eq!(at(&mut l, None, 4, 150, resign("b")), Reply::NotHeld);
    assert_eq!(at(&mut l, None, 5, 150, resign("a")), Reply::Done);
    assert_eq!(at(&mut l, None, 6, 151, campaign("a")), leads(2, "a"));
}

#[test]
fn requests_are_understood() {
    let body = |pairs: [(&str, Value); 2]| Value::of(pairs);
    let lease = || body([("owner", "a".into()), ("ttl-ms", 5.into())]);
    let ask = |method, path: &str, body: Value| {
        Locks::understand(&Request::new(method, path, body)).map_err(|refused| refused.status)
    };
    let acquire = Command::Acquire { lock: "a/b".into(), owner: "a".into(), ttl: 5_000_000 };
    assert_eq!(ask(Method::Post, "/lock/a%2Fb", lease()), Ok(Wish::Command(acquire)));
    let release = Command::Release { lock: "l".into(), token: 7 };
    assert_eq!(ask(Method::Delete, "/lock/l?token=7", Value::Nil), Ok(Wish::Command(release)));
    for (method, path, body) in [
        (Method::Delete, "/lock/l", Value::Nil),
        (Method::Delete, "/lock/l?token=x", Value::Nil),
        (Method::Post, "/lock/l", Value::Nil),
        (Method::Post, "/lock/l", body([("owner", 3.into()), ("ttl-ms", 5.into())])),
        (Method::Post, "/lock/l", body([("owner", "a".into()), ("ttl-ms", Value::Int(-5))])),
        (Method::Post, "/guarded/l", body([("token", "x".into()), ("value", 5.into())])),
        (Method::Delete, "/elections/e", Value::Nil),
    ] {
        assert_eq!(ask(method, path, body), Err(400), "{path}");
    }
    assert_eq!(ask(Method::Get, "/nowhere", Value::Nil), Err(404));
}
