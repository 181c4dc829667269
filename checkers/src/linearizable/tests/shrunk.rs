//! Shrinking: what stays is refuted, is a witness, and no operation of it could go; and a part of a
//! linearizable history that lacks nothing it needs is linearizable. Run on every model by
//! `every_model.rs`.

use danso_vocab::{Call, Event, History, Limits, Model, OpId, Outcome, Process, Rng, Time};

use super::fuzz::show;
use super::{call, history, ok, oracle};
use crate::linearizable::Linearizability;
use crate::models::{FifoQueue, cas_register};
use crate::shrink::{Refusal, Shrunk, Without, restrict, shrink};

/// Random parts of a linearizable history, with all they need or without what lacks something.
pub(super) fn parts_are_valid<M: Model>(
    model: &M,
    history: &History,
    checker: &dyn Linearizability,
    rng: &mut Rng,
) {
    let ids: Vec<OpId> = history.ops().map(|op| op.id()).collect();
    for _ in 0..4 {
        let about = *rng.pick(&ids).unwrap();
        let bonds = checker.bonds(history, &[about], rng.chance(1, 2));
        let drawn: Vec<bool> = (0..bonds.len()).map(|_| rng.chance(1, 2)).collect();
        let (mut fewer, mut more) = (drawn.clone(), drawn);
        bonds.release(&mut fewer);
        bonds.complete(&mut more);
        for kept in [fewer, more] {
            assert!(bonds.hold(&kept));
            let part = restrict(history, &bonds.rows(&kept), bonds.upto()).unwrap();
            let shown = || format!("of\n{}remains\n{}", show(history), show(&part.history));
            assert!(oracle::linearizable(model, &part.history), "{}: {}", model.name(), shown());
        }
    }
}

/// A refuted history of few operations shrinks to a witness, and to one that cannot be smaller.
pub(super) fn shrinks<M: Model>(model: &M, history: &History, checker: &dyn Linearizability) {
    let limits = Limits::default();
    let small = match shrink(history, checker, &limits) {
        Ok(small) => small,
        Err(why) => panic!("{}: {why:?}\n{}", model.name(), show(history)),
    };
    let part = restrict(history, &small.rows, small.upto).unwrap();
    let shown = || format!("{}: {small:#?} of\n{}", model.name(), show(history));
    assert!(!oracle::linearizable(model, &part.history), "{}", shown());
    assert_eq!(part.history.len(), small.rows.len());
    for (op, row) in part.history.ops().zip(&small.rows) {
        let whole = history.row(*row as usize);
        let same = op.to_string() == whole.to_string();
        assert!(same || whole.res_rank() > small.upto && op.reason().is_none(), "{}", shown());
    }
    let original = checker.check(history, &limits);
    let same =
        |a: &&danso_vocab::Anomaly| a.name == small.anomaly.name && a.key == small.anomaly.key;
    let original = original.anomalies.iter().find(same).unwrap_or_else(|| panic!("{}", shown()));
    // By brute force: no witness has one operation less, and none at all is much smaller.
    let bonds = checker.bonds(history, &original.ops, small.upto != History::NEVER);
    let witness = |kept: &[bool]| {
        let part = restrict(history, &bonds.rows(kept), bonds.upto()).unwrap();
        bonds.hold(kept)
            && !oracle::linearizable(model, &part.history)
            && checker.check(&part.history, &limits).anomalies.iter().any(|a| same(&a))
    };
    let all = bonds.rows(&vec![true; bonds.len()]);
    let kept: Vec<bool> = all.iter().map(|row| small.rows.contains(row)).collect();
    assert!(witness(&kept), "{}", shown());
    for i in (0..kept.len()).filter(|i| kept[*i]) {
        let mut fewer = kept.clone();
        fewer[i] = false;
        assert!(!witness(&fewer), "{i} could go: {}", shown());
    }
    assert_eq!(small.each.len(), small.rows.len());
    if bonds.len() <= 6 {
        let parts = (1_u32..1 << bonds.len())
            .map(|bits| (0..bonds.len()).map(|i| bits >> i & 1 == 1).collect::<Vec<bool>>());
        let size = |kept: &[bool]| kept.iter().filter(|kept| **kept).count();
        let least = parts.filter(|kept| witness(kept)).map(|kept| size(&kept)).min().unwrap();
        assert!(small.rows.len() <= least + 2, "{least} would do: {}", shown());
    }
}

