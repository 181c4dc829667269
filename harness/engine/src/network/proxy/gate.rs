//! [`Gates`]: the policy and the counters of every directed link, for tasks that can wait.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::network::{Block, LinkStats, Policy};

/// All links of one proxy, by number.
#[derive(Debug)]
pub(super) struct Gates {
    policies: watch::Sender<Vec<Policy>>,
    counters: Vec<Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    passed: AtomicU64,
    stopped: AtomicU64,
}

impl Gates {
    /// All links clean.
    pub(super) fn new(links: usize) -> Gates {
        Gates {
            policies: watch::Sender::new(vec![Policy::default(); links]),
            counters: (0..links).map(|_| Counter::default()).collect(),
        }
    }

    /// Changes these links, all at once. When it returns, nothing passes a cut link any more.
    pub(super) fn set(&self, changes: &[(usize, Policy)]) {
        self.policies.send_modify(|policies| {
            for &(link, policy) in changes {
                policies[link] = policy;
            }
        });
    }

    /// Waits until none of these links is cut, and says whether one was. Counts one thing stopped
    /// at each that was cut.
    pub(super) async fn wait(&self, links: &[usize]) -> bool {
        let mut policies = self.policies.subscribe();
        let mut counted = vec![false; links.len()];
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = policies
            .wait_for(|policies| {
                let mut open = true;
                for (&link, counted) in links.iter().zip(&mut counted) {
                    if policies[link].block != Block::Open {
                        open = false;
                        if !std::mem::replace(counted, true) {
                            self.counters[link].stopped.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                open
            })
            .await;
        counted.contains(&true)
    }

    /// Does `step`, which must not wait, unless `link` is cut.
    pub(super) fn pass(
        &self,
        link: usize,
        step: impl FnOnce() -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        // Held during the step: this is what makes `set` sharp.
        let policies = self.policies.borrow();
        if policies[link].block != Block::Open {
            return None;
        }
        let done = step();
        if done.is_ok() {
            self.counters[link].passed.fetch_add(1, Ordering::Relaxed);
        }
        Some(done)
    }

    /// What the link has seen.
    pub(super) fn stats(&self, link: usize) -> LinkStats {
        let counter = &self.counters[link];
        LinkStats {
            passed: counter.passed.load(Ordering::Relaxed),
            stopped: counter.stopped.load(Ordering::Relaxed),
            touched: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Policy = Policy::CUT;

    #[test]
    fn a_cut_link_lets_nothing_pass_and_the_others_do() {
        let gates = Gates::new(2);
        gates.set(&[(1, CUT)]);
        assert_eq!(gates.pass(0, || Ok(3)).unwrap().unwrap(), 3);
        assert!(gates.pass(1, || unreachable!()).is_none());
        gates.set(&[(1, Policy::default())]);
        assert!(gates.pass(1, || Err(io::ErrorKind::WouldBlock.into())).unwrap().is_err());
        assert_eq!((gates.stats(0).passed, gates.stats(1).passed), (1, 0));
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_cut_is_healed_and_counts_once_each() {
        let gates = std::sync::Arc::new(Gates::new(3));
        assert!(!gates.wait(&[0, 1]).await);
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
        assert!(waiter.await.unwrap());
        assert_eq!([0, 1, 2].map(|link| gates.stats(link).stopped), [1, 1, 0]);
    }
}
