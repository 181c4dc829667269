//! `paxos-register`: registers by key, each agreed on by CASPaxos, over HTTP and JSON.
//!
//! CASPaxos (Rystsov, "CASPaxos: Replicated State Machines without logs", 2018) is the synod of
//! Lamport's "Paxos Made Simple" (2001) used again and again for one register: a proposer learns
//! the current value with the prepare phase, changes it, and has the new value accepted. There is
//! no log and no leader; any node takes any request.
//!
//! | file | what it is |
//! | --- | --- |
//! | `ballot`, `register` | what is numbered, and what is agreed on |
//! | `acceptor` | promises and accepted values: what is on disk |
//! | `proposer` | ballots for one key |
//! | `node` | both, and who waits for what |
//! | `settings` | options and bugs |

mod acceptor;
mod ballot;
mod node;
mod proposer;
mod register;
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
use crate::kit::register::RegisterClient;
use crate::kit::target::Recipe;

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "paxos-register",
    about: "registers agreed on by CASPaxos, without log or leader; linearizable",
    nodes: &[3, 5, 7],
    workloads: &["register"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let (_, all) = settings::Settings::new(options)?;
        kit::target::build(PaxosRegister { options: all })
    },
    node: Some(kit::shell::run::<node::Paxos>),
};

struct PaxosRegister {
    options: Options,
}

impl Recipe for PaxosRegister {
    fn name(&self) -> &'static str {
        SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        self.options.all()
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        Box::new(RegisterClient::new(nodes))
    }
}
