//! One thing at a time.

use danso_vocab::Value;

use super::net::Net;
use crate::kit::Request;
use crate::kit::http::Method;

fn lww(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut options = vec![("mode", Value::from("lww"))];
    options.extend(more.iter().cloned());
    options
}

/// One copy, no repair but what is tested.
fn bare(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let mut options = lww(&[("anti-entropy-ms", 0.into()), ("hinted-handoff", false.into())]);
    options.extend(more.iter().cloned());
    options
}

#[test]
fn a_quorum_serves_and_less_does_not() {
    let mut net = Net::new(3, &[]);
    assert_eq!(net.get(1, "k"), Ok(Value::Nil));
    assert_eq!(net.put(1, "k", 5), 200);
    net.down = [1].into();
    assert_eq!((net.get(2, "k"), net.put(3, "k", 6)), (Ok(5.into()), 200));
    net.down = [1, 2].into();
    assert_eq!((net.get(3, "k"), net.put(3, "k", 7)), (Err(503), 503));
    assert_eq!(net.get(3, "k?r=1"), Err(504), "it would have to be written back to two");
    net.down.clear();
    assert_eq!(net.get(1, "k"), Ok(6.into()), "a write refused by its query has no effect");
}

#[test]
fn quorums_that_meet_read_what_was_written() {
    for (r, w) in [(1, 3), (3, 1), (2, 2)] {
        let mut net = Net::new(3, &bare(&[]));
        for value in 0..30_i64 {
            let (writer, reader) = ((value % 3) as u16 + 1, (value / 3 % 3) as u16 + 1);
            assert_eq!(net.put(writer, &format!("k?w={w}"), value), 200);
            assert_eq!(net.get(reader, &format!("k?r={r}")), Ok(value.into()), "R {r} W {w}");
        }
    }
    let mut net = Net::new(3, &[]);
    assert_eq!(net.get(1, "k?r=4"), Err(400));
    assert_eq!(net.put(1, "k?w=none", 1), 400);
}

#[test]
fn what_was_acknowledged_survives_restarts() {
    for bug in [Value::Nil, "ack-before-write".into()] {
        let lost = !bug.is_nil();
        let mut net = Net::new(3, &[("bug", bug)]);
        assert_eq!(net.put(1, "k", 5), 200);
        (1..=3).for_each(|id| net.restart(id));
        net.pass(300);
        let want = if lost { Value::Nil } else { 5.into() };
        assert_eq!(net.get(2, "k"), Ok(want));
        assert_eq!(net.put(1, "k", 6), 200);
        net.pass(3_000);
        (1..=3).for_each(|id| net.restart(id));
        net.pass(300);
        assert_eq!(net.get(2, "k"), Ok(6.into()), "by now it is on the disk");
    }
}

#[test]
fn the_last_write_wins_and_a_clock_does_not() {
    for bug in [Value::Nil, "clock-wins".into()] {
        let lost = !bug.is_nil();
        let mut net = Net::new(3, &[("bug", bug)]);
        net.ahead = [(1, 60_000)].into();
        assert_eq!((net.put(1, "k", 1), net.put(2, "k", 2)), (200, 200));
        assert_eq!(net.get(3, "k"), Ok(if lost { 1 } else { 2 }.into()));
    }
    // A hybrid clock is not behind what its node has heard of.
    let mut net = Net::new(3, &lww(&[]));
    net.ahead = [(1, 60_000)].into();
    net.put(1, "k", 1);
    net.pass(50);
    net.put(2, "k", 2);
    assert_eq!(net.get(3, "k"), Ok(2.into()));
}

#[test]
fn a_read_repairs_who_lags_behind() {
    for bug in [Value::Nil, "no-read-repair".into()] {
        let repaired = bug.is_nil();
        let mut net = Net::new(3, &bare(&[("bug", bug)]));
        net.down = [3].into();
        net.put(1, "k", 5);
        net.pass(2_000);
        net.down.clear();
        assert_eq!(net.get(3, "k?r=1"), Ok(Value::Nil), "n3 lags behind");
        net.get(1, "k?r=3").unwrap();
        net.pass(300);
        net.down = [1, 2].into();
        let want = if repaired { 5.into() } else { Value::Nil };
        assert_eq!(net.get(3, "k?r=1"), Ok(want));
    }
}

