//! Plans that ask for less: fewer and shorter injections, closer together, less time, fewer
//! clients. Each is tried by running it, so this only knows plans and answers.

use std::time::Duration;

use danso_vocab::{Injection, Plan, Schedule, Start, Time};

/// Between the start of the load and the first injection, between two of them, and behind the
/// last: room for what is to go wrong.
const ROOM: Duration = Duration::from_millis(500);
/// No injection and no load is made shorter.
const SHORTEST_FAULT: Duration = Duration::from_millis(100);
const SHORTEST_LOAD: Duration = Duration::from_secs(1);

/// Whether the anomaly came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Recurs,
    Gone,
    /// There is no time to try: the best so far is the answer.
    Over,
}

/// How a plan differs from the one before, in few words.
pub(crate) fn described(plan: &Plan) -> String {
    let of = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let all = &plan.schedule.injections;
    let faults: Duration = all.iter().map(|injection| injection.lasts).sum();
    let injections = match all.len() {
        0 => "no injections".to_owned(),
        n => format!("{} of {faults:?}", of(n, "injection")),
    };
    let clients = of(plan.load.streams.len(), "client");
    format!("{injections} in {:?}, {clients}", plan.load.time)
}

/// The smallest plan found for which `recurs` says so. `at` is when the anomaly had come to light
/// in a run of `plan`, if that is known.
///
/// # Errors
/// What `recurs` fails with.
pub(crate) fn minimize(
    plan: &Plan,
    at: Option<Duration>,
    recurs: impl FnMut(&Plan) -> anyhow::Result<Answer>,
) -> anyhow::Result<Plan> {
    let mut search = Search { best: plan.clone(), recurs, over: false };
    if let Some(at) = at {
        let cut = cut(plan, at);
        search.consider(cut)?;
    }
    loop {
        let before = search.best.clone();
        search.drop_injections()?;
        search.close_up()?;
        search.end_sooner()?;
        search.shorten()?;
        search.fewer_clients()?;
        if search.over || search.best == before {
            return Ok(search.best);
        }
    }
}

struct Search<R> {
    best: Plan,
    recurs: R,
    over: bool,
}

impl<R: FnMut(&Plan) -> anyhow::Result<Answer>> Search<R> {
    /// Goes on with this plan if the anomaly comes back with it.
    fn consider(&mut self, plan: Plan) -> anyhow::Result<bool> {
        if self.over || plan == self.best {
            return Ok(false);
        }
        let answer = (self.recurs)(&plan)?;
        self.over = answer == Answer::Over;
        if answer == Answer::Recurs {
            self.best = plan;
        }
        Ok(answer == Answer::Recurs)
    }

    fn count(&self) -> usize {
        self.best.schedule.injections.len()
    }

