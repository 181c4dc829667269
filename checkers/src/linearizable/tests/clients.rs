//! Random histories of any model: clients that remember what they did, on an object that does
//! what its model says, then a few lies.

use std::fmt::Debug;

use danso_vocab::{
    Access, Call, Event, History, Model, Op, Outcome, Parts, Process, Ret, Rng, Status, Time, Unit,
    Value,
};

use super::oracle;

/// What an object does with a call.
pub(in crate::linearizable) enum Does {
    Answers(Value),
    Fails,
    /// It lets the client wait until something changes.
    Waits,
}

/// What a client knows: its calls that succeeded, with their answers.
pub(in crate::linearizable) type Memory = Vec<(Call, Value)>;

/// What to simulate.
pub(in crate::linearizable) struct World<'a, M: Model> {
    pub(in crate::linearizable) model: &'a M,
    pub(in crate::linearizable) draw: fn(&mut Rng, &Memory) -> Call,
    /// What the object does; the argument comes as the model takes it.
    pub(in crate::linearizable) act: fn(&M::State, &Call) -> Does,
    pub(in crate::linearizable) processes: u64,
    pub(in crate::linearizable) ops: u64,
    /// Percent of operations whose outcome stays unknown.
    pub(in crate::linearizable) crash: u64,
    /// Percent of event pairs with equal stamps.
    pub(in crate::linearizable) touch: u64,
    pub(in crate::linearizable) lies: u64,
}

enum Phase {
    Idle,
    Invoked(Call),
    Done(Outcome),
}

struct Client {
    id: u32,
    memory: Memory,
    phase: Phase,
    doing: Option<Call>,
}

impl<M: Model> World<'_, M> {
    /// A random world: small, crowded, sometimes broken.
    pub(in crate::linearizable) fn random<'a>(
        rng: &mut Rng,
        model: &'a M,
        draw: fn(&mut Rng, &Memory) -> Call,
        act: fn(&M::State, &Call) -> Does,
    ) -> World<'a, M> {
        World {
            model,
            draw,
            act,
            processes: rng.between(2, 5),
            ops: rng.between(2, 14),
            crash: *rng.pick(&[0, 5, 15, 30]).unwrap(),
            touch: *rng.pick(&[0, 20, 60]).unwrap(),
            lies: rng.below(5),
        }
    }

    /// A random history.
    pub(in crate::linearizable) fn history(&self, rng: &mut Rng) -> History {
        let mut events = self.events(rng);
        for _ in 0..rng.below(self.lies + 1) {
            lie(rng, &mut events);
        }
        let mut time = 1;
        let stamp = |event| {
            time += u64::from(!rng.chance(self.touch, 100));
            (Time(time), event)
        };
        let stamped: Vec<_> = events.into_iter().map(stamp).collect();
        History::of(stamped).expect("the simulation makes well-formed histories")
    }

    fn events(&self, rng: &mut Rng) -> Vec<Event> {
        let new = |id| Client { id, memory: Vec::new(), phase: Phase::Idle, doing: None };
        let mut clients: Vec<Client> = (0..self.processes as u32).map(new).collect();
        let (mut state, mut events, mut begun) = (self.model.init(), Vec::new(), 0);
        let (mut next, mut patience) = (self.processes as u32, 200);
        while patience > 0 {
            patience -= 1;
            let i = rng.below(self.processes) as usize;
            let client = &mut clients[i];
            let process = Process(client.id);
            client.phase = match std::mem::replace(&mut client.phase, Phase::Idle) {
                Phase::Idle if begun == self.ops => Phase::Idle,
                Phase::Idle => {
                    begun += 1;
                    let call = (self.draw)(rng, &client.memory);
                    events.push(Event::Invoke { process, node: None, call: call.clone() });
                    client.doing = Some(call.clone());
                    Phase::Invoked(call)
                }
                Phase::Invoked(call) if rng.chance(self.crash, 100) => {
                    if rng.chance(1, 2) {
                        self.act(&mut state, client.id, &call);
                    }
                    if rng.chance(2, 3) {
                        let outcome = Outcome::Info("timeout".into());
                        events.push(Event::Complete { process, outcome });
                    }
                    *client = new(next);
                    next += 1;
                    Phase::Idle
                }
                Phase::Invoked(call) => match self.act(&mut state, client.id, &call) {
                    Does::Waits => Phase::Invoked(call),
                    Does::Fails => Phase::Done(Outcome::Fail("refused".into())),
                    Does::Answers(value) => Phase::Done(Outcome::Ok(value)),
                },
                Phase::Done(outcome) => {
                    if let (Outcome::Ok(value), Some(call)) = (&outcome, client.doing.take()) {
                        client.memory.push((call, value.clone()));
                    }
                    events.push(Event::Complete { process, outcome });
                    Phase::Idle
                }
            };
        }
        events
    }

    fn act(&self, state: &mut M::State, process: u32, call: &Call) -> Does {
        let call = Call { arg: told(self.model, process, &call.arg), ..call.clone() };
        if self.model.ignores(&call.f) {
            return Does::Answers(Value::Nil);
        }
        let does = (self.act)(state, &call);
        if let Does::Answers(ret) = &does {
            let next = self.model.step(state, &call.f, &call.arg, Ret::Saw(ret));
            *state = next.unwrap_or_else(|| panic!("{call} -> {ret} in {state:?}"));
        }
        does
    }
}

fn told<M: Model>(model: &M, process: u32, arg: &Value) -> Value {
    if model.by_process() {
        Value::List(vec![i64::from(process).into(), arg.clone()])
    } else {
        arg.clone()
    }
}

