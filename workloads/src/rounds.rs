//! Keys in rounds: a worker that has made its share of calls on each of the keys of a round moves
//! on to the next, so that no object's history grows without bound. When to move on depends on the
//! worker's own number of calls only, so workers drift apart a little; that costs contention,
//! never correctness.

use danso_vocab::{Call, Generator, Outcome, ParamError, Params, Rng, Seat, Step, Value};

/// The key with this number.
pub(crate) fn key(number: u64) -> Value {
    Value::Str(format!("k{number}"))
}

/// The parameter `keys`: how many are in use at a time.
///
/// # Errors
/// If it is no sensible number.
pub(crate) fn keys(params: &Params) -> Result<u64, ParamError> {
    params.int("keys", 1..=100_000).map(|keys| keys as u64)
}

/// Which key a worker uses next.
pub(crate) struct Rounds {
    keys: u64,
    /// Own calls before moving on to the next keys.
    share: u64,
    calls: u64,
}

impl Rounds {
    /// As the parameters `keys` and `ops-per-key` say; 0 of the latter is for ever.
    ///
    /// # Errors
    /// If one is no sensible number.
    pub(crate) fn new(params: &Params, seat: Seat) -> Result<Rounds, ParamError> {
        let keys = keys(params)?;
        let share = match params.int("ops-per-key", 0..=i64::from(u32::MAX))? as u64 {
            0 => u64::MAX,
            ops => (ops * keys / u64::from(seat.workers.max(1))).max(1),
        };
        Ok(Rounds { keys, share, calls: 0 })
    }

    /// For ever the same keys.
    pub(crate) fn endless(self) -> Rounds {
        Rounds { share: u64::MAX, ..self }
    }

    /// The key of this worker's next call.
    pub(crate) fn next(&mut self, rng: &mut Rng) -> Value {
        let round = self.calls / self.share;
        self.calls += 1;
        key(round * self.keys + rng.below(self.keys))
    }
}

/// What a worker does in the end: reads every key once, round by round, until a round shows
/// nothing. It does not know how many rounds the load went through, but the load wrote to every
/// round it began.
pub(crate) struct Closing {
    keys: u64,
    next: u64,
    shown: bool,
}

impl Closing {
    /// Of `keys` at a time.
    ///
    /// # Errors
    /// If that is no sensible number.
    pub(crate) fn new(params: &Params) -> Result<Closing, ParamError> {
        Ok(Closing { keys: keys(params)?, next: 0, shown: false })
    }
}

impl Generator for Closing {
    fn next(&mut self, _: &mut Rng) -> Step {
        if self.next.is_multiple_of(self.keys) && self.next > 0 && !std::mem::take(&mut self.shown)
        {
            return Step::Done;
        }
        self.next += 1;
        Step::Invoke(Call::new("read", ()).on(key(self.next - 1)))
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        let empty = |value: &Value| value.is_nil() || value.list().is_some_and(<[_]>::is_empty);
        self.shown |= matches!(outcome, Outcome::Ok(value) if !empty(value));
    }
}
