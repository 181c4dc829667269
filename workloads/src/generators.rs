//! Generators made of generators.
//!
//! Whatever is combined, a worker has one call open at a time, so an outcome always belongs to
//! the generator that made the last call.

use std::time::Duration;

use danso_vocab::{Call, Generator, Outcome, Rng, Step, Value};

/// Endless calls, each drawn by a function.
pub struct Draw<F>(F);

/// A generator that draws each call by `f`, for ever.
pub fn draw<F: FnMut(&mut Rng) -> Call + Send>(f: F) -> Draw<F> {
    Draw(f)
}

impl<F: FnMut(&mut Rng) -> Call + Send> Generator for Draw<F> {
    fn next(&mut self, rng: &mut Rng) -> Step {
        Step::Invoke((self.0)(rng))
    }
}

/// Draws a call.
pub type MakeCall = fn(&mut Rng) -> Call;

/// Endless calls, drawn by one of these functions each, by weight: a mix of what remembers
/// nothing.
///
/// # Panics
/// At the first call, if all weights are 0.
pub fn calls<const N: usize>(
    parts: [(u64, MakeCall); N],
) -> Draw<impl FnMut(&mut Rng) -> Call + Send> {
    let weights = parts.map(|(weight, _)| weight);
    draw(move |rng| {
        let part = weighted(&weights, rng).expect("some part of a mix has a weight");
        parts[part].1(rng)
    })
}

/// A weighted mix; see [`mix`].
pub struct Mix {
    parts: Vec<(u64, Box<dyn Generator>)>,
    last: usize,
}

/// Asks one of the parts at each step, by weight. A part that is done is never asked again; the
/// mix is done when all parts are.
pub fn mix(parts: impl IntoIterator<Item = (u64, Box<dyn Generator>)>) -> Mix {
    Mix { parts: parts.into_iter().collect(), last: 0 }
}

impl Generator for Mix {
    fn next(&mut self, rng: &mut Rng) -> Step {
        loop {
            let weights: Vec<u64> = self.parts.iter().map(|(weight, _)| *weight).collect();
            let Some(part) = weighted(&weights, rng) else { return Step::Done };
            match self.parts[part].1.next(rng) {
                Step::Done => drop(self.parts.remove(part)),
                step => {
                    self.last = part;
                    return step;
                }
            }
        }
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        if let Some((_, part)) = self.parts.get_mut(self.last) {
            part.observe(call, outcome);
        }
    }
}

/// A place in `weights`, with a probability in proportion to its weight; `None` if all are zero.
pub fn weighted(weights: &[u64], rng: &mut Rng) -> Option<usize> {
    let mut left = rng.below(weights.iter().sum());
    weights.iter().position(|weight| match left.checked_sub(*weight) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// One generator for each object; see [`per_key`].
pub struct PerKey {
    objects: Vec<(Value, Box<dyn Generator>)>,
    last: usize,
}

/// Asks the generator of a random key at each step and puts that key on its call.
pub fn per_key(
    keys: impl IntoIterator<Item = Value>,
    mut generator: impl FnMut(&Value) -> Box<dyn Generator>,
) -> PerKey {
    let object = |key: Value| {
        let generator = generator(&key);
        (key, generator)
    };
    PerKey { objects: keys.into_iter().map(object).collect(), last: 0 }
}

impl Generator for PerKey {
    fn next(&mut self, rng: &mut Rng) -> Step {
        while !self.objects.is_empty() {
            let object = rng.below(self.objects.len() as u64) as usize;
            match self.objects[object].1.next(rng) {
                Step::Done => drop(self.objects.remove(object)),
                Step::Invoke(call) => {
                    self.last = object;
                    return Step::Invoke(call.on(self.objects[object].0.clone()));
                }
                wait @ Step::Wait(_) => return wait,
            }
        }
        Step::Done
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        if let Some((_, generator)) = self.objects.get_mut(self.last) {
            generator.observe(call, outcome);
        }
    }
}

/// At most so many calls; see [`Combine::limit`].
pub struct Limit<G> {
    generator: G,
    left: u64,
}

impl<G: Generator> Generator for Limit<G> {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if self.left == 0 {
            return Step::Done;
        }
        let step = self.generator.next(rng);
        if matches!(step, Step::Invoke(_)) {
            self.left -= 1;
        }
        step
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        self.generator.observe(call, outcome);
    }
}

/// One generator after another; see [`Combine::then`].
pub struct Then<A, B> {
    first: Option<A>,
    second: B,
}

impl<A: Generator, B: Generator> Generator for Then<A, B> {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if let Some(first) = &mut self.first {
            match first.next(rng) {
                Step::Done => self.first = None,
                step => return step,
            }
        }
        self.second.next(rng)
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        match &mut self.first {
            Some(first) => first.observe(call, outcome),
            None => self.second.observe(call, outcome),
        }
    }
}

