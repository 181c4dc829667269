//! Histories of systems that work, of as many operations as wanted.

use danso_vocab::{
    Call, Event, History, HistoryBuilder, NodeId, Outcome, Process, Rng, Time, Value,
};

const PROCESSES: u32 = 10;
const NODES: u16 = 3;

/// Processes in turn: each has one operation open, so that as many overlap.
struct Turns {
    builder: HistoryBuilder,
    open: Vec<Option<Outcome>>,
    next: u32,
    time: u64,
    rng: Rng,
}

impl Turns {
    fn new() -> Turns {
        let open = vec![None; PROCESSES as usize];
        Turns { builder: HistoryBuilder::new(), open, next: 0, time: 0, rng: Rng::new(7) }
    }

    fn event(&mut self, event: Event) {
        self.time += 1;
        self.builder.push(Time(self.time), event).expect("processes take turns");
    }

    fn end(&mut self, process: u32) {
        if let Some(outcome) = self.open[process as usize].take() {
            self.event(Event::Complete { process: Process(process), outcome });
        }
    }

    /// The next operation, which ends as its process' next one begins.
    fn call(&mut self, call: Call, ret: impl Into<Value>) {
        let process = self.next;
        self.next = (process + 1) % PROCESSES;
        self.end(process);
        let node = Some(NodeId((process % u32::from(NODES)) as u16 + 1));
        self.event(Event::Invoke { process: Process(process), node, call });
        self.open[process as usize] = Some(Outcome::Ok(ret.into()));
    }

    /// Everything that is open ends.
    fn quiet(&mut self) {
        (0..PROCESSES).for_each(|process| self.end(process));
        self.next = 0;
    }

    /// The same question to every node.
    fn ask_all(&mut self, call: &Call, ret: &Value) {
        self.quiet();
        for _ in 0..NODES {
            self.call(call.clone(), ret.clone());
        }
        self.quiet();
    }

    fn finish(mut self) -> History {
        self.quiet();
        self.builder.finish()
    }
}

fn read() -> Call {
    Call::new("read", ())
}

/// Adds, and a final read of each node.
pub(crate) fn set(ops: usize) -> History {
    let mut turns = Turns::new();
    for value in 0..ops as i64 {
        turns.call(Call::new("add", value), ());
    }
    turns.ask_all(&read(), &Value::List((0..ops as i64).map(Value::Int).collect()));
    turns.finish()
}

/// Sets of 90 elements, read after each ten.
pub(crate) fn sets(ops: usize) -> History {
    let mut turns = Turns::new();
    for key in 0..ops / 120 {
        let key = Value::from(format!("k{key}"));
        for ten in 0..9 {
            for value in ten * 10..ten * 10 + 10 {
                turns.call(Call::new("add", value).on(key.clone()), ());
            }
            let all = Value::List((0..ten * 10 + 10).map(Value::Int).collect());
            turns.ask_all(&read().on(key.clone()), &all);
        }
    }
    turns.finish()
}

/// Transfers between eight accounts, and as many snapshots of them.
pub(crate) fn bank(ops: usize) -> History {
    let mut turns = Turns::new();
    let mut balances = [1_000_i64; 8];
    for n in 0..ops {
        if n % 2 == 0 {
            turns.call(read(), balances);
            continue;
        }
        let (from, to) = (turns.rng.below(8) as i64, turns.rng.below(8) as i64);
        balances[from as usize] -= 1;
        balances[to as usize] += 1;
        let arg = [("from", from.into()), ("to", to.into()), ("amount", 1.into())];
        turns.call(Call::new("transfer", Value::of(arg)), ());
    }
    turns.finish()
}

/// Pairs of keys: two writes and two reads each.
pub(crate) fn long_fork(ops: usize) -> History {
    let step =
        |f: &str, key: usize, value: Value| Value::List(vec![f.into(), (key as i64).into(), value]);
    let mut turns = Turns::new();
    for pair in 0..ops / 4 {
        let keys = [2 * pair, 2 * pair + 1];
        let write = |key| Call::new("write", Value::List(vec![step("w", key, 1.into())]));
        let group =
            || Call::new("read", Value::List(keys.map(|key| step("r", key, ().into())).into()));
        let saw = |second: Value| {
            Value::List(vec![step("r", keys[0], 1.into()), step("r", keys[1], second)])
        };
        turns.call(write(keys[0]), ());
        turns.call(group(), saw(Value::Nil));
        turns.call(write(keys[1]), ());
        turns.call(group(), saw(1.into()));
    }
    turns.finish()
}