#[test]
fn hash_trees_bring_replicas_together() {
    let mut net =
        Net::new(3, &lww(&[("read-repair", false.into()), ("hinted-handoff", false.into())]));
    for key in 0..40_i64 {
        net.down = [(key % 3) as u16 + 1].into();
        let coordinator = (key + 1) % 3 + 1;
        assert_eq!(net.put(coordinator as u16, &format!("k{key}"), key), 200);
        net.pass(1_600);
    }
    net.down.clear();
    net.pass(4_000);
    for node in 1..=3 {
        assert_eq!(net.count(node, "keys"), 40);
        for key in 0..40 {
            assert_eq!(net.get(node, &format!("k{key}?r=1")), Ok(key.into()));
        }
    }
}

/// Two writes that only stand-ins have; then those are restarted.
#[test]
fn hints_find_their_owner() {
    for bug in [Value::Nil, "hint-lost".into()] {
        let lost = !bug.is_nil();
        let one_copy = [
            ("replicas", 1.into()),
            ("read-quorum", 1.into()),
            ("write-quorum", 1.into()),
            ("sloppy", true.into()),
            ("bug", bug),
        ];
        let mut net = Net::new(3, &lww(&one_copy));
        let key = (0..).map(|k| format!("k{k}")).find(|k| net.owners(1, k) == [3]).unwrap();
        net.down = [3].into();
        net.pass(1_000);
        assert_eq!((net.put(1, &key, 5), net.get(2, &key)), (200, Ok(5.into())));
        assert_eq!(net.count(1, "hints") + net.count(2, "hints"), 1);
        net.restart(1);
        net.restart(2);
        net.down.clear();
        net.pass(1_000);
        let want = if lost { Value::Nil } else { 5.into() };
        assert_eq!(net.get(3, &key), Ok(want));
        assert_eq!(net.count(1, "hints") + net.count(2, "hints"), 0);
    }
}

#[test]
fn strict_quorums_ask_no_stand_ins() {
    let mut net = Net::new(5, &lww(&[]));
    let owners = net.owners(1, "k");
    net.down = owners[..2].iter().copied().collect();
    net.pass(1_000);
    let up = owners[2];
    assert_eq!(net.put(up, "k", 5), 504);
    let mut net = Net::new(5, &lww(&[("sloppy", true.into())]));
    net.down = owners[..2].iter().copied().collect();
    net.pass(1_000);
    assert_eq!((net.put(up, "k", 5), net.get(up, "k")), (200, Ok(5.into())));
    net.down.clear();
    net.pass(1_500);
    for owner in owners {
        assert_eq!(net.get(owner, "k?r=1"), Ok(5.into()));
    }
}

#[test]
fn keys_move_with_the_ring_and_nothing_is_lost() {
    for replicas in [1, 2] {
        let options = [
            ("replicas", replicas.into()),
            ("read-quorum", 1.into()),
            ("write-quorum", replicas.into()),
        ];
        let mut net = Net::new(5, &lww(&options));
        for key in 0..50 {
            assert_eq!(net.put(1, &format!("k{key}"), key), 200);
        }
        let copies = |net: &Net| (1..=5).map(|n| net.count(n, "keys")).sum::<i64>();
        assert_eq!(copies(&net), 50 * replicas);
        assert_eq!(net.post(4, "/leave").status, 200);
        assert_eq!((net.count(4, "keys"), copies(&net)), (0, 50 * replicas));
        // It comes back with an empty disk.
        net.wipe(4);
        assert_eq!(net.post(4, "/join").status, 200);
        net.pass(2_000);
        assert!(net.count(4, "keys") > 0);
        assert_eq!(copies(&net), 50 * replicas);
        for key in 0..50 {
            assert_eq!(net.get(2, &format!("k{key}")), Ok(key.into()));
        }
    }
}

