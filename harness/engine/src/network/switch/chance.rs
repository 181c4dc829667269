//! Luck, drawn from a stream that is the link's own.

use std::time::Duration;

use danso_vocab::Rng;

use crate::network::{Chance, Delay, Distribution};

/// Whether it happened to the packet before. A two-state chain: with the correlation's
/// probability a packet shares its predecessor's luck, else it draws its own. So faults come in
/// bursts, and the share of packets hit is the share asked for whatever the correlation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Luck {
    last: Option<bool>,
}

impl Luck {
    /// Whether it happens to this packet.
    pub(super) fn strikes(&mut self, chance: Chance, rng: &mut Rng) -> bool {
        if chance.share <= 0.0 {
            self.last = None;
            return false;
        }
        let struck = match self.last {
            Some(last) if chance.correlation > 0.0 && unit(rng) < chance.correlation => last,
            _ => unit(rng) < chance.share,
        };
        self.last = Some(struck);
        struck
    }
}

/// A uniform number in 0..1.
fn unit(rng: &mut Rng) -> f64 {
    (rng.bits() >> 11) as f64 / (1u64 << 53) as f64
}

/// Draws a delay, in nanoseconds.
pub(super) fn delay(delay: Delay, rng: &mut Rng) -> u64 {
    let mean = nanos(delay.mean) as f64;
    if delay.jitter.is_zero() {
        return nanos(delay.mean);
    }
    let jitter = nanos(delay.jitter) as f64;
    let stray = match delay.distribution {
        Distribution::Uniform => 2.0 * unit(rng) - 1.0,
        // Box and Muller's transform.
        Distribution::Normal => {
            let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
            radius * (std::f64::consts::TAU * unit(rng)).cos()
        }
        // Shape 3: its mean is half its scale.
        Distribution::Pareto => (1.0 - unit(rng)).powf(-1.0 / 3.0) - 1.0 - 0.5,
    };
    // A draw below zero saturates to zero.
    (mean + jitter * stray) as u64
}

/// Nanoseconds; centuries saturate.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_the_share_and_bursts_are_bursts() {
        for (share, correlation) in [(0.1, 0.0), (0.1, 0.8), (0.5, 0.9), (0.02, 0.5)] {
            let (mut luck, mut rng) = (Luck::default(), Rng::new(5));
            let draws: Vec<bool> = (0..400_000)
                .map(|_| luck.strikes(Chance { share, correlation }, &mut rng))
                .collect();
            let hits = draws.iter().filter(|hit| **hit).count() as f64;
            assert!((hits / 400_000.0 - share).abs() < 0.01, "{share} {correlation}: {hits}");
            let twice = draws.windows(2).filter(|w| w[0] && w[1]).count() as f64;
            let again = correlation + (1.0 - correlation) * share;
            assert!((twice / hits - again).abs() < 0.03, "{share} {correlation}: {}", twice / hits);
        }
        let (mut luck, mut rng) = (Luck::default(), Rng::new(5));
        assert!((0..1000).all(|_| luck.strikes(Chance::of(1.0), &mut rng)));
        assert!((0..1000).all(|_| !luck.strikes(Chance::of(0.0), &mut rng)));
    }

    #[test]
    fn delays_have_their_mean_and_their_shape() {
        let (mean, jitter) = (Duration::from_millis(10), Duration::from_millis(2));
        for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
            let mut rng = Rng::new(9);
            let of = Delay { mean, jitter, distribution };
            let mut drawn: Vec<f64> =
                (0..200_000).map(|_| delay(of, &mut rng) as f64 / 1e6).collect();
            drawn.sort_by(f64::total_cmp);
            let average = drawn.iter().sum::<f64>() / 2e5;
            assert!((average - 10.0).abs() < 0.05, "{distribution:?}: {average}");
            let within = drawn.iter().filter(|d| (8.0..=12.0).contains(*d)).count() as f64 / 2e5;
            let (low, high) = match distribution {
                Distribution::Uniform => (1.0, 1.0),
                Distribution::Normal => (0.67, 0.70),
                Distribution::Pareto => (0.92, 0.95),
            };
            assert!((low..=high).contains(&within), "{distribution:?}: {within}");
            if distribution == Distribution::Pareto {
                assert!(drawn[199_999] > 30.0, "no tail");
            }
        }
        let early = Delay { mean: Duration::ZERO, jitter, distribution: Distribution::Normal };
        let mut rng = Rng::new(1);
        let zeros = (0..1000).filter(|_| delay(early, &mut rng) == 0).count();
        assert!((400..600).contains(&zeros), "{zeros}");
    }
}
