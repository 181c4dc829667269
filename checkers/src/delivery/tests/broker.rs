//! A broker with leases, right and wrong, and its clients: what is right is never blamed, what
//! is wrong is blamed by its name.

use std::collections::BTreeMap;

use danso_vocab::Verdict;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    Lose,
    AfterAck,
    Phantom,
    Reorder,
    Stuck,
    Copy,
}

const BUGS: [(Bug, &str); 6] = [
    (Bug::Lose, "lost-message"),
    (Bug::AfterAck, "delivered-after-ack"),
    (Bug::Phantom, "unexpected-message"),
    (Bug::Reorder, "reordered"),
    (Bug::Stuck, "stuck-message"),
    (Bug::Copy, "duplicate-delivery"),
];

#[derive(Clone, Debug)]
struct Message {
    value: i64,
    offset: i64,
    attempts: i64,
    lease: Option<i64>,
    /// Will not be handed out again.
    stuck: bool,
}

#[derive(Default)]
struct Broker {
    bug: Option<Bug>,
    /// Whether the mistake was made.
    bit: bool,
    partitions: BTreeMap<i64, Vec<Message>>,
    dead: BTreeMap<i64, Vec<i64>>,
    held: Vec<(i64, i64)>,
    next: i64,
    offset: i64,
    delivery: i64,
}

const ATTEMPTS: i64 = 4;

impl Broker {
    fn enqueue(&mut self, rng: &mut Rng, key: i64, value: i64) {
        self.offset += 1;
        let message =
            Message { value, offset: self.offset, attempts: 0, lease: None, stuck: false };
        match self.bug.filter(|_| rng.chance(1, 6)) {
            Some(Bug::Lose) => {
                self.bit = true;
                return;
            }
            Some(Bug::Copy) => {
                self.offset += 1;
                self.bit = true;
                let copy = Message { offset: self.offset, ..message.clone() };
                self.partitions.entry(key).or_default().push(copy);
            }
            _ => {}
        }
        self.partitions.entry(key).or_default().push(message);
    }

    fn receive(&mut self, rng: &mut Rng, key: i64) -> Value {
        let queue = self.partitions.entry(key).or_default();
        let (mut ready, dead): (Vec<usize>, Vec<usize>) = (0..queue.len())
            .filter(|i| queue[*i].lease.is_none() && !queue[*i].stuck)
            .partition(|i| queue[*i].attempts < ATTEMPTS);
        if let Some(i) = dead.first() {
            self.dead.entry(key).or_default().push(queue.remove(*i).value);
            return self.receive(rng, key);
        }
        if self.bug == Some(Bug::Reorder) && rng.chance(1, 4) && ready.len() > 1 {
            // Only among first deliveries is there an order.
            let first = &queue[ready[0]];
            self.bit |= first.attempts == 0 && queue[ready[1]].attempts == 0;
            ready.remove(0);
        }
        let Some(i) = ready.first() else { return Value::Nil };
        self.delivery += 1;
        let message = &mut queue[*i];
        message.attempts += 1;
        message.lease = Some(self.delivery);
        let mut value = message.value;
        if self.bug == Some(Bug::Phantom) && rng.chance(1, 8) {
            self.bit = true;
            value += 1_000_000;
        }
        self.held.push((key, self.delivery));
        Value::of([
            ("value", value.into()),
            ("delivery", self.delivery.into()),
            ("offset", message.offset.into()),
            ("attempt", message.attempts.into()),
        ])
    }

    /// Whether the lease still held.
    fn ack(&mut self, rng: &mut Rng, key: i64, delivery: i64, done: bool) -> bool {
        let queue = self.partitions.entry(key).or_default();
        let Some(i) = queue.iter().position(|m| m.lease == Some(delivery)) else { return false };
        queue[i].lease = None;
        if done
            && self.bug == Some(Bug::AfterAck)
            && rng.chance(1, 4)
            && queue[i].attempts < ATTEMPTS
        {
            self.bit = true;
        } else if done {
            queue.remove(i);
        } else {
            queue[i].stuck = self.bug == Some(Bug::Stuck) && rng.chance(1, 3);
            self.bit |= queue[i].stuck;
        }
        true
    }

    fn expire(&mut self, rng: &mut Rng) {
        for message in self.partitions.values_mut().flatten() {
            if rng.chance(1, 10) && !message.stuck {
                message.lease = None;
            }
        }
    }

