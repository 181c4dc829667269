//! [`Roster`]: who takes part, as dense numbers. Knows nothing of how packets travel.

use std::collections::BTreeMap;

use super::{Backend, Link, NetworkError, Party, Policy, Spec};

/// The most nodes one network can hold: one byte of the address names the party.
const MOST_NODES: u16 = 250;
const CLIENTS: u8 = 254;
const CONTROL: u8 = 253;

/// The parties of one network. Parties and directed links are numbered from 0.
#[derive(Debug)]
pub(super) struct Roster {
    parties: Vec<Party>,
    index: BTreeMap<Party, usize>,
}

impl Roster {
    /// The nodes of `spec`, then clients, then control.
    ///
    /// # Errors
    /// If a node is named twice or has a number that does not fit an address.
    pub(super) fn new(spec: &Spec) -> Result<Roster, NetworkError> {
        let mut parties = Vec::with_capacity(spec.nodes.len() + 2);
        for node in &spec.nodes {
            if !(1..=MOST_NODES).contains(&node.0) {
                return Err(NetworkError(format!(
                    "node {node} does not fit this network: nodes are n1 to n{MOST_NODES}"
                )));
            }
            parties.push(Party::Node(*node));
        }
        parties.extend([Party::Clients, Party::Control]);
        let index: BTreeMap<_, _> = parties.iter().copied().zip(0..).collect();
        if index.len() != parties.len() {
            return Err(NetworkError("a node is named twice; each has its own number".to_owned()));
        }
        Ok(Roster { parties, index })
    }

    /// All parties, in the order of their numbers.
    pub(super) fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// The number of this party.
    pub(super) fn index(&self, party: Party) -> Option<usize> {
        self.index.get(&party).copied()
    }

    /// The byte that stands for this party in addresses: never 0, no two alike.
    pub(super) fn host(party: Party) -> u8 {
        match party {
            Party::Node(node) => u8::try_from(node.0).unwrap_or(u8::MAX),
            Party::Clients => CLIENTS,
            Party::Control => CONTROL,
        }
    }

    /// How many directed links there are, those from a party to itself included.
    pub(super) fn links(&self) -> usize {
        self.parties.len() * self.parties.len()
    }

    /// All directed links, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = Link> {
        let parties = &self.parties;
        parties.iter().flat_map(|&from| parties.iter().map(move |&to| Link { from, to }))
    }

    /// The number of this link, if both ends take part.
    pub(super) fn link(&self, link: Link) -> Option<usize> {
        Some(self.index(link.from)? * self.parties.len() + self.index(link.to)?)
    }

    /// The changes, by the links' numbers.
    ///
    /// # Errors
    /// If one of the links may not be changed; then none is.
    pub(super) fn numbered(
        &self,
        backend: Backend,
        changes: &[(Link, Policy)],
    ) -> Result<Vec<(usize, Policy)>, NetworkError> {
        let numbered = |&(link, policy): &(Link, Policy)| {
            let number = self.changeable(link)?;
            match policy.needs().find(|a| !backend.can(*a)) {
                None => Ok((number, policy)),
                Some(ability) => Err(NetworkError(format!(
                    "the network `{}` cannot do `{ability}`",
                    backend.word()
                ))),
            }
        };
        changes.iter().map(numbered).collect()
    }

    /// The number of a link whose policy may be changed.
    ///
    /// # Errors
    /// If an end does not take part, both ends are one, or an end is the controller.
    fn changeable(&self, link: Link) -> Result<usize, NetworkError> {
        let Link { from, to } = link;
        if from == to {
            return Err(NetworkError(format!("{from} has no link to itself to cut")));
        }
        if from == Party::Control || to == Party::Control {
            return Err(NetworkError(format!(
                "the link {from} to {to} is the controller's, which is never cut"
            )));
        }
        self.link(link).ok_or_else(|| {
            NetworkError(format!("the link {from} to {to} does not exist: no such node"))
        })
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::NodeId;

    use super::*;

    fn roster(nodes: &[u16]) -> Result<Roster, NetworkError> {
        Roster::new(&Spec::new(nodes.iter().copied().map(NodeId).collect(), vec![]))
    }

    #[test]
    fn links_are_numbered_without_gaps_and_directed() {
        let roster = roster(&[1, 2, 7]).unwrap();
        let seen: Vec<_> = roster.all().map(|link| roster.link(link).unwrap()).collect();
        assert_eq!(seen, (0..roster.links()).collect::<Vec<_>>());
        assert_ne!(
            roster.link(Link::nodes(NodeId(1), NodeId(2))),
            roster.link(Link::nodes(NodeId(2), NodeId(1))),
        );
    }

    #[test]
    fn what_cannot_be_named_or_cut_is_refused() {
        assert!(roster(&[1, 1]).is_err());
        assert!(roster(&[0]).is_err());
        assert!(roster(&[251]).is_err());
        let roster = roster(&[1, 2]).unwrap();
        let clients = Party::Clients;
        for (from, to) in [
            (Party::Node(NodeId(1)), Party::Node(NodeId(1))),
            (Party::Node(NodeId(1)), Party::Node(NodeId(3))),
            (Party::Control, Party::Node(NodeId(1))),
            (clients, Party::Control),
        ] {
            assert!(roster.changeable(Link { from, to }).is_err(), "{from} {to}");
        }
        assert!(roster.changeable(Link { from: clients, to: Party::Node(NodeId(2)) }).is_ok());
    }
}
