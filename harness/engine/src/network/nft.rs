//! The backend `nft`: for machines that allow a packet filter, but no namespaces. Nodes are on
//! loopback addresses of their own, each in a group of its own, and rules of the kernel drop or
//! reject what passes between them. One table, which dies with this process.
//!
//! Must not know what the nodes are.

mod group;
mod message;
mod program;
mod ruleset;
mod socket;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::RawFd;

use danso_vocab::NodeId;
use nix::errno::Errno;
use tokio::runtime::Handle;

use self::ruleset::{Member, Ruleset, Way};
use super::loopback::Slice;
use super::roster::Roster;
use super::runtime::PartyRuntime;
use super::{Backend, Block, Link, LinkStats, Network, NetworkError, Party, Policy, Spec};
use crate::means::Obstacle;

/// The kernel looks at every rule's place in one go: not for hundreds of nodes.
const MOST_NODES: usize = 64;

/// A running network.
pub(super) struct Nft {
    roster: Roster,
    slice: Slice,
    groups: u32,
    clients: PartyRuntime,
    control: PartyRuntime,
    /// Dropped after all that sends.
    ruleset: Ruleset,
}

impl Nft {
    /// Claims addresses and makes the table.
    pub(super) fn open(spec: &Spec) -> Result<Nft, NetworkError> {
        let roster = Roster::new(spec)?;
        if spec.nodes.len() > MOST_NODES {
            return Err(NetworkError(format!(
                "network nft: {} nodes are too many, it has room for {MOST_NODES}; use switch or \
                 proxy",
                spec.nodes.len()
            )));
        }
        let slice = Slice::claim(spec)?;
        let groups = group::first() + u32::from(slice.number()) * 256;
        let clients = groups + u32::from(Roster::host(Party::Clients));
        let ruleset = ruleset(&roster, &slice, groups)
            .map_err(|failure| NetworkError(format!("network nft: {}", failure.obstacle())))?;
        // Nothing of this network may be made before it is sure that its sockets can be told.
        on_own_thread(move || group::enter(clients))
            .map_err(|e| Failure(Step::Group, e))
            .map_err(|failure| NetworkError(format!("network nft: {}", failure.obstacle())))?;
        Ok(Nft {
            roster,
            slice,
            groups,
            clients: PartyRuntime::with("danso-clients", 2, move || {
                group::enter(clients).expect("because another thread of this process could");
            })?,
            control: PartyRuntime::start("danso-control", 1, None)?,
            ruleset,
        })
    }

    /// Tries everything a network needs, a packet included, and takes it away again.
    pub(super) fn rehearse() -> Result<(), Failure> {
        let nodes = NodeId::all(2);
        let link = Link::nodes(nodes[0], nodes[1]);
        let spec = Spec::new(nodes, Vec::new());
        let ordinary = |_| Failure(Step::Loopback, Errno::EADDRNOTAVAIL);
        let roster = Roster::new(&spec).map_err(ordinary)?;
        let slice = Slice::claim(&spec).map_err(ordinary)?;
        let groups = group::first() + u32::from(slice.number()) * 256;
        let ruleset = ruleset(&roster, &slice, groups)?;
        let policy = Policy::blocked(Block::Drop);
        ruleset.set(&[(link, policy)]).map_err(|e| Failure(Step::Rule, e))?;
        let [from, to] = [link.from, link.to].map(|party| member(&slice, groups, party));
        let to = to.address.unwrap_or(Ipv4Addr::LOCALHOST);
        on_own_thread(move || {
            group::enter(from.group).map_err(|e| Failure(Step::Group, e))?;
            let packet = |e: std::io::Error| {
                Failure(Step::Packet, Errno::from_raw(e.raw_os_error().unwrap_or(0)))
            };
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(packet)?;
            // The port of discard: nobody answers, and nobody hears.
            socket.send_to(b"danso", (to, 9)).map_err(packet).map(drop)
        })?;
        match ruleset.counts(link).map_err(|e| Failure(Step::Rule, e))? {
            (0, 1) => Ok(()),
            _ => Err(Failure(Step::Packet, Errno::ENOMSG)),
        }
    }
}

/// Who `party` is to the packet filter.
fn member(slice: &Slice, groups: u32, party: Party) -> Member {
    match party {
        Party::Node(node) => Member {
            group: groups + u32::from(Roster::host(party)),
            address: Some(slice.node(node)),
        },
        Party::Clients => Member { group: groups + u32::from(Roster::host(party)), address: None },
        // Whoever has no group of ours is the controller, or none of our business.
        Party::Control => Member { group: group::own(), address: None },
    }
}

