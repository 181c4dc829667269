//! Workload `bank`: move money between accounts, read them all: the total never changes.
//!
//! **Accounts** are named `0`, `1`, … A bank begins with `total` shared out evenly, the remainder
//! going one each to the first accounts ([`opening`]); targets open it like that by themselves.
//!
//! **Transfers** go from one account to another of them, and move 1 to `max-transfer`. A target
//! that does not allow overdrafts refuses what an account does not have (`fail`).

use danso_checkers::accounting::Bank;
use danso_vocab::{
    Call, Checker, Generator, OpSpec, ParamError, ParamSpec, Params, Rng, Seat, Step, Value,
    Workload,
};

use crate::closing::AskHome;
use crate::generators::weighted;
use crate::mix;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "bank",
    about: "money made or lost by transfers that happened in part: snapshots must conserve it",
    ops: OPS,
    params: PARAMS,
    generator: |params, seat| Ok(Box::new(Load::new(params, seat)?)),
    closing: |_, seat| Ok(Box::new(AskHome::once(seat, Call::new("read", ())))),
    checkers: |params| {
        let bank = Bank::starting(&opening(params).unwrap_or_default());
        let overdrawn = params.get("negative-balances").bool() == Some(true);
        vec![Box::new(if overdrawn { bank.overdrawn() } else { bank }) as Box<dyn Checker>]
    },
};

const OPS: &[OpSpec] = &[
    OpSpec {
        f: "transfer",
        about: "{from, to, amount}: move money between accounts",
        reads: false,
    },
    OpSpec { f: "read", about: "{account: balance}: all accounts at one instant", reads: true },
];

const PARAMS: &[ParamSpec] = &[
    ParamSpec { name: "accounts", about: "accounts, named from 0", default: || 8.into() },
    ParamSpec {
        name: "total",
        about: "the money in all accounts, shared out evenly in the beginning",
        default: || 800.into(),
    },
    ParamSpec {
        name: "max-transfer",
        about: "the most that is moved at a time",
        default: || 5.into(),
    },
    ParamSpec {
        name: "negative-balances",
        about: "whether accounts may be overdrawn",
        default: || false.into(),
    },
    ParamSpec {
        name: "mix",
        about: "how often to transfer and read, relative to each other",
        default: || Value::of([("transfer", 2.into()), ("read", 1.into())]),
    },
];

fn accounts(params: &Params) -> Result<u64, ParamError> {
    params.int("accounts", 2..=10_000).map(|accounts| accounts as u64)
}

/// The balances that a bank begins with.
///
/// # Errors
/// If parameters make no sense.
pub fn opening(params: &Params) -> Result<Value, ParamError> {
    let accounts = accounts(params)? as i64;
    let total = params.int("total", 0..=i64::from(u32::MAX))?;
    let balance = |n: i64| total / accounts + i64::from(n < total % accounts);
    Ok(Value::Map((0..accounts).map(|n| (n.to_string(), balance(n).into())).collect()))
}

/// What a worker does during the load.
struct Load {
    accounts: u64,
    most: u64,
    weights: Vec<u64>,
}

impl Load {
    fn new(params: &Params, _: Seat) -> Result<Load, ParamError> {
        let most = params.int("max-transfer", 1..=i64::from(u32::MAX))? as u64;
        opening(params)?;
        if params.get("negative-balances").bool().is_none() {
            return Err(mix::bad(params, "negative-balances", "true or false"));
        }
        Ok(Load { accounts: accounts(params)?, most, weights: mix::weights(params, OPS)? })
    }
}

impl Generator for Load {
    fn next(&mut self, rng: &mut Rng) -> Step {
        if weighted(&self.weights, rng) != Some(0) {
            return Step::Invoke(Call::new("read", ()));
        }
        let from = rng.below(self.accounts);
        let to = (from + 1 + rng.below(self.accounts - 1)) % self.accounts;
        let amount = rng.between(1, self.most);
        let transfer = [("from", from), ("to", to), ("amount", amount)];
        Step::Invoke(Call::new(
            "transfer",
            Value::of(transfer.map(|(k, v)| (k, (v as i64).into()))),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(given: &[(&str, Value)]) -> Params {
        let given = given.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Params::complete(PARAMS, &given).unwrap()
    }

    #[test]
    fn the_opening_is_the_total() {
        let opening = opening(&params(&[("accounts", 3.into()), ("total", 11.into())])).unwrap();
        assert_eq!(opening, Value::of([("0", 4.into()), ("1", 4.into()), ("2", 3.into())]));
    }

    #[test]
    fn money_moves_between_two_accounts() {
        let seat = Seat { worker: 0, workers: 1, nodes: 1 };
        let mut load = Load::new(&params(&[("accounts", 2.into())]), seat).unwrap();
        let mut rng = Rng::new(2);
        let mut amounts = std::collections::BTreeSet::new();
        for _ in 0..300 {
            let Step::Invoke(call) = load.next(&mut rng) else { panic!("the load never ends") };
            if call.f == "transfer" {
                let get = |name| call.arg.get(name).unwrap().int().unwrap();
                assert_eq!(get("from") + get("to"), 1);
                amounts.insert(get("amount"));
            }
        }
        assert_eq!(amounts.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        for (name, value) in [
            ("accounts", Value::Int(1)),
            ("max-transfer", 0.into()),
            ("total", Value::Int(-1)),
            ("negative-balances", 1.into()),
        ] {
            assert!(Load::new(&params(&[(name, value)]), seat).is_err(), "{name}");
        }
    }
}
