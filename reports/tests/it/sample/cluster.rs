//! A cluster of registers that never ran: processes, keys, faults and, if asked for, one read
//! that returns what had been replaced.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use danso_vocab::event::note;
use danso_vocab::{
    FaultId, HistoryBuilder, NodeId, Note, OpId, Outcome, Process, Rng, Time, Value,
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const KEYS: u64 = 4;
pub(crate) const PARTITION: (u64, u64) = (5_000 * MS, 9_500 * MS);
pub(crate) const KILL: (u64, u64) = (12_000 * MS, 14_500 * MS);

enum Happens {
    Invoke,
    Effect,
    Complete(bool),
}

pub(crate) struct Worker {
    process: u32,
    node: u16,
    key: u64,
    call: (&'static str, Value),
    id: OpId,
    result: Outcome,
    stale: bool,
}

/// A simulated register cluster.
pub(crate) struct Cluster {
    rng: Rng,
    pub(crate) builder: HistoryBuilder,
    pub(crate) workers: Vec<Worker>,
    agenda: BinaryHeap<Reverse<(u64, u64, usize, u8)>>,
    drawn: u64,
    processes: u32,
    values: [i64; KEYS as usize],
    old: [i64; KEYS as usize],
    changed: [u64; KEYS as usize],
    writer: [OpId; KEYS as usize],
    written: i64,
    pub(crate) stale: Option<(OpId, OpId, i64, i64)>,
    end: u64,
}

impl Cluster {
    fn new(seed: u64, workers: u32, end: u64) -> Cluster {
        let worker = |i| Worker {
            process: i,
            node: 1 + (i % 3) as u16,
            key: 0,
            call: ("read", Value::Nil),
            id: OpId(0),
            result: Outcome::Ok(Value::Nil),
            stale: false,
        };
        let mut cluster = Cluster {
            rng: Rng::new(seed).split("sample"),
            builder: HistoryBuilder::new(),
            workers: (0..workers).map(worker).collect(),
            agenda: BinaryHeap::new(),
            drawn: 0,
            processes: workers,
            values: [0; KEYS as usize],
            old: [0; KEYS as usize],
            changed: [0; KEYS as usize],
            writer: [OpId(0); KEYS as usize],
            written: 0,
            stale: None,
            end,
        };
        for i in 0..workers as usize {
            let at = cluster.rng.below(20 * MS);
            cluster.at(at, i, Happens::Invoke);
        }
        cluster
    }

    fn at(&mut self, time: u64, worker: usize, what: Happens) {
        self.drawn += 1;
        let code = match what {
            Happens::Invoke => 0,
            Happens::Effect => 1,
            Happens::Complete(false) => 2,
            Happens::Complete(true) => 3,
        };
        self.agenda.push(Reverse((time, self.drawn, worker, code)));
    }

    fn note(&mut self, time: u64, note: Note) {
        self.builder.note(Time(time), note).unwrap();
    }

    fn invoke(&mut self, now: u64, i: usize) {
        if now >= self.end {
            return;
        }
        let key = self.rng.below(KEYS);
        let call = match self.rng.below(5) {
            0 | 1 => {
                self.written += 1;
                ("write", Value::Int(self.written))
            }
            2 => {
                self.written += 1;
                ("cas", Value::from([self.values[key as usize], self.written]))
            }
            _ => ("read", Value::Nil),
        };
        let worker = &mut self.workers[i];
        (worker.key, worker.call) = (key, call.clone());
        let (process, node) = (Process(worker.process), NodeId(worker.node));
        let name = Value::from(format!("k{key}"));
        let id = self.builder.invoke(Time(now), process, Some(node), call.0, Some(name), call.1);
        self.workers[i].id = id.unwrap();
        let cut = node.0 == 1 && (PARTITION.0..PARTITION.1).contains(&now);
        let dead = node.0 == 3 && (KILL.0..KILL.1).contains(&now);
        let slow = if self.rng.chance(1, 40) { 30 } else { 1 };
        let took = if dead {
            self.workers[i].result = Outcome::Fail("connection refused".into());
            self.rng.between(MS / 10, MS / 2)
        } else if cut {
            self.workers[i].result = Outcome::Info("timed out after 1 s".into());
            1_000 * MS + self.rng.below(3 * MS)
        } else {
            self.workers[i].result = Outcome::Ok(Value::Nil);
            (MS + self.rng.below(4 * MS) + self.rng.below(3 * MS)) * slow
        };
        if !dead {
            self.at(now + took / 2, i, Happens::Effect);
        }
        self.at(now + took, i, Happens::Complete(cut));
    }

    fn effect(&mut self, now: u64, i: usize, stale_wanted: bool) {
        let worker = &mut self.workers[i];
        let (key, known) = (worker.key as usize, matches!(worker.result, Outcome::Ok(_)));
        let (f, arg) = worker.call.clone();
        match (f, arg.pair()) {
            ("write", _) => self.set(now, i, key, arg.int().unwrap()),
            ("cas", Some((old, new))) if old.int() == Some(self.values[key]) => {
                self.set(now, i, key, new.int().unwrap());
            }
            ("cas", _) if known => worker.result = Outcome::Fail("precondition failed".into()),
            ("read", _) if known => {
                let quiet = now > self.changed[key] + 25 * MS;
                let due = stale_wanted && key == 3 && now > 8_000 * MS && quiet;
                let value = if due && self.stale.is_none() {
                    worker.stale = true;
                    let (new, old) = (self.values[key], self.old[key]);
                    self.stale = Some((worker.id, self.writer[key], old, new));
                    old
                } else {
                    self.values[key]
                };
                worker.result = Outcome::Ok(value.into());
            }
            _ => {}
        }
    }

    fn set(&mut self, now: u64, i: usize, key: usize, value: i64) {
        self.old[key] = self.values[key];
        self.values[key] = value;
        self.changed[key] = now;
        self.writer[key] = self.workers[i].id;
    }

    fn complete(&mut self, now: u64, i: usize, retire: bool, pause: u64) {
        let worker = &mut self.workers[i];
        let process = Process(worker.process);
        self.builder.complete(Time(now), process, None, worker.result.clone()).unwrap();
        if retire {
            worker.process = self.processes;
            self.processes += 1;
        }
        let next = now + pause / 2 + self.rng.below(pause);
        self.at(next, i, Happens::Invoke);
    }
}

/// Runs the cluster for `secs`; each worker pauses for about `pause` between operations.
pub(crate) fn simulate(workers: u32, secs: u64, pause: u64, stale: bool) -> Cluster {
    let mut cluster = Cluster::new(7, workers, secs * 1_000 * MS);
    let mut notes = notes();
    notes.reverse();
    while let Some(Reverse((now, _, worker, what))) = cluster.agenda.pop() {
        while notes.last().is_some_and(|(time, _)| *time <= now) {
            let (time, note) = notes.pop().unwrap();
            cluster.note(time, note);
        }
        match what {
            0 => cluster.invoke(now, worker),
            1 => cluster.effect(now, worker, stale),
            code => cluster.complete(now, worker, code == 3, pause),
        }
    }
    cluster
}

fn notes() -> Vec<(u64, Note)> {
    let up = |n| Note::new(note::NODE_UP, ()).nodes([NodeId(n)]);
    let effect = |words: &str| Value::of([("bit", true.into()), ("effect", words.into())]);
    let crash = Value::of([
        ("status", "signal 6 (SIGABRT)".into()),
        ("stderr", "thread 'raft' panicked at src/log.rs:88:\nterm went backwards: 4 < 5\n".into()),
    ]);
    vec![
        (2 * MS, up(1)),
        (2 * MS, up(2)),
        (3 * MS, up(3)),
        (4 * MS, Note::new(note::PHASE, "load")),
        (
            PARTITION.0,
            Note::new(
                "partition",
                Value::of([("cut", Value::from([[1, 2], [2, 1], [1, 3], [3, 1]]))]),
            )
            .nodes([NodeId(1)])
            .fault(FaultId(0)),
        ),
        (7_100 * MS, Note::new(note::NODE_CRASHED, crash).nodes([NodeId(2)])),
        (7_400 * MS, up(2)),
        (
            PARTITION.1,
            Note::new(note::HEAL, effect("1 204 packets dropped"))
                .nodes([NodeId(1)])
                .fault(FaultId(0)),
        ),
        (KILL.0, Note::new("kill", ()).nodes([NodeId(3)]).fault(FaultId(1))),
        (
            KILL.1,
            Note::new(note::HEAL, effect("pid 4711 gone")).nodes([NodeId(3)]).fault(FaultId(1)),
        ),
        (KILL.1 + MS, up(3)),
        (17_000 * MS, Note::new(note::PHASE, "heal")),
        (17_500 * MS, Note::new(note::PHASE, "closing")),
        (19_900 * MS, Note::new(note::PHASE, "end")),
    ]
}
