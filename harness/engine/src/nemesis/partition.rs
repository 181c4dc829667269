//! `partition`: links between nodes are cut; packets vanish, connections stall.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use danso_vocab::{Fault, NodeId, Nodes, Rng, Value};

use super::args::Args;
use super::links::Reach;
use super::select::{node, select};
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::cluster::{Cluster, Shape};
use crate::means::Need;
use crate::network::{Ability, Backend, Block, Link, Party, Policy};
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Partition;

const SHAPES: &[&str] = &[
    "one",
    "halves",
    "random-halves",
    "majority",
    "majorities-ring",
    "minority-third",
    "bridge",
    "primaries",
    "one-way",
    "groups",
    "links",
];

impl Nemesis for Partition {
    fn kind(&self) -> &'static str {
        "partition"
    }

    fn about(&self) -> &'static str {
        "cuts links between nodes, both directions or one"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (
                "shape",
                "one, halves, random-halves, majority, majorities-ring, minority-third, bridge, primaries, one-way, groups, links (default: a random one)",
            ),
            (
                "nodes",
                "who is cut off, or is the bridge: a node selector, for one, one-way and bridge",
            ),
            ("direction", "both, in (they hear nothing) or out (they are not heard)"),
            (
                "with",
                "peers (default), clients or all: from whom the nodes are cut off, for one, one-way and primaries",
            ),
            ("mode", "drop (default: nobody is told), reject (senders are told) or hold"),
            ("groups", "who can still talk, as in [[\"n1\", \"n2\"], [\"n3\"]]"),
            ("links", "directed links to cut, as in [[\"n1\", \"n2\"]]"),
        ]
    }

    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need> {
        let says = |name: &str, words: &[&str]| {
            args.get(name).and_then(Value::str).is_some_and(|w| words.contains(&w))
        };
        let one_way = says("shape", &["one-way", "links", "majorities-ring"])
            || says("direction", &["in", "out"]);
        let mut needs = vec![match args.get("mode").and_then(Value::str) {
            Some("reject") => Need::Link(Ability::Reject),
            Some("hold") => Need::Link(Ability::Hold),
            _ => Need::Link(Ability::Cut),
        }];
        needs.extend(one_way.then_some(Need::Link(Ability::OneWay)));
        needs
    }

    fn impairs(&self, _: &Fault) -> Impairs {
        Impairs::Links
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = ground.nodes;
        if nodes.len() < 2 {
            return Err("a cluster of one cannot be parted".to_owned());
        }
        let shape = match args.get("shape") {
            Some(Value::Str(shape)) => shape.as_str(),
            Some(other) => return Err(format!("shape = {other} is no word")),
            None if args.contains_key("groups") => "groups",
            None if args.contains_key("links") => "links",
            None if args.contains_key("nodes") => "one",
            None => {
                let usual = ["one", "halves", "majority", "majorities-ring", "one-way"];
                let one_way = ground.means.backend.can(Ability::OneWay);
                let usual = if one_way { &usual[..] } else { &usual[..3] };
                usual[rng.below(usual.len() as u64) as usize]
            }
        };
        let (who, cut) = draw_shape(shape, args, nodes, rng)?;
        let mode = Args(args).word("mode", &["drop", "reject", "hold"])?.unwrap_or("drop");
        let mut detail = BTreeMap::from([
            ("shape".to_owned(), Value::from(shape)),
            ("mode".to_owned(), mode.into()),
        ]);
        match cut {
            Cut::Links(links) => {
                let links = links.iter().map(|l| [l.from.to_string(), l.to.to_string()].into());
                detail.insert("cut".to_owned(), Value::List(links.collect()));
            }
            Cut::Around(reach) => reach.store(&mut detail),
            Cut::Bridged => {}
        }
        Ok(Fault { kind: self.kind().into(), nodes: who, args: Value::Map(detail) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let links = links_of(fault, &nodes, &cluster.nodes())?;
            if links.is_empty() {
                return Err("there is no link to cut".to_owned());
            }
            let stopped = |l: &Link| cluster.network.stats(*l).stopped;
            let before = links.iter().map(stopped).sum();
            let block = match fault.args.get("mode").and_then(Value::str) {
                Some("reject") => Block::Reject,
                Some("hold") => Block::Hold,
                _ => Block::Drop,
            };
            let cuts = links.iter().map(|l| (*l, Policy::blocked(block))).collect();
            let shape = cluster.shape(cuts).map_err(|e| e.to_string())?;
            Ok(Box::new(Cuts { nodes, links, shape, before }) as Box<dyn Wound>)
        })
    }
}