/// The table of such a network.
fn ruleset(roster: &Roster, slice: &Slice, groups: u32) -> Result<Ruleset, Failure> {
    let ways: Vec<_> = roster
        .all()
        .map(|link| Way {
            link,
            from: member(slice, groups, link.from),
            to: member(slice, groups, link.to),
        })
        .filter(|way| way.link.from != way.link.to)
        .filter(|way| way.from.address.is_some() || way.to.address.is_some())
        .collect();
    let name = format!("danso_{}_{}", std::process::id(), slice.number());
    let net = slice.node(NodeId(1));
    Ruleset::create(name, net, &ways).map_err(|e| Failure(Step::Table, e))
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Loopback,
    Table,
    Group,
    Rule,
    Packet,
}

/// A refusal, and the kernel's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure(Step, Errno);

impl Failure {
    /// With what can be done about it.
    pub(super) fn obstacle(self) -> Obstacle {
        let mend = match self {
            Failure(Step::Table | Step::Rule, Errno::EPERM | Errno::EACCES) => {
                "run as root, or give the capability CAP_NET_ADMIN (a container: --cap-add \
                 NET_ADMIN)"
            }
            Failure(Step::Group, _) => {
                "run as root, or give the capability CAP_SETGID (a container: --cap-add SETGID)"
            }
            Failure(Step::Table, _) => {
                "load the packet filter: `sudo modprobe nf_tables`; tables that die with their \
                 owner need Linux 5.12"
            }
            Failure(Step::Rule, _) => {
                "load its parts: `sudo modprobe -a nft_numgen nft_reject_ipv4`"
            }
            Failure(Step::Loopback, _) => "end other runs of danso",
            Failure(Step::Packet, _) => "bring loopback up: `sudo ip link set lo up`",
        };
        Obstacle::new(self.to_string(), mend)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.0 {
            Step::Loopback => "claiming a part of loopback",
            Step::Table => "making a table in the packet filter",
            Step::Group => "giving sockets a group of their own",
            Step::Rule => "changing the packet filter's rules",
            Step::Packet => "seeing a packet dropped",
        };
        write!(out, "{step}: {}", self.1.desc())
    }
}

/// A thread's group is its own; the others keep theirs.
fn on_own_thread<E: Send + From<Lost>>(
    work: impl FnOnce() -> Result<(), E> + Send,
) -> Result<(), E> {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or_else(|_| Err(E::from(Lost))))
}

/// A thread died.
struct Lost;

impl From<Lost> for Errno {
    fn from(_: Lost) -> Errno {
        Errno::ECANCELED
    }
}

impl From<Lost> for Failure {
    fn from(_: Lost) -> Failure {
        Failure(Step::Group, Errno::ECANCELED)
    }
}

impl Network for Nft {
    fn backend(&self) -> Backend {
        Backend::Nft
    }

    fn describe(&self) -> String {
        "rules of the kernel's packet filter on loopback, a group for every node; IPv4 only, no \
         delays, packets of up to 64 KiB, losses drawn by the kernel and not from the seed, and \
         nodes must listen on their own address and keep their group"
            .to_owned()
    }

    fn listen(&self, node: NodeId, port: u16) -> SocketAddr {
        (self.slice.node(node), port).into()
    }

    fn address(&self, _from: Party, to: NodeId, port: u16) -> SocketAddr {
        self.listen(to, port)
    }

    fn namespace(&self, _node: NodeId) -> Option<RawFd> {
        None
    }

    fn group(&self, node: NodeId) -> Option<u32> {
        Some(member(&self.slice, self.groups, Party::Node(node)).group)
    }

    fn runtime(&self, party: Party) -> Handle {
        match party {
            Party::Clients => self.clients.handle().clone(),
            Party::Node(_) | Party::Control => self.control.handle().clone(),
        }
    }

    fn set(&self, changes: &[(Link, Policy)]) -> Result<(), NetworkError> {
        self.roster.numbered(Backend::Nft, changes)?;
        if let Some((link, _)) = changes.iter().find(|(_, p)| p.loss.correlation > 0.0) {
            return Err(NetworkError(format!(
                "the network `nft` cannot do correlated loss ({} to {}): set it to 0, or use \
                 --network switch",
                link.from, link.to
            )));
        }
        self.ruleset.set(changes).map_err(|errno| {
            NetworkError(format!("network nft: {}", Failure(Step::Rule, errno).obstacle()))
        })
    }

    fn stats(&self, link: Link) -> LinkStats {
        let counts = self.roster.link(link).map(|_| self.ruleset.counts(link));
        match counts {
            Some(Ok((passed, stopped))) => LinkStats { passed, stopped, touched: 0 },
            Some(Err(Errno::ENOENT)) | None => LinkStats::default(),
            Some(Err(error)) => {
                tracing::warn!(%error, "the packet filter's counters cannot be read");
                LinkStats::default()
            }
        }
    }
}
