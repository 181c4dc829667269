//! Running one plan several times, and saying how often something came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use danso_engine::progress::Interrupt;
use danso_vocab::{Plan, Results};

use crate::child::{self, Ended, Order};
use crate::display::Live;

/// Beyond its load: starting, healing, closing operations, checking within its usual limit.
const BESIDE_LOAD: Duration = Duration::from_secs(180);

/// One run of the plan.
pub(crate) struct Attempt {
    /// Which one, from 1.
    pub(crate) number: u32,
    pub(crate) ended: Ended,
}

impl Attempt {
    /// The names of the anomalies that were found.
    pub(crate) fn anomalies(&self) -> BTreeSet<String> {
        self.ended.results.as_ref().map(anomalies).unwrap_or_default()
    }
}

/// The names of all anomalies there are.
pub(crate) fn anomalies(results: &Results) -> BTreeSet<String> {
    let found = results.findings.iter().flat_map(|finding| &finding.anomalies);
    found.map(|anomaly| anomaly.name.to_string()).collect()
}

/// How to repeat.
pub(crate) struct Repeat<'a> {
    pub(crate) plan: &'a Plan,
    /// At most so often.
    pub(crate) times: u32,
    /// So many at once.
    pub(crate) jobs: u32,
    /// A folder for the plan and the run folders.
    pub(crate) out: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
}

impl Repeat<'_> {
    /// Runs the plan until that was often enough, `enough` says so of a run, or a signal comes.
    /// `shown` is told of each run at its end. In order of their numbers.
    ///
    /// # Errors
    /// If a run could not even be started.
    pub(crate) fn run(
        &self,
        shown: impl Fn(&Attempt) + Sync,
        enough: impl Fn(&Attempt) -> bool + Sync,
    ) -> anyhow::Result<Vec<Attempt>> {
        let file = self.out.join("plan.json");
        child::write_plan(self.plan, &file)?;
        let args = [file.to_string_lossy().into_owned()];
        let (next, over) = (AtomicU32::new(1), AtomicBool::new(false));
        let done = Mutex::new(BTreeMap::new());
        let count = Arc::new(AtomicU32::new(0));
        let _live = Live::runs(count.clone(), self.times);
        let one = |number: u32| -> anyhow::Result<()> {
            let order = Order {
                args: &args,
                out: &self.out.join(number.to_string()),
                timeout: Some(self.plan.load.time * 2 + BESIDE_LOAD),
            };
            let attempt = Attempt { number, ended: child::run(&order, self.interrupt)? };
            count.fetch_add(1, Ordering::Relaxed);
            over.fetch_or(enough(&attempt), Ordering::Relaxed);
            let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            shown(&attempt);
            done.insert(number, attempt);
            Ok(())
        };
        let worker = || -> anyhow::Result<()> {
            while !over.load(Ordering::Relaxed) && self.interrupt.raised().is_none() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > self.times {
                    break;
                }
                if let Err(error) = one(number) {
                    over.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.jobs.clamp(1, self.times.max(1))).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| {
                let panicked = |_| Err(anyhow::anyhow!("a run panicked; please report this"));
                worker.join().unwrap_or_else(panicked)
            })
        })?;
        let done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(done.into_values().collect())
    }
}

/// So often of so many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) found: u32,
    pub(crate) of: u32,
}

impl Rate {
    /// Where the true share lies in 95 of 100 cases, by Wilson's score interval: unlike the
    /// usual one it is right for few runs, and for none or all of them.
    pub(crate) fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (f64::from(self.of), self.share());
        let scale = 1.0 + Z * Z / n;
        let middle = (p + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }

    /// The share that was seen; 0 of none.
    pub(crate) fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { f64::from(self.found) / f64::from(self.of) }
    }
}

/// As in `4 of 5 runs (80 %, 95 % interval 38–96 %)`.
impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| (share * 100.0).round();
        let (low, high) = self.interval();
        let runs = if self.of == 1 { "run" } else { "runs" };
        write!(
            out,
            "{} of {} {runs} ({} %, 95 % interval {}–{} %)",
            self.found,
            self.of,
            percent(self.share()),
            percent(low),
            percent(high)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_says_how_sure_it_is() {
        let rate = |found, of| Rate { found, of }.to_string();
        assert_eq!(rate(4, 5), "4 of 5 runs (80 %, 95 % interval 38–96 %)");
        assert_eq!(rate(0, 5), "0 of 5 runs (0 %, 95 % interval 0–43 %)");
        assert_eq!(rate(1, 1), "1 of 1 run (100 %, 95 % interval 21–100 %)");
        assert_eq!(rate(0, 0), "0 of 0 runs (0 %, 95 % interval 0–100 %)");
        let (low, high) = Rate { found: 50, of: 100 }.interval();
        assert!((low - 0.403_8).abs() < 1e-3 && (high - 0.596_2).abs() < 1e-3);
    }
}
