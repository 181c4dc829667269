//! [`Place`]: where a client is, and whom it can reach from there.

use danso_engine::network::Party;
use danso_engine::target::Member;
use danso_vocab::{NodeId, Process};

/// A client's view of the cluster.
#[derive(Clone)]
pub(crate) struct Place {
    /// The nodes it may ask, in order.
    pub(crate) hosts: Vec<Host>,
    /// The one it asks first, as a position among them.
    pub(crate) home: usize,
    /// Whose client it is.
    pub(crate) process: Process,
}

/// A node as one party reaches it.
#[derive(Clone)]
pub(crate) struct Host {
    /// The node.
    pub(crate) id: NodeId,
    way: Way,
}

#[derive(Clone)]
enum Way {
    /// A node danso starts, through danso's network, and its first port.
    Ours(Member, Party, u16),
    /// Somebody else's: host and port.
    Theirs(String, u16),
}

impl Host {
    /// A node of ours, as `party` reaches it; `first` is its first port.
    pub(crate) fn ours(member: &Member, party: Party, first: u16) -> Host {
        Host { id: member.id, way: Way::Ours(member.clone(), party, first) }
    }

    /// Somebody else's.
    pub(crate) fn theirs(id: NodeId, host: &str, port: u16) -> Host {
        Host { id, way: Way::Theirs(host.to_owned(), port) }
    }

    /// Where it is reached, `host:port`; at its first port if none is given.
    pub(crate) fn address(&self, port: Option<u16>) -> String {
        match &self.way {
            Way::Ours(member, party, first) => {
                member.reached_from(*party, port.unwrap_or(*first)).to_string()
            }
            Way::Theirs(host, usual) => format!("{host}:{}", port.unwrap_or(*usual)),
        }
    }
}
