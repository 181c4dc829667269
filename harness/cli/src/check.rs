//! Running checkers within limits of time and memory.

use std::sync::mpsc;
use std::time::Duration;

use danso_vocab::{Checker, Finding, History, Limits, Progress, Stop};

use crate::args::LimitArgs;
use crate::display;
use crate::exit::usage;
use crate::spec::duration;

/// What checking may cost.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    time: Duration,
    memory: u64,
    threads: usize,
    /// Whether to say on screen how it goes.
    shown: bool,
}

impl Budget {
    /// The budget these arguments give.
    ///
    /// # Errors
    /// If one is no time or size.
    pub(crate) fn of(args: &LimitArgs) -> anyhow::Result<Budget> {
        Ok(Budget {
            time: duration("--timeout", &args.timeout).map_err(usage)?,
            memory: size(&args.memory).map_err(usage)?,
            threads: args
                .threads
                .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
                .unwrap_or(1)
                .max(1),
            shown: true,
        })
    }

    /// The same for those who say nothing on screen.
    ///
    /// # Errors
    /// As [`Budget::of`].
    pub(crate) fn silent(args: &LimitArgs) -> anyhow::Result<Budget> {
        Ok(Budget { shown: false, ..Budget::of(args)? })
    }

    /// The limits it sets, but for time.
    pub(crate) fn limits(&self, stop: Stop) -> Limits {
        Limits {
            states: u64::MAX,
            memory: self.memory,
            threads: self.threads,
            stop,
            progress: Progress::default(),
        }
    }
}

/// What each checker finds. A checker that panics is `unknown`: it has decided nothing.
pub(crate) fn check(
    history: &History,
    checkers: &[Box<dyn Checker>],
    budget: &Budget,
) -> Vec<Finding> {
    within(budget, |limits| checkers.iter().map(|c| guarded(&**c, history, limits)).collect())
}

/// What comes of work that obeys limits.
pub(crate) fn within<T>(budget: &Budget, work: impl FnOnce(&Limits) -> T) -> T {
    let stop = Stop::new();
    let limits = budget.limits(stop.clone());
    let _shown = budget.shown.then(|| display::Live::checking(limits.progress.clone()));
    let (done, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(budget.time) == Err(mpsc::RecvTimeoutError::Timeout) {
                stop.trip();
            }
        });
        let made = work(&limits);
        drop(done);
        made
    })
}

fn guarded(checker: &dyn Checker, history: &History, limits: &Limits) -> Finding {
    let run = std::panic::AssertUnwindSafe(|| checker.check(history, limits));
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        Finding::unknown(
            checker.name(),
            "the checker itself failed (its message is on stderr); please report this",
        )
    })
}

/// A size such as `512MiB`, `4GiB` or `1000000`.
fn size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err(format!("--memory = `{text}` is no size: write 512MiB or 4GiB")),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_shl(shift).filter(|b| b >> shift == n))
        .ok_or_else(|| format!("--memory = `{text}` is no size: write 512MiB or 4GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Panics;

    impl Checker for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }

        fn decides(&self) -> &'static str {
            "nothing"
        }

        fn check(&self, _: &History, _: &Limits) -> Finding {
            panic!("on purpose");
        }
    }

    struct Obeys;

    impl Checker for Obeys {
        fn name(&self) -> &'static str {
            "obeys"
        }

        fn decides(&self) -> &'static str {
            "nothing"
        }

        fn check(&self, _: &History, limits: &Limits) -> Finding {
            while !limits.stop.is_tripped() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Finding::unknown("obeys", "stopped")
        }
    }

    #[test]
    fn a_panic_is_unknown_and_time_runs_out() {
        let budget =
            Budget { time: Duration::from_millis(30), memory: 1 << 30, threads: 1, shown: true };
        let checkers: [Box<dyn Checker>; 2] = [Box::new(Panics), Box::new(Obeys)];
        let findings = check(&History::default(), &checkers, &budget);
        assert!(findings.iter().all(|f| f.verdict == danso_vocab::Verdict::Unknown));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("4GiB"), Ok(4 << 30));
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("1000"), Ok(1000));
        for bad in ["", "GiB", "4TB", "99999999999GiB", "-1"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
