//! Workload `lock`: clients take lease locks, write to what the locks guard, and give them back.
//!
//! **Holders.** A worker that got a lock writes with its token a few times and releases it; one in
//! ten forgets to. Of 100 holders `linger` wait until their lease is certainly over and write
//! then, as a client that was paused would: only the resource can refuse that.
//!
//! **Belief.** With `held-until = "lease"` a holder knows that its lease may be over, and is then
//! no holder any more. With `"release"` it believes in its lock until it gives it back, as most
//! programs do, and gives it back whatever happens: so a holder that lingers and whoever got the
//! lock meanwhile are two holders.
//!
//! **Values.** Worker *w* of *n* writes *w*, *w* + *n*, *w* + 2*n*…, each to the resource of the
//! name of its lock.

use std::time::Duration;

use danso_checkers::locks::LeaseLock;
use danso_vocab::{
    Call, Generator, OpSpec, Outcome, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::closing::AskEach;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "lock",
    about: "two holders of a lock, tokens that go back, a late holder's write that is accepted",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |params, seat| {
        let reads = (0..locks(params)?).map(|n| Call::new("read", ()).on(lock(n)));
        Ok(Box::new(AskEach::new(seat, reads.collect())))
    },
    checkers: |params| {
        let lease = match forgets(params) {
            Ok(true) => lease(params).unwrap_or_default().as_nanos(),
            // Until it is released.
            _ => 0,
        };
        vec![Box::new(LeaseLock::new(u64::try_from(lease).unwrap_or(u64::MAX)))]
    },
};

const OPS: &[OpSpec] = &[
    OpSpec { f: "acquire", about: "take the lock for a while: its token", reads: false },
    OpSpec { f: "release", about: "give back the lock with this token", reads: false },
    OpSpec { f: "write", about: "{token value}: write to what the lock guards", reads: false },
    OpSpec { f: "read", about: "{token value} of what the lock guards", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "locks", about: "locks in use", default: || 4.into() },
    ParamSpec {
        name: "lease-ms",
        about: "how long a lock is held if it is not released",
        default: || 1_000.into(),
    },
    ParamSpec {
        name: "linger",
        about: "how many of 100 holders write when their lease is over",
        default: || 20.into(),
    },
    ParamSpec {
        name: "held-until",
        about: "what a holder believes: it holds until its `lease` is over, or until its `release`",
        default: || "lease".into(),
    },
];

fn lock(number: u64) -> Value {
    Value::Str(format!("l{number}"))
}

fn locks(params: &Params) -> Result<u64, ParamError> {
    params.int("locks", 1..=10_000).map(|locks| locks as u64)
}

fn lease(params: &Params) -> Result<Duration, ParamError> {
    params.int("lease-ms", 1..=600_000).map(|ms| Duration::from_millis(ms as u64))
}

/// Whether holders may forget what they hold, which their leases mend.
fn forgets(params: &Params) -> Result<bool, ParamError> {
    match params.get("held-until").str() {
        Some("lease") => Ok(true),
        Some("release") => Ok(false),
        _ => Err(mix::bad(params, "held-until", "`lease` or `release`")),
    }
}

/// What a holder does next.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// Wait until the lease is over.
    Linger,
    /// Write so many times.
    Write(u64),
    /// Give the lock back.
    Release,
}

/// A lock this worker got.
struct Held {
    lock: Value,
    token: i64,
    plan: Plan,
}

struct Load {
    locks: u64,
    lease: Duration,
    linger: u64,
    forgets: bool,
    owner: Value,
    value: i64,
    step: i64,
    held: Option<Held>,
    /// The token that was just got for this lock.
    got: Option<(Value, i64)>,
}

impl Load {
    fn new(params: &Params, seat: Seat) -> Result<Load, ParamError> {
        Ok(Load {
            locks: locks(params)?,
            lease: lease(params)?,
            linger: params.int("linger", 0..=100)? as u64,
            forgets: forgets(params)?,
            owner: format!("w{}", seat.worker).into(),
            value: seat.worker.into(),
            step: seat.workers.max(1).into(),
            held: None,
            got: None,
        })
    }

