//! Under random trouble: messages lost, late, doubled and reordered, nodes that crash and stand
//! still, clocks that differ; see [`sim`](crate::kit::sim).

use std::collections::BTreeSet;
use std::sync::Mutex;

use danso_vocab::{Call, Finding, Outcome, Rng, Value};

use crate::kit::Request;
use crate::kit::client::Reply;
use crate::kit::http::Method;
use crate::kit::sim::{Load, Setup, all_valid, is_found, registers, run, seeds};
use crate::quorum_kv::node::QuorumKv;
use crate::quorum_kv::settings::Settings;

const TROUBLE: u64 = 10_000_000_000;

/// What a write that is seen and then not seen is called depends on who looks next.
const TAKEN_BACK: [&str; 4] =
    ["stale-read", "lost-write", "non-monotonic-read", "resurrected-value"];

fn setup(seed: u64, options: &[(&str, Value)]) -> Setup<Settings> {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let settings = Settings::new(&options.collect()).unwrap();
    let nodes = [3, 3, 5][seed as usize % 3];
    Setup { seed, nodes, settings, clients: 5, trouble: TROUBLE }
}

fn registers(seed: u64, options: &[(&str, Value)]) -> Result<(Finding, u64), String> {
    let judged = registers::judge::<QuorumKv>(setup(seed, options));
    judged.map(|(_, finding, succeeded)| (finding, succeeded))
}

#[test]
fn abd_is_linearizable() {
    all_valid(|seed| registers(seed, &[]), 150);
    let large = [("replicas", 5.into()), ("read-quorum", 2.into()), ("write-quorum", 4.into())];
    let large = |seed| registers(3 * seed + 2, &large);
    all_valid(large, 100);
}

#[test]
fn abd_needs_neither_hints_nor_hash_trees() {
    let bare = [("hinted-handoff", false.into()), ("anti-entropy-ms", 0.into())];
    all_valid(|seed| registers(seed, &bare), 150);
}

/// What is true of the other modes.
#[test]
fn quorums_alone_are_not_linearizable() {
    is_found(|seed| registers(seed, &[("mode", "lww".into())]), &TAKEN_BACK);
    is_found(|seed| registers(seed, &[("read-quorum", 1.into())]), &TAKEN_BACK);
    // Five nodes, three of which keep a key: quorums of stand-ins need not meet.
    is_found(|seed| registers(3 * seed + 2, &[("sloppy", true.into())]), &TAKEN_BACK);
}

#[test]
fn no_read_repair_is_found() {
    is_found(|seed| registers(seed, &[("bug", "no-read-repair".into())]), &TAKEN_BACK);
}

#[test]
fn clock_wins_is_found() {
    is_found(|seed| registers(seed, &[("bug", "clock-wins".into())]), &TAKEN_BACK);
}

#[test]
fn ack_before_write_is_found() {
    is_found(|seed| registers(seed, &[("bug", "ack-before-write".into())]), &TAKEN_BACK);
}

/// A cart to which clients add elements: each replaces what it has seen last.
struct Cart {
    added: i64,
    /// The union and the context that were seen last, by any client.
    seen: Mutex<(BTreeSet<Value>, Value)>,
}

impl Load for Cart {
    fn call(&mut self, _: usize, rng: &mut Rng) -> Call {
        if rng.chance(1, 2) {
            return Call::new("read", ());
        }
        self.added += 1;
        Call::new("add", self.added)
    }

    fn closing(&self) -> Vec<Call> {
        vec![Call::new("read", ())]
    }

    fn request(&self, call: &Call) -> Request {
        if call.f == "read" {
            return Request::new(Method::Get, "/kv/cart", ());
        }
        let (mut elements, context) = self.seen.lock().unwrap().clone();
        elements.insert(call.arg.clone());
        let elements: Vec<Value> = elements.into_iter().collect();
        let body = Value::of([("value", elements.into()), ("context", context)]);
        Request::new(Method::Put, "/kv/cart", body)
    }

    fn outcome(&self, call: &Call, reply: &Reply) -> Option<Outcome> {
        match reply.done() {
            Some(body) if call.f == "read" => Some(Outcome::Ok(body.clone())),
            Some(_) => Some(Outcome::Ok(Value::Nil)),
            None if call.f == "read" => None,
            None => Some(reply.failed()),
        }
    }

    fn observe(&mut self, _: usize, call: &Call, outcome: &Outcome) {
        if let (Outcome::Ok(body), "read") = (outcome, call.f.as_ref()) {
            let context = body.get("context").cloned().unwrap_or_default();
            *self.seen.lock().unwrap() = (union(body), context);
        }
    }
}

fn union(body: &Value) -> BTreeSet<Value> {
    let siblings = body.get("values").and_then(Value::list).unwrap_or_default();
    siblings.iter().filter_map(Value::list).flatten().cloned().collect()
}

/// The acknowledged elements, and those among them that the last read does not have.
fn cart(seed: u64, options: &[(&str, Value)]) -> (usize, Vec<Value>) {
    let mut all = vec![("mode", Value::from("siblings"))];
    all.extend(options.iter().cloned());
    let load = Cart { added: 0, seen: Mutex::default() };
    let (history, _) = run::<QuorumKv, _>(setup(seed, &all), load).expect("it serves in the end");
    let reads = history.ops().filter(|op| op.f() == "read" && op.is_ok());
    let last = union(&reads.last().and_then(|op| op.ret()).expect("the last read succeeds"));
    let added = history.ops().filter(|op| op.f() == "add" && op.is_ok());
    let added: Vec<Value> = added.map(|op| op.arg().into_owned()).collect();
    (added.len(), added.into_iter().filter(|element| !last.contains(element)).collect())
}

#[test]
fn no_acknowledged_element_is_lost() {
    let mut sum = 0;
    for seed in 0..seeds() {
        let sloppy = seed % 2 == 1;
        let (added, lost) = cart(seed, &[("sloppy", sloppy.into())]);
        assert!(lost.is_empty(), "seed {seed}, sloppy {sloppy}: {lost:?} are lost");
        sum += added;
    }
    assert!(sum as u64 > 50 * seeds(), "too little happened: {sum} elements");
}

#[test]
fn sibling_drop_is_found() {
    let lost = |seed| !cart(seed, &[("bug", "sibling-drop".into())]).1.is_empty();
    assert!((0..400).any(lost), "it is never found");
}
