//! Whole clusters under virtual time; see [`sim`](crate::kit::sim).

use danso_checkers::accounting::Bank;
use danso_vocab::{Call, Checker, Finding, Limits, Outcome, Rng, Value};

use super::client;
use super::node::Member;
use super::settings::{Bug, Settings};
use crate::kit::client::Reply;
use crate::kit::http::Request;
use crate::kit::sim::{Load, Setup, all_valid, is_found, run};

const ACCOUNTS: u64 = 6;
const TOTAL: u64 = 60;

/// Transfers, and reads of all accounts.
struct Transfers;

impl Load for Transfers {
    fn call(&mut self, _: usize, rng: &mut Rng) -> Call {
        if rng.chance(1, 3) {
            return Call::new("read", ());
        }
        let from = rng.below(ACCOUNTS);
        let to = (from + 1 + rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        let fields = [("from", from), ("to", to), ("amount", rng.between(1, 5))];
        Call::new("transfer", Value::of(fields.map(|(name, n)| (name, (n as i64).into()))))
    }

    fn closing(&self) -> Vec<Call> {
        vec![Call::new("read", ())]
    }

    fn request(&self, call: &Call) -> Request {
        let (method, path, body) = client::request(call).expect("a call of a bank");
        Request::new(method, path, body.unwrap_or_default())
    }

    fn outcome(&self, call: &Call, reply: &Reply) -> Option<Outcome> {
        client::outcome(call, reply)
    }
}

fn world(seed: u64, bug: Option<Bug>) -> Result<(Finding, u64), String> {
    let (settings, _) = Settings::new(&Default::default())?;
    let settings = Settings { bug, accounts: ACCOUNTS, total: TOTAL, ..settings };
    let nodes = [4, 3, 5][seed as usize % 3];
    let setup = Setup { seed, nodes, settings, clients: 5, trouble: 10_000_000_000 };
    let (history, succeeded) = run::<Member, _>(setup, Transfers)?;
    let opening = (0..ACCOUNTS).map(|n| (n.to_string(), ((TOTAL / ACCOUNTS) as i64).into()));
    let bank = Bank::starting(&Value::Map(opening.collect()));
    Ok((bank.check(&history, &Limits::default()), succeeded))
}

#[test]
fn money_is_conserved() {
    all_valid(|seed| world(seed, None), 20);
}

#[test]
fn presume_commit_is_found() {
    is_found(|seed| world(seed, Some(Bug::PresumeCommit)), &["wrong-total"]);
}

#[test]
fn forget_prepared_is_found() {
    is_found(|seed| world(seed, Some(Bug::ForgetPrepared)), &["wrong-total"]);
}

#[test]
fn coordinator_amnesia_is_found() {
    is_found(|seed| world(seed, Some(Bug::CoordinatorAmnesia)), &["wrong-total"]);
}
