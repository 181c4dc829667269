//! The backend `proxy`: for machines that allow nothing. Nodes listen on loopback addresses of
//! their own, and whoever reaches one goes through a relay, one for each directed pair of
//! parties and port, that does to byte streams what can be done to them.

mod alarm;
mod gate;
mod http;
mod pump;
mod queue;
mod relay;

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;

use danso_vocab::NodeId;
use tokio::runtime::Handle;

use self::gate::Gates;
use self::relay::Relay;
use super::draw;
use super::loopback::{Slice, bind};
use super::roster::Roster;
use super::runtime::PartyRuntime;
use super::{Backend, Link, LinkStats, Mishap, Network, NetworkError, Party, Policy, Spec};

/// Running relays.
pub(super) struct Proxy {
    roster: Roster,
    slice: Arc<Slice>,
    gates: Arc<Gates>,
    clients: PartyRuntime,
    control: PartyRuntime,
    _relays: PartyRuntime,
}

impl Proxy {
    /// Claims addresses and starts the relays.
    pub(super) fn open(spec: &Spec) -> Result<Proxy, NetworkError> {
        let roster = Roster::new(spec)?;
        let slice = Arc::new(Slice::claim(spec)?);
        let gates = Arc::new(Gates::new(roster.all().map(|link| draw::stream(spec.seed, link))));
        let relays = PartyRuntime::start("danso-relays", 2, None)?;
        for &from in roster.parties() {
            for &to in spec.nodes.iter().filter(|&&to| from != Party::Node(to)) {
                let link =
                    |from, to| roster.link(Link { from, to }).expect("because both ends take part");
                for &port in &spec.ports {
                    let listener = bind(slice.relay(from, to), port)?;
                    let relay = Relay {
                        node: (slice.node(to), port).into(),
                        forth: link(from, Party::Node(to)),
                        back: link(Party::Node(to), from),
                        gates: Arc::clone(&gates),
                        _slice: Arc::clone(&slice),
                    };
                    relay.start(listener, relays.handle())?;
                }
            }
        }
        Ok(Proxy {
            roster,
            slice,
            gates,
            clients: PartyRuntime::start("danso-clients", 2, None)?,
            control: PartyRuntime::start("danso-control", 1, None)?,
            _relays: relays,
        })
    }
}

impl Network for Proxy {
    fn backend(&self) -> Backend {
        Backend::Proxy
    }

    fn describe(&self) -> String {
        "TCP relays on loopback, without privilege; TCP only: no packet faults, a connection \
         into a cut is accepted and then stalls, one to a dead node is accepted and then reset, \
         heals are felt at once, peers cannot be told apart by address, and nodes must listen \
         on their own address and use the addresses they are given"
            .to_owned()
    }

    fn listen(&self, node: NodeId, port: u16) -> SocketAddr {
        (self.slice.node(node), port).into()
    }

    fn address(&self, from: Party, to: NodeId, port: u16) -> SocketAddr {
        if from == Party::Node(to) {
            return self.listen(to, port);
        }
        (self.slice.relay(from, to), port).into()
    }

    fn namespace(&self, _node: NodeId) -> Option<RawFd> {
        None
    }

    fn runtime(&self, party: Party) -> Handle {
        match party {
            Party::Clients => self.clients.handle().clone(),
            Party::Node(_) | Party::Control => self.control.handle().clone(),
        }
    }

    fn set(&self, changes: &[(Link, Policy)]) -> Result<(), NetworkError> {
        for (_, policy) in changes {
            if let Some(Mishap::Status(status)) = policy.http.map(|http| http.mishap)
                && !(200..=599).contains(&status)
            {
                return Err(NetworkError(format!(
                    "HTTP status {status} ends no response: choose one of 200 to 599"
                )));
            }
        }
        self.gates.set(&self.roster.numbered(Backend::Proxy, changes)?);
        Ok(())
    }

    fn stats(&self, link: Link) -> LinkStats {
        self.roster.link(link).map(|link| self.gates.stats(link)).unwrap_or_default()
    }
}
