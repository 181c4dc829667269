//! How long it takes to decide histories of registers. Prints one line a shape; an argument
//! selects those whose line contains it.

use std::collections::BTreeMap;
use std::time::Instant;

use danso_checkers::linearizable;
use danso_checkers::models::CasRegister;
use danso_vocab::{Call, Event, History, Limits, Outcome, Process, Rng, Time, Value};

/// A history to make.
#[derive(Clone, Copy)]
struct Shape {
    ops: usize,
    keys: u64,
    processes: u64,
    /// Different values; 0 for never the same twice.
    values: u64,
    /// Percent of operations of unknown outcome.
    unknown: u64,
    /// Give one read near 90 % of the history a result that it cannot have had.
    wrong: bool,
    threads: usize,
    /// MiB the search may hold.
    memory: u64,
}

const SMALL: Shape = Shape {
    ops: 10_000,
    keys: 1,
    processes: 10,
    values: 5,
    unknown: 0,
    wrong: false,
    threads: 1,
    memory: 4 << 10,
};
const UNIQUE: Shape = Shape { values: 0, ..SMALL };

const SHAPES: &[Shape] = &[
    SMALL,
    Shape { processes: 20, ..SMALL },
    Shape { processes: 30, ..SMALL },
    Shape { wrong: true, ..SMALL },
    Shape { processes: 20, wrong: true, ..SMALL },
    Shape { unknown: 1, ..SMALL },
    Shape { unknown: 5, ..SMALL },
    Shape { processes: 20, unknown: 1, ..SMALL },
    Shape { values: 30, unknown: 5, ..SMALL },
    Shape { values: 30, unknown: 2, wrong: true, ops: 2_000, ..SMALL },
    Shape { values: 1_000, unknown: 5, wrong: true, ..SMALL },
    UNIQUE,
    Shape { processes: 30, unknown: 1, ..UNIQUE },
    Shape { wrong: true, ..UNIQUE },
    Shape { processes: 30, wrong: true, ..UNIQUE },
    Shape { processes: 100, unknown: 1, wrong: true, ..UNIQUE },
    Shape { ops: 200_000, keys: 40, processes: 30, unknown: 1, ..UNIQUE },
    Shape { ops: 200_000, keys: 40, processes: 30, unknown: 1, wrong: true, ..UNIQUE },
    Shape { ops: 1_000_000, ..UNIQUE },
    // Two engines: they do not hurt where one is enough, and the breadth-first one refutes with
    // less memory.
    Shape { ops: 1_000_000, threads: 2, ..UNIQUE },
    Shape { processes: 100, unknown: 1, wrong: true, threads: 2, ..UNIQUE },
    Shape { ops: 400_000, wrong: true, ..SMALL },
    Shape { ops: 400_000, wrong: true, memory: 16, ..SMALL },
];

fn main() {
    let only = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).unwrap_or_default();
    for shape in SHAPES.iter().filter(|shape| name(shape).contains(&only)) {
        let history = Simulation::new(*shape).run();
        let checker = linearizable(CasRegister::new(Value::Nil));
        let start = Instant::now();
        let (threads, memory) = (shape.threads, shape.memory << 20);
        let finding = checker.check(&history, &Limits { threads, memory, ..Limits::default() });
        let spent = start.elapsed();
        let name = name(shape);
        let (verdict, states) = (finding.verdict.word(), finding.stats["states"]);
        let mib = finding.stats["bytes"] >> 20;
        println!("{name:<76} {verdict:>7} {spent:>9.1?} {states:>8} states {mib:>4} MiB");
        for anomaly in &finding.anomalies {
            println!("    {}: {}", anomaly.name, anomaly.because);
        }
    }
}

fn name(shape: &Shape) -> String {
    let Shape { ops, keys, processes, values, unknown, wrong, .. } = shape;
    let values = if *values == 0 { "unique".to_owned() } else { values.to_string() };
    let wrong = if *wrong { ", wrong read" } else { "" };
    let threads = if shape.threads > 1 { ", 2 threads" } else { "" };
    let memory = shape.memory;
    let memory =
        if memory == SMALL.memory { String::new() } else { format!(", at most {memory} MiB") };
    format!(
        "{ops} ops, {keys} keys, {processes} processes, {values} values, {unknown} % unknown{wrong}{threads}{memory}"
    )
}

/// Processes that take turns at random on registers that work.
struct Simulation {
    shape: Shape,
    rng: Rng,
    registers: Vec<Value>,
    fresh: i64,
    events: Vec<Event>,
    /// By register and value: the last event before which it may have been the value.
    possible: BTreeMap<(usize, Value), usize>,
}

