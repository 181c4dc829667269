//! The backend `switch`: every party in a network namespace of its own, joined by a packet
//! switch in this process. Real addresses, real ports, real TCP; links are cut by dropping
//! packets, which no one is told of.
//!
//! Must not know what runs in the namespaces.

mod address;
mod chance;
mod checksum;
mod damage;
pub(super) mod failure;
mod forward;
mod gate;
mod lane;
mod lanes;
pub(super) mod namespace;
mod netlink;
mod packet;
mod reply;
mod segment;
mod table;
mod tun;
mod veth;

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use danso_vocab::{NodeId, Rng};
use tokio::runtime::Handle;

use self::failure::Failure;
use self::forward::Forwarder;
use self::gate::Port;
use self::namespace::{Dweller, Namespace};
use self::table::Table;
use super::roster::Roster;
use super::runtime::PartyRuntime;
use super::{Backend, Ip, Link, LinkStats, Network, NetworkError, Party, Policy, Spec};

const INTERFACE: &str = "eth0";
const MTU: u32 = 1500;
/// Packets a party may have sent that the switch has not yet read.
const QUEUE: u32 = 5000;

/// How the parties' interfaces reach the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// TUN interfaces.
    Tun,
    /// veth pairs and packet sockets.
    Veth,
}

impl Wire {
    /// Where the IP packet starts in what is read.
    fn offset(self) -> usize {
        match self {
            Wire::Tun => packet::VNET_HEADER,
            Wire::Veth => packet::VNET_HEADER + packet::ETHERNET_HEADER,
        }
    }
}

/// A way to have the switch on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// How parties are wired.
    pub(super) wire: Wire,
    /// In a user namespace of our own, without privilege outside.
    pub(super) rootless: bool,
}

impl Variant {
    /// Tries everything a network needs, in this very process, and takes it away again.
    pub(super) fn rehearse(self) -> Result<(), Failure> {
        if self.rootless {
            namespace::enter_user()?;
        }
        lay(self.wire, &[Party::Clients]).map(drop)
    }
}

/// The hardware: namespaces, and the descriptors their packets come from, in the same order.
struct Cables {
    namespaces: Vec<Namespace>,
    ports: Vec<Port>,
    /// Where the near ends of veth pairs are.
    _near: Option<Namespace>,
}

/// Makes a namespace with an interface for every party.
fn lay(wire: Wire, parties: &[Party]) -> Result<Cables, Failure> {
    let near = match wire {
        Wire::Tun => None,
        Wire::Veth => Some(Namespace::new(Dweller::Switch)?),
    };
    let mut cables = Cables { namespaces: Vec::new(), ports: Vec::new(), _near: None };
    for (number, &party) in parties.iter().enumerate() {
        let namespace = Namespace::new(match party {
            Party::Node(_) => Dweller::Node,
            Party::Clients | Party::Control => Dweller::Opener,
        })?;
        let addresses = address::of(party);
        let fd = match &near {
            None => namespace.run(|| tun::create(addresses))?,
            Some(near) => veth::create(near, &namespace, number, addresses)?,
        };
        cables.ports.push(Port { fd, host: Roster::host(party) });
        cables.namespaces.push(namespace);
    }
    cables._near = near;
    Ok(cables)
}

/// A running switch.
pub(super) struct Switch {
    variant: Variant,
    roster: Roster,
    table: Arc<Table>,
    ip: Ip,
    clients: PartyRuntime,
    control: PartyRuntime,
    namespaces: Vec<Namespace>,
    _near: Option<Namespace>,
    forwarder: Forwarder,
}

impl Switch {
    /// Makes the namespaces and starts to forward. The process must already be where `variant`
    /// needs it to be.
    pub(super) fn open(variant: Variant, spec: &Spec) -> Result<Switch, NetworkError> {
        let roster = Roster::new(spec)?;
        let refused = |failure: Failure| {
            NetworkError(format!("network switch: {failure}; {}", failure.mend()))
        };
        let cables = lay(variant.wire, roster.parties()).map_err(refused)?;
        let table = Arc::new(Table::new(roster.links()));
        let rng = Rng::new(spec.seed).split("network");
        let ports = Arc::new(cables.ports);
        let forwarder = forward::start(variant.wire, ports, Arc::clone(&table), rng);
        let runtime = |party: Party, workers| {
            let index = roster.index(party).expect("because every roster has it");
            let namespace = cables.namespaces[index].handle().map_err(refused)?;
            PartyRuntime::start(&format!("danso-{party}"), workers, Some(namespace))
        };
        Ok(Switch {
            clients: runtime(Party::Clients, 2)?,
            control: runtime(Party::Control, 1)?,
            variant,
            roster,
            ip: spec.ip,
            table,
            namespaces: cables.namespaces,
            _near: cables._near,
            forwarder: forwarder.map_err(refused)?,
        })
    }
}

impl Network for Switch {
    fn backend(&self) -> Backend {
        Backend::Switch
    }

    fn describe(&self) -> String {
        let wire = match self.variant.wire {
            Wire::Tun => "TUN interfaces",
            Wire::Veth => "veth pairs and packet sockets",
        };
        let user = if self.variant.rootless { "rootless in a user namespace" } else { "as root" };
        format!("user-space packet switch over {wire}, {user}; IPv4 and IPv6, MTU {MTU}")
    }

    fn listen(&self, node: NodeId, port: u16) -> SocketAddr {
        (address::of(Party::Node(node)).ip(self.ip), port).into()
    }

    fn address(&self, _from: Party, to: NodeId, port: u16) -> SocketAddr {
        self.listen(to, port)
    }

    fn namespace(&self, node: NodeId) -> Option<RawFd> {
        let index = self.roster.index(Party::Node(node))?;
        Some(self.namespaces[index].as_fd().as_raw_fd())
    }

    fn runtime(&self, party: Party) -> Handle {
        match party {
            Party::Clients => self.clients.handle().clone(),
            Party::Node(_) | Party::Control => self.control.handle().clone(),
        }
    }

    fn set(&self, changes: &[(Link, Policy)]) -> Result<(), NetworkError> {
        self.table.set(&self.roster.numbered(Backend::Switch, changes)?);
        self.forwarder.nudge();
        Ok(())
    }

    fn stats(&self, link: Link) -> LinkStats {
        self.roster.link(link).map(|link| self.table.stats(link)).unwrap_or_default()
    }
}