fn shrunk(history: &History) -> Shrunk {
    shrink(history, &*cas_register(danso_vocab::Value::Nil), &Limits::default()).unwrap()
}

fn words(small: &Shrunk, history: &History) -> Vec<String> {
    small.rows.iter().map(|row| history.row(*row as usize).to_string()).collect()
}

#[test]
fn a_stale_read_keeps_its_write() {
    let history = history([
        call(0, "write", 1),
        ok(0, ()),
        call(0, "write", 2),
        ok(0, ()),
        call(1, "read", ()),
        ok(1, 2),
        call(0, "write", 3),
        ok(0, ()),
        call(1, "read", ()),
        ok(1, 2),
        call(1, "read", ()),
        ok(1, 3),
    ]);
    let small = shrunk(&history);
    let left = ["#2 p0 write 2 -> ok", "#6 p0 write 3 -> ok", "#8 p1 read -> 2"];
    assert_eq!(words(&small, &history), left);
    assert_eq!(small.anomaly.name, "stale-read");
    // Without its write the read would be wrong, too, but of itself.
    assert_eq!(
        small.each,
        [(OpId(2), Without::Unfounded), (OpId(6), Without::Valid), (OpId(8), Without::Valid),]
    );
}

#[test]
fn an_element_goes_with_all_that_happened_to_it() {
    let queue = crate::models::find("queue").unwrap();
    let history = history([
        call(0, "enqueue", 1),
        ok(0, ()),
        call(0, "enqueue", 2),
        ok(0, ()),
        call(0, "enqueue", 3),
        ok(0, ()),
        call(1, "dequeue", ()),
        ok(1, 1),
        call(1, "dequeue", ()),
        ok(1, 3),
        call(1, "dequeue", ()),
        ok(1, 2),
    ]);
    let checker = (queue.checker)(danso_vocab::Value::Nil);
    let small = shrink(&history, &*checker, &Limits::default()).unwrap();
    assert_eq!(small.rows, [1, 2, 4, 5], "{small:?}");
    let part = restrict(&history, &small.rows, small.upto).unwrap();
    assert!(!oracle::linearizable(&FifoQueue, &part.history));
}

#[test]
fn what_is_valid_is_not_shrunk() {
    let history = history([call(0, "write", 1), ok(0, ()), call(1, "read", ()), ok(1, 1)]);
    let refused = shrink(&history, &*cas_register(danso_vocab::Value::Nil), &Limits::default());
    assert_eq!(refused.err(), Some(Refusal::Valid));
}

/// Ten processes, one register, values written once; late in it somebody reads what had been
/// overwritten long before.
fn long(ops: u32) -> History {
    let mut rng = Rng::new(7);
    let mut events = Vec::new();
    let mut lied = false;
    let (mut value, mut open): (i64, Vec<Option<(Call, i64)>>) = (0, vec![None; 10]);
    for step in 0..2 * ops {
        let p = rng.below(10) as usize;
        let process = Process(p as u32);
        let event = match open[p].take() {
            Some((call, seen)) => {
                let lies = !lied && step > 2 * ops - 200 && call.f == "read";
                lied |= lies;
                let ret = match &*call.f {
                    "read" if lies => 1.into(),
                    "read" => seen.into(),
                    _ => danso_vocab::Value::Nil,
                };
                Event::Complete { process, outcome: Outcome::Ok(ret) }
            }
            None => {
                let call = if rng.chance(1, 2) || value == 0 {
                    value += 1;
                    Call::new("write", value)
                } else {
                    Call::new("read", ())
                };
                open[p] = Some((call.clone(), value));
                Event::Invoke { process, node: None, call }
            }
        };
        events.push((Time(u64::from(step)), event));
    }
    History::of(events).unwrap()
}

#[test]
fn of_ten_thousand_operations_few_are_left() {
    let history = long(10_000);
    let checker = cas_register(danso_vocab::Value::Nil);
    assert_eq!(checker.check(&history, &Limits::default()).verdict, danso_vocab::Verdict::Invalid);
    let small = shrunk(&history);
    assert!(small.rows.len() <= 6, "{:?}", words(&small, &history));
}
