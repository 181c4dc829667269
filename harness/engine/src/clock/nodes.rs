//! [`Clocks`]: the clocks of all nodes of a run, if it needs any.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use danso_vocab::NodeId;
use nix::unistd::Pid;

use super::inside::{self, Reading};
use super::skew::Clock;
use crate::site::Site;

/// The clocks of all nodes. A run whose schedule leaves clocks alone has none, and traces
/// nobody.
#[derive(Debug, Default)]
pub struct Clocks {
    clocks: BTreeMap<NodeId, Clock>,
}

/// What the processes of one node read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Those with the node's clock.
    pub readings: Vec<Reading>,
    /// Those without, and why.
    pub others: Vec<String>,
}

impl Clocks {
    /// One for each of `nodes`: true until somebody says otherwise. The pages are in the nodes'
    /// folders.
    ///
    /// # Errors
    /// If a page cannot be made.
    pub fn create(site: &Site, nodes: &[NodeId]) -> io::Result<Clocks> {
        let clock = |node: &NodeId| {
            let path = site.node(*node).join("clock");
            let clock = Clock::create(&path);
            let named = |e| io::Error::other(format!("{}: {e}", path.display()));
            clock.map(|c| (*node, c)).map_err(named)
        };
        let clocks = nodes.iter().map(clock).collect::<io::Result<_>>()?;
        Ok(Clocks { clocks })
    }

    /// The clock of `node`.
    ///
    /// # Errors
    /// If this run has none.
    pub fn of(&self, node: NodeId) -> Result<&Clock, String> {
        self.clocks.get(&node).ok_or_else(|| format!("{node} has no clock of its own in this run"))
    }

    /// The page a start of `node` must be given.
    pub fn page(&self, node: NodeId) -> Option<PathBuf> {
        self.clocks.get(&node).map(Clock::path)
    }

    /// What these processes of `node` read now.
    ///
    /// # Errors
    /// If this run has no clocks.
    pub fn read(&self, node: NodeId, pids: &[Pid]) -> Result<Seen, String> {
        let token = self.of(node)?.token();
        let mut seen = Seen::default();
        for pid in pids {
            match inside::read(*pid, token) {
                Ok(reading) => seen.readings.push(reading),
                // It ended meanwhile, or is about to.
                Err(_) if matches!(crate::process::tree::state(*pid), None | Some('Z' | 'X')) => {}
                Err(reason) => seen.others.push(reason),
            }
        }
        Ok(seen)
    }
}
