//! [`Gates`]: the policy, the chances and the counters of every directed link, for tasks that can
//! wait.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use danso_vocab::Rng;
use tokio::sync::watch;

use crate::network::draw::Luck;
use crate::network::{Block, Chance, LinkStats, Policy};

/// All links of one proxy, by number.
#[derive(Debug)]
pub(super) struct Gates {
    policies: watch::Sender<Vec<Policy>>,
    links: Vec<LinkState>,
}

#[derive(Debug)]
struct LinkState {
    passed: AtomicU64,
    stopped: AtomicU64,
    touched: AtomicU64,
    course: Mutex<Course>,
}

/// What depends on what the link carried before.
#[derive(Debug)]
struct Course {
    rng: Rng,
    reset: Luck,
    /// When a narrow link has sent what it was given.
    free: Option<Instant>,
}

/// What a gate did with a step.
#[derive(Debug)]
pub(super) enum Passage {
    /// It was taken.
    Taken(io::Result<usize>),
    /// It must wait.
    Held,
    /// It will not be taken, and who wanted to is to be told.
    Refused,
}

/// How waiting for gates ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// All are open and were.
    Not,
    /// All are open; one was closed.
    Held,
    /// One refuses.
    Refused,
}

impl Gates {
    /// All links clean, each with its stream of chance.
    pub(super) fn new(streams: impl Iterator<Item = Rng>) -> Gates {
        let link = |rng| LinkState {
            passed: AtomicU64::new(0),
            stopped: AtomicU64::new(0),
            touched: AtomicU64::new(0),
            course: Mutex::new(Course { rng, reset: Luck::default(), free: None }),
        };
        let links: Vec<_> = streams.map(link).collect();
        Gates { policies: watch::Sender::new(vec![Policy::default(); links.len()]), links }
    }

    /// Changes these links, all at once. When it returns, nothing passes a cut link any more.
    pub(super) fn set(&self, changes: &[(usize, Policy)]) {
        self.policies.send_modify(|policies| {
            for &(link, policy) in changes {
                policies[link] = policy;
                self.course(link).free = None;
            }
        });
    }

    /// What holds on the link now.
    pub(super) fn policy(&self, link: usize) -> Policy {
        self.policies.borrow()[link]
    }

    /// To be woken when a policy changes.
    pub(super) fn changes(&self) -> watch::Receiver<Vec<Policy>> {
        self.policies.subscribe()
    }

    /// Waits until all these links are open or one refuses. Counts one thing stopped at each that
    /// is not open.
    pub(super) async fn wait(&self, links: &[usize]) -> Waited {
        let mut policies = self.policies.subscribe();
        let mut counted = vec![false; links.len()];
        let mut refused = false;
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = policies
            .wait_for(|policies| {
                let mut open = true;
                for (&link, counted) in links.iter().zip(&mut counted) {
                    let block = policies[link].block;
                    refused |= block == Block::Reject;
                    open &= block == Block::Open;
                    if block != Block::Open && !std::mem::replace(counted, true) {
                        self.stopped(link);
                    }
                }
                open || refused
            })
            .await;
        match refused {
            true => Waited::Refused,
            false if counted.contains(&true) => Waited::Held,
            false => Waited::Not,
        }
    }

    /// Does `step`, which must not wait, if `link` is open.
    pub(super) fn pass(&self, link: usize, step: impl FnOnce() -> io::Result<usize>) -> Passage {
        // Held during the step: this is what makes `set` sharp.
        let policies = self.policies.borrow();
        match policies[link].block {
            Block::Open => {}
            Block::Reject => return Passage::Refused,
            Block::Hold | Block::Drop => return Passage::Held,
        }
        let done = step();
        if done.is_ok() {
            self.links[link].passed.fetch_add(1, Ordering::Relaxed);
        }
        Passage::Taken(done)
    }

    /// How late something that came now is to arrive.
    pub(super) fn delay(&self, link: usize, policy: &Policy) -> Duration {
        if policy.delay.mean.is_zero() && policy.delay.jitter.is_zero() {
            return Duration::ZERO;
        }
        policy.delay.draw(&mut self.course(link).rng)
    }

