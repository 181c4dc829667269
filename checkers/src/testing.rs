//! Random small histories of objects that work, for checkers that do not order operations.

use danso_vocab::{
    Call, Event, History, HistoryBuilder, NodeId, Outcome, Process, Rng, Status, Time, Value,
};

/// How many of what.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) processes: u32,
    pub(crate) ops: u32,
    /// Nodes that processes are bound to; 0 if the history names none.
    pub(crate) nodes: u16,
    /// How many of a hundred operations end as `info`.
    pub(crate) unknown: u64,
    /// How many of a hundred fail.
    pub(crate) failed: u64,
}

impl Shape {
    /// Few operations of few processes.
    pub(crate) fn small(rng: &mut Rng) -> Shape {
        Shape {
            processes: rng.between(1, 4) as u32,
            ops: rng.between(1, 12) as u32,
            nodes: rng.below(4) as u16,
            unknown: if rng.chance(1, 2) { 0 } else { 20 },
            failed: if rng.chance(1, 2) { 0 } else { 15 },
        }
    }
}

/// One operation on its way.
enum Stage {
    Idle,
    Begun(Call),
    Done(Outcome),
}

/// The number of cases: `cases`, or what `DANSO_FUZZ_CASES` says.
pub(crate) fn cases(cases: u64) -> u64 {
    let given = std::env::var("DANSO_FUZZ_CASES").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(cases)
}

/// Who does something, and when.
#[derive(Clone, Copy)]
pub(crate) struct At {
    pub(crate) process: Process,
    pub(crate) time: u64,
}

/// Events of an object that works: each operation takes effect at one instant of its interval, by
/// `effect`, or is refused if that answers nothing. A failed one has none, one of unknown outcome may have; every third event has the
/// stamp of the one before it. Operations still open at the end stay open.
pub(crate) fn events(
    rng: &mut Rng,
    shape: Shape,
    mut call: impl FnMut(&mut Rng) -> Call,
    mut effect: impl FnMut(&mut Rng, &Call, At) -> Option<Value>,
) -> Vec<(Time, Event)> {
    let mut events = Vec::new();
    let mut seats: Vec<(Process, Stage)> =
        (0..shape.processes).map(|p| (Process(p), Stage::Idle)).collect();
    let (mut time, mut begun) = (0, 0);
    while begun < shape.ops || rng.chance(9, 10) {
        time += u64::from(!rng.chance(1, 3));
        let (process, stage) = &mut seats[rng.below(u64::from(shape.processes)) as usize];
        *stage = match std::mem::replace(stage, Stage::Idle) {
            Stage::Idle if begun == shape.ops => continue,
            Stage::Idle => {
                begun += 1;
                let call = call(rng);
                let home = process.0 % shape.processes % u32::from(shape.nodes.max(1));
                let node = (shape.nodes > 0).then(|| NodeId(home as u16 + 1));
                let invoke = Event::Invoke { process: *process, node, call: call.clone() };
                events.push((Time(time), invoke));
                Stage::Begun(call)
            }
            Stage::Begun(call) => {
                let drawn = rng.below(100);
                let end = if drawn < shape.failed {
                    Outcome::Fail("refused".into())
                } else if drawn < shape.failed + shape.unknown {
                    if rng.chance(1, 2) {
                        effect(rng, &call, At { process: *process, time });
                    }
                    Outcome::Info("timeout".into())
                } else {
                    let ret = effect(rng, &call, At { process: *process, time });
                    let refused = || Outcome::Fail("refused".into());
                    *stage = Stage::Done(ret.map_or_else(refused, Outcome::Ok));
                    continue;
                };
                let unknown = matches!(end, Outcome::Info(_));
                events.push((Time(time), Event::Complete { process: *process, outcome: end }));
                if unknown {
                    process.0 += shape.processes;
                }
                Stage::Idle
            }
            Stage::Done(outcome) => {
                events.push((Time(time), Event::Complete { process: *process, outcome }));
                Stage::Idle
            }
        };
    }
    events
}

/// Changes the result of a random acknowledged operation, if `change` finds something to change.
pub(crate) fn mutate(
    rng: &mut Rng,
    events: &mut [(Time, Event)],
    mut change: impl FnMut(&mut Rng, &mut Value) -> bool,
) {
    for _ in 0..10 {
        let place = rng.below(events.len() as u64) as usize;
        if let Some((_, Event::Complete { outcome: Outcome::Ok(value), .. })) =
            events.get_mut(place)
            && change(rng, value)
        {
            return;
        }
    }
}

/// The history of these events.
pub(crate) fn history(events: Vec<(Time, Event)>) -> History {
    History::of(events).expect("every process has one operation open at a time")
}

/// A history in lines, with the ranks of beginnings and ends.
pub(crate) fn show(history: &History) -> String {
    let line = |op: danso_vocab::Op<'_>| {
        let node = op.node().map_or_else(String::new, |node| format!(" at {node}"));
        format!("{}..{}{node} {op}\n", op.inv_rank(), op.res_rank() as i32)
    };
    history.ops().map(line).collect()
}

/// A history written by hand, one operation after the other unless `open` says otherwise.
#[derive(Default)]
pub(crate) struct Script {
    builder: HistoryBuilder,
    time: u64,
}

impl Script {
    /// Begins an operation of a process, at its node, if it has one.
    pub(crate) fn begin(&mut self, process: u32, node: u16, call: Call) -> &mut Self {
        self.time += 1;
        let node = (node > 0).then_some(NodeId(node));
        let event = Event::Invoke { process: Process(process), node, call };
        self.builder.push(Time(self.time), event).expect("a script is well formed");
        self
    }

    /// Ends it.
    pub(crate) fn end(&mut self, process: u32, status: Status, ret: Value) -> &mut Self {
        self.time += 1;
        let outcome = match status {
            Status::Ok => Outcome::Ok(ret),
            Status::Fail => Outcome::Fail("refused".into()),
            Status::Info => Outcome::Info("timeout".into()),
        };
        let event = Event::Complete { process: Process(process), outcome };
        self.builder.push(Time(self.time), event).expect("a script is well formed");
        self
    }

    /// A whole operation.
    pub(crate) fn op(
        &mut self,
        process: u32,
        node: u16,
        call: Call,
        status: Status,
        ret: impl Into<Value>,
    ) -> &mut Self {
        self.begin(process, node, call).end(process, status, ret.into())
    }

    /// The history so far.
    pub(crate) fn history(&mut self) -> History {
        std::mem::take(&mut self.builder).finish()
    }
}
