//! The checker against all that could have happened, enumerated.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Checker, History, Limits, Op, Rng, Status, Value, Verdict};

use super::simulate;
use crate::eventual::{Object, eventual};
use crate::testing::cases;

/// Pairs of a removal and an addition whose outcome is open, at most.
const PAIRS: usize = 10;

/// What the definitions say; `None` if there would be too much to enumerate.
fn oracle(object: Object, history: &History) -> Option<Verdict> {
    let live: Vec<Op<'_>> =
        history.ops().filter(|op| op.f() != "read" && op.status() != Status::Fail).collect();
    let reads: Vec<Op<'_>> = history.ops().filter(|op| op.f() == "read" && op.is_ok()).collect();
    if reads.iter().any(|read| !possible(object, &live, *read)) {
        return Some(Verdict::Invalid);
    }
    let ends = reachable(object, &live)?;
    let finals = finals(&live, &reads);
    let states: BTreeSet<Value> = finals.values().cloned().collect();
    if states.len() > 1 || states.iter().any(|state| !ends.contains(state)) {
        return Some(Verdict::Invalid);
    }
    let nodes: BTreeSet<u32> =
        history.ops().filter_map(|op| op.node()).map(|n| n.0.into()).collect();
    let complete = match nodes.is_empty() {
        true => finals.len() >= 2,
        false => nodes.iter().all(|node| finals.contains_key(node)),
    };
    let something = live.iter().any(|op| op.is_ok());
    Some(if complete && something { Verdict::Valid } else { Verdict::Unknown })
}

/// A state without regard to the order of elements.
fn canonical(value: &Value) -> Value {
    match value {
        Value::List(list) => {
            let set: BTreeSet<&Value> = list.iter().collect();
            Value::List(set.into_iter().cloned().collect())
        }
        other => other.clone(),
    }
}

