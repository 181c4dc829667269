//! Policies of links as rules of the packet filter on one host. Text, no I/O.
//!
//! | what | where |
//! | --- | --- |
//! | a link to a node: dropped, lost, too much | on that node's host, where packets come in |
//! | a link from a node to the clients | on that node's host, where packets go out |
//! | a link between nodes that is rejected | on the sender's host, where packets go out |
//!
//! Clients are whoever is on none of the hosts and speaks to a port of the nodes. What passes the
//! host's own ssh server, or its loopback, is nobody's link.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use danso_engine::network::{Block, Link, LinkStats, Party, Policy};
use danso_vocab::NodeId;

/// A host and what it must know of the others.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// The node on this host.
    pub(super) node: NodeId,
    /// The table that is ours.
    pub(super) table: String,
    /// The port of the host's ssh server.
    pub(super) ssh: u16,
    /// The ports of nodes.
    pub(super) ports: Vec<u16>,
    /// Where the nodes are, all of one family.
    pub(super) addresses: BTreeMap<NodeId, IpAddr>,
}

/// What is not clean.
pub(super) type Policies = BTreeMap<Link, Policy>;

impl Ground {
    /// The words that put these policies in force here, all at once, and no others. Counters go on.
    pub(super) fn rules(&self, policies: &Policies) -> String {
        let table = &self.table;
        let mut text = format!("add table inet {table}\n");
        for (chain, ours) in [("input", "tcp dport"), ("output", "tcp sport")] {
            let device = if chain == "input" { "iif" } else { "oif" };
            // Writing to a String cannot fail, here and below.
            let _ = write!(
                text,
                "add chain inet {table} {chain} {{ type filter hook {chain} priority -150 ; policy accept ; }}\n\
                 flush chain inet {table} {chain}\n\
                 add rule inet {table} {chain} {device} lo accept\n\
                 add rule inet {table} {chain} {ours} {} accept\n",
                self.ssh
            );
        }
        for (link, policy) in policies {
            let Some(packets) = self.packets(*link, policy.block) else { continue };
            let (name, chain) = (name(*link), packets.chain);
            for what in ["stopped", "passed"] {
                let _ = writeln!(text, "add counter inet {table} {name}_{what}");
            }
            for end in packets.ends(policy, &name) {
                let _ = writeln!(text, "add rule inet {table} {chain} {end}");
            }
        }
        text
    }

    /// The packets of a link, if they are met on this host.
    fn packets(&self, link: Link, block: Block) -> Option<Packets> {
        let family = if self.addresses.values().all(IpAddr::is_ipv4) { "ip" } else { "ip6" };
        let everyone: Vec<_> = self.addresses.values().map(IpAddr::to_string).collect();
        let others = format!("!= {{ {} }}", everyone.join(", "));
        let ports: Vec<_> = self.ports.iter().map(u16::to_string).collect();
        let ports = format!("{{ {} }}", ports.join(", "));
        let me = Party::Node(self.node);
        let rejected = block == Block::Reject;
        let (chain, who, ports) = match (link.from, link.to) {
            (Party::Node(from), to) if to == me && !rejected => {
                ("input", format!("saddr {}", self.addresses.get(&from)?), None)
            }
            (from, Party::Node(to)) if from == me && rejected => {
                ("output", format!("daddr {}", self.addresses.get(&to)?), None)
            }
            (Party::Clients, to) if to == me => {
                ("input", format!("saddr {others}"), Some(format!("dport {ports}")))
            }
            (from, Party::Clients) if from == me => {
                ("output", format!("daddr {others}"), Some(format!("sport {ports}")))
            }
            _ => return None,
        };
        Some(Packets { chain, who: format!("{family} {who}"), ports })
    }
}

/// Packets of a link on one host.
struct Packets {
    /// Where they are met.
    chain: &'static str,
    /// Between whom.
    who: String,
    /// Only those from or to these ports.
    ports: Option<String>,
}

impl Packets {
    fn all(&self) -> String {
        match &self.ports {
            Some(ports) => format!("{} meta l4proto {{ tcp, udp }} th {ports}", self.who),
            None => self.who.clone(),
        }
    }

    fn tcp(&self) -> String {
        match &self.ports {
            Some(ports) => format!("{} tcp {ports}", self.who),
            None => format!("{} meta l4proto tcp", self.who),
        }
    }

    fn not_tcp(&self) -> String {
        match &self.ports {
            Some(ports) => format!("{} udp {ports}", self.who),
            None => format!("{} meta l4proto != tcp", self.who),
        }
    }

    /// What becomes of them.
    fn ends(&self, policy: &Policy, name: &str) -> Vec<String> {
        let stopped = format!("counter name {name}_stopped");
        let mut ends = Vec::new();
        match policy.block {
            Block::Drop => ends.push(format!("{} {stopped} drop", self.all())),
            Block::Reject => {
                // A reset that says so to the other side must get there.
                let flags = if self.chain == "output" { " tcp flags & rst == 0" } else { "" };
                let tcp = self.tcp();
                ends.push(format!("{tcp}{flags} {stopped} reject with tcp reset"));
                ends.push(format!("{} {stopped} reject", self.not_tcp()));
            }
            Block::Open | Block::Hold => {}
        }
        let all = self.all();
        if policy.loss.share > 0.0 {
            let share = (policy.loss.share.min(1.0) * 10_000.0).round() as u32;
            ends.push(format!("{all} numgen random mod 10000 < {share} {stopped} drop"));
        }
        if let Some(bits) = policy.bandwidth {
            let bytes = (bits / 8).max(1);
            // A tenth of a second, and no less than some packets.
            let burst = (bytes / 10).max(15_000);
            ends.push(format!(
                "{all} limit rate over {bytes} bytes/second burst {burst} bytes {stopped} drop"
            ));
        }
        ends.push(format!("{all} counter name {name}_passed"));
        ends
    }
}

