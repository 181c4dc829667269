//! [`Rng`]: the one source of chance, splittable by label, stable for ever.
//!
//! A seed in a bug report must outlive upgrades, so the stream is a named generator
//! (xoshiro256++ seeded by SplitMix64) and the sampling on top of it is our own; the first
//! outputs of both are pinned by tests.

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A pseudo-random stream. [`Rng::split`] depends on the seed and the label only, never on
/// how much was drawn, so a new consumer does not shift its neighbours.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: u64,
    stream: Xoshiro256PlusPlus,
}

impl Rng {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Rng { seed, stream: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The seed that makes this stream again: `Rng::new(rng.seed())`.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// An independent stream for the consumer called `label`.
    #[must_use]
    pub fn split(&self, label: &str) -> Rng {
        // FNV-1a over the label, then two SplitMix64 finalisers so that neighbouring seeds and
        // labels give unrelated streams.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in label.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Rng::new(mix(mix(self.seed).wrapping_add(hash)))
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A uniform integer in `0..n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Lemire's multiply-shift with rejection: unbiased.
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.bits()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A uniform integer in `low..=high` (`low` if the range is empty).
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low {
            return low;
        }
        match (high - low).checked_add(1) {
            Some(width) => low + self.below(width),
            None => self.bits(),
        }
    }

    /// True with probability `part / whole`.
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One element, or `None` of an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len() as u64) as usize)
    }

    /// Puts the elements in a uniformly random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// SplitMix64's finaliser.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_is_pinned() {
        let mut rng = Rng::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| rng.bits()).collect();
        assert_eq!(drawn, PINNED_BITS);
        let mut child = Rng::new(7).split("worker-3");
        let drawn: Vec<u64> = (0..8).map(|_| child.below(10)).collect();
        assert_eq!(drawn, PINNED_BELOW);
    }

    const PINNED_BITS: [u64; 4] = [
        1_021_219_803_524_665_661,
        3_174_977_118_032_272_916,
        13_236_943_193_235_544_178,
        7_880_630_202_246_103_356,
    ];
    const PINNED_BELOW: [u64; 8] = [0, 6, 9, 2, 4, 0, 9, 2];

    #[test]
    fn split_ignores_what_was_drawn() {
        let mut drained = Rng::new(1);
        for _ in 0..100 {
            drained.bits();
        }
        assert_eq!(drained.split("a").bits(), Rng::new(1).split("a").bits());
        assert_ne!(Rng::new(1).split("a").bits(), Rng::new(1).split("b").bits());
        assert_ne!(Rng::new(1).split("a").bits(), Rng::new(2).split("a").bits());
    }

    #[test]
    fn sampling_stays_in_range_and_covers_it() {
        let mut rng = Rng::new(3);
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[rng.below(5) as usize] = true;
            let b = rng.between(3, 9);
            assert!((3..=9).contains(&b));
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(4, 4), 4);
        assert!(rng.pick::<u8>(&[]).is_none());
    }

    #[test]
    fn shuffle_keeps_the_elements() {
        let mut items: Vec<u32> = (0..50).collect();
        Rng::new(9).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
