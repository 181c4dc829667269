//! `probe`: nodes that tell what they see, to show from inside what a fault does.
//!
//! Every node prints a line of readings again and again: its clocks, how long an echo to each
//! peer takes over TCP and over UDP, what it has written and made durable, the packets its
//! interface has seen. Beside that each node is a store of registers on its own disk, not
//! replicated: the registers of a node are linearizable as long as its disk keeps its word.
//!
//! | file | what it is |
//! | --- | --- |
//! | `store` | the registers and their log |
//! | `echo` | asking peers, and answering |
//! | `readings` | the line of readings |
//! | `server` | HTTP, and the command line |
//! | `target` | the engine's side, with its client |

mod echo;
mod readings;
mod server;
mod store;
mod target;

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_vocab::{ParamSpec, Params, Value};

use crate::{TargetSpec, names};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "probe",
    about: "nodes that print what they see of clocks, peers and disk, each with registers of its own",
    nodes: &[3, 1, 2, 5, 7],
    workloads: &["register"],
    params: &[],
    options: OPTIONS,
    bugs: &[],
    build: |options| Ok(Arc::new(target::Probe { settings: Settings::new(options)? })),
    node: Some(server::run),
};

const OPTIONS: &[ParamSpec] = &[
    ParamSpec { name: "fsync", about: "wait for the disk", default: || true.into() },
    ParamSpec {
        name: "tick-ms",
        about: "time between two lines of readings",
        default: || 50.into(),
    },
];

/// Checked options.
#[derive(Clone, Copy, Debug)]
struct Settings {
    fsync: bool,
    tick_ms: u64,
}

impl Settings {
    fn new(given: &BTreeMap<String, Value>) -> Result<Settings, String> {
        if let Some(name) = given.keys().find(|g| OPTIONS.iter().all(|o| o.name != *g)) {
            let known: Vec<_> = OPTIONS.iter().map(|o| o.name).collect();
            return Err(names::unknown("option", name, &known));
        }
        let params = Params::complete(OPTIONS, given).map_err(|e| format!("probe: {e}"))?;
        let fsync = params.get("fsync");
        Ok(Settings {
            fsync: fsync.bool().ok_or_else(|| format!("probe: fsync = {fsync}: true or false"))?,
            tick_ms: params.int("tick-ms", 5..=60_000).map_err(|e| format!("probe: {e}"))? as u64,
        })
    }
}
