//! What chance decides on a link: seeded, one stream a link, so that links do not disturb one
//! another.

use std::time::Duration;

use danso_vocab::Rng;

use super::{Chance, Delay, Distribution, Link};

/// The tail of a Pareto distribution: the greater, the sooner it ends.
const PARETO_SHAPE: f64 = 3.0;

/// The stream of one link of a network opened with `seed`.
pub(super) fn stream(seed: u64, link: Link) -> Rng {
    Rng::new(seed).split("network").split(&format!("{}>{}", link.from, link.to))
}

/// A uniform number, 0 to below 1.
fn unit(rng: &mut Rng) -> f64 {
    // 53 bits are what the number can hold.
    (rng.bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The outcomes of one chance, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Luck {
    before: Option<bool>,
}

impl Luck {
    /// Whether it happens this time. As often as `chance` says in the long run, in bursts if it
    /// is correlated: with that probability an outcome is the one before again.
    pub(super) fn strikes(&mut self, chance: Chance, rng: &mut Rng) -> bool {
        if chance.share <= 0.0 {
            *self = Luck::default();
            return false;
        }
        let again = self.before.filter(|_| unit(rng) < chance.correlation);
        let outcome = again.unwrap_or_else(|| unit(rng) < chance.share);
        self.before = Some(outcome);
        outcome
    }
}

impl Delay {
    /// One delay.
    pub(super) fn draw(self, rng: &mut Rng) -> Duration {
        let stray = match self.distribution {
            _ if self.jitter.is_zero() => 0.0,
            Distribution::Uniform => 2.0 * unit(rng) - 1.0,
            Distribution::Normal => {
                // Box and Muller; 1 - x is never 0.
                let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
                radius * (std::f64::consts::TAU * unit(rng)).cos()
            }
            Distribution::Pareto => {
                // Moved so that its mean is 0: the delay's mean stays what it is called.
                let mean = 1.0 / (PARETO_SHAPE - 1.0);
                (1.0 - unit(rng)).powf(-1.0 / PARETO_SHAPE) - 1.0 - mean
            }
        };
        let seconds = self.mean.as_secs_f64() + stray * self.jitter.as_secs_f64();
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 100_000;

    #[test]
    fn the_share_is_what_it_is_called_however_correlated() {
        for correlation in [0.0, 0.5, 0.9] {
            let chance = Chance { share: 0.1, correlation };
            let (mut rng, mut luck) = (Rng::new(1), Luck::default());
            let outcomes: Vec<_> = (0..DRAWS).map(|_| luck.strikes(chance, &mut rng)).collect();
            let share = outcomes.iter().filter(|o| **o).count() as f64 / DRAWS as f64;
            assert!((share - 0.1).abs() < 0.015, "{correlation}: {share}");
            let bursts = outcomes.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
            let expected = DRAWS as f64 * 0.1 * 0.9 * (1.0 - correlation);
            assert!((bursts / expected - 1.0).abs() < 0.2, "{correlation}: {bursts} {expected}");
        }
    }

    #[test]
    fn delays_have_the_mean_and_the_shape_they_are_called() {
        let ms = Duration::from_millis;
        for (distribution, median) in [
            (Distribution::Uniform, 100.0),
            (Distribution::Normal, 100.0),
            // mean - scale / 2 + scale * (2^(1/3) - 1)
            (Distribution::Pareto, 95.2),
        ] {
            let delay = Delay { mean: ms(100), jitter: ms(20), distribution };
            let mut rng = Rng::new(2);
            let mut drawn: Vec<_> =
                (0..DRAWS).map(|_| delay.draw(&mut rng).as_secs_f64() * 1e3).collect();
            drawn.sort_by(f64::total_cmp);
            let mean = drawn.iter().sum::<f64>() / DRAWS as f64;
            assert!((mean - 100.0).abs() < 0.5, "{distribution:?}: {mean}");
            let found = drawn[DRAWS / 2];
            assert!((found - median).abs() < 0.5, "{distribution:?}: {found}");
        }
        let wild = Delay { mean: ms(1), jitter: ms(50), distribution: Distribution::Uniform };
        let mut rng = Rng::new(3);
        assert!((0..1000).any(|_| wild.draw(&mut rng).is_zero()));
    }

    #[test]
    fn the_same_seed_draws_the_same_and_every_link_its_own() {
        use danso_vocab::NodeId;
        let link = |a, b| Link::nodes(NodeId(a), NodeId(b));
        assert_eq!(stream(7, link(1, 2)).bits(), stream(7, link(1, 2)).bits());
        assert_ne!(stream(7, link(1, 2)).bits(), stream(7, link(2, 1)).bits());
        assert_ne!(stream(7, link(1, 2)).bits(), stream(8, link(1, 2)).bits());
    }
}
