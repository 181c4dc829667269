//! The load of a simulated cluster that keeps registers, and its judge.

use danso_checkers::models::cas_register;
use danso_vocab::{Call, Finding, History, Limits, Outcome, Rng, Value};

use super::super::client::Reply;
use super::super::http::Request;
use super::super::{Node, register};
use super::{Load, Setup, run};

/// What a cluster shows that loses what it has acknowledged: it depends on who looks first.
pub(crate) const LOSSES: &[&str] =
    &["lost-write", "lost-update", "stale-read", "resurrected-value"];

/// Registers in use.
const KEYS: u64 = 2;

/// Reads, writes and compare-and-sets of a few registers; no value is written twice.
struct Registers {
    written: i64,
    seen: Vec<Option<(Value, Value)>>,
}

impl Load for Registers {
    fn call(&mut self, client: usize, rng: &mut Rng) -> Call {
        let key = Value::from(format!("k{}", rng.below(KEYS)));
        self.written += 1;
        match (rng.below(5), self.seen[client].take()) {
            (0 | 1, _) => Call::new("write", self.written).on(key),
            (2, Some((key, old))) => Call::new("cas", vec![old, Value::Int(self.written)]).on(key),
            _ => Call::new("read", ()).on(key),
        }
    }

    fn closing(&self) -> Vec<Call> {
        (0..KEYS).map(|k| Call::new("read", ()).on(format!("k{k}"))).collect()
    }

    fn request(&self, call: &Call) -> Request {
        let (method, path, body) = register::request(call).expect("a register's call");
        Request::new(method, &path, body.unwrap_or_default())
    }

    fn outcome(&self, call: &Call, reply: &Reply) -> Option<Outcome> {
        register::outcome(call, reply)
    }

    fn observe(&mut self, client: usize, call: &Call, outcome: &Outcome) {
        if let (Outcome::Ok(value), "read") = (outcome, call.f.as_ref()) {
            self.seen[client] = call.key.clone().zip(Some(value.clone()));
        }
    }
}

/// What clients of this world saw, whether it is linearizable, and how many calls succeeded.
///
/// # Errors
/// If nobody is served in the end.
pub(crate) fn judge<N: Node>(setup: Setup<N::Settings>) -> Result<(History, Finding, u64), String>
where
    N::Settings: Clone,
{
    let load = Registers { written: 0, seen: vec![None; setup.clients] };
    let (history, succeeded) = run::<N, _>(setup, load)?;
    let finding = cas_register(Value::Nil).check(&history, &Limits::default());
    Ok((history, finding, succeeded))
}