    /// Whether what came now is answered by a reset.
    pub(super) fn resets(&self, link: usize, policy: &Policy) -> bool {
        if policy.reset.share <= 0.0 {
            return false;
        }
        let mut course = self.course(link);
        let Course { rng, reset, .. } = &mut *course;
        reset.strikes(policy.reset, rng)
    }

    /// Whether an event with this share happens now.
    pub(super) fn happens(&self, link: usize, share: f64) -> bool {
        Luck::default().strikes(Chance::of(share), &mut self.course(link).rng)
    }

    /// Takes the link's next free time for so many bytes, and says when they have passed.
    pub(super) fn reserve(&self, link: usize, bytes: usize, bits_per_second: u64) -> Instant {
        let seconds = bytes as f64 * 8.0 / bits_per_second.max(1) as f64;
        // Nobody waits longer than a year.
        let took = Duration::from_secs_f64(seconds.min(31e6));
        let mut course = self.course(link);
        let now = Instant::now();
        let free = course.free.map_or(now, |free| free.max(now)) + took;
        course.free = Some(free);
        free
    }

    /// Counts one thing held back or refused.
    pub(super) fn stopped(&self, link: usize) {
        self.links[link].stopped.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one thing to which something else was done.
    pub(super) fn touched(&self, link: usize) {
        self.links[link].touched.fetch_add(1, Ordering::Relaxed);
    }

    /// What the link has seen.
    pub(super) fn stats(&self, link: usize) -> LinkStats {
        let state = &self.links[link];
        LinkStats {
            passed: state.passed.load(Ordering::Relaxed),
            stopped: state.stopped.load(Ordering::Relaxed),
            touched: state.touched.load(Ordering::Relaxed),
        }
    }

    fn course(&self, link: usize) -> MutexGuard<'_, Course> {
        self.links[link].course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Policy = Policy::CUT;

    fn gates(links: u64) -> Gates {
        Gates::new((0..links).map(Rng::new))
    }

    #[test]
    fn a_cut_link_lets_nothing_pass_and_the_others_do() {
        let gates = gates(2);
        gates.set(&[(1, CUT)]);
        assert!(matches!(gates.pass(0, || Ok(3)), Passage::Taken(Ok(3))));
        assert!(matches!(gates.pass(1, || unreachable!()), Passage::Held));
        gates.set(&[(1, Policy::blocked(Block::Reject))]);
        assert!(matches!(gates.pass(1, || unreachable!()), Passage::Refused));
        gates.set(&[(1, Policy::default())]);
        let broken = gates.pass(1, || Err(io::ErrorKind::WouldBlock.into()));
        assert!(matches!(broken, Passage::Taken(Err(_))));
        assert_eq!((gates.stats(0).passed, gates.stats(1).passed), (1, 0));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_cut_is_healed_and_counts_once_each() {
        let gates = std::sync::Arc::new(gates(3));
        assert_eq!(gates.wait(&[0, 1]).await, Waited::Not);
        gates.set(&[(0, CUT), (1, CUT)]);
        let waiter = tokio::spawn({
            let gates = gates.clone();
            async move { gates.wait(&[0, 1]).await }
        });
        tokio::task::yield_now().await;
        gates.set(&[(0, Policy::default())]);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        gates.set(&[(1, Policy::default())]);
        assert_eq!(waiter.await.unwrap(), Waited::Held);
        assert_eq!([0, 1, 2].map(|link| gates.stats(link).stopped), [1, 1, 0]);
        gates.set(&[(2, Policy::blocked(Block::Reject))]);
        assert_eq!(gates.wait(&[1, 2]).await, Waited::Refused);
        assert_eq!(gates.stats(2).stopped, 1);
    }

    #[test]
    fn a_narrow_link_sends_one_thing_after_the_other_until_it_is_healed() {
        let gates = gates(1);
        let start = Instant::now();
        let first = gates.reserve(0, 1_000_000, 8_000_000);
        let second = gates.reserve(0, 500_000, 8_000_000);
        assert!(first >= start + Duration::from_secs(1));
        assert_eq!(second - first, Duration::from_millis(500));
        gates.set(&[(0, Policy::default())]);
        assert!(gates.reserve(0, 1, 8_000_000) < second);
    }
}
