//! The backend `switch`: every party in a network namespace of its own, joined by a packet
//! switch in this process. Real addresses, real ports, real TCP; links are cut by dropping
//! packets, which no one is told of.
//!
//! Must not know what runs in the namespaces.

mod address;
mod checksum;
mod damage;
mod ending;
pub(super) mod failure;
mod forward;
mod gate;
mod journey;
mod lane;
mod lanes;
pub(super) mod namespace;
mod netlink;
mod packet;
mod reply;
mod segment;
mod table;
mod tap;
mod tun;
mod unread;
mod veth;

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use danso_vocab::{NodeId, Rng};
use nix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;

use self::failure::Failure;
use self::forward::Forwarder;
use self::gate::Port;
use self::namespace::{Dweller, Namespace};
use self::table::Table;
use self::tap::Files;
use super::roster::Roster;
use super::runtime::PartyRuntime;
use super::{Backend, Ip, Link, LinkStats, Network, NetworkError, Party, Policy, Shortfall, Spec};

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
    /// Why there is no IPv6, if there is none.
    no_ipv6: Option<Failure>,
}

/// Makes a namespace with an interface for every party.
fn lay(wire: Wire, parties: &[Party]) -> Result<Cables, Failure> {
    let near = match wire {
        Wire::Tun => None,
        Wire::Veth => Some(Namespace::new(Dweller::Switch)?),
    };
    let mut cables =
        Cables { namespaces: Vec::new(), ports: Vec::new(), _near: None, no_ipv6: None };
    for (number, &party) in parties.iter().enumerate() {
        let namespace = Namespace::new(match party {
            Party::Node(_) => Dweller::Node,
            Party::Clients | Party::Control => Dweller::Opener,
        })?;
        let addresses = address::of(party);
        let (fd, no_ipv6) = match &near {
            None => namespace.run(|| tun::create(addresses))?,
            Some(near) => veth::create(near, &namespace, number, addresses)?,
        };
        cables.no_ipv6 = cables.no_ipv6.or(no_ipv6);
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
    has_ipv6: bool,
    clients: PartyRuntime,
    control: PartyRuntime,
    namespaces: Vec<Namespace>,
    _near: Option<Namespace>,
    /// Weak: the forwarding thread shall be the one that closes them, which takes its time.
    ports: Weak<Vec<Port>>,
    /// What packet sockets have told of what they dropped: they tell it once.
    unread: Vec<AtomicU64>,
    since: Instant,
    forwarder: Forwarder,
    /// After the forwarder: its end is the end of the files.
    files: Option<Files>,
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
        if let Some(failure) = cables.no_ipv6
            && spec.ip == Ip::V6
        {
            return Err(refused(failure));
        }
        let table = Arc::new(Table::new(roster.links()));
        let rng = Rng::new(spec.seed).split("network");
        let ports = Arc::new(cables.ports);
        let unread = roster.parties().iter().map(|_| AtomicU64::new(0)).collect();
        let since = Instant::now();
        let tap = tap::open(spec, roster.parties(), variant.wire.offset(), now())?;
        let (tap, files) = tap.unzip();
        let near = Arc::downgrade(&ports);
        let forwarder = forward::start(variant.wire, ports, Arc::clone(&table), rng, tap);
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
            has_ipv6: cables.no_ipv6.is_none(),
            table,
            namespaces: cables.namespaces,
            _near: cables._near,
            unread,
            ports: near,
            since,
            forwarder: forwarder.map_err(refused)?,
            files,
        })
    }
}

impl Switch {
    /// What this party sent and the switch never saw.
    fn unread(&self, party: usize) -> u64 {
        let by_interface = unread::by_interface(&self.namespaces[party]).unwrap_or_else(|error| {
            tracing::warn!(%error, "what an interface has dropped is not known");
            0
        });
        let total = &self.unread[party];
        if self.variant.wire == Wire::Veth
            && let Some(ports) = self.ports.upgrade()
        {
            match unread::by_socket(&ports[party].fd) {
                Ok(more) => drop(total.fetch_add(more, Ordering::Relaxed)),
                Err(error) => tracing::warn!(%error, "what a packet socket has dropped is unknown"),
            }
        }
        by_interface + total.load(Ordering::Relaxed)
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
        let ip = if self.has_ipv6 { "IPv4 and IPv6" } else { "IPv4 only" };
        format!("user-space packet switch over {wire}, {user}; {ip}, MTU {MTU}")
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
        self.forwarder.nudge()
    }

    fn stats(&self, link: Link) -> LinkStats {
        self.roster.link(link).map(|link| self.table.stats(link)).unwrap_or_default()
    }

    fn shortfall(&self) -> Shortfall {
        let parties = self.roster.parties().iter().copied().enumerate();
        let missing = self.files.as_ref().map(Files::missing);
        Shortfall {
            unread: parties.map(|(number, party)| (party, self.unread(number))).collect(),
            lost: self.table.lost.load(Ordering::Relaxed),
            strays: self.table.strays.load(Ordering::Relaxed),
            uncaptured: missing.map_or(0, |missing| missing.captured.load(Ordering::Relaxed)),
            unlogged: missing.map_or(0, |missing| missing.logged.load(Ordering::Relaxed)),
        }
    }

    fn opened(&self) -> Option<Instant> {
        Some(self.since)
    }
}

/// Nanoseconds on a clock nobody sets.
fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("because every kernel has it");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