/// What is settled of a partition when planning.
enum Cut {
    /// These links.
    Links(Vec<Link>),
    /// The links around the nodes that are selected later.
    Around(Reach),
    /// The selected nodes join two halves of the others, which hear nothing of each other.
    Bridged,
}

fn draw_shape(
    shape: &str,
    args: &BTreeMap<String, Value>,
    nodes: &[NodeId],
    rng: &mut Rng,
) -> Result<(Nodes, Cut), String> {
    let reach = match args.get("direction") {
        None if shape == "one-way" => {
            let mut args = args.clone();
            let direction = ["in", "out"][rng.below(2) as usize];
            args.insert("direction".to_owned(), direction.into());
            Reach::of(&args)?
        }
        _ => Reach::of(args)?,
    };
    let mut order = nodes.to_vec();
    let half = nodes.len() / 2;
    let around = |who: Nodes| match &who {
        Nodes::These(side) => {
            let links = reach.links(side, nodes);
            (who, Cut::Links(links))
        }
        _ => (who, Cut::Around(reach)),
    };
    Ok(match shape {
        "one" | "one-way" => around(select(args.get("nodes"), "one", nodes, rng)?),
        "primaries" => around(Nodes::Primaries),
        "halves" => around(Nodes::These(nodes[..half].to_vec())),
        "random-halves" => {
            rng.shuffle(&mut order);
            order.truncate(half);
            order.sort_unstable();
            around(Nodes::These(order))
        }
        "majority" => around(select(None, "minority", nodes, rng)?),
        "minority-third" => around(select(None, "minority-third", nodes, rng)?),
        "majorities-ring" => {
            rng.shuffle(&mut order);
            (Nodes::These(nodes.to_vec()), Cut::Links(ring(&order)))
        }
        "bridge" => {
            if nodes.len() < 3 {
                return Err("a bridge wants three nodes or more".to_owned());
            }
            let chosen = match select(args.get("nodes"), "one", nodes, rng)? {
                Nodes::These(chosen) => chosen,
                later => return Ok((later, Cut::Bridged)),
            };
            let bridge = chosen[0];
            order.retain(|n| *n != bridge);
            rng.shuffle(&mut order);
            let (left, right) = order.split_at(order.len() / 2);
            (Nodes::These(vec![bridge]), Cut::Links(between(left, right)))
        }
        "groups" => {
            let groups = groups(args, nodes)?;
            let mut links = Vec::new();
            for (i, left) in groups.iter().enumerate() {
                for right in &groups[i + 1..] {
                    links.extend(between(left, right));
                }
            }
            (Nodes::These(groups.concat()), Cut::Links(links))
        }
        "links" => {
            let links = pairs(args, nodes)?;
            let ends = links.iter().flat_map(|l| [l.from, l.to]);
            let touched: BTreeSet<_> = ends.filter_map(node_of).collect();
            (Nodes::These(touched.into_iter().collect()), Cut::Links(links))
        }
        other => {
            return Err(format!("there is no shape `{other}`; there are: {}", SHAPES.join(", ")));
        }
    })
}

/// All links between two groups.
fn between(left: &[NodeId], right: &[NodeId]) -> Vec<Link> {
    let both = |a: NodeId, b: NodeId| [Link::nodes(a, b), Link::nodes(b, a)];
    left.iter().flat_map(|a| right.iter().flat_map(move |b| both(*a, *b))).collect()
}