    fn write(&mut self, lock: Value, token: i64) -> Step {
        self.value += self.step;
        let arg = Value::of([("token", token.into()), ("value", self.value.into())]);
        Step::Invoke(Call::new("write", arg).on(lock))
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if let Some((lock, token)) = self.got.take() {
            let lingers = rng.chance(self.linger, 100);
            let plan = if lingers { Plan::Linger } else { Plan::Write(rng.between(1, 3)) };
            self.held = Some(Held { lock, token, plan });
        }
        let Some(Held { lock, token, plan }) = self.held.take() else {
            let lock = lock(rng.below(self.locks));
            if rng.chance(1, 3) {
                return Step::Invoke(Call::new("read", ()).on(lock));
            }
            let ttl = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
            let arg = Value::of([("owner", self.owner.clone()), ("ttl-ms", ttl.into())]);
            return Step::Invoke(Call::new("acquire", arg).on(lock));
        };
        match plan {
            Plan::Linger => {
                self.held = Some(Held { lock, token, plan: Plan::Write(1) });
                Step::Wait(self.lease + self.lease / 4)
            }
            Plan::Write(times) => {
                let next = match times {
                    2.. => Some(Plan::Write(times - 1)),
                    _ => (!self.forgets || rng.chance(9, 10)).then_some(Plan::Release),
                };
                self.held = next.map(|plan| Held { lock: lock.clone(), token, plan });
                self.write(lock, token)
            }
            Plan::Release => Step::Invoke(Call::new("release", token).on(lock)),
        }
    }

    fn observe(&mut self, call: &Call, outcome: &Outcome) {
        match (&*call.f, outcome) {
            ("acquire", Outcome::Ok(ret)) => {
                let token = ret.get("token").unwrap_or(ret).int();
                self.got = call.key.clone().zip(token);
            }
            // Nobody writes again who was told that it is too late, or nothing.
            ("write", Outcome::Fail(_) | Outcome::Info(_)) if self.forgets => self.held = None,
            // … but it gives the lock back.
            ("write", Outcome::Fail(_) | Outcome::Info(_)) => {
                self.held.iter_mut().for_each(|held| held.plan = Plan::Release);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn holders_write_by_their_token_and_some_when_it_is_too_late() {
        let params = Params::complete(PARAMS, &BTreeMap::new()).unwrap();
        let seat = Seat { worker: 1, workers: 4, nodes: 3 };
        let mut load = (WORKLOAD.generator)(&params, seat).unwrap();
        let mut rng = Rng::new(5);
        let (mut token, mut lingered, mut released, mut acquired) = (0, 0, 0, 0);
        for _ in 0..2_000 {
            let call = match load.next(&mut rng) {
                Step::Invoke(call) => call,
                Step::Wait(time) => {
                    assert!(time > Duration::from_secs(1));
                    lingered += 1;
                    continue;
                }
                Step::Done => panic!("the load never ends"),
            };
            let outcome = match &*call.f {
                "acquire" => {
                    (token, acquired) = (token + 7, acquired + 1);
                    Outcome::Ok(Value::of([("token", token.into())]))
                }
                "write" => {
                    assert_eq!(call.arg.get("token"), Some(&Value::Int(token)));
                    assert_eq!(call.arg.get("value").and_then(Value::int).unwrap() % 4, 1);
                    Outcome::Ok(Value::Nil)
                }
                "release" => {
                    assert_eq!(call.arg, Value::Int(token));
                    released += 1;
                    Outcome::Ok(Value::Nil)
                }
                _ => Outcome::Ok(Value::Nil),
            };
            load.observe(&call, &outcome);
        }
        assert!(acquired > 300 && released > acquired * 8 / 10, "{released} of {acquired}");
        assert!((acquired / 10..acquired / 3).contains(&lingered), "{lingered} of {acquired}");
    }

    #[test]
    fn whoever_believes_until_the_release_always_releases() {
        let given = [("held-until".to_owned(), "release".into())].into();
        let params = Params::complete(PARAMS, &given).unwrap();
        let seat = Seat { worker: 0, workers: 2, nodes: 3 };
        let mut load = (WORKLOAD.generator)(&params, seat).unwrap();
        let (mut rng, mut held) = (Rng::new(7), None);
        let (mut token, mut released) = (0, 0);
        for made in 0..2_000 {
            let Step::Invoke(call) = load.next(&mut rng) else { continue };
            let outcome = match &*call.f {
                "acquire" => {
                    assert_eq!(held, None, "it asks for a lock and has one");
                    token += 1;
                    held = Some(token);
                    Outcome::Ok(token.into())
                }
                // Whatever becomes of a write.
                "write" => match made % 3 {
                    0 => Outcome::Info("timeout".into()),
                    1 => Outcome::Fail("mismatch".into()),
                    _ => Outcome::Ok(Value::Nil),
                },
                "release" => {
                    assert_eq!(call.arg.int(), held.take());
                    released += 1;
                    Outcome::Info("timeout".into())
                }
                _ => Outcome::Ok(Value::Nil),
            };
            load.observe(&call, &outcome);
        }
        assert!(released > 200 && released >= token - 1, "{released} of {token}");
        let wrong = [("held-until".to_owned(), "ever".into())].into();
        let wrong = Params::complete(PARAMS, &wrong).unwrap();
        assert!((WORKLOAD.generator)(&wrong, seat).is_err());
    }
}
