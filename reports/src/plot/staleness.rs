//! How old what reads returned was: a picture, no verdict.
//!
//! A read is stale by the time from the end of an overwriting write to the read's invocation. A
//! write overwrites a value if it is acknowledged and began after the value's own write had ended,
//! so that every order puts it later. The earliest end of such a write counts.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::time::human;
use danso_vocab::{History, Op, Plan, Status, Time};
use plotters::element::Circle;
use plotters::style::Color;

use super::{Backdrop, INFO, Plot, logarithmic, picture};
use crate::label::{number, percent};

const HEIGHT: u32 = 200;
/// Points drawn: the stalest, and an even sample of the rest.
const MOST: usize = 2000;
const STALEST: usize = 300;

/// The picture, for registers whose writes can be told apart. `None` for other workloads, and
/// where every read was current and nobody expected otherwise.
pub(super) fn draw(history: &History, plan: Option<&Plan>, backdrop: &Backdrop) -> Option<Plot> {
    let measured = measure(history)?;
    let consistency = plan.and_then(|plan| plan.workload.params.get("consistency"));
    let weak = consistency.is_some_and(|c| c.str() != Some("linearizable"));
    let mut stale = measured.stale;
    let (Some(worst), true) = (stale.iter().map(|s| s.1).max(), measured.reads > 0) else {
        let all = format!("All {} reads returned what was current.", number(measured.reads));
        return (weak && measured.reads > 0).then(|| Plot::new("Staleness", String::new(), all));
    };
    let (count, total) = (stale.len() as u64, measured.reads);
    if stale.len() > MOST {
        stale.sort_by_key(|s| std::cmp::Reverse(s.1));
        let rest = stale.split_off(STALEST);
        let room = MOST - STALEST;
        stale.extend((0..room).map(|i| rest[i * rest.len() / room]));
    }
    let points: Vec<(f64, f64)> =
        stale.iter().map(|(at, by)| (at.secs(), by.as_secs_f64().max(1e-9))).collect();
    let low = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let svg = picture("Staleness of reads over time", "", HEIGHT, |area| {
        let mut chart = logarithmic(area, backdrop, HEIGHT, low..worst.as_secs_f64(), 5)?;
        chart.draw_series(points.iter().map(|p| Circle::new(*p, 2, INFO.filled())))?;
        Ok(())
    })?;
    let mut words = format!(
        "How long before a read began what it returned had been overwritten, by a write that was \
         acknowledged and had begun after the returned value's own write ended. {} of {} reads \
         were stale ({}), by {} at worst; the others are not drawn. A measure, no verdict.",
        number(count),
        number(total),
        percent(count, total),
        human(worst)
    );
    if count as usize > MOST {
        words.push_str(&format!(
            " Drawn are {}: the stalest and an even sample.",
            number(MOST as u64)
        ));
    }
    Some(Plot::new("Staleness", svg, words))
}

struct Measured {
    /// Reads that can be judged.
    reads: u64,
    /// When a stale read began, and by how much it was stale.
    stale: Vec<(Time, Duration)>,
}

/// What a key was told.
#[derive(Default)]
struct Key {
    /// By value id: when the write ended, if it is known to have.
    ends: BTreeMap<u32, Option<u64>>,
    /// Acknowledged writes: invocation and, after [`Key::settle`], the earliest end of this and
    /// all later ones.
    acknowledged: Vec<(u64, u64)>,
}

impl Key {
    fn settle(&mut self) {
        self.acknowledged.sort_unstable();
        let mut earliest = u64::MAX;
        for (_, end) in self.acknowledged.iter_mut().rev() {
            earliest = earliest.min(*end);
            *end = earliest;
        }
    }

    /// When a value whose write ended at `end` was overwritten; `None` is what was there first.
    fn overwritten(&self, end: Option<u64>) -> Option<u64> {
        let after = end.map_or(0, |end| self.acknowledged.partition_point(|(at, _)| *at <= end));
        self.acknowledged.get(after).map(|(_, end)| *end)
    }
}

