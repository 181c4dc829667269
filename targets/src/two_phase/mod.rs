//! `two-phase`: bank accounts on several nodes, and a coordinator that moves money between them by
//! two-phase commit, over HTTP and JSON.
//!
//! Gray, "Notes on Data Base Operating Systems" (1978); Bernstein, Hadzilacos and Goodman,
//! "Concurrency Control and Recovery in Database Systems" (1987), chapter 7; presumed abort as in
//! Mohan, Lindsay and Obermarck, "Transaction Management in the R* Distributed Database Management
//! System" (1986). Strict two-phase locking; an older transaction waits for younger ones, a
//! younger one dies (wait-die: Rosenkrantz, Stearns, Lewis, "System Level Concurrency Control for
//! Distributed Database Systems", 1978).
//!
//! | file | what it is |
//! | --- | --- |
//! | `message` | transactions, and what is said and recorded of them |
//! | `accounts` | where accounts are, and what is in them at first |
//! | `coordinator` | the first node: decides |
//! | `participant` | every other one: votes, waits, obeys |
//! | `node` | one or the other |
//! | `client` | the engine's side |
//! | `settings` | options and bugs |

mod accounts;
mod client;
mod coordinator;
mod message;
mod node;
mod participant;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use danso_engine::target::Client;
use danso_vocab::{Process, Value};

use crate::TargetSpec;
use crate::kit;
use crate::kit::client::Nodes;
use crate::kit::options::Options;
use crate::kit::target::Recipe;

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "two-phase",
    about: "bank accounts on several nodes, transfers by two-phase commit (n1 coordinates)",
    nodes: &[4, 3, 5, 6, 7],
    workloads: &["bank"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let (_, all) = settings::Settings::new(options)?;
        kit::target::build(TwoPhase { options: all })
    },
    node: Some(kit::shell::run::<node::Member>),
};

struct TwoPhase {
    options: Options,
}

impl Recipe for TwoPhase {
    fn name(&self) -> &'static str {
        SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        self.options.all()
    }

    fn leads(&self, status: &Value) -> bool {
        status.get("role").and_then(Value::str) == Some("coordinator")
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        Box::new(client::BankClient::new(nodes))
    }
}
