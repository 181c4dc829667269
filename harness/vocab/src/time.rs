//! [`Time`]: nanoseconds since the start of the run, from one monotonic clock.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// An instant of the run, in ns since its start. Only the recorder makes new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);

    /// Seconds since the start, for plots and people.
    pub fn secs(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time passed since the start of the run.
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl From<Duration> for Time {
    fn from(d: Duration) -> Self {
        Time(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, d: Duration) -> Time {
        Time(self.0.saturating_add(Time::from(d).0))
    }
}

impl Sub for Time {
    type Output = Duration;

    /// The span from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.3} s", self.secs())
    }
}

/// A span as people say it: `850 ns`, `1.2 ms`, `3.400 s`.
pub fn human(d: Duration) -> String {
    let ns = d.as_nanos();
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        _ => format!("{:.3} s", d.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time(5) - Time(9), Duration::ZERO);
        assert_eq!(Time(u64::MAX) + Duration::from_secs(1), Time(u64::MAX));
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(human(Duration::from_nanos(850)), "850 ns");
        assert_eq!(human(Duration::from_micros(1200)), "1.2 ms");
        assert_eq!(human(Duration::from_millis(3400)), "3.400 s");
    }
}