fn name(link: Link) -> String {
    format!("{}_{}", link.from, link.to)
}

/// What the filter of a host counted, by counter, from the text of `nft list counters`.
pub(super) fn counters(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut words = text.split_whitespace();
    let mut name = None;
    while let Some(word) = words.next() {
        match word {
            "counter" => name = words.next(),
            "packets" => {
                let count = words.next().and_then(|count| count.parse().ok());
                if let (Some(name), Some(count)) = (name.take(), count) {
                    counts.insert(name.to_owned(), count);
                }
            }
            _ => {}
        }
    }
    counts
}

/// What a link has seen, of what one host counted.
pub(super) fn seen(link: Link, counts: &BTreeMap<String, u64>) -> LinkStats {
    let count = |what: &str| counts.get(&format!("{}_{what}", name(link))).copied().unwrap_or(0);
    LinkStats { passed: count("passed"), stopped: count("stopped"), touched: 0 }
}

#[cfg(test)]
mod tests {
    use danso_engine::network::Chance;

    use super::*;

    fn ground(node: u16) -> Ground {
        let address = |n: u16| (NodeId(n), IpAddr::from([10, 0, 0, n as u8]));
        Ground {
            node: NodeId(node),
            table: "danso_x".into(),
            ssh: 22,
            ports: vec![7000, 7001],
            addresses: (1..=3).map(address).collect(),
        }
    }

    fn rules(node: u16, from: Party, to: Party, policy: Policy) -> Vec<String> {
        let text = ground(node).rules(&Policies::from([(Link { from, to }, policy)]));
        let rules = text.lines().filter_map(|l| l.strip_prefix("add rule inet danso_x "));
        rules.filter(|rule| !rule.ends_with(" accept")).map(str::to_owned).collect()
    }

    #[test]
    fn a_cut_is_met_by_who_would_hear() {
        let [one, two] = [1, 2].map(|n| Party::Node(NodeId(n)));
        assert_eq!(
            rules(2, one, two, Policy::CUT),
            [
                "input ip saddr 10.0.0.1 counter name n1_n2_stopped drop",
                "input ip saddr 10.0.0.1 counter name n1_n2_passed"
            ]
        );
        assert!(rules(1, one, two, Policy::CUT).is_empty(), "the other direction goes on");
        assert!(rules(3, one, two, Policy::CUT).is_empty());
        let reject = Policy::blocked(Block::Reject);
        assert!(rules(2, one, two, reject).is_empty(), "who sends is told at once");
        assert!(rules(1, one, two, reject)[0].starts_with("output ip daddr 10.0.0.2 "));
        let told = rules(1, one, Party::Clients, reject);
        assert!(told[0].contains(" tcp sport { 7000, 7001 } tcp flags & rst == 0 counter"));
        assert!(told[1].contains(" udp sport { 7000, 7001 } counter"), "{told:?}");
    }

    #[test]
    fn clients_are_whoever_is_on_no_host() {
        let (one, clients) = (Party::Node(NodeId(1)), Party::Clients);
        let others = "!= { 10.0.0.1, 10.0.0.2, 10.0.0.3 } meta l4proto { tcp, udp } th";
        let heard = &rules(1, clients, one, Policy::CUT)[0];
        let ports = "{ 7000, 7001 } counter name";
        assert_eq!(
            *heard,
            format!("input ip saddr {others} dport {ports} clients_n1_stopped drop")
        );
        let said = &rules(1, one, clients, Policy::CUT)[0];
        assert_eq!(
            *said,
            format!("output ip daddr {others} sport {ports} n1_clients_stopped drop")
        );
    }

    #[test]
    fn ssh_and_loopback_come_first() {
        let text = ground(1).rules(&Policies::new());
        assert!(text.contains("input iif lo accept") && text.contains("tcp dport 22 accept"));
        assert!(text.contains("output oif lo accept") && text.contains("tcp sport 22 accept"));
        assert_eq!(text.matches("flush chain").count(), 2);
    }

    #[test]
    fn losses_are_shares_and_bandwidths_bytes() {
        let [one, two] = [1, 2].map(|n| Party::Node(NodeId(n)));
        let policy =
            Policy { loss: Chance::of(0.25), bandwidth: Some(8_000_000), ..Policy::default() };
        let rules = rules(2, one, two, policy);
        assert!(rules[0].contains("numgen random mod 10000 < 2500 counter"), "{rules:?}");
        assert!(rules[1].contains("over 1000000 bytes/second burst 100000 bytes"), "{rules:?}");
    }

    #[test]
    fn counters_are_read_back() {
        let text = "table inet t {\n\tcounter n1_n2_stopped {\n\t\tpackets 7 bytes 420\n\t}\n\n\
                    \tcounter n1_n2_passed {\n\t\tpackets 2 bytes 9\n\t}\n}\n";
        let seen = seen(Link::nodes(NodeId(1), NodeId(2)), &counters(text));
        assert_eq!(seen, LinkStats { passed: 2, stopped: 7, touched: 0 });
    }
}
