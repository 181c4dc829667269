//! Random histories: simulated processes on a correct object, then a few lies.

use danso_vocab::{Call, Event, History, Outcome, Process, Rng, Time, Value};

/// How an object really behaves: the next state and the result of a call; `None` for the result
/// if the call fails without effect.
pub(in crate::linearizable) type Behaviour = fn(&mut Vec<i64>, &Call) -> Option<Value>;

/// What to simulate.
pub(in crate::linearizable) struct Shape {
    pub(in crate::linearizable) behaviour: Behaviour,
    pub(in crate::linearizable) init: Vec<i64>,
    /// Draws the next call; the counter is for values never used before.
    pub(in crate::linearizable) draw: fn(&mut Rng, &Shape, &mut i64) -> Call,
    pub(in crate::linearizable) domain: u64,
    pub(in crate::linearizable) unique: bool,
    pub(in crate::linearizable) processes: usize,
    pub(in crate::linearizable) ops: usize,
    /// Percent of operations whose outcome stays unknown.
    pub(in crate::linearizable) crash: u64,
    pub(in crate::linearizable) keys: u64,
    /// Percent of event pairs with equal stamps.
    pub(in crate::linearizable) touch: u64,
    pub(in crate::linearizable) lies: u64,
}

enum Phase {
    Idle,
    Invoked(Call),
    Done(Option<Value>),
}

/// A random history of this shape.
pub(in crate::linearizable) fn history(rng: &mut Rng, shape: &Shape) -> History {
    let events = events(rng, shape);
    stamped(rng, shape, events)
}

/// The events of one.
pub(in crate::linearizable) fn events(rng: &mut Rng, shape: &Shape) -> Vec<Event> {
    let mut events = simulate(rng, shape);
    for _ in 0..rng.below(shape.lies + 1) {
        lie(rng, shape, &mut events);
    }
    events
}

/// The history of these events, some of them at the same time.
pub(in crate::linearizable) fn stamped(
    rng: &mut Rng,
    shape: &Shape,
    events: Vec<Event>,
) -> History {
    History::of(stamps(rng, shape, events)).expect("the simulation makes well-formed histories")
}

/// The events of one, with their times.
pub(in crate::linearizable) fn timed(rng: &mut Rng, shape: &Shape) -> Vec<(Time, Event)> {
    let events = events(rng, shape);
    stamps(rng, shape, events)
}

fn stamps(rng: &mut Rng, shape: &Shape, events: Vec<Event>) -> Vec<(Time, Event)> {
    let mut time = 1;
    let stamp = |event| {
        time += u64::from(!rng.chance(shape.touch, 100));
        (Time(time), event)
    };
    events.into_iter().map(stamp).collect()
}

fn simulate(rng: &mut Rng, shape: &Shape) -> Vec<Event> {
    let mut states: Vec<Vec<i64>> = vec![shape.init.clone(); shape.keys.max(1) as usize];
    let mut phases: Vec<Phase> = (0..shape.processes).map(|_| Phase::Idle).collect();
    let mut ids: Vec<u32> = (0..shape.processes as u32).collect();
    let (mut events, mut begun, mut fresh, mut next_id) = (vec![], 0, 100, ids.len() as u32);
    loop {
        let live: Vec<usize> = (0..phases.len())
            .filter(|p| begun < shape.ops || !matches!(phases[*p], Phase::Idle))
            .collect();
        let Some(&p) = rng.pick(&live) else { return events };
        let process = Process(ids[p]);
        let key = |call: &Call| call.key.as_ref().and_then(Value::int).unwrap_or(0) as usize;
        phases[p] = match std::mem::replace(&mut phases[p], Phase::Idle) {
            Phase::Idle => {
                begun += 1;
                let mut call = (shape.draw)(rng, shape, &mut fresh);
                if shape.keys > 0 {
                    call = call.on(rng.below(shape.keys) as i64);
                }
                events.push(Event::Invoke { process, node: None, call: call.clone() });
                Phase::Invoked(call)
            }
            Phase::Invoked(call) if rng.chance(shape.crash, 100) => {
                if rng.chance(1, 2) {
                    (shape.behaviour)(&mut states[key(&call)], &call);
                }
                if rng.chance(2, 3) {
                    let outcome = Outcome::Info("timeout".into());
                    events.push(Event::Complete { process, outcome });
                }
                ids[p] = next_id;
                next_id += 1;
                Phase::Idle
            }
            Phase::Invoked(call) => {
                let ret = (shape.behaviour)(&mut states[key(&call)], &call);
                Phase::Done(ret)
            }
            Phase::Done(ret) => {
                let outcome = ret.map_or(Outcome::Fail("refused".into()), Outcome::Ok);
                events.push(Event::Complete { process, outcome });
                Phase::Idle
            }
        };
    }
}

/// Changes something about what happened, keeping the history well formed.
fn lie(rng: &mut Rng, shape: &Shape, events: &mut [Event]) {
    if events.len() < 2 {
        return;
    }
    if rng.chance(1, 2) {
        // Swap neighbours of different processes, perhaps pushing one far.
        let mut at = rng.below(events.len() as u64 - 1) as usize;
        for _ in 0..=rng.below(4) {
            if at + 1 < events.len() && process(&events[at]) != process(&events[at + 1]) {
                events.swap(at, at + 1);
                at += 1;
            }
        }
        return;
    }
    // Give one operation the result of another of the same kind, or one from nowhere.
    let seen: Vec<usize> =
        (0..events.len()).filter(|i| result(&events[*i]).is_some_and(|v| !v.is_nil())).collect();
    let (Some(&a), Some(&b)) = (rng.pick(&seen), rng.pick(&seen)) else { return };
    let lie = if rng.chance(2, 3) {
        result(&events[b]).cloned().expect("it was picked for having one")
    } else {
        // Now and then a value that was never written.
        let beyond = u64::from(rng.chance(1, 8));
        Value::Int(match shape.unique {
            true => 101 + rng.below(shape.ops as u64) as i64,
            false => rng.below(shape.domain + beyond) as i64,
        })
    };
    if let Event::Complete { outcome: Outcome::Ok(value), .. } = &mut events[a]
        && std::mem::discriminant(value) == std::mem::discriminant(&lie)
    {
        *value = lie;
    }
}

pub(in crate::linearizable) fn process(event: &Event) -> Option<Process> {
    match event {
        Event::Invoke { process, .. } | Event::Complete { process, .. } => Some(*process),
        Event::Note(_) => None,
    }
}

fn result(event: &Event) -> Option<&Value> {
    match event {
        Event::Complete { outcome: Outcome::Ok(value), .. } => Some(value),
        _ => None,
    }
}
