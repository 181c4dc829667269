//! A circuit breaker: who does not answer is left alone for a while, then tried once.
//!
//! Nygard, *Release It!*, 2007, chapter 5: closed, open, half open.

/// The breaker in front of one service. Times are ns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    limit: u64,
    cooling: u64,
    failures: u64,
    /// It is open, and lets the next message through from then on.
    open_until: Option<u64>,
}

impl Breaker {
    /// One that opens after `limit` failures in a row, for `cooling` ns.
    pub(super) fn new(limit: u64, cooling: u64) -> Breaker {
        Breaker { limit, cooling, failures: 0, open_until: None }
    }

    /// Whether a message may go now; if not, when to ask again. Of those that ask when an open
    /// breaker has cooled down one is let through: the trial.
    pub(super) fn admit(&mut self, now: u64) -> Result<(), u64> {
        match self.open_until {
            Some(until) if now < until => Err(until),
            Some(_) => {
                self.open_until = Some(now + self.cooling);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// An answer came.
    pub(super) fn success(&mut self) {
        (self.failures, self.open_until) = (0, None);
    }

    /// None came in time.
    pub(super) fn failure(&mut self, now: u64) {
        self.failures += 1;
        if self.failures >= self.limit && self.open_until.is_none() {
            self.open_until = Some(now + self.cooling);
        }
    }

    /// In a word.
    pub(super) fn state(&self) -> &'static str {
        if self.open_until.is_some() { "open" } else { "closed" }
    }
}
