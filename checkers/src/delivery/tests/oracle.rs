//! Small histories of anything, judged by trying every way of explaining them.

use danso_vocab::{AnyOf, Op, Status, Verdict};

use super::*;
use crate::linearizable;
use crate::models::{DrainedQueue, FifoQueue};

/// Clients that see anything at all, of few values.
struct Anything {
    values: u64,
    nothing: bool,
}

impl Anything {
    fn value(&self, rng: &mut Rng) -> Value {
        Value::Int(rng.below(self.values) as i64)
    }
}

impl System for Anything {
    fn begin(&mut self, rng: &mut Rng) -> Call {
        match rng.below(9) {
            0..4 => Call::new("enqueue", self.value(rng)),
            4..8 => Call::new("dequeue", ()),
            _ => Call::new("drain", ()),
        }
    }

    fn end(&mut self, rng: &mut Rng, call: &Call) -> Outcome {
        match (rng.below(12), &*call.f) {
            (0, _) => Outcome::Fail("refused".into()),
            (1, _) => Outcome::Info("timeout".into()),
            (2 | 3, "dequeue") if self.nothing => Outcome::Ok(Value::Nil),
            (_, "dequeue") => Outcome::Ok(self.value(rng)),
            (_, "drain") => {
                let some = (0..rng.below(3)).map(|_| self.value(rng));
                Outcome::Ok(Value::List(some.collect()))
            }
            _ => Outcome::Ok(Value::Nil),
        }
    }
}

/// The values an operation got, each with the rank by which it had.
fn got(op: Op<'_>) -> Vec<(Value, u32)> {
    let values = match (op.f(), op.ret().map(std::borrow::Cow::into_owned)) {
        ("dequeue", Some(value)) if !value.is_nil() => vec![value],
        ("drain", Some(Value::List(values))) => values,
        _ => Vec::new(),
    };
    values.into_iter().map(|value| (value, op.res_rank())).collect()
}

/// The least number of the enqueues `due` that stay without a delivery, over all ways of saying
/// which enqueue each delivery is of; `None` if there is no way. With `once`, no two deliveries
/// are of the same.
fn unexplained(
    got: &[(Value, u32)],
    sends: &[Op<'_>],
    due: &[bool],
    used: &mut Vec<bool>,
    once: bool,
) -> Option<usize> {
    let Some(((value, end), rest)) = got.split_first() else {
        return Some(due.iter().zip(used).filter(|(due, used)| **due && !**used).count());
    };
    let mut best = None;
    for (i, send) in sends.iter().enumerate() {
        if send.status() == Status::Fail
            || *send.arg() != *value
            || send.inv_rank() > *end
            || once && used[i]
        {
            continue;
        }
        let before = std::mem::replace(&mut used[i], true);
        let found = unexplained(rest, sends, due, used, once);
        used[i] = before;
        best = best.into_iter().chain(found).min();
    }
    best
}

fn judged(history: &History, guarantee: Guarantee) -> Verdict {
    let sends: Vec<Op<'_>> = history.ops().filter(|op| op.f() == "enqueue").collect();
    let all: Vec<(Value, u32)> = history.ops().flat_map(got).collect();
    let least = |due: &dyn Fn(&Op<'_>) -> bool| {
        let due: Vec<bool> = sends.iter().map(|op| op.is_ok() && due(op)).collect();
        let once = guarantee != Guarantee::AtLeastOnce;
        unexplained(&all, &sends, &due, &mut vec![false; sends.len()], once)
    };
    let empty = |op: &Op<'_>| {
        let takers =
            history.ops().filter(|o| o.is_ok() && (o.f() == "drain" || !got(*o).is_empty()));
        let nil = op.f() == "dequeue" && op.is_ok() && got(*op).is_empty();
        nil && takers.clone().all(|o| o.res_rank() < op.inv_rank())
    };
    let covers = history.ops().filter(|op| op.f() == "drain" && op.is_ok() || empty(op));
    let cover = covers.max_by_key(|op| op.inv_rank());
    let before = |op: &Op<'_>| cover.is_some_and(|c| op.inv_rank() < c.res_rank());
    let crashed = |f| {
        let open = history.ops().filter(|op| op.f() == f && op.status() == Status::Info);
        open.filter(before).count()
    };
    let hidden = if crashed("drain") > 0 { usize::MAX } else { crashed("dequeue") };
    let drained = |op: &Op<'_>| cover.is_some_and(|c| op.res_rank() < c.inv_rank());
    let Some(missing) = least(&|_| true) else { return Verdict::Invalid };
    let Some(lost) = least(&drained) else { return Verdict::Invalid };
    match guarantee {
        Guarantee::AtMostOnce => {}
        _ if lost > hidden => return Verdict::Invalid,
        _ if missing > 0 => return Verdict::Unknown,
        _ => {}
    }
    let something = sends.iter().any(|op| op.is_ok()) && !all.is_empty();
    if something { Verdict::Valid } else { Verdict::Unknown }
}

