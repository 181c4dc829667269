//! Names of nodes' addresses and folders, as templates of a described target use them.
//!
//! | name | what it is |
//! | --- | --- |
//! | `{id}` `{name}` | the node's number, from 1, and its name, `n1` |
//! | `{role}` `{index}` | its role, and its number in it, from 1 |
//! | `{ip}` `{port}` `{addr}` | where it listens: `addr` is `ip:port`; `{port:2380}` and `{addr:2380}` for another port than the first |
//! | `{node:2.ip}` `{node:2.addr}` … | the same of node 2, as this node reaches it; `{redis:1.addr}` is the first node of the role `redis` |
//! | `{peers}` `{all}` | `addr` of all other nodes, of all nodes, separated by commas |
//! | `{data}` `{conf}` | its data directory, and the folder of its `files` |
//! | `{dir}` | the folder of the test file |
//! | `{nodes}` `{seed}` | how many nodes there are; a number of its own, from the seed |
//!
//! `[target.lists]` makes more: `cluster = { each = "{name}=http://{addr:2380}", join = "," }`.

use danso_engine::network::Party;
use danso_engine::target::Member;
use danso_vocab::{NodeId, Value};

/// Names of a node itself.
pub(crate) const OWN: &[&str] = &[
    "id", "name", "role", "index", "ip", "port", "addr", "peers", "all", "data", "conf", "dir",
    "nodes", "seed",
];
/// What can be said of another node.
const OF: &[&str] = &["id", "name", "ip", "port", "addr"];

/// The nodes of a described target, by role.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// Roles in order, each with how many nodes it has.
    pub(crate) roles: Vec<(String, u16)>,
}

impl Roster {
    /// All nodes together.
    pub(crate) fn count(&self) -> u16 {
        self.roles.iter().map(|(_, count)| count).sum()
    }

    /// The role of a node, as a position, and its number in it, from 1.
    pub(crate) fn role(&self, node: NodeId) -> (usize, u16) {
        let mut number = node.0;
        for (at, (_, count)) in self.roles.iter().enumerate() {
            if number <= *count {
                return (at, number);
            }
            number -= count;
        }
        (0, node.0)
    }

    /// The nodes of a role.
    pub(crate) fn of(&self, role: usize) -> Vec<NodeId> {
        let before: u16 = self.roles[..role].iter().map(|(_, count)| count).sum();
        (1..=self.roles[role].1).map(|i| NodeId(before + i)).collect()
    }

    /// Whether this is a name of a node's, or of another's that there is.
    ///
    /// # Errors
    /// If not: which there are.
    pub(crate) fn knows(&self, name: &str, lists: &[String]) -> Result<(), String> {
        let (word, _) = name.split_once(':').unwrap_or((name, ""));
        let own = OWN.contains(&name) || lists.iter().any(|l| l == name);
        let port = matches!(word, "port" | "addr") && number(name, ':').is_some();
        if own || port {
            return Ok(());
        }
        if let Some((_, of)) = self.other(name) {
            let (of, port) = of.split_once(':').unwrap_or((of, "1"));
            if OF.contains(&of) && port.parse::<u16>().is_ok() {
                return Ok(());
            }
        }
        let known: Vec<&str> =
            OWN.iter().copied().chain(lists.iter().map(String::as_str)).collect();
        let near = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
        let hint = match near {
            Some((distance, near)) if distance <= 2 => format!("did you mean `{{{near}}}`? There"),
            _ => "there".to_owned(),
        };
        Err(format!(
            "there is no `{{{name}}}`; {hint} are: {}, port:N, addr:N, node:N.ip, node:N.addr …",
            known.join(", ")
        ))
    }

    /// The node that `node:2.ip` or `redis:1.ip` is about, and what of it.
    fn other<'a>(&self, name: &'a str) -> Option<(NodeId, &'a str)> {
        let (whose, of) = name.split_once('.')?;
        let (word, number) = whose.split_once(':')?;
        let number: u16 = number.parse().ok()?;
        let node = if word == "node" {
            NodeId(number)
        } else {
            let role = self.roles.iter().position(|(name, _)| name == word)?;
            *self.of(role).get(usize::from(number).checked_sub(1)?)?
        };
        (1..=self.count()).contains(&node.0).then_some((node, of))
    }

    /// The value of a name for `me`, as `party` sees the nodes: itself for what it is told, the
    /// controller for what is asked of it. `None` for a list.
    pub(crate) fn value(&self, name: &str, me: &Member, party: Party, first: u16) -> Option<Value> {
        let text = |text: String| Some(Value::Str(text));
        if let Some((node, of)) = self.other(name) {
            return of_node(of, me, node, party, first);
        }
        match name {
            "role" => text(self.roles[self.role(me.id).0].0.clone()),
            "index" => Some(Value::Int(self.role(me.id).1.into())),
            "peers" | "all" => {
                let who = me.all.iter().filter(|id| name == "all" || **id != me.id);
                let addresses = who.filter_map(|id| of_node("addr", me, *id, party, first));
                let addresses: Vec<_> = addresses.map(|a| crate::template::plain(&a)).collect();
                text(addresses.join(","))
            }
            "data" => text(me.data.to_string_lossy().into_owned()),
            "conf" => text(me.conf.to_string_lossy().into_owned()),
            "nodes" => Some(Value::Int(me.all.len() as i64)),
            // Small enough for whoever reads it into 31 bits.
            "seed" => Some(Value::Int((me.seed & 0x7fff_ffff) as i64)),
            _ => of_node(name, me, me.id, party, first),
        }
    }
}

/// Something of `node`, as `party` sees it; a node sees itself where it listens.
pub(crate) fn of_node(
    of: &str,
    me: &Member,
    node: NodeId,
    party: Party,
    first: u16,
) -> Option<Value> {
    let (word, port) = of.split_once(':').unwrap_or((of, ""));
    let port = if port.is_empty() { first } else { port.parse().ok()? };
    let address = || match party {
        Party::Node(from) if from == node => me.listen(port),
        Party::Node(_) => me.peer(node, port),
        party => me.network.address(party, node, port),
    };
    Some(match word {
        "id" => Value::Int(node.0.into()),
        "name" => Value::Str(node.to_string()),
        "ip" => Value::Str(address().ip().to_string()),
        "port" => Value::Int(address().port().into()),
        "addr" => Value::Str(address().to_string()),
        _ => return None,
    })
}

/// The number behind a separator.
fn number(text: &str, by: char) -> Option<u16> {
    text.split_once(by)?.1.parse().ok()
}