/// Every node hears a majority, and no two hear the same: each hears the window of a majority
/// in a ring of which it is the middle.
fn ring(order: &[NodeId]) -> Vec<Link> {
    let n = order.len();
    let majority = n / 2 + 1;
    let mut links = Vec::new();
    for i in 0..n {
        let owner = order[(i + majority / 2) % n];
        let window: Vec<NodeId> = (0..majority).map(|k| order[(i + k) % n]).collect();
        let unheard = order.iter().filter(|o| !window.contains(o));
        links.extend(unheard.map(|o| Link::nodes(*o, owner)));
    }
    links
}

fn groups(args: &BTreeMap<String, Value>, nodes: &[NodeId]) -> Result<Vec<Vec<NodeId>>, String> {
    let list = args.get("groups").and_then(Value::list).unwrap_or_default();
    let mut groups = Vec::new();
    for group in list {
        let members = group.list().ok_or_else(|| format!("group {group} is no list of nodes"))?;
        groups.push(members.iter().map(|m| node(m, nodes)).collect::<Result<Vec<_>, _>>()?);
    }
    let mut seen = BTreeSet::new();
    match groups.concat().into_iter().find(|n| !seen.insert(*n)) {
        Some(twice) => Err(format!("{twice} is in two groups")),
        None if groups.len() < 2 => Err("groups wants two groups or more".to_owned()),
        None => Ok(groups),
    }
}

fn pairs(args: &BTreeMap<String, Value>, nodes: &[NodeId]) -> Result<Vec<Link>, String> {
    let list = args.get("links").and_then(Value::list).unwrap_or_default();
    let mut links = Vec::new();
    for link in list {
        let (a, b) = link.pair().ok_or_else(|| format!("{link} is no link [\"n1\", \"n2\"]"))?;
        links.push(Link { from: party(a, nodes)?, to: party(b, nodes)? });
    }
    if links.is_empty() {
        return Err("links wants at least one link [\"n1\", \"n2\"]".to_owned());
    }
    Ok(links)
}

/// An end of a link: a member, or the clients.
fn party(value: &Value, nodes: &[NodeId]) -> Result<Party, String> {
    if value.str() == Some("clients") {
        return Ok(Party::Clients);
    }
    node(value, nodes).map(Party::Node)
}

fn node_of(party: Party) -> Option<NodeId> {
    if let Party::Node(node) = party { Some(node) } else { None }
}

fn links_of(fault: &Fault, side: &[NodeId], nodes: &[NodeId]) -> Result<Vec<Link>, String> {
    let args = fault.args.map().cloned().unwrap_or_default();
    if let Some(cut) = args.get("cut").and_then(Value::list) {
        let link = |link: &Value| {
            let (a, b) = link.pair().ok_or_else(|| format!("{link} is no link"))?;
            Ok(Link { from: party(a, nodes)?, to: party(b, nodes)? })
        };
        return cut.iter().map(link).collect();
    }
    if args.get("shape").and_then(Value::str) == Some("bridge") {
        let others: Vec<_> = nodes.iter().filter(|n| !side.contains(n)).copied().collect();
        let (left, right) = others.split_at(others.len() / 2);
        return Ok(between(left, right));
    }
    Ok(Reach::of(&args)?.links(side, nodes))
}

/// Cut links.
struct Cuts {
    nodes: Vec<NodeId>,
    links: Vec<Link>,
    shape: Shape,
    /// Packets these links had stopped before.
    before: u64,
}

impl Wound for Cuts {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let links = self.links.iter().map(|l| [l.from.to_string(), l.to.to_string()].into());
        Value::of([("cut", Value::List(links.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            cluster.unshape(&self.shape).map_err(|e| e.to_string())?;
            let now: u64 = self.links.iter().map(|l| cluster.network.stats(*l).stopped).sum();
            let stopped = now.saturating_sub(self.before);
            let unit = match cluster.network.backend() {
                Backend::Switch | Backend::Nft | Backend::Hosts => "packets were dropped",
                _ => "chunks or connections were held",
            };
            Ok(match stopped {
                0 => Effect { bit: false, words: "nobody tried to use the cut links".to_owned() },
                n => Effect { bit: true, words: format!("{n} {unit}") },
            })
        })
    }
}
