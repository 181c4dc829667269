//! Repairs hide anomalies at worst: what was linearizable before the damage is so after the
//! repair.

use proptest::prelude::*;

use super::*;
use crate::{Op, Status, Value};

/// Whether a register's history has an order that explains it; tries all.
fn linearizable(history: &History) -> bool {
    fn go(ops: &[Op<'_>], done: u32, state: &Value) -> bool {
        let left = |i: &usize| done >> i & 1 == 0;
        let all = 0..ops.len();
        if all.clone().filter(left).all(|i| ops[i].status() == Status::Info) {
            return true;
        }
        let first_end = all.clone().filter(left).map(|i| ops[i].res_rank()).min();
        all.filter(left).any(|i| {
            let op = ops[i];
            if Some(op.inv_rank()) > first_end {
                return false;
            }
            let next = match (op.f(), op.ret()) {
                ("read", Some(saw)) if *saw != *state => return false,
                ("read", _) => state.clone(),
                _ => op.arg().into_owned(),
            };
            go(ops, done | 1 << i, &next)
        })
    }
    let ops: Vec<_> = history.ops().filter(|op| op.status() != Status::Fail).collect();
    go(&ops, 0, &Value::Nil)
}

/// Events of an atomic register: process and the rest of the line.
fn simulate(steps: &[(usize, bool)]) -> Vec<(usize, String)> {
    let mut events = Vec::new();
    let mut state = "nil".to_owned();
    // What each process has open: whether it is a write, and its value once it took effect.
    let mut open: [Option<(bool, Option<String>)>; 3] = Default::default();
    for (i, (process, write)) in steps.iter().enumerate() {
        let f = |write| if write { "write" } else { "read" };
        match open[*process].take() {
            None => {
                let value = if *write { i.to_string() } else { "nil".to_owned() };
                events
                    .push((*process, format!(":type :invoke, :f :{}, :value {value}", f(*write))));
                open[*process] = Some((*write, None));
                // Some take effect at once, others at their end.
                if i % 2 == 0 {
                    if *write {
                        state = value;
                    }
                    open[*process] = Some((*write, Some(state.clone())));
                }
            }
            Some((write, effect)) => {
                let value = effect.unwrap_or_else(|| {
                    if write {
                        let begun = events.iter().rfind(|(p, _)| p == process);
                        let begun = begun.map_or("", |(_, line)| line.as_str());
                        state = begun.rsplit(' ').next().unwrap_or_default().to_owned();
                    }
                    state.clone()
                });
                events.push((*process, format!(":type :ok, :f :{}, :value {value}", f(write))));
            }
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_repair_invents_an_anomaly(
        steps in proptest::collection::vec((0usize..3, any::<bool>()), 1..14),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..3), 0..3),
    ) {
        let mut events = simulate(&steps);
        let text = |events: &[(usize, String)]| -> String {
            events.iter().map(|(p, rest)| format!("{{:process {p}, {rest}}}\n")).collect()
        };
        let whole = strict(&text(&events)).unwrap();
        prop_assert!(linearizable(&whole.history));
        // One wound a process: more could pair one operation's beginning with another's end.
        let mut hurt = [false; 3];
        for (at, how) in damage {
            if events.is_empty() {
                break;
            }
            let at = at.index(events.len());
            if std::mem::replace(&mut hurt[events[at].0], true) {
                continue;
            }
            match how {
                // A line is lost, but not all there was of its operation.
                0 => {
                    let (process, line) = &events[at];
                    if line.contains(":type :ok")
                        || events[at + 1..].iter().any(|(other, _)| other == process)
                    {
                        events.remove(at);
                    }
                }
                // Nobody knows, and its process goes on all the same.
                1 => events[at].1 = events[at].1.replace(":type :ok", ":type :info"),
                // It ends twice, or again after nobody knew.
                _ => {
                    let again = events[at].clone();
                    if again.1.contains(":type :ok") {
                        events[at].1 = again.1.replace(":type :ok", ":type :info");
                        events.insert(at + 1, again);
                    }
                }
            }
        }
        if let Ok(loaded) = lenient(&text(&events)) {
            prop_assert!(linearizable(&loaded.history), "{}", text(&events));
        }
    }
}
