//! Random small histories of replicated objects that work, and of ones that nearly do.

use std::collections::BTreeSet;

use danso_vocab::{Call, Event, History, NodeId, Outcome, Process, Rng, Time, Value};

use crate::eventual::Object;
use crate::testing::{self, Shape};

/// One update as the replicas know it.
struct Update {
    call: Call,
    /// Who wins where one must.
    priority: u64,
    /// For a removal, the additions it observed.
    observed: BTreeSet<usize>,
}

/// Replicas that know some updates each.
struct Replicas {
    object: Object,
    tagged: bool,
    updates: Vec<Update>,
    known: Vec<BTreeSet<usize>>,
}

impl Replicas {
    /// Does what is asked for, at this replica.
    fn effect(&mut self, rng: &mut Rng, call: &Call, at: usize) -> Value {
        if rng.chance(1, 3) {
            let from = rng.below(self.known.len() as u64) as usize;
            let news = self.known[from].clone();
            self.known[at].extend(news);
        }
        if call.f == "read" {
            return self.state(at);
        }
        let number = self.updates.len();
        let last = self.object == Object::LastWriteRegister;
        let priority = if last { number as u64 } else { rng.bits() };
        let adds = |n: &&usize| {
            self.updates[**n].call.f == "add" && self.updates[**n].call.arg == call.arg
        };
        let observed: BTreeSet<usize> = match &*call.f {
            "remove" => self.known[at].iter().filter(adds).copied().collect(),
            _ => BTreeSet::new(),
        };
        let tag = |n: &usize| Value::from(format!("t{n}"));
        let ret = match &*call.f {
            "add" if self.tagged => tag(&number),
            "remove" if self.tagged => Value::List(observed.iter().map(tag).collect()),
            _ => Value::Nil,
        };
        self.updates.push(Update { call: call.clone(), priority, observed });
        self.known[at].insert(number);
        ret
    }

    fn state(&self, at: usize) -> Value {
        let known = || self.known[at].iter().map(|n| (*n, &self.updates[*n]));
        let arg = |u: &Update| u.call.arg.clone();
        match self.object {
            Object::Register | Object::LastWriteRegister => {
                let winner = known().max_by_key(|(_, u)| u.priority);
                winner.map(|(_, u)| arg(u)).unwrap_or_default()
            }
            Object::GCounter | Object::PnCounter => {
                Value::Int(known().filter_map(|(_, u)| arg(u).int()).sum())
            }
            Object::GSet | Object::OrSet => {
                let gone: BTreeSet<usize> =
                    known().flat_map(|(_, u)| u.observed.iter().copied()).collect();
                let there = known().filter(|(n, u)| u.call.f == "add" && !gone.contains(n));
                let there: BTreeSet<Value> = there.map(|(_, u)| arg(u)).collect();
                Value::List(there.into_iter().collect())
            }
        }
    }
}

fn call(object: Object, rng: &mut Rng) -> Call {
    if rng.chance(1, 3) {
        return Call::new("read", ());
    }
    let small = rng.below(4) as i64;
    match object {
        Object::Register | Object::LastWriteRegister => Call::new("write", small),
        Object::GCounter => Call::new("add", small),
        Object::PnCounter => Call::new("add", small - 2),
        Object::GSet => Call::new("add", small),
        Object::OrSet => Call::new(if rng.chance(1, 2) { "add" } else { "remove" }, small / 2),
    }
}

/// A history; half of them have a flaw somewhere, which may or may not matter.
pub(super) fn history(object: Object, rng: &mut Rng) -> History {
    let shape = Shape::small(rng);
    let count = usize::from(shape.nodes.max(1));
    let mut replicas = Replicas {
        object,
        tagged: rng.chance(1, 2),
        updates: Vec::new(),
        known: vec![BTreeSet::new(); count],
    };
    let home = |process: Process| (process.0 % shape.processes) as usize % count;
    let mut events = testing::events(
        rng,
        shape,
        |rng| call(object, rng),
        |rng, call, at| Some(replicas.effect(rng, call, home(at.process))),
    );
    let mut time = events.last().map_or(0, |(time, _)| time.0);
    if rng.chance(15, 16) {
        end_all(&mut events, &mut time);
    }
    let converged = rng.chance(7, 8);
    if converged {
        let all: BTreeSet<usize> = (0..replicas.updates.len()).collect();
        replicas.known.fill(all);
    }
    // Where no node has a name, two processes speak.
    let readers = if shape.nodes == 0 { 2 } else { count };
    for reader in 0..readers {
        if rng.chance(1, 24) {
            continue;
        }
        let process = Process(1_000 + reader as u32);
        let node = (shape.nodes > 0).then(|| NodeId(reader as u16 + 1));
        let ret = replicas.state(reader.min(count - 1));
        time += u64::from(!rng.chance(1, 4));
        events.push((Time(time), Event::Invoke { process, node, call: Call::new("read", ()) }));
        events.push((Time(time), Event::Complete { process, outcome: Outcome::Ok(ret) }));
    }
    if rng.chance(1, 2) {
        testing::mutate(rng, &mut events, |rng, value| flaw(object, rng, value));
    }
    testing::history(events)
}

/// Ends what is open as unknown.
fn end_all(events: &mut Vec<(Time, Event)>, time: &mut u64) {
    let mut open = BTreeSet::new();
    for (_, event) in events.iter() {
        match event {
            Event::Invoke { process, .. } => open.insert(*process),
            Event::Complete { process, .. } => open.remove(process),
            Event::Note(_) => false,
        };
    }
    *time += 1;
    for process in open {
        let outcome = Outcome::Info("timeout".into());
        events.push((Time(*time), Event::Complete { process, outcome }));
    }
}

/// Another answer of the same kind.
fn flaw(object: Object, rng: &mut Rng, value: &mut Value) -> bool {
    let small = Value::Int(rng.below(4) as i64);
    let register = matches!(object, Object::Register | Object::LastWriteRegister);
    match value {
        Value::Int(n) => *n += rng.below(5) as i64 - 2,
        Value::Nil if register => *value = small,
        Value::List(list) => {
            let tags = list.iter().any(|v| v.str().is_some());
            match rng.below(3) {
                _ if tags => drop(list.pop()),
                0 => drop(list.pop()),
                1 => list.push(small),
                _ => *list = vec![small],
            }
        }
        _ => return false,
    }
    true
}