/// Ten thousand locks, each acquired, used and released by one process after the other.
pub(crate) fn lock(ops: usize) -> History {
    let mut turns = Turns::new();
    let keys: Vec<Value> = (0..10_000).map(|n| Value::from(format!("lock{n}"))).collect();
    let mut token = 0;
    while (token as usize) * 4 < ops {
        // Its process has ten of them at a time, as there are ten processes.
        let first = turns.rng.below(9_990) as usize;
        let held: Vec<&Value> = keys[first..first + 10].iter().collect();
        let pair = |n: i64| Value::of([("token", n.into()), ("value", n.into())]);
        for (n, key) in (token..).zip(&held) {
            let granted = Value::of([("token", (n + 1).into())]);
            turns.call(Call::new("acquire", ()).on((*key).clone()), granted);
        }
        for (n, key) in (token..).zip(&held) {
            turns.call(Call::new("write", pair(n + 1)).on((*key).clone()), ());
        }
        for (n, key) in (token..).zip(&held) {
            turns.call(read().on((*key).clone()), pair(n + 1));
        }
        for (n, key) in (token..).zip(&held) {
            turns.call(Call::new("release", n + 1).on((*key).clone()), ());
        }
        turns.quiet();
        token += 10;
    }
    turns.finish()
}

/// A new leader every hundred observations.
pub(crate) fn leader(ops: usize) -> History {
    let mut turns = Turns::new();
    for n in 0..ops as i64 {
        let leader = format!("p{}", n / 100 % 10);
        let seen = Value::of([("term", (n / 100).into()), ("leader", leader.into())]);
        turns.call(Call::new(if n % 100 == 0 { "campaign" } else { "leader" }, ()), seen);
    }
    turns.finish()
}

/// Nothing but ids.
pub(crate) fn unique_ids(ops: usize) -> History {
    let mut turns = Turns::new();
    for n in 0..ops as i64 {
        turns.call(Call::new("generate", ()), n);
    }
    turns.finish()
}

/// Increments by one, with a read of each node after every 99.
pub(crate) fn counter(ops: usize) -> History {
    let mut turns = Turns::new();
    let mut count = 0;
    while count < ops as i64 {
        for _ in 0..99 {
            count += 1;
            turns.call(Call::new("add", 1), ());
        }
        turns.ask_all(&read(), &count.into());
    }
    turns.finish()
}

/// Messages in and out, and a drain in the end.
pub(crate) fn queue(ops: usize) -> History {
    let mut turns = Turns::new();
    for n in 0..ops as i64 / 2 {
        turns.call(Call::new("enqueue", n), ());
        turns.call(Call::new("dequeue", ()), n);
    }
    turns.quiet();
    turns.call(Call::new("drain", ()), Value::List(Vec::new()));
    turns.finish()
}

/// A thousand registers, written and read one after the other, and read everywhere in the end.
pub(crate) fn registers(ops: usize) -> History {
    let mut turns = Turns::new();
    let keys: Vec<Value> = (0..1_000).map(|n| Value::from(format!("k{n}"))).collect();
    let rounds = ops as i64 / 2_000;
    for round in 0..rounds {
        for key in &keys {
            turns.call(Call::new("write", round).on(key.clone()), ());
        }
        for key in &keys {
            turns.call(read().on(key.clone()), round);
        }
    }
    for key in &keys {
        turns.ask_all(&read().on(key.clone()), &(rounds - 1).into());
    }
    turns.finish()
}

/// Messages sent to ten logs, each polled after every two.
pub(crate) fn kafka(ops: usize) -> History {
    let mut turns = Turns::new();
    let keys: Vec<String> = (0..10).map(|n| format!("log-{n}")).collect();
    for n in 0..ops as i64 / 30 {
        for (key, number) in keys.iter().zip(0..) {
            let pair = |offset: i64| Value::from([offset, offset * 10 + number]);
            for offset in [2 * n, 2 * n + 1] {
                turns.call(Call::new("send", offset * 10 + number).on(key.as_str()), offset);
            }
            turns.quiet();
            let shown = Value::List(vec![pair(2 * n), pair(2 * n + 1)]);
            let poll = Call::new("poll", Value::of([(key.as_str(), (2 * n).into())]));
            turns.call(poll, Value::of([(key.as_str(), shown)]));
        }
    }
    turns.finish()
}