/// An open call: since which event, on which register, and its outcome once it took effect.
struct Open {
    since: usize,
    key: usize,
    call: Call,
    outcome: Option<Outcome>,
}

impl Simulation {
    fn new(shape: Shape) -> Simulation {
        Simulation {
            shape,
            rng: Rng::new(7),
            registers: vec![Value::Nil; shape.keys as usize],
            fresh: 0,
            events: Vec::new(),
            possible: BTreeMap::new(),
        }
    }

    fn run(mut self) -> History {
        let processes = self.shape.processes as usize;
        let mut ids: Vec<u32> = (0..processes as u32).collect();
        let mut open: Vec<Option<Open>> = (0..processes).map(|_| None).collect();
        let (mut begun, mut wrong) = (0, self.shape.wrong);
        while begun < self.shape.ops || open.iter().any(Option::is_some) {
            let p = self.rng.below(self.shape.processes) as usize;
            let process = Process(ids[p]);
            open[p] = match open[p].take() {
                None if begun == self.shape.ops => None,
                None => {
                    begun += 1;
                    let key = self.rng.below(self.shape.keys) as usize;
                    let call = self.draw(key).on(key as i64);
                    let since = self.events.len();
                    self.events.push(Event::Invoke { process, node: None, call: call.clone() });
                    Some(Open { since, key, call, outcome: None })
                }
                Some(mut now @ Open { outcome: None, .. }) => {
                    now.outcome = Some(act(&mut self.registers[now.key], &now.call));
                    Some(now)
                }
                Some(mut now) => {
                    if wrong && begun * 10 > self.shape.ops * 9 && now.call.f == "read" {
                        wrong = !self.lie(&mut now, &open);
                    }
                    let mut outcome = now.outcome.expect("it took effect");
                    if self.rng.chance(self.shape.unknown, 100) {
                        outcome = Outcome::Info("timeout".into());
                        ids[p] += processes as u32;
                    }
                    self.events.push(Event::Complete { process, outcome });
                    None
                }
            };
            if wrong {
                self.note(&open);
            }
        }
        History::of((0..).map(Time).zip(self.events)).expect("processes take turns")
    }

    fn draw(&mut self, key: usize) -> Call {
        self.fresh += 1;
        let shape = self.shape;
        let value = |rng: &mut Rng| match shape.values {
            0 => Value::Int(self.fresh),
            n => Value::Int(rng.below(n) as i64),
        };
        let new = value(&mut self.rng);
        match self.rng.below(4) {
            0 | 1 => Call::new("read", ()),
            2 => Call::new("write", new),
            _ if shape.values == 0 => {
                Call::new("cas", Value::List(vec![self.registers[key].clone(), new]))
            }
            _ => Call::new("cas", Value::List(vec![value(&mut self.rng), new])),
        }
    }

    /// Notes what each register may hold now.
    fn note(&mut self, open: &[Option<Open>]) {
        let at = self.events.len();
        for (key, value) in self.registers.iter().enumerate() {
            self.possible.insert((key, value.clone()), at);
        }
        for now in open.iter().flatten() {
            if let Some(value) = leaves(&now.call) {
                self.possible.insert((now.key, value.clone()), at);
            }
        }
    }

    /// Gives a read a result that its register held long before it began, and not since.
    fn lie(&mut self, read: &mut Open, open: &[Option<Open>]) -> bool {
        self.note(open);
        // What was replaced only just before might still be explained by another order.
        let margin = 10 * self.shape.processes as usize;
        let stale = self.possible.iter().filter(|((key, value), last)| {
            *key == read.key && **last + margin < read.since && !value.is_nil()
        });
        // The latest one is the hardest to refute.
        let lie = stale.max_by_key(|(_, last)| **last);
        if let Some(((_, value), _)) = lie {
            read.outcome = Some(Outcome::Ok(value.clone()));
        }
        lie.is_some()
    }
}

/// The value a call leaves.
fn leaves(call: &Call) -> Option<&Value> {
    match (&*call.f, call.arg.pair()) {
        ("cas", Some((_, new))) => Some(new),
        ("write", _) => Some(&call.arg),
        _ => None,
    }
}

fn act(value: &mut Value, call: &Call) -> Outcome {
    match (&*call.f, call.arg.pair()) {
        ("read", _) => Outcome::Ok(value.clone()),
        ("cas", Some((old, _))) if old != value => Outcome::Fail("mismatch".into()),
        ("cas", Some((_, new))) => {
            *value = new.clone();
            Outcome::Ok(Value::Nil)
        }
        _ => {
            *value = call.arg.clone();
            Outcome::Ok(Value::Nil)
        }
    }
}
