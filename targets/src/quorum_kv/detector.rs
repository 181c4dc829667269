//! Which peers seem to be down, judged by their heartbeats.
//!
//! Either by a fixed timeout, or by accrual: φ says how unlikely it is that the next heartbeat
//! is still to come, given how they came so far (Hayashibara et al. 2004, *The φ Accrual Failure
//! Detector*, §IV-B): φ = −log₁₀ P(later than now), with normally distributed intervals.

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::NodeId;

/// Intervals remembered of each peer.
const WINDOW: usize = 100;

/// Before this many intervals nothing can be said of their distribution.
const ENOUGH: usize = 8;

const MS: f64 = 1e6;

/// How to tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    /// No heartbeat for this long, in ns.
    Timeout(u64),
    /// φ is at least `threshold`; the timeout, in ns, as long as too little is known.
    Phi { threshold: f64, timeout: u64 },
}

#[derive(Clone, Debug)]
struct Peer {
    last: u64,
    /// ns.
    intervals: VecDeque<u64>,
    heard: bool,
}

/// A failure detector of all peers.
#[derive(Clone, Debug)]
pub(crate) struct Detector {
    method: Method,
    peers: BTreeMap<NodeId, Peer>,
}

impl Detector {
    /// A detector that believes all peers to be up as of `now`.
    pub(crate) fn new(method: Method, peers: impl Iterator<Item = NodeId>, now: u64) -> Detector {
        let peer = || Peer { last: now, intervals: VecDeque::new(), heard: false };
        Detector { method, peers: peers.map(|id| (id, peer())).collect() }
    }

    /// A heartbeat has come.
    pub(crate) fn heard(&mut self, from: NodeId, now: u64) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.heard {
            peer.intervals.push_back(now.saturating_sub(peer.last));
            if peer.intervals.len() > WINDOW {
                peer.intervals.pop_front();
            }
        }
        peer.heard = true;
        peer.last = now;
    }

    /// Whether `node` seems to be down. Oneself never does.
    pub(crate) fn suspects(&self, node: NodeId, now: u64) -> bool {
        let Some(peer) = self.peers.get(&node) else { return false };
        let silent = now.saturating_sub(peer.last);
        match self.method {
            Method::Timeout(timeout) => silent >= timeout,
            Method::Phi { timeout, .. } if peer.intervals.len() < ENOUGH => silent >= timeout,
            Method::Phi { threshold, .. } => phi(silent, &peer.intervals) >= threshold,
        }
    }

    /// How many peers were heard of since the start and do not seem to be down.
    pub(crate) fn alive(&self, now: u64) -> usize {
        self.peers.iter().filter(|(id, p)| p.heard && !self.suspects(**id, now)).count()
    }
}

/// φ after `silent` ns.
fn phi(silent: u64, intervals: &VecDeque<u64>) -> f64 {
    let count = intervals.len() as f64;
    let mean = intervals.iter().map(|i| *i as f64).sum::<f64>() / count;
    let variance = intervals.iter().map(|i| (*i as f64 - mean).powi(2)).sum::<f64>() / count;
    // Intervals that hardly vary must not make a heartbeat a little late a sign of death.
    let deviation = variance.sqrt().max(mean / 4.0).max(10.0 * MS);
    -log10_later((silent as f64 - mean) / deviation)
}

/// log₁₀ of the probability that a normal variable is `x` deviations or more above its mean.
fn log10_later(x: f64) -> f64 {
    if x > 5.0 {
        // Mills' ratio: the tail is φ(x)/x · (1 − 1/x²), which holds where 1 − F(x) has lost
        // all its digits.
        let ln = -x * x / 2.0 - (x * (2.0 * std::f64::consts::PI).sqrt()).ln();
        return (ln + (-1.0 / (x * x)).ln_1p()) / std::f64::consts::LN_10;
    }
    // Abramowitz and Stegun, 26.2.17: good to 7.5e-8.
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let series = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series;
    (if x < 0.0 { 1.0 - tail } else { tail }).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNDRED: u64 = 100_000_000;

    #[test]
    fn the_tail_is_that_of_the_normal_distribution() {
        // From tables: P(X > x).
        for (x, p) in [(0.0, 0.5), (1.0, 0.158_655), (-2.0, 0.977_25), (3.0, 0.001_349_9)] {
            assert!((10_f64.powf(log10_later(x)) - p).abs() < 1e-5, "{x}");
        }
        assert!((log10_later(4.999) - log10_later(5.001)).abs() < 0.02);
        assert!((log10_later(8.0) - (-15.206)).abs() < 0.01);
    }

    fn detector(method: Method) -> Detector {
        let mut detector = Detector::new(method, [NodeId(2)].into_iter(), 0);
        for beat in 1..=30 {
            detector.heard(NodeId(2), beat * HUNDRED);
        }
        detector
    }

    #[test]
    fn a_timeout_is_a_timeout() {
        let detector = detector(Method::Timeout(5 * HUNDRED));
        let silent = |t| detector.suspects(NodeId(2), 30 * HUNDRED + t);
        assert!(!silent(0) && !silent(5 * HUNDRED - 1) && silent(5 * HUNDRED));
        assert!(!detector.suspects(NodeId(1), u64::MAX), "nobody suspects oneself");
        assert_eq!((detector.alive(0), detector.alive(u64::MAX)), (1, 0));
    }

    #[test]
    fn suspicion_accrues_and_adapts() {
        let method = Method::Phi { threshold: 8.0, timeout: 20 * HUNDRED };
        let steady = detector(method);
        let silent = |d: &Detector, t| d.suspects(NodeId(2), d.peers[&NodeId(2)].last + t);
        assert!(!silent(&steady, HUNDRED) && !silent(&steady, 2 * HUNDRED));
        assert!(silent(&steady, 3 * HUNDRED));
        let mut unsteady = steady.clone();
        let mut now = 30 * HUNDRED;
        for beat in 0..60 {
            now += if beat % 2 == 0 { 5 * HUNDRED } else { HUNDRED / 2 };
            unsteady.heard(NodeId(2), now);
        }
        assert!(!silent(&unsteady, 8 * HUNDRED) && silent(&unsteady, 60 * HUNDRED));
        let fresh = Detector::new(method, [NodeId(2)].into_iter(), 0);
        assert!(!fresh.suspects(NodeId(2), HUNDRED) && fresh.suspects(NodeId(2), 20 * HUNDRED));
        assert_eq!(fresh.alive(0), 0, "never heard of");
    }
}