    /// Many at once, then fewer, then each by itself; the latest stay longest.
    fn drop_injections(&mut self) -> anyhow::Result<()> {
        let mut size = self.count();
        while size > 0 {
            let mut from = 0;
            while from < self.count() && !self.over {
                let to = (from + size).min(self.count());
                let mut fewer = self.best.schedule.injections.clone();
                fewer.drain(from..to);
                if !self.consider(with(&self.best, fewer))? {
                    from = to;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Brings each injection, with those after it, as close to what comes before as there must be
    /// room; or half as close.
    fn close_up(&mut self) -> anyhow::Result<()> {
        for i in 0..self.count() {
            for divisor in [1, 2] {
                let injections = &self.best.schedule.injections;
                let before = injections[..i].iter().map(end).max().unwrap_or_default() + ROOM;
                let gap = start(&injections[i]).saturating_sub(before) / divisor;
                let gap = rounded(gap);
                if gap < ROOM {
                    break;
                }
                let mut closer = injections.clone();
                closer[i..].iter_mut().for_each(|injection| earlier(injection, gap));
                let mut plan = with(&self.best, closer);
                plan.load.time = fitting(&plan, plan.load.time.saturating_sub(gap));
                if self.consider(plan)? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn end_sooner(&mut self) -> anyhow::Result<()> {
        for time in [Duration::ZERO, self.best.load.time / 2, self.best.load.time * 3 / 4] {
            let mut plan = self.best.clone();
            plan.load.time = fitting(&plan, rounded(time));
            if plan.load.time < self.best.load.time && self.consider(plan)? {
                break;
            }
        }
        Ok(())
    }

    fn shorten(&mut self) -> anyhow::Result<()> {
        for i in 0..self.count() {
            loop {
                let mut plan = self.best.clone();
                let lasts = &mut plan.schedule.injections[i].lasts;
                let half = rounded(*lasts / 2).max(SHORTEST_FAULT);
                if half >= *lasts {
                    break;
                }
                *lasts = half;
                if !self.consider(plan)? {
                    break;
                }
            }
        }
        Ok(())
    }

    fn fewer_clients(&mut self) -> anyhow::Result<()> {
        loop {
            let now = self.best.load.streams.len();
            let mut plan = self.best.clone();
            plan.load.streams.truncate(now.div_ceil(2));
            if now < 2 || !self.consider(plan)? {
                return Ok(());
            }
        }
    }
}

/// The plan with other injections, in order and numbered.
fn with(plan: &Plan, injections: Vec<Injection>) -> Plan {
    Plan { schedule: Schedule::new(injections), ..plan.clone() }
}

/// What had begun when it came to light, and room behind that.
fn cut(plan: &Plan, at: Duration) -> Plan {
    let all = plan.schedule.injections.iter();
    let begun = all.filter(|injection| start(injection) < at).cloned();
    let mut plan = with(plan, begun.collect());
    plan.load.time = fitting(&plan, rounded(at + 2 * ROOM)).min(plan.load.time);
    plan
}

/// The shortest load of at least `time` that has room for all injections.
fn fitting(plan: &Plan, time: Duration) -> Duration {
    let last = plan.schedule.injections.iter().map(end).max();
    let needed = last.map_or(SHORTEST_LOAD, |last| last + ROOM);
    time.max(needed).max(SHORTEST_LOAD)
}

fn start(injection: &Injection) -> Duration {
    injection.start.earliest().since_start()
}

fn end(injection: &Injection) -> Duration {
    start(injection) + injection.lasts
}

fn earlier(injection: &mut Injection, by: Duration) {
    let (Start::At(time) | Start::OnLog { from: time, .. }) = &mut injection.start;
    *time = Time::from(time.since_start().saturating_sub(by));
}

/// The plan with times that a person can write down: whole milliseconds.
pub(crate) fn in_milliseconds(plan: &Plan) -> Plan {
    let mut injections = plan.schedule.injections.clone();
    for injection in &mut injections {
        injection.lasts = rounded(injection.lasts).max(Duration::from_millis(1));
        let (Start::At(time) | Start::OnLog { from: time, .. }) = &mut injection.start;
        *time = Time::from(rounded(time.since_start()));
    }
    let mut plan = with(plan, injections);
    let last = plan.schedule.injections.iter().map(end).max().unwrap_or_default();
    plan.load.time = rounded(plan.load.time).max(last);
    plan
}

fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use danso_vocab::plan::{Expect, Load, Resilience, TargetPlan, WorkloadPlan};
    use danso_vocab::{Fault, FaultId, NodeId, Nodes, Value};

    use super::*;

    fn injection(kind: &'static str, at: u64, lasts: u64) -> Injection {
        Injection {
            id: FaultId(0),
            fault: Fault {
                kind: kind.into(),
                nodes: Nodes::These(vec![NodeId(1)]),
                args: Value::of([]),
            },
            start: Start::At(Time::from(Duration::from_millis(at))),
            lasts: Duration::from_millis(lasts),
        }
    }

    fn plan(injections: Vec<Injection>) -> Plan {
        Plan {
            name: "test".to_owned(),
            seed: 1,
            target: TargetPlan {
                name: "raft-kv".to_owned(),
                options: Default::default(),
                seeds: vec![1; 3],
            },
            workload: WorkloadPlan { name: "register".to_owned(), params: Default::default() },
            load: Load {
                rate: None,
                time: Duration::from_secs(60),
                timeout: Duration::from_secs(1),
                streams: (0..10).collect(),
                resilience: Resilience::default(),
            },
            network: "auto".to_owned(),
            ipv6: false,
            schedule: Schedule::new(injections),
            left_out: Vec::new(),
            expect: Expect::default(),
        }
    }

    /// Twelve injections, of which it takes a partition of 400 ms and a kill after it, with three
    /// clients.
    #[test]
    fn only_what_it_takes_is_left() {
        let kinds = ["pause", "delay", "partition", "loss", "kill", "clock"];
        let all = (0..12).map(|i| injection(kinds[i % 6], 5_000 * i as u64 + 123, 3_000));
        let whole = plan(all.collect());
        let mut runs = 0;
        let small = minimize(&whole, Some(Duration::from_secs(40)), |plan| {
            runs += 1;
            let all = &plan.schedule.injections;
            assert!(all.iter().all(|i| end(i) <= plan.load.time), "{plan:#?}");
            let parted = all
                .iter()
                .position(|i| i.fault.kind == "partition" && i.lasts >= Duration::from_millis(400));
            let killed = all.iter().rposition(|i| i.fault.kind == "kill");
            let both = parted.is_some() && parted < killed && plan.load.workers() >= 3;
            Ok(if both { Answer::Recurs } else { Answer::Gone })
        })
        .unwrap();
        let left: Vec<_> = small.schedule.injections.iter().map(|i| &*i.fault.kind).collect();
        assert_eq!(left, ["partition", "kill"]);
        assert!(small.load.time <= Duration::from_secs(3), "{:?}", small.load.time);
        assert!(small.schedule.injections[0].lasts < Duration::from_millis(800));
        assert_eq!(small.load.workers(), 3);
        assert_eq!(small.load.streams, [0, 1, 2]);
        assert!(runs < 60, "{runs}");
    }

    #[test]
    fn without_time_the_best_so_far_stays() {
        let whole = plan((0..4).map(|i| injection("kill", 2_000 * i + 1_000, 1_000)).collect());
        let mut left = 1;
        let small = minimize(&whole, None, |_| {
            left -= 1;
            Ok(if left < 0 { Answer::Over } else { Answer::Recurs })
        })
        .unwrap();
        assert_eq!(small.schedule.injections.len(), 0, "the first candidate was accepted");
        assert_eq!(left, -1, "and after the end nothing is tried");
        let same = minimize(&whole, None, |_| Ok(Answer::Gone)).unwrap();
        assert_eq!(same, whole);
    }
}
