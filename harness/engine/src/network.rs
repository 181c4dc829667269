//! [`Network`]: addresses for nodes and harness, and directed links that can be cut and healed
//! without the nodes' cooperation.
//!
//! Backends, in the order `auto` tries them:
//!
//! - [`Backend::Switch`]: a user-space packet switch; every node, the clients and the controller
//!   have network namespaces of their own. Root, or rootless in a user namespace.
//! - [`Backend::Nft`]: rules of the kernel's packet filter on loopback, a group for every node.
//!   CAP_NET_ADMIN and CAP_SETGID; cuts and losses only.
//! - [`Backend::Proxy`]: TCP relays on loopback. No privilege at all, and TCP only.
//! - [`Backend::None`]: plain loopback; nothing can be cut. Never chosen by `auto`.
//!
//! And [`Backend::Hosts`]: machines elsewhere, whose own packet filters are told what to do. It
//! belongs to targets that have such ([`crate::remote`]).

mod ability;
mod choice;
mod draw;
mod loopback;
mod nft;
mod policy;
mod prepare;
mod probe;
mod proxy;
mod roster;
mod runtime;
mod shortfall;
mod switch;

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use danso_vocab::NodeId;
use tokio::runtime::Handle;

use crate::remote::Remote;

pub use self::ability::{Ability, table, table_text};
pub use self::choice::Choice;
pub use self::policy::{Block, Chance, Delay, Distribution, Http, Mishap, Policy};
pub use self::prepare::{Prepared, choose, prepare};
pub use self::probe::{Capability, probe};
pub use self::runtime::PartyRuntime;
pub use self::shortfall::Shortfall;

/// Who can be at an end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Party {
    /// A member of the cluster.
    Node(NodeId),
    /// All clients of the workload.
    Clients,
    /// The controller itself: readiness, status, never cut.
    Control,
}

impl fmt::Display for Party {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Party::Node(id) => write!(out, "{id}"),
            Party::Clients => out.write_str("clients"),
            Party::Control => out.write_str("control"),
        }
    }
}

/// A directed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Link {
    /// Where packets come from.
    pub from: Party,
    /// Where they go.
    pub to: Party,
}

impl Link {
    /// The link from one node to another.
    pub fn nodes(from: NodeId, to: NodeId) -> Link {
        Link { from: Party::Node(from), to: Party::Node(to) }
    }
}

/// What a link has seen since the run began: evidence that a cut has bitten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets (switch) or chunks (proxy) that passed.
    pub passed: u64,
    /// Packets that were dropped or held back, or chunks and connections that were. Those held
    /// back count as passed too when they do.
    pub stopped: u64,
    /// Packets, chunks, connections or responses to which anything else was done: delayed,
    /// doubled, overtaken, corrupted, reset.
    pub touched: u64,
}

/// How the network is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// User-space packet switch between network namespaces.
    Switch,
    /// Rules of the kernel's packet filter, on loopback.
    Nft,
    /// TCP relays on loopback.
    Proxy,
    /// Loopback, untouched.
    None,
    /// The packet filters of machines elsewhere, on which the nodes are.
    Hosts,
}

impl Backend {
    /// The word on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Backend::Switch => "switch",
            Backend::Nft => "nft",
            Backend::Proxy => "proxy",
            Backend::None => "none",
            Backend::Hosts => "hosts",
        }
    }
}

/// What the network must provide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// The ports every node listens on.
    pub ports: Vec<u16>,
    /// The addresses nodes are told: IPv4 or IPv6.
    pub ip: Ip,
    /// Where to write what passes each party, a pcap file each; nowhere if `None`.
    pub capture: Option<PathBuf>,
    /// Where all chance of this network comes from: which packet is lost, how late one is.
    pub seed: u64,
    /// Where to write who sent how much to whom, and what became of it; nowhere if `None`.
    pub traffic: Option<PathBuf>,
}

impl Spec {
    /// Plain IPv4, seed 0, nothing written.
    pub fn new(nodes: Vec<NodeId>, ports: Vec<u16>) -> Spec {
        Spec { nodes, ports, ip: Ip::V4, seed: 0, capture: None, traffic: None }
    }
}

/// A version of the internet protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ip {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

/// Why a network cannot be had. One line: what was missing and the mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NetworkError(pub String);

/// A running network. Everything it made disappears with the process that made it, however that
/// process ends.
pub trait Network: Send + Sync {
    /// How it is made.
    fn backend(&self) -> Backend;

    /// The details worth reporting: rootless or not, TUN or veth, what it cannot do.
    fn describe(&self) -> String;

    /// Where `node` listens on `port`.
    fn listen(&self, node: NodeId, port: u16) -> SocketAddr;

    /// Where `from` reaches what node `to` listens on at `port`.
    fn address(&self, from: Party, to: NodeId, port: u16) -> SocketAddr;

    /// The network namespace `node`'s process must enter between fork and exec, if it has one.
    /// Valid as long as the network is.
    fn namespace(&self, node: NodeId) -> Option<RawFd>;

    /// The group `node`'s process must run in, if the network tells nodes by their groups.
    fn group(&self, _node: NodeId) -> Option<u32> {
        None
    }

    /// The runtime whose sockets belong to `party`, which is `Clients` or `Control`. To spawn on:
    /// a future that another thread drives with `block_on` makes its sockets where that thread is.
    /// Its tasks end when the network is dropped.
    fn runtime(&self, party: Party) -> Handle;

    /// Changes the policies of these links, all at once. Links not named stay as they are.
    ///
    /// # Errors
    /// If this backend cannot do it: see [`Backend::can`]. Then nothing is changed.
    fn set(&self, changes: &[(Link, Policy)]) -> Result<(), NetworkError>;

    /// What the link has seen.
    fn stats(&self, link: Link) -> LinkStats;

    /// What was not carried or not written so far, without any policy saying so.
    fn shortfall(&self) -> Shortfall {
        Shortfall::default()
    }

    /// The machines the nodes are on, if that is not this one.
    fn remote(&self) -> Option<Arc<dyn Remote>> {
        None
    }

    /// From when the times in the traffic log count, if there is one.
    fn opened(&self) -> Option<Instant> {
        None
    }
}