/// A pause before each call; see [`Combine::delay`].
pub struct Delay<G> {
    generator: G,
    pause: Duration,
    paused: bool,
}

impl<G: Generator> Generator for Delay<G> {
    fn next(&mut self, rng: &mut Rng) -> Step {
        self.paused = !self.paused;
        if self.paused { Step::Wait(self.pause) } else { self.generator.next(rng) }
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        self.generator.observe(call, outcome);
    }
}

/// What can be done to any generator.
pub trait Combine: Generator + Sized {
    /// At most `calls` calls.
    fn limit(self, calls: u64) -> Limit<Self> {
        Limit { generator: self, left: calls }
    }

    /// When this one is done, `second`.
    fn then<B: Generator>(self, second: B) -> Then<Self, B> {
        Then { first: Some(self), second }
    }

    /// A pause before each call.
    fn delay(self, pause: Duration) -> Delay<Self> {
        Delay { generator: self, pause, paused: false }
    }
}

impl<G: Generator> Combine for G {}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(f: &'static str) -> Box<dyn Generator> {
        Box::new(draw(move |_| Call::new(f, ())))
    }

    fn steps(mut generator: impl Generator, count: usize) -> Vec<String> {
        let mut rng = Rng::new(5);
        let show = |step: Step| match step {
            Step::Invoke(call) => call.to_string(),
            Step::Wait(pause) => format!("{pause:?}"),
            Step::Done => "done".to_owned(),
        };
        (0..count).map(|_| show(generator.next(&mut rng))).collect()
    }

    #[test]
    fn limits_sequences_and_pauses() {
        let a = draw(|_| Call::new("a", ())).limit(2);
        let b = draw(|_| Call::new("b", ())).delay(Duration::from_secs(1)).limit(1);
        assert_eq!(steps(a.then(b), 6), ["a", "a", "1s", "b", "done", "done"]);
    }

    #[test]
    fn a_mix_follows_its_weights() {
        let said = steps(mix([(3, say("a")), (1, say("b")), (0, say("c"))]), 4_000);
        let count = |f: &str| said.iter().filter(|s| *s == f).count();
        assert!((2_800..3_200).contains(&count("a")), "{}", count("a"));
        assert_eq!((count("a") + count("b"), count("c")), (4_000, 0));
        let short =
            mix([(1, Box::new(draw(|_| Call::new("a", ())).limit(3)) as Box<dyn Generator>)]);
        assert_eq!(steps(short, 4), ["a", "a", "a", "done"]);
    }

    #[test]
    fn keys_are_put_on_calls() {
        let keys = || ["x", "y"].map(Value::from);
        let said = steps(per_key(keys(), |_| Box::new(draw(|_| Call::new("a", ())).limit(1))), 3);
        assert!(said.contains(&"a x".to_owned()) && said.contains(&"a y".to_owned()));
        assert_eq!(said[2], "done");
    }
}
