//! `primary-kv`: registers by key, a primary with replicas and a view service, over HTTP and JSON.
//!
//! Alsberg and Day's primary and backups ("A Principle for Resilient Sharing of Distributed
//! Resources", 1976) with the reconfiguration of PacificA (Lin, Yang, Zhang, Zhou, "PacificA:
//! Replication in Log-Based Distributed Storage Systems", MSR-TR-2008-25): one node, the view
//! service, says who is primary; the primary orders changes and acknowledges one when all members
//! of its view have it.
//!
//! | file | what it is |
//! | --- | --- |
//! | `view` | who is primary, and who may become it |
//! | `service` | the view service |
//! | `log` | changes in order, and the registers they make |
//! | `backup`, `primary` | the two parts a replica plays |
//! | `message` | what nodes tell each other, and what they keep |
//! | `replica` | both, and who waits for what |
//! | `node` | a replica or the view service |
//! | `settings` | options and bugs |

mod backup;
mod log;
mod message;
mod node;
mod primary;
mod replica;
mod service;
mod settings;
mod view;

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
    name: "primary-kv",
    about: "a primary with replicas, and a view service (n1) for failover; linearizable if `sync`",
    nodes: &[4, 3, 5, 6, 7],
    workloads: &["register"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let (_, all) = settings::Settings::new(options)?;
        kit::target::build(PrimaryKv { options: all })
    },
    node: Some(kit::shell::run::<node::Member>),
};

struct PrimaryKv {
    options: Options,
}

impl Recipe for PrimaryKv {
    fn name(&self) -> &'static str {
        SPEC.name
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        self.options.all()
    }

    fn leads(&self, status: &Value) -> bool {
        status.get("role").and_then(Value::str) == Some("primary")
    }

    fn client(&self, nodes: Nodes, _: Process) -> Box<dyn Client> {
        Box::new(RegisterClient::new(nodes))
    }
}