    /// What a closing does to a partition.
    fn close(&mut self, rng: &mut Rng, key: i64) -> Vec<Event> {
        // The mistakes of a closing would have to be told within one drain.
        self.bug = None;
        let queue = self.partitions.entry(key).or_default();
        queue.iter_mut().for_each(|message| message.lease = None);
        let (mut values, mut taken) = (Vec::new(), self.receive(rng, key));
        while !taken.is_nil() {
            let delivery = taken.get("delivery").and_then(Value::int).unwrap();
            self.ack(rng, key, delivery, true);
            values.push(taken);
            taken = self.receive(rng, key);
        }
        let left: Vec<i64> = self.partitions[&key].iter().map(|m| m.value).collect();
        let dead = self.dead.get(&key).cloned().unwrap_or_default();
        let all = Value::of([("values", values.into()), ("left", left.into())]);
        let at = Some(key);
        vec![on(999, "drain", at, ()), ok(999, all), on(999, "dead-letters", at, ()), ok(999, dead)]
    }
}

impl System for Broker {
    fn begin(&mut self, rng: &mut Rng) -> Call {
        self.expire(rng);
        match rng.below(7) {
            0..3 => {
                self.next += 1;
                Call::new("enqueue", self.next).on(Value::Int(self.next % 2))
            }
            3..5 if !self.held.is_empty() => {
                let (key, delivery) = self.held.remove(rng.below(self.held.len() as u64) as usize);
                let f = if rng.chance(1, 4) { "nack" } else { "ack" };
                Call::new(f, delivery).on(Value::Int(key))
            }
            _ => Call::new("dequeue", ()).on(Value::Int(rng.below(2) as i64)),
        }
    }

    fn end(&mut self, rng: &mut Rng, call: &Call) -> Outcome {
        let fate = rng.below(14);
        // Failed, or timed out before it was done.
        if fate == 0 {
            return Outcome::Fail("refused".into());
        } else if fate == 1 {
            return Outcome::Info("timeout".into());
        }
        let key = call.key.as_ref().and_then(Value::int).unwrap();
        let number = call.arg.int();
        let ret = match (&*call.f, number) {
            ("enqueue", Some(value)) => {
                self.enqueue(rng, key, value);
                Value::Nil
            }
            ("dequeue", _) => self.receive(rng, key),
            (f, Some(delivery)) => {
                if !self.ack(rng, key, delivery, f == "ack") {
                    return Outcome::Fail("expired".into());
                }
                Value::Nil
            }
            other => panic!("{other:?}"),
        };
        // Timed out after it was done. Nobody knows of a delivery then.
        if fate == 2 {
            if !ret.is_nil() {
                self.held.pop();
            }
            return Outcome::Info("timeout".into());
        }
        Outcome::Ok(ret)
    }
}

fn promise() -> Delivery {
    delivery(Guarantee::AtLeastOnce).acknowledged().idempotent().order(Order::PerPartition)
}

fn run(rng: &mut Rng, bug: Option<Bug>) -> (Broker, History) {
    let mut broker = Broker { bug, ..Broker::default() };
    let steps = 30 + rng.below(90);
    let mut events = drawn(rng, 4, steps, &mut broker);
    for key in 0..2 {
        events.extend(broker.close(rng, key));
    }
    (broker, history(events))
}

#[test]
fn what_works_is_valid() {
    let mut rng = Rng::new(7).split("healthy");
    for round in 0..10_000 {
        let (_, history) = run(&mut rng, None);
        let finding = check(promise(), &history);
        let idle = finding.stats["acknowledged"] == 0 || finding.stats["delivered"] == 0;
        let want = if idle { Verdict::Unknown } else { Verdict::Valid };
        let shown: Vec<Op<'_>> = history.ops().collect();
        assert_eq!(finding.verdict, want, "round {round}: {shown:#?} {finding:#?}");
    }
}

#[test]
fn what_does_not_is_called_by_its_name() {
    for (bug, name) in BUGS {
        let mut rng = Rng::new(8).split(name);
        let (mut bitten, mut found) = (0, 0);
        for round in 0..2_000 {
            let (broker, history) = run(&mut rng, Some(bug));
            let finding = check(promise(), &history);
            let names = names(&finding);
            let shown: Vec<Op<'_>> = history.ops().collect();
            let context = format!("{bug:?}, round {round}: {shown:#?} {finding:#?}");
            // A phantom hides what it stands for, or comes again with its lease.
            let also = match bug {
                Bug::Phantom => &["unexpected-message", "lost-message", "delivered-after-ack"][..],
                _ => &[name],
            };
            assert!(names.iter().all(|found| also.contains(found)), "{context}");
            assert!(broker.bit || names.is_empty(), "{context}");
            bitten += u32::from(broker.bit);
            found += u32::from(names.contains(&name));
        }
        println!("{bug:?}: {found} of {bitten}");
        // It may hit what was never acknowledged, or what nobody saw.
        assert!(bitten > 200 && found * 2 > bitten, "{bug:?}: {found} of {bitten}");
    }
}