/// Whether a read can have shown this while all this was going on.
fn possible(object: Object, live: &[Op<'_>], read: Op<'_>) -> bool {
    let begun: Vec<&Op<'_>> = live.iter().filter(|op| op.inv_rank() < read.res_rank()).collect();
    let asked = |value: &Value| begun.iter().any(|op| op.f() != "remove" && *op.arg() == *value);
    let ret = read.ret().unwrap().into_owned();
    match object {
        Object::Register | Object::LastWriteRegister => ret.is_nil() || asked(&ret),
        Object::GCounter | Object::PnCounter => {
            let part = |sign: i64| -> i64 {
                begun.iter().filter_map(|op| op.arg().int()).filter(|n| n.signum() == sign).sum()
            };
            (part(-1)..=part(1)).contains(&ret.int().unwrap())
        }
        Object::GSet | Object::OrSet => {
            let list = ret.list().unwrap();
            canonical(&ret).list().unwrap().len() == list.len() && list.iter().all(asked)
        }
    }
}

/// The last read of each replica after every update is over.
fn finals(live: &[Op<'_>], reads: &[Op<'_>]) -> BTreeMap<u32, Value> {
    let named = live.iter().chain(reads).any(|op| op.node().is_some());
    let after = |read: &Op<'_>, op: &Op<'_>| {
        op.res_index().is_some_and(|end| end < read.id().0)
            && (!op.is_ok() || op.res_rank() < read.inv_rank())
    };
    let mut finals = BTreeMap::new();
    for read in reads.iter().filter(|read| live.iter().all(|op| after(read, op))) {
        let who = if named { read.node().map_or(0, |n| n.0.into()) } else { read.process().0 };
        finals.insert(who, canonical(&read.ret().unwrap()));
    }
    finals
}

/// Every state that replicas may end with.
fn reachable(object: Object, live: &[Op<'_>]) -> Option<BTreeSet<Value>> {
    let mut ends = BTreeSet::new();
    for chosen in 0..1_u32 << live.len() {
        let happened: Vec<Op<'_>> = live
            .iter()
            .enumerate()
            .filter(|(i, _)| chosen >> i & 1 == 1)
            .map(|(_, op)| *op)
            .collect();
        if live.iter().any(|op| op.is_ok() && !happened.iter().any(|o| o.id() == op.id())) {
            continue;
        }
        match object {
            Object::Register if happened.is_empty() => drop(ends.insert(Value::Nil)),
            Object::Register => ends.extend(happened.iter().map(|op| op.arg().into_owned())),
            Object::LastWriteRegister => {
                if happened.len() > 6 {
                    return None;
                }
                orders(&happened, &Value::Nil, &mut ends);
            }
            Object::GCounter | Object::PnCounter => {
                ends.insert(Value::Int(happened.iter().filter_map(|op| op.arg().int()).sum()));
            }
            Object::GSet => {
                let all: BTreeSet<Value> =
                    happened.iter().map(|op| op.arg().into_owned()).collect();
                ends.insert(Value::List(all.into_iter().collect()));
            }
            Object::OrSet => observations(&happened, &mut ends)?,
        }
    }
    Some(ends)
}

/// The last values of all orders of these writes that real time allows.
fn orders(left: &[Op<'_>], last: &Value, ends: &mut BTreeSet<Value>) {
    if left.is_empty() {
        ends.insert(last.clone());
    }
    for (i, op) in left.iter().enumerate() {
        if left.iter().all(|other| other.res_rank() >= op.inv_rank()) {
            let rest: Vec<Op<'_>> = [&left[..i], &left[i + 1..]].concat();
            orders(&rest, &op.arg(), ends);
        }
    }
}

/// The sets that are left for all that removals may have observed.
fn observations(happened: &[Op<'_>], ends: &mut BTreeSet<Value>) -> Option<()> {
    let is = |f: &'static str| happened.iter().filter(move |op| op.f() == f);
    let mut gone = BTreeSet::new();
    let mut open = Vec::new();
    for (add, remove) in is("add").flat_map(|add| is("remove").map(move |r| (add, r))) {
        let list = remove.ret().and_then(|ret| ret.list().map(<[Value]>::to_vec));
        let tag = add.ret().filter(|ret| !ret.is_nil());
        let local = add.node().is_some() && add.node() == remove.node();
        match (list, tag) {
            (Some(list), Some(tag)) => {
                if list.contains(&tag) {
                    gone.insert(add.id());
                }
            }
            _ if add.arg() != remove.arg() || remove.res_rank() < add.inv_rank() => {}
            _ if local && add.is_ok() && remove.is_ok() && add.res_rank() < remove.inv_rank() => {
                gone.insert(add.id());
            }
            _ => open.push(add.id()),
        }
    }
    if open.len() > PAIRS {
        return None;
    }
    for chosen in 0..1_u32 << open.len() {
        let taken: BTreeSet<_> = open
            .iter()
            .enumerate()
            .filter(|(i, _)| chosen >> i & 1 == 1)
            .map(|(_, id)| *id)
            .chain(gone.iter().copied())
            .collect();
        let left = is("add").filter(|add| !taken.contains(&add.id()));
        let left: BTreeSet<Value> = left.map(|add| add.arg().into_owned()).collect();
        ends.insert(Value::List(left.into_iter().collect()));
    }
    Some(())
}

fn agrees(object: Object, name: &str) {
    let seed = std::env::var("DANSO_FUZZ_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut rng = Rng::new(seed).split(name);
    let checker = eventual(object, Value::Nil);
    let mut tally = [0_u64; 3];
    for case in 0..cases(6_000) {
        let history = simulate::history(object, &mut rng);
        let Some(verdict) = oracle(object, &history) else { continue };
        let finding = checker.check(&history, &Limits::default());
        tally[verdict as usize] += 1;
        assert_eq!(
            finding.verdict,
            verdict,
            "case {case}: {finding:#?}\n{:#?}",
            history.ops().collect::<Vec<_>>()
        );
    }
    // A test that sees one verdict only shows nothing.
    let least = tally.iter().sum::<u64>() / 50;
    assert!(tally.iter().all(|count| *count > least), "{name}: {tally:?}");
}

#[test]
fn registers_agree_with_the_oracle() {
    agrees(Object::Register, "register");
}

#[test]
fn last_write_registers_agree_with_the_oracle() {
    agrees(Object::LastWriteRegister, "last-write");
}

#[test]
fn growing_counters_agree_with_the_oracle() {
    agrees(Object::GCounter, "g-counter");
}

#[test]
fn counters_agree_with_the_oracle() {
    agrees(Object::PnCounter, "pn-counter");
}

#[test]
fn growing_sets_agree_with_the_oracle() {
    agrees(Object::GSet, "g-set");
}

#[test]
fn sets_with_removals_agree_with_the_oracle() {
    agrees(Object::OrSet, "or-set");
}
