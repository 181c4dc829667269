//! Whole clusters under virtual time; see [`sim`](crate::kit::sim).

use danso_vocab::Finding;

use super::node::Paxos;
use super::settings::{Bug, Settings};
use crate::kit::sim::{Setup, all_valid, is_found, registers};

fn world(seed: u64, bug: Option<Bug>) -> Result<(Finding, u64), String> {
    let (settings, _) = Settings::new(&Default::default())?;
    let nodes = [3, 3, 5][seed as usize % 3];
    let trouble = 10_000_000_000;
    let setup = Setup { seed, nodes, settings: Settings { bug, ..settings }, clients: 5, trouble };
    registers::judge::<Paxos>(setup).map(|(_, finding, succeeded)| (finding, succeeded))
}

#[test]
fn healthy_registers_are_linearizable() {
    all_valid(|seed| world(seed, None), 150);
}

#[test]
fn promise_amnesia_is_found() {
    is_found(|seed| world(seed, Some(Bug::PromiseAmnesia)), registers::LOSSES);
}

#[test]
fn accept_lower_is_found() {
    is_found(|seed| world(seed, Some(Bug::AcceptLower)), registers::LOSSES);
}