#[test]
fn off_by_one_a_key_has_two_owners() {
    let one_copy = [
        ("replicas", 1.into()),
        ("read-quorum", 1.into()),
        ("write-quorum", 1.into()),
        ("bug", "ring-off-by-one".into()),
    ];
    let mut net = Net::new(3, &lww(&one_copy));
    let keys: Vec<String> = (0..200).map(|k| format!("k{k}")).collect();
    let differ =
        |net: &mut Net| keys.iter().filter(|k| net.owners(1, k) != net.owners(3, k)).count();
    assert_eq!(differ(&mut net), 0);
    assert_eq!((net.post(3, "/leave").status, net.post(3, "/join").status), (200, 200));
    net.pass(1_000);
    assert!(differ(&mut net) > 0);
}

#[test]
fn a_ring_that_promises_linearizability_is_fixed() {
    let mut net = Net::new(3, &[]);
    assert_eq!((net.post(3, "/leave").status, net.post(3, "/join").status), (409, 409));
    let mut net = Net::new(3, &lww(&[]));
    assert_eq!((net.post(1, "/leave").status, net.post(2, "/leave").status), (200, 200));
    assert_eq!(net.post(3, "/leave").status, 409, "the last one stays");
    assert_eq!(net.put(3, "k", 1), 503, "and is no quorum");
}

/// Puts a value beside what the context has not seen.
fn put_seen(net: &mut Net, node: u16, value: i64, context: &Value) {
    let body = Value::of([("value", value.into()), ("context", context.clone())]);
    assert_eq!(net.ask(node, Request::new(Method::Put, "/kv/cart", body)).status, 200);
}

fn siblings(net: &mut Net, node: u16) -> (Vec<i64>, Value) {
    let body = net.ask(node, Request::new(Method::Get, "/kv/cart", ())).body;
    let values = body.get("values").and_then(Value::list).unwrap().iter();
    let mut values: Vec<i64> = values.filter_map(Value::int).collect();
    values.sort_unstable();
    (values, body.get("context").cloned().unwrap())
}

#[test]
fn siblings_stay_until_somebody_has_seen_them() {
    for (bug, want) in [(Value::Nil, vec![1, 2]), ("sibling-drop".into(), vec![2])] {
        let mut net = Net::new(3, &[("mode", "siblings".into()), ("bug", bug)]);
        put_seen(&mut net, 1, 1, &Value::Nil);
        put_seen(&mut net, 1, 2, &Value::Nil);
        let (values, context) = siblings(&mut net, 2);
        assert_eq!(values, want);
        put_seen(&mut net, 3, 3, &context);
        assert_eq!(siblings(&mut net, 1).0, [3]);
    }
}

#[test]
fn a_node_that_owns_nothing_coordinates_siblings_all_the_same() {
    let mut net = Net::new(5, &[("mode", "siblings".into())]);
    let owners = net.owners(1, "cart");
    let stranger = (1..=5).find(|n| !owners.contains(n)).unwrap();
    for value in 0..6 {
        put_seen(&mut net, stranger, value, &Value::Nil);
        if value % 2 == 0 {
            net.pass(600);
            assert_eq!(net.count(stranger, "keys"), 0, "it hands over what it does not own");
        }
    }
    assert_eq!(siblings(&mut net, owners[0]).0, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn requests_that_mean_nothing_are_refused() {
    let mut net = Net::new(3, &[]);
    for (method, path, body, want) in [
        (Method::Put, "/kv/k", Value::Nil, 400),
        (Method::Put, "/kv/k", Value::of([("value", 1.into()), ("context", "x".into())]), 400),
        (Method::Post, "/kv/k", Value::Nil, 404),
        (Method::Get, "/kv", Value::Nil, 404),
        (Method::Delete, "/kv/k", Value::Nil, 200),
    ] {
        assert_eq!(net.ask(1, Request::new(method, path, body)).status, want, "{method:?} {path}");
    }
}
