//! `flap`: links go down and up again and again, as a loose plug does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};
use tokio::task::JoinHandle;

use super::args::{Args, time};
use super::links::{DIRECTION, Reach, WITH};
use super::packets::Tally;
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::{Cluster, Shape};
use crate::means::Need;
use crate::network::{Ability, Link, Policy};
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Flap;

impl Nemesis for Flap {
    fn kind(&self) -> &'static str {
        "flap"
    }

    fn about(&self) -> &'static str {
        "cuts and mends links again and again"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("nodes", "around whom: a node selector (default: one)"),
            WITH,
            DIRECTION,
            ("down", "how long links stay cut (default: 20ms to 500ms)"),
            ("up", "how long they stay whole (default: as down)"),
        ]
    }

    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need> {
        let one_way = matches!(args.get("direction").and_then(Value::str), Some("in" | "out"));
        let one_way = one_way.then_some(Need::Link(Ability::OneWay));
        [Need::Link(Ability::Cut)].into_iter().chain(one_way).collect()
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let drawn = Duration::from_millis(rng.between(20, 500));
        let down = Args(args).duration("down")?.unwrap_or(drawn);
        let up = Args(args).duration("up")?.unwrap_or(down);
        if down.is_zero() || up.is_zero() {
            return Err("down and up must be more than nothing".to_owned());
        }
        let mut args_drawn =
            BTreeMap::from([("down".to_owned(), time(down)), ("up".to_owned(), time(up))]);
        Reach::of(args)?.store(&mut args_drawn);
        Ok(Fault { kind: self.kind().into(), nodes, args: Value::Map(args_drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let read = |name| Args(&args).duration(name)?.ok_or(format!("{name} is missing"));
            let (down, up) = (read("down")?, read("up")?);
            let links = Reach::of(&args)?.links(&nodes, &cluster.nodes());
            let before = Tally::of(cluster, &links);
            let cut: Vec<_> = links.iter().map(|l| (*l, Policy::CUT)).collect();
            let shape = Arc::new(cluster.shape(cut.clone()).map_err(|e| e.to_string())?);
            let (flapping, of) = (cluster.clone(), shape.clone());
            let task = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(down).await;
                    flapping.reshape(&of, Vec::new()).map_err(|e| e.to_string())?;
                    tokio::time::sleep(up).await;
                    flapping.reshape(&of, cut.clone()).map_err(|e| e.to_string())?;
                }
            });
            Ok(Box::new(Flapping { nodes, links, shape, before, task }) as Box<dyn Wound>)
        })
    }
}

/// Links that go down and up.
struct Flapping {
    nodes: Vec<NodeId>,
    links: Vec<Link>,
    shape: Arc<Shape>,
    before: Tally,
    /// Ends only by an error, or when aborted.
    task: JoinHandle<Result<(), String>>,
}

impl Wound for Flapping {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let links = self.links.iter().map(|l| [l.from.to_string(), l.to.to_string()].into());
        Value::of([("links", Value::List(links.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            self.task.abort();
            // Waited for, so that nothing cuts the links once they are whole.
            let ended = self.task.await;
            cluster.unshape(&self.shape).map_err(|e| e.to_string())?;
            if let Ok(Err(error)) = ended {
                return Err(format!("the links stopped flapping: {error}"));
            }
            let now = Tally::of(cluster, &self.links);
            Ok(now.effect(self.before, cluster.network.backend()))
        })
    }
}
