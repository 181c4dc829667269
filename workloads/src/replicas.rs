//! The end of a workload that is judged by what its replicas come to: every replica is asked for
//! everything once it has had time to settle.

use std::time::Duration;

use danso_vocab::{
    Call, Generator, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
};

/// How long replicas have to agree after everything healed.
pub(crate) const SETTLE: ParamSpec = ParamSpec {
    name: "settle",
    about: "ms that replicas have to agree after everything healed, where they must",
    default: || 3_000.into(),
};

/// The value of [`SETTLE`].
pub(crate) fn settle(params: &Params) -> Result<Duration, ParamError> {
    params.int(SETTLE.name, 0..=15_000).map(|ms| Duration::from_millis(ms as u64))
}

/// So many times, evenly spread over the time to settle, replicas are read only to see how long
/// they take.
const LOOKS: u32 = 6;

/// So many keys are read then.
const LOOKED_AT: usize = 16;

/// How often a final read that fails is tried again, and after which pause.
const RETRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Reads some keys several times while the replicas settle, and all of them at the end. One
/// worker of each node does it.
pub(crate) struct Closing {
    reads: Vec<Call>,
    pause: Duration,
    /// Which look this is; the last one is the final one.
    look: u32,
    next: usize,
    failed: u32,
    wait: Option<Duration>,
}

impl Closing {
    /// Reads of these keys by the worker in this seat.
    pub(crate) fn new(keys: Vec<Value>, settle: Duration, seat: Seat) -> Closing {
        Closing::of(
            keys.into_iter().map(|key| Call::new("read", ()).on(key)).collect(),
            settle,
            seat,
        )
    }

    /// Reads of the only object there is.
    pub(crate) fn of_one(settle: Duration, seat: Seat) -> Closing {
        Closing::of(vec![Call::new("read", ())], settle, seat)
    }

    fn of(reads: Vec<Call>, settle: Duration, seat: Seat) -> Closing {
        let look = if seat.speaks_for_home() { 0 } else { LOOKS + 1 };
        Closing {
            reads,
            pause: settle / LOOKS + Duration::from_nanos(1),
            look,
            next: 0,
            failed: 0,
            wait: None,
        }
    }
}

impl Generator for Closing {
    fn next(&mut self, _: &mut Rng) -> Step {
        if let Some(wait) = self.wait.take() {
            return Step::Wait(wait);
        }
        if self.look > LOOKS {
            return Step::Done;
        }
        let read = if self.look < LOOKS { LOOKED_AT } else { usize::MAX };
        match self.reads.get(self.next).filter(|_| self.next < read) {
            Some(call) => Step::Invoke(call.clone()),
            None => {
                (self.look, self.next) = (self.look + 1, 0);
                match self.look > LOOKS {
                    true => Step::Done,
                    false => Step::Wait(self.pause),
                }
            }
        }
    }

    fn observe(&mut self, _: &Call, outcome: &Outcome) {
        let again = self.look == LOOKS && self.failed < RETRIES;
        if again && !matches!(outcome, Outcome::Ok(_)) {
            self.failed += 1;
            self.wait = Some(PAUSE);
        } else {
            self.failed = 0;
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(worker: u32, settle: Duration) -> Closing {
        let keys = (0..20).map(Value::Int).collect();
        Closing::new(keys, settle, Seat { worker, workers: 5, nodes: 3 })
    }

    #[test]
    fn one_worker_a_node_reads_everything_after_the_time_to_settle() {
        let settle = Duration::from_millis(3_001);
        for worker in 0..3 {
            let (mut closing, mut rng) = (closing(worker, settle), Rng::new(1));
            let (mut waited, mut finals) = (Duration::ZERO, Vec::new());
            loop {
                match closing.next(&mut rng) {
                    Step::Done => break,
                    Step::Wait(time) => {
                        waited += time;
                        finals.clear();
                    }
                    Step::Invoke(call) => {
                        finals.extend(call.key.clone());
                        closing.observe(&call, &Outcome::Ok(Value::Nil));
                    }
                }
            }
            assert!(waited >= settle, "{waited:?}");
            assert_eq!(finals, (0..20).map(Value::Int).collect::<Vec<_>>());
        }
        assert_eq!(closing(3, settle).next(&mut Rng::new(1)), Step::Done);
    }

    #[test]
    fn a_final_read_that_fails_is_tried_again() {
        let (mut closing, mut rng) = (closing(0, Duration::ZERO), Rng::new(1));
        let mut tries = [0; 20];
        loop {
            match closing.next(&mut rng) {
                Step::Done => break,
                Step::Wait(_) => {}
                Step::Invoke(call) => {
                    let key = call.key.as_ref().and_then(Value::int).unwrap() as usize;
                    tries[key] += 1;
                    closing.observe(&call, &Outcome::Fail("refused".into()));
                }
            }
        }
        assert_eq!(tries[0], LOOKS + 1 + RETRIES);
        assert_eq!(tries[19], 1 + RETRIES);
    }
}
