//! Which links around the selected nodes a fault hits: those to peers, to clients, or both, in
//! one direction or in both.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::args::Args;
use crate::network::{Link, Party};

/// The arguments, name and meaning.
pub(super) const WITH: (&str, &str) =
    ("with", "the other ends of the links it hits: peers (default), clients or all");
/// See [`WITH`].
pub(super) const DIRECTION: (&str, &str) =
    ("direction", "both (default), in (what the nodes hear) or out (what they say)");

/// A choice of links around nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    with: &'static str,
    direction: &'static str,
}

impl Reach {
    /// What the arguments say.
    pub(super) fn of(args: &BTreeMap<String, Value>) -> Result<Reach, String> {
        let args = Args(args);
        Ok(Reach {
            with: args.word("with", &["peers", "clients", "all"])?.unwrap_or("peers"),
            direction: args.word("direction", &["both", "in", "out"])?.unwrap_or("both"),
        })
    }

    /// All there are, in both directions.
    pub(super) fn everything() -> Reach {
        Reach { with: "all", direction: "both" }
    }

    /// Into the arguments of a drawn fault.
    pub(super) fn store(self, args: &mut BTreeMap<String, Value>) {
        args.insert("with".to_owned(), self.with.into());
        args.insert("direction".to_owned(), self.direction.into());
    }

    /// The links between `side` and everybody else it reaches. Where `side` is everyone, the
    /// links among them.
    pub(super) fn links(self, side: &[NodeId], nodes: &[NodeId]) -> Vec<Link> {
        let everyone = nodes.iter().all(|n| side.contains(n));
        let mut links = Vec::new();
        for near in side {
            let peers = nodes.iter().filter(|n| *n != near && (everyone || !side.contains(n)));
            let peers = peers.map(|n| Party::Node(*n)).filter(|_| self.with != "clients");
            let clients = (self.with != "peers").then_some(Party::Clients);
            for far in peers.chain(clients) {
                if self.direction != "in" {
                    links.push(Link { from: Party::Node(*near), to: far });
                }
                if self.direction != "out" {
                    links.push(Link { from: far, to: Party::Node(*near) });
                }
            }
        }
        links.sort_unstable();
        links.dedup();
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(side: u16, with: &'static str, direction: &'static str) -> usize {
        let nodes = NodeId::all(3);
        Reach { with, direction }.links(&nodes[..usize::from(side)], &nodes).len()
    }

    #[test]
    fn links_are_counted_once() {
        assert_eq!(links(1, "peers", "both"), 4);
        assert_eq!(links(1, "peers", "in"), 2);
        assert_eq!(links(2, "peers", "both"), 4, "not those between the two");
        assert_eq!(links(3, "peers", "both"), 6, "all, since all are selected");
        assert_eq!(links(3, "peers", "out"), 6, "what one says another hears");
        assert_eq!(links(1, "clients", "both"), 2);
        assert_eq!(links(3, "all", "both"), 12);
    }
}