#[test]
fn verdicts_are_those_of_every_explanation_tried() {
    let mut rng = Rng::new(5).split("explanations");
    let mut seen = [0; 3];
    for round in 0..60_000 {
        let (values, steps) = (1 + rng.below(4), 4 + rng.below(16));
        let mut system = Anything { values, nothing: rng.chance(1, 2) };
        let mut events = drawn(&mut rng, 3, steps, &mut system);
        if rng.chance(1, 2) {
            events.push(call(99, "drain", ()));
            events.push(ok(99, [0; 0]));
        }
        let history = history(events);
        for guarantee in [Guarantee::AtMostOnce, Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
            let finding = check(delivery(guarantee), &history);
            let want = judged(&history, guarantee);
            let shown: Vec<Op<'_>> = history.ops().collect();
            assert_eq!(
                finding.verdict, want,
                "round {round}, {guarantee:?}: {shown:#?} {finding:#?}"
            );
            seen[want as usize] += 1;
        }
    }
    assert!(seen.iter().all(|seen| *seen > 5_000), "{seen:?}");
}

/// Clients of a queue of unique values that comes out in some order.
#[derive(Default)]
struct Unique {
    next: i64,
    inside: Vec<i64>,
    /// Out of 10.
    disorder: u64,
    drains: bool,
}

impl System for Unique {
    fn begin(&mut self, rng: &mut Rng) -> Call {
        match rng.below(if self.drains { 7 } else { 6 }) {
            0..3 => {
                self.next += 1;
                // It may take effect at once or when it ends.
                if rng.chance(1, 2) {
                    self.inside.push(self.next);
                    return Call::new("enqueue", self.next).on(Value::Bool(true));
                }
                Call::new("enqueue", self.next).on(Value::Bool(false))
            }
            3..6 => Call::new("dequeue", ()).on(Value::Nil),
            _ => Call::new("drain", ()).on(Value::Nil),
        }
    }

    fn end(&mut self, rng: &mut Rng, call: &Call) -> Outcome {
        let mut take = |inside: &mut Vec<i64>| {
            let at = if rng.below(10) < self.disorder { rng.below(inside.len() as u64) } else { 0 };
            Value::Int(inside.remove(at as usize))
        };
        match &*call.f {
            "enqueue" => {
                if call.key == Some(Value::Bool(false)) {
                    self.inside.push(call.arg.int().unwrap());
                }
                if rng.chance(1, 8) {
                    Outcome::Info("timeout".into())
                } else {
                    Outcome::Ok(Value::Nil)
                }
            }
            _ if self.inside.is_empty() => Outcome::Fail("empty".into()),
            "drain" => {
                let some = 1 + self.inside.len() / 2;
                Outcome::Ok((0..some).map(|_| take(&mut self.inside)).collect::<Vec<_>>().into())
            }
            _ => Outcome::Ok(take(&mut self.inside)),
        }
    }
}

#[test]
fn order_is_that_of_linearizable_queues() {
    let mut rng = Rng::new(6).split("order");
    let mut seen = [0; 3];
    for round in 0..30_000 {
        let drains = rng.chance(1, 3);
        let mut system = Unique { disorder: rng.below(8), drains, ..Unique::default() };
        let steps = 6 + rng.below(24);
        let mut events = drawn(&mut rng, 4, steps, &mut system);
        // The keys were the system's own notes.
        for event in &mut events {
            if let Event::Invoke { call, .. } = event {
                call.key = None;
            }
        }
        let history = history(events);
        let limits = Limits::default();
        let linearizable = if drains {
            linearizable(AnyOf(DrainedQueue)).check(&history, &limits).verdict
        } else {
            linearizable(FifoQueue).check(&history, &limits).verdict
        };
        let ordered = delivery(Guarantee::ExactlyOnce).order(Order::PerPartition);
        let finding = check(ordered, &history);
        let found = names(&finding).iter().any(|name| *name != "lost-message");
        let shown: Vec<Op<'_>> = history.ops().collect();
        let context = format!("round {round}: {shown:#?} {finding:#?}");
        if linearizable == Verdict::Valid {
            assert!(!found, "{context}");
        }
        // A message that stays in while later ones come out is no matter of order.
        let all: Vec<Value> = history.ops().flat_map(got).map(|(value, _)| value).collect();
        let missing =
            history.ops().any(|op| op.f() == "enqueue" && op.is_ok() && !all.contains(&op.arg()));
        if linearizable == Verdict::Invalid && !missing && !drains {
            assert_eq!(names(&finding), ["reordered"], "{context}");
        }
        seen[linearizable as usize] += 1;
        // Each producer by itself promises less.
        let finding = check(ordered.order(Order::PerProducer), &history);
        assert!(found || !names(&finding).contains(&"reordered"), "{context}");
    }
    assert!(seen[0] > 2_000 && seen[2] > 2_000, "{seen:?}");
}
