//! Registers on which few values are written again and again: what a search is for.

use std::collections::BTreeMap;

use danso_vocab::{Call, Event, History, Outcome, Process, Rng, Time, Value};

/// A history to make.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) ops: usize,
    pub(crate) keys: u64,
    pub(crate) processes: u64,
    /// Different values.
    pub(crate) values: u64,
    /// Percent of operations of unknown outcome.
    pub(crate) unknown: u64,
    /// Give one read near 90 % of the history a result that it cannot have had.
    pub(crate) wrong: bool,
    pub(crate) seed: u64,
}

/// A history of this shape.
pub(crate) fn history(shape: Shape) -> History {
    Simulation::new(shape).run()
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
            rng: Rng::new(shape.seed),
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
                    let call = self.draw().on(key as i64);
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

    fn draw(&mut self) -> Call {
        self.fresh += 1;
        let shape = self.shape;
        let value = |rng: &mut Rng| Value::Int(rng.below(shape.values) as i64);
        let new = value(&mut self.rng);
        if self.fresh == 1 && shape.wrong {
            // A value that is never written again, to be read late.
            return Call::new("write", shape.values as i64);
        }
        match self.rng.below(4) {
            0 | 1 => Call::new("read", ()),
            2 => Call::new("write", new),
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
