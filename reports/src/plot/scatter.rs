//! How long each operation took, over time.

use danso_vocab::{History, Op, Status};
use plotters::element::{Circle, Cross, TriangleMarker};
use plotters::style::Color;

use super::{Backdrop, Plot, colour, logarithmic, picture};
use crate::label::number;

const HEIGHT: u32 = 340;
/// The most points: the slowest, all whose outcome nobody knows (but no more than `MOST_INFO`),
/// and an even sample of the rest. Those that failed get their share but at least `FEW_FAIL`: a
/// rare failure must show, and a common one (a compare that did not match) must not drown the ok.
const MOST: usize = 4000;
const MOST_INFO: usize = 1200;
const FEW_FAIL: usize = 400;
const SLOWEST: usize = 400;

/// A point to draw.
struct Point {
    at: f64,
    took: f64,
    status: Status,
}

/// Every operation that was answered, or a fair choice of them.
pub(super) fn draw(history: &History, backdrop: &Backdrop) -> Option<Plot> {
    let (points, total) = choose(history);
    let low = points.iter().map(|p| p.took).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|p| p.took).fold(0.0, f64::max);
    if points.is_empty() || high <= 0.0 {
        return None;
    }
    let svg = picture("Latency of operations over time, by outcome", "", HEIGHT, |area| {
        let mut chart = logarithmic(area, backdrop, HEIGHT, low..high, 8)?;
        let of = |status: Status| points.iter().filter(move |p| p.status == status);
        let at = |p: &Point| (p.at, p.took);
        chart.draw_series(of(Status::Fail).map(|p| Cross::new(at(p), 3, colour(p.status))))?;
        chart.draw_series(
            of(Status::Ok).map(|p| Circle::new(at(p), 2, colour(p.status).filled())),
        )?;
        chart.draw_series(
            of(Status::Info).map(|p| TriangleMarker::new(at(p), 4, colour(p.status).filled())),
        )?;
        Ok(())
    })?;
    let unanswered = history.len() - total;
    let mut words = if points.len() == total {
        format!("All {} answered operations.", number(total as u64))
    } else {
        format!(
            "{} of {} answered operations: the slowest, those nobody knows about, and an even sample of the rest.",
            number(points.len() as u64),
            number(total as u64)
        )
    };
    if unanswered > 0 {
        words.push_str(&format!(" {} were never answered.", number(unanswered as u64)));
    }
    Some(Plot::new("Latency", svg, words))
}

/// The points to draw, and of how many.
fn choose(history: &History) -> (Vec<Point>, usize) {
    let answered: Vec<Op<'_>> = history.ops().filter(|op| op.latency().is_some()).collect();
    let took = |op: &Op<'_>| op.latency().unwrap_or_default();
    let of = |status| answered.iter().copied().filter(move |op| op.status() == status);
    let mut chosen: Vec<Op<'_>> = Vec::new();
    let (info, fail): (Vec<_>, Vec<_>) = (of(Status::Info).collect(), of(Status::Fail).collect());
    // Leaves room for the slowest and as many others.
    let share = (MOST - MOST_INFO - 2 * SLOWEST) * fail.len() / answered.len().max(1);
    chosen.extend(sample(&info, MOST_INFO));
    chosen.extend(sample(&fail, share.max(FEW_FAIL)));
    let mut ok: Vec<Op<'_>> = of(Status::Ok).collect();
    let room = MOST - chosen.len();
    if ok.len() > room {
        ok.sort_by_key(|op| (std::cmp::Reverse(took(op)), op.row()));
        let mut rest = ok.split_off(SLOWEST);
        rest.sort_by_key(|op| op.row());
        ok.extend(sample(&rest, room - SLOWEST));
    }
    chosen.extend(ok);
    chosen.sort_by_key(|op| op.row());
    let point = |op: Op<'_>| Point {
        at: op.inv_time().secs(),
        // Nothing is instant, and a logarithm has no zero.
        took: took(&op).as_secs_f64().max(1e-9),
        status: op.status(),
    };
    (chosen.into_iter().map(point).collect(), answered.len())
}

/// At most `most` of them, evenly spread.
fn sample<'h>(ops: &[Op<'h>], most: usize) -> Vec<Op<'h>> {
    if ops.len() <= most {
        return ops.to_vec();
    }
    (0..most).map(|i| ops[i * ops.len() / most]).collect()
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Call, HistoryBuilder, Outcome, Process, Time};

    use super::*;

    #[test]
    fn the_odd_and_the_slow_are_kept() {
        let mut builder = HistoryBuilder::new();
        for i in 0..10_000u64 {
            let process = Process(i as u32);
            let call = Call::new("read", ());
            builder.invoke(Time(i * 1000), process, None, &call.f, None, call.arg).unwrap();
            let slow = if i == 5_003 { 900 } else { 1 };
            let outcome = match i {
                77 => Outcome::Info("x".into()),
                78 => Outcome::Fail("x".into()),
                _ => Outcome::Ok(1.into()),
            };
            builder.complete(Time(i * 1000 + slow), process, None, outcome).unwrap();
        }
        let (points, total) = choose(&builder.finish());
        assert_eq!((points.len(), total), (MOST, 10_000));
        assert!(points.iter().any(|p| p.took > 8e-7), "the slowest");
        for status in [Status::Info, Status::Fail] {
            assert_eq!(points.iter().filter(|p| p.status == status).count(), 1);
        }
    }

    #[test]
    fn any_mixture_fits() {
        for (ok, fail, info) in [(900, 90_000, 9_000), (1, 20_000, 0), (0, 0, 9_000), (5_000, 1, 1)]
        {
            let mut builder = HistoryBuilder::new();
            for i in 0..ok + fail + info {
                let (time, process) = (Time(u64::from(i)), Process(i));
                builder.invoke(time, process, None, "f", None, ().into()).unwrap();
                let outcome = match i {
                    i if i < ok => Outcome::Ok(().into()),
                    i if i < ok + fail => Outcome::Fail("x".into()),
                    _ => Outcome::Info("x".into()),
                };
                builder.complete(time, process, None, outcome).unwrap();
            }
            let (points, total) = choose(&builder.finish());
            assert_eq!(total, (ok + fail + info) as usize);
            assert!((1000..=MOST).contains(&points.len()), "{} points", points.len());
        }
    }
}
