//! [`Alarm`]: waits for a moment to the tenth of a millisecond. The runtime's own timers know
//! whole milliseconds only, which is more than some delays.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the kernel's, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    timer: Option<AsyncFd<Timer>>,
}

impl Alarm {
    /// Waits until then. Where the kernel has no timer left, up to a millisecond longer.
    pub(super) async fn until(&mut self, moment: Instant) {
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            if self.timer.is_none() {
                self.timer = make();
            }
            match self.timer.as_ref().filter(|timer| start(timer, left)) {
                // Early only if it rang for somebody who has not waited for it: again.
                Some(timer) => match timer.ready(Interest::READABLE).await {
                    Ok(mut ready) => ready.clear_ready(),
                    Err(_) => tokio::time::sleep(left).await,
                },
                None => tokio::time::sleep(left).await,
            }
        }
    }
}

/// For the runtime, which asks for the number of a descriptor.
#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

fn start(timer: &AsyncFd<Timer>, left: Duration) -> bool {
    let when = Expiration::OneShot(TimeSpec::from_duration(left));
    timer.get_ref().0.set(when, TimerSetTimeFlags::empty()).is_ok()
}

fn make() -> Option<AsyncFd<Timer>> {
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let made = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(std::io::Error::from);
    let made = made.and_then(|timer| {
        // SAFETY: the timer owns its descriptor and is dropped with the registration, and
        // `as_raw_fd` names that same descriptor every time.
        let registered =
            unsafe { AsyncFd::register_with_interest(Timer(timer), Interest::READABLE) };
        registered.map_err(|error| std::io::Error::other(error.to_string()))
    });
    made.inspect_err(|error| tracing::debug!(%error, "no exact timer: delays are coarser")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rings_not_too_early_and_again() {
        let mut alarm = Alarm::default();
        alarm.until(Instant::now()).await;
        assert!(alarm.timer.is_none());
        let mut best = Duration::MAX;
        for _ in 0..50 {
            let moment = Instant::now() + Duration::from_micros(300);
            alarm.until(moment).await;
            best = best.min(Instant::now().checked_duration_since(moment).unwrap());
        }
        // The best of many, on a machine that does other things too.
        assert!(best < Duration::from_millis(1), "{best:?}");
    }
}