fn lie(rng: &mut Rng, events: &mut Vec<Event>) {
    let process = super::simulate::process;
    if events.len() < 2 {
        return;
    }
    match rng.below(4) {
        // Swap neighbours of different processes, perhaps pushing one far.
        0 | 1 => {
            let mut at = rng.below(events.len() as u64 - 1) as usize;
            for _ in 0..=rng.below(6) {
                if at + 1 < events.len() && process(&events[at]) != process(&events[at + 1]) {
                    events.swap(at, at + 1);
                    at += 1;
                }
            }
        }
        // An answer of somebody else, or none.
        2 => {
            let ends = |event: &Event| match event {
                Event::Complete { outcome: Outcome::Ok(value), .. } => Some(value.clone()),
                Event::Complete { outcome: Outcome::Fail(_), .. } => Some(Value::Nil),
                _ => None,
            };
            let mut some: Vec<Value> = events.iter().filter_map(ends).collect();
            some.extend([Value::Bool(false), Value::Bool(false)]);
            let Some(value) = rng.pick(&some).cloned() else { return };
            let at = rng.below(events.len() as u64) as usize;
            if ends(&events[at]).is_some()
                && let Event::Complete { outcome, .. } = &mut events[at]
            {
                let answers = rng.chance(4, 5);
                *outcome = if answers { Outcome::Ok(value) } else { Outcome::Fail("no".into()) };
            }
        }
        // An answer to somebody who got none.
        _ => {
            let open = |at: &usize| {
                let who = process(&events[*at]);
                matches!(events[*at], Event::Invoke { .. })
                    && events[at + 1..].iter().all(|event| process(event) != who)
            };
            let open: Vec<usize> = (0..events.len()).filter(open).collect();
            let Some(&at) = rng.pick(&open) else { return };
            let place = rng.between(at as u64 + 1, events.len() as u64) as usize;
            let Some(process) = process(&events[at]) else { return };
            events.insert(place, Event::Complete { process, outcome: Outcome::Ok(Value::Nil) });
        }
    }
}

/// A model to which somebody else already says who calls.
#[derive(Clone)]
pub(in crate::linearizable) struct Told<M>(pub(in crate::linearizable) M);

impl<M: Model> Model for Told<M> {
    type State = M::State;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn init(&self) -> M::State {
        self.0.init()
    }

    fn step(&self, state: &M::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<M::State> {
        self.0.step(state, f, arg, ret)
    }

    fn is_read(&self, f: &str) -> bool {
        self.0.is_read(f)
    }

    fn access<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        self.0.access(f, arg, ret)
    }

    fn parts<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Parts<'a> {
        self.0.parts(f, arg, ret)
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        self.0.unit(f, arg, ret)
    }

    fn describe(&self, state: &M::State) -> String {
        self.0.describe(state)
    }
}

/// The same history, row by row, in which every operation says who calls if `model` asks.
pub(in crate::linearizable) fn telling<M: Model>(model: &M, history: &History) -> History {
    let mut events: Vec<(u32, Time, Event)> = Vec::new();
    for op in history.ops() {
        let (process, f) = (op.process(), op.f().to_owned());
        let call = Call::new(f, told(model, process.0, &op.arg()));
        let begin = op.id().0;
        events.push((begin, op.inv_time(), Event::Invoke { process, node: None, call }));
        let outcome = match op.status() {
            Status::Ok => Outcome::Ok(op.ret().map_or(Value::Nil, |ret| ret.into_owned())),
            Status::Fail => Outcome::Fail("fail".into()),
            Status::Info => Outcome::Info("info".into()),
        };
        if let (Some(end), Some(time)) = (op.res_index(), op.res_time()) {
            events.push((end, time, Event::Complete { process, outcome }));
        }
    }
    events.sort_by_key(|(index, ..)| *index);
    History::of(events.into_iter().map(|(_, time, event)| (time, event))).unwrap()
}

/// What the oracle says of these rows of a history that is already [`telling`].
pub(in crate::linearizable) fn linearizable<M: Model + Clone>(
    model: &M,
    history: &History,
    rows: &[u32],
) -> bool {
    let ops: Vec<Op<'_>> = rows
        .iter()
        .map(|row| history.row(*row as usize))
        .filter(|op| !model.ignores(op.f()))
        .collect();
    oracle::object(&Told(model.clone()), &ops)
}

/// Whether these rows are a linearization of a [`telling`] history: short, slow and independent.
pub(in crate::linearizable) fn replays<M: Model>(model: &M, history: &History, rows: &[u32]) -> bool
where
    M::State: Debug,
{
    let ops: Vec<Op<'_>> = rows.iter().map(|row| history.row(*row as usize)).collect();
    let mut state = Some(model.init());
    for (i, op) in ops.iter().enumerate() {
        let early = ops[..i].iter().all(|before| op.res_rank() > before.inv_rank());
        let once = rows[..i].iter().all(|row| *row as usize != op.row());
        if !early || !once || op.status() == Status::Fail || model.ignores(op.f()) {
            return false;
        }
        let ret = op.ret();
        let ret = ret.as_deref().map_or(Ret::Unknown, Ret::Saw);
        state = state.and_then(|state| model.step(&state, op.f(), &op.arg(), ret));
    }
    let there = |op: Op<'_>| rows.contains(&(op.row() as u32));
    let all = history.ops().filter(|op| op.is_ok() && !model.ignores(op.f())).all(there);
    state.is_some() && all
}

/// A history in lines.
pub(in crate::linearizable) fn show(history: &History) -> String {
    super::fuzz::show(history)
}