/// `None` if these are no registers, or a value was written twice to a key.
fn measure(history: &History) -> Option<Measured> {
    let known = ["read", "write", "cas"];
    if !history.fs().all(|f| known.contains(&f)) || !history.fs().any(|f| f == "read") {
        return None;
    }
    let written = |op: Op<'_>| match op.f() {
        "write" => Some(op.arg_id()),
        "cas" => history.value_id(op.arg().pair()?.1),
        _ => None,
    };
    let mut keys: BTreeMap<Option<u32>, Key> = BTreeMap::new();
    for op in history.ops().filter(|op| op.status() != Status::Fail) {
        let Some(value) = written(op) else { continue };
        let key = keys.entry(op.key_id()).or_default();
        let end = op.res_time().filter(|_| op.is_ok()).map(|t| t.0);
        if key.ends.insert(value, end).is_some() {
            return None;
        }
        key.acknowledged.extend(end.map(|end| (op.inv_time().0, end)));
    }
    keys.values_mut().for_each(Key::settle);
    let nothing = history.value_id(&().into());
    let mut measured = Measured { reads: 0, stale: Vec::new() };
    for op in history.ops().filter(|op| op.f() == "read" && op.is_ok()) {
        let (Some(key), Some(value)) = (keys.get(&op.key_id()), op.ret_id()) else { continue };
        let end = match key.ends.get(&value) {
            Some(Some(end)) => Some(*end),
            // Before the first write there was nothing.
            None if Some(value) == nothing => None,
            // A write nobody knows the end of may have happened just now.
            Some(None) | None => continue,
        };
        measured.reads += 1;
        let began = op.inv_time().0;
        if let Some(at) = key.overwritten(end).filter(|at| *at < began) {
            measured.stale.push((Time(began), Duration::from_nanos(began - at)));
        }
    }
    Some(measured)
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, HistoryBuilder, Outcome, Process, Value};

    use super::*;

    /// Operations of one process each: f, argument, result, from, to.
    fn history(ops: &[(&str, Value, Outcome, u64, u64)]) -> History {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (i, (.., from, to)) in ops.iter().enumerate() {
            events.extend([(*from, false, i), (*to, true, i)]);
        }
        events.sort_by_key(|e| (e.0, e.1));
        let mut builder = HistoryBuilder::new();
        for (time, ends, i) in events {
            let (f, arg, outcome, ..) = &ops[i];
            let process = Process(i as u32);
            if ends {
                builder.complete(Time(time), process, None, outcome.clone()).unwrap();
            } else {
                let call = Call::new((*f).to_owned(), arg.clone());
                builder.invoke(Time(time), process, None, &call.f, None, call.arg).unwrap();
            }
        }
        builder.finish()
    }

    fn ok(value: impl Into<Value>) -> Outcome {
        Outcome::Ok(value.into())
    }

    #[test]
    fn the_definition_read_aloud() {
        let unknown = Outcome::Info("?".into());
        let history = history(&[
            ("write", 1.into(), ok(()), 0, 10),
            ("write", 2.into(), ok(()), 20, 30),
            // Overwritten at 30, read at 45: stale by 15.
            ("read", ().into(), ok(1), 45, 50),
            // Current.
            ("read", ().into(), ok(2), 46, 51),
            // Nothing was there before 10: stale by 37.
            ("read", ().into(), ok(()), 47, 52),
            // The write of 3 is not acknowledged, so 2 stays current and 3 cannot be judged.
            ("write", 3.into(), unknown, 60, 61),
            ("read", ().into(), ok(2), 70, 71),
            ("read", ().into(), ok(3), 72, 73),
            // Began before the write of 2 ended: neither overwrites the other.
            ("cas", [1, 4].into(), ok(()), 25, 80),
            ("read", ().into(), ok(2), 90, 91),
        ]);
        let measured = measure(&history).unwrap();
        assert_eq!(measured.reads, 5);
        let stale: Vec<_> = measured.stale.iter().map(|(_, by)| by.as_nanos()).collect();
        assert_eq!(stale, [15, 37]);
    }

    #[test]
    fn values_that_cannot_be_told_apart_are_not_measured() {
        let twice = [("write", 1.into(), ok(()), 0, 1), ("write", 1.into(), ok(()), 2, 3)];
        assert!(measure(&history(&[twice[0].clone(), twice[1].clone()])).is_none());
        assert!(measure(&history(&[("enqueue", 1.into(), ok(()), 0, 1)])).is_none());
    }
}
