//! [`Slice`]: a part of 127.0.0.0/8 that no other run uses; and the backend `none` on it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::RawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net as unix;

use danso_vocab::NodeId;
use tokio::runtime::Handle;

use super::roster::Roster;
use super::runtime::PartyRuntime;
use super::{Backend, Link, LinkStats, Network, NetworkError, Party, Policy, Spec};

/// The second bytes to choose from; 127.0.x.x is everyone's.
const FIRST: u8 = 77;
const LAST: u8 = 250;

/// An exclusive part of the loopback network: 127.X.0.0/16. Nodes are 127.X.0.N.
///
/// The claim is an abstract unix socket's name, which the kernel releases when we die.
#[derive(Debug)]
pub(super) struct Slice {
    second: u8,
    _claim: unix::UnixListener,
}

impl Slice {
    /// Claims the first one that is free and in which every node will be able to listen.
    ///
    /// # Errors
    /// If there is none: names what is in the way.
    pub(super) fn claim(spec: &Spec) -> Result<Slice, NetworkError> {
        let mut obstacle = None;
        for second in FIRST..=LAST {
            let name = format!("danso-loopback-127.{second}");
            let claim = unix::SocketAddr::from_abstract_name(name)
                .and_then(|address| unix::UnixListener::bind_addr(&address));
            let Ok(claim) = claim else { continue };
            let slice = Slice { second, _claim: claim };
            match slice.check(spec) {
                Ok(()) => return Ok(slice),
                Err(error) => obstacle = obstacle.or(Some(error)),
            }
        }
        Err(obstacle.unwrap_or_else(|| {
            NetworkError(format!(
                "no part of 127.{FIRST}.0.0 to 127.{LAST}.0.0 is free: end another danso run"
            ))
        }))
    }

    /// Which part it is, from 0.
    pub(super) fn number(&self) -> u8 {
        self.second - FIRST
    }

    /// Where a node is.
    pub(super) fn node(&self, node: NodeId) -> Ipv4Addr {
        Ipv4Addr::new(127, self.second, 0, Roster::host(Party::Node(node)))
    }

    /// Where `from` finds `to`, if it is not to find it directly.
    pub(super) fn relay(&self, from: Party, to: NodeId) -> Ipv4Addr {
        let [from, to] = [from, Party::Node(to)].map(Roster::host);
        Ipv4Addr::new(127, self.second, from, to)
    }

    /// Fails if somebody else listens where a node shall.
    fn check(&self, spec: &Spec) -> Result<(), NetworkError> {
        for &node in &spec.nodes {
            for &port in &spec.ports {
                bind(self.node(node), port)?;
            }
        }
        Ok(())
    }
}

/// Listens, or says who is in the way.
pub(super) fn bind(ip: Ipv4Addr, port: u16) -> Result<TcpListener, NetworkError> {
    TcpListener::bind((ip, port)).map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "something listens on port {port} of all addresses; stop it (`ss -ltnp sport = \
                 :{port}`) or choose other ports"
            ),
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need root; choose higher ports".to_owned()
            }
            _ => "choose other ports".to_owned(),
        };
        NetworkError(format!("cannot listen on {ip}:{port}: {error}; {mend}"))
    })
}

/// The backend `none`: nodes on plain loopback. Nothing can be cut, nothing is counted.
pub(super) struct Loopback {
    slice: Slice,
    clients: PartyRuntime,
    control: PartyRuntime,
}

impl Loopback {
    /// Claims addresses.
    pub(super) fn open(spec: &Spec) -> Result<Loopback, NetworkError> {
        Roster::new(spec)?;
        let slice = Slice::claim(spec)?;
        Ok(Loopback {
            slice,
            clients: PartyRuntime::start("danso-clients", 2, None)?,
            control: PartyRuntime::start("danso-control", 1, None)?,
        })
    }
}

impl Network for Loopback {
    fn backend(&self) -> Backend {
        Backend::None
    }

    fn describe(&self) -> String {
        "plain loopback; links cannot be cut and are not counted, and nodes must listen on \
         their own address"
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

    fn runtime(&self, party: Party) -> Handle {
        match party {
            Party::Clients => self.clients.handle().clone(),
            Party::Node(_) | Party::Control => self.control.handle().clone(),
        }
    }

    fn set(&self, _changes: &[(Link, Policy)]) -> Result<(), NetworkError> {
        Err(NetworkError(
            "network none cannot cut links; use --network switch, or proxy, which needs no \
             privilege"
                .to_owned(),
        ))
    }

    fn stats(&self, _link: Link) -> LinkStats {
        LinkStats::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(port: u16) -> Result<Slice, NetworkError> {
        Slice::claim(&Spec::new(vec![NodeId(1)], vec![port]))
    }

    /// A port nobody uses.
    fn port() -> u16 {
        TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn two_claims_are_two_slices() {
        let port = port();
        let (first, second) = (claim(port).unwrap(), claim(port).unwrap());
        assert_ne!(first.second, second.second);
        assert_ne!(first.node(NodeId(1)), second.node(NodeId(1)));
        let relays = [Party::Clients, Party::Control, Party::Node(NodeId(2))]
            .map(|from| first.relay(from, NodeId(1)));
        assert!(!relays.contains(&first.node(NodeId(1))));
        assert!(relays[0] != relays[1] && relays[1] != relays[2] && relays[0] != relays[2]);
    }

    #[test]
    fn a_slice_in_which_an_orphan_listens_is_passed_over() {
        let port = port();
        let first = claim(port).unwrap();
        let _orphan = bind(first.node(NodeId(1)), port).unwrap();
        let held = first.second;
        drop(first);
        assert_ne!(claim(port).unwrap().second, held);
    }

    #[test]
    fn a_taken_port_is_named() {
        let held = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = claim(port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("stop it"), "{error}");
    }
}
