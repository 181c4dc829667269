//! Faults of links that are not cut: late, lost, doubled, overtaking, corrupted, slow, short,
//! reset or held traffic, and wrong HTTP answers. Each is a row of [`rows`].

pub(super) mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::Args;
use super::links::Reach;
use super::select::select;
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::cluster::{Cluster, Shape};
use crate::means::Need;
use crate::network::{Ability, Backend, Http, Link, LinkStats, Mishap, Policy};
use crate::target::Fut;

/// Arguments by name.
type Drawn = Vec<(&'static str, Value)>;

/// A kind of fault that shapes links by one policy for the whole of its window.
pub(super) struct Packets {
    kind: &'static str,
    about: &'static str,
    args: &'static [(&'static str, &'static str)],
    ability: Ability,
    /// Whether it is chosen unasked.
    fair: bool,
    /// Draws what the arguments leave open; returns them complete.
    draw: fn(Args<'_>, &mut Rng) -> Result<Drawn, String>,
    /// What complete arguments come to.
    policy: fn(Args<'_>) -> Result<Policy, String>,
}

/// The longest anything may be delayed: sums of such delays are still times.
const LATEST: Duration = Duration::from_secs(3_600);

impl Packets {
    /// The policy of complete arguments.
    fn bounded(&self, args: Args<'_>) -> Result<Policy, String> {
        let policy = (self.policy)(args)?;
        let answer = match policy.http {
            Some(Http { mishap: Mishap::Delay(by), .. }) => by,
            _ => Duration::ZERO,
        };
        let times = [policy.delay.mean, policy.delay.jitter, policy.linger, answer];
        if times.iter().any(|t| *t > LATEST) {
            return Err(format!("nothing can be delayed by more than {LATEST:?}"));
        }
        Ok(policy)
    }
}

impl Nemesis for Packets {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        self.args
    }

    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need> {
        let mut needs = vec![Need::Link(self.ability)];
        // A response is spoilt on its way out, whatever becomes of the requests.
        let one_way = matches!(args.get("direction").and_then(Value::str), Some("in" | "out"));
        if one_way && self.ability == Ability::Hold {
            needs.push(Need::Link(Ability::OneWay));
        }
        needs
    }

    fn impairs(&self, _: &Fault) -> Impairs {
        match self.ability {
            Ability::Hold | Ability::Longest | Ability::Reset => Impairs::Nodes,
            _ => Impairs::Nothing,
        }
    }

    fn fair(&self) -> bool {
        self.fair
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let drawn = (self.draw)(Args(args), rng)?;
        let mut drawn: BTreeMap<_, _> = drawn.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        Reach::of(args)?.store(&mut drawn);
        // What cannot be carried out is refused now.
        self.bounded(Args(&drawn))?;
        Ok(Fault { kind: self.kind.into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let policy = self.bounded(Args(&args))?;
            let links = Reach::of(&args)?.links(&nodes, &cluster.nodes());
            let before = Tally::of(cluster, &links);
            let policies = links.iter().map(|l| (*l, policy)).collect();
            let shape = cluster.shape(policies).map_err(|e| e.to_string())?;
            Ok(Box::new(Shaped { nodes, links, shape, before }) as Box<dyn Wound>)
        })
    }
}

/// What links have seen, all together.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    stopped: u64,
    touched: u64,
}

impl Tally {
    /// So far.
    pub(super) fn of(cluster: &Cluster, links: &[Link]) -> Tally {
        links.iter().fold(Tally::default(), |sum, link| {
            let LinkStats { stopped, touched, .. } = cluster.network.stats(*link);
            Tally { stopped: sum.stopped + stopped, touched: sum.touched + touched }
        })
    }

    /// What happened since `before`.
    pub(super) fn effect(self, before: Tally, backend: Backend) -> Effect {
        let stopped = self.stopped.saturating_sub(before.stopped);
        let touched = self.touched.saturating_sub(before.touched);
        let (unit, dropped) = match backend {
            Backend::Proxy => ("chunks, connections or responses", "held back"),
            _ => ("packets", "stopped"),
        };
        let words = match (stopped, touched) {
            (0, 0) => "no traffic met it".to_owned(),
            (s, 0) => format!("{s} {unit} were {dropped}"),
            (0, t) => format!("{t} {unit} met it"),
            (s, t) => format!("{t} {unit} met it, {s} were {dropped}"),
        };
        Effect { bit: stopped + touched > 0, words }
    }
}

/// Links with a policy.
struct Shaped {
    nodes: Vec<NodeId>,
    links: Vec<Link>,
    shape: Shape,
    before: Tally,
}

impl Wound for Shaped {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let links = self.links.iter().map(|l| [l.from.to_string(), l.to.to_string()].into());
        Value::of([("links", Value::List(links.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            // Counted first: what a hold releases was held.
            let now = Tally::of(cluster, &self.links);
            cluster.unshape(&self.shape).map_err(|e| e.to_string())?;
            Ok(now.effect(self.before, cluster.network.backend()))
        })
    }
}
