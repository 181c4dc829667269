//! Restarts of other kinds: `restart-rolling`, one node after the other; `crash-loop`, again and
//! again; `kill-on-start`, before a node has come to itself; `slow-start`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::{Args, duration, time};
use super::ends::{Busy, How, Over, effect, end, let_up, start, start_unless, take_down};
use super::kill::GRACE;
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::{Cluster, Hold};
use crate::means::Need;
use crate::target::Fut;

/// How long a node that was restarted may take to serve before the next is restarted all the
/// same.
const SERVES: Duration = Duration::from_secs(15);

/// Nodes one after the other.
pub(super) const ROLLING: Restarts = Restarts { which: Which::Rolling };
/// Nodes again and again.
pub(super) const CRASH_LOOP: Restarts = Restarts { which: Which::CrashLoop };
/// Nodes that have just been started.
pub(super) const ON_START: Restarts = Restarts { which: Which::OnStart };
/// Nodes that take long to start.
pub(super) const SLOW: Restarts = Restarts { which: Which::Slow };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Rolling,
    CrashLoop,
    OnStart,
    Slow,
}

/// See the [module](self).
pub(super) struct Restarts {
    which: Which,
}

impl Nemesis for Restarts {
    fn kind(&self) -> &'static str {
        match self.which {
            Which::Rolling => "restart-rolling",
            Which::CrashLoop => "crash-loop",
            Which::OnStart => "kill-on-start",
            Which::Slow => "slow-start",
        }
    }

    fn about(&self) -> &'static str {
        match self.which {
            Which::Rolling => "restarts nodes one after the other, each when the last one serves",
            Which::CrashLoop => "kills nodes again and again and starts them at once",
            Which::OnStart => "kills nodes, and again a moment after each start",
            Which::Slow => "kills nodes and lets them take long to start",
        }
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        const ONE: (&str, &str) = ("nodes", "a node selector (default: one)");
        match self.which {
            Which::Rolling => &[
                ("nodes", "a node selector (default: all)"),
                ("how", "stop (SIGTERM, the default) or kill"),
                ("rest", "between one that serves again and the next (default: 100ms)"),
            ],
            Which::CrashLoop => &[ONE, ("period", "from kill to kill (default: 500ms to 2s)")],
            Which::OnStart => &[
                ONE,
                ("times", "how often they are started and killed (default: 1 to 4)"),
                ("within", "each time after a random moment of at most this (default: 500ms)"),
            ],
            Which::Slow => {
                &[ONE, ("takes", "how long until the program is started (default: 1s to 5s)")]
            }
        }
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Processes]
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let default = if self.which == Which::Rolling { "all" } else { "one" };
        let nodes = select(args.get("nodes"), default, ground.nodes, rng)?;
        let args = Args(args);
        let drawn = match self.which {
            Which::Rolling => {
                let how = args.word("how", &["stop", "kill"])?.unwrap_or("stop");
                let rest = args.duration("rest")?.unwrap_or(Duration::from_millis(100));
                Value::of([("how", how.into()), ("rest", time(rest))])
            }
            Which::CrashLoop => {
                let drawn = Duration::from_millis(rng.between(500, 2_000));
                let period = args.duration("period")?.unwrap_or(drawn);
                if period < Duration::from_millis(10) {
                    return Err("period must be 10ms or more".to_owned());
                }
                Value::of([("period", time(period))])
            }
            Which::OnStart => {
                let drawn = rng.between(1, 4);
                let times = args.number("times", 1, 100)?.unwrap_or(drawn);
                let within = args.duration("within")?.unwrap_or(Duration::from_millis(500));
                let most = u64::try_from(within.as_micros()).unwrap_or(u64::MAX);
                let moment = |_| time(Duration::from_micros(rng.between(0, most)));
                Value::of([("after", Value::List((0..times).map(moment).collect()))])
            }
            Which::Slow => {
                let drawn = Duration::from_millis(rng.between(1_000, 5_000));
                Value::of([("takes", time(args.duration("takes")?.unwrap_or(drawn)))])
            }
        };
        Ok(Fault { kind: self.kind().into(), nodes, args: drawn })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let args = Args(&args);
            let given = |name| args.duration(name)?.ok_or_else(|| format!("{name} is missing"));
            let nothing = Value::of([]);
            Ok(match self.which {
                Which::Rolling => {
                    let how = match args.word("how", &["stop", "kill"])? {
                        Some("kill") => How::Kill,
                        _ => How::Stop(GRACE),
                    };
                    let rest = given("rest")?;
                    Busy::begin(cluster, nodes, nothing, move |cluster, nodes, over| {
                        roll(cluster, nodes, over, how, rest)
                    })
                }
                Which::CrashLoop => {
                    let period = given("period")?;
                    Busy::begin(cluster, nodes, nothing, move |cluster, nodes, over| {
                        crash(cluster, nodes, over, period)
                    })
                }
                Which::OnStart => {
                    let after = args.get("after").and_then(Value::list).unwrap_or_default();
                    let after = after
                        .iter()
                        .map(|v| duration("after", v))
                        .collect::<Result<Vec<_>, _>>()?;
                    Busy::begin(cluster, nodes, nothing, move |cluster, nodes, over| {
                        nip(cluster, nodes, over, after)
                    })
                }
                Which::Slow => {
                    let takes = given("takes")?;
                    let ended = take_down(cluster, &nodes, How::Kill).await;
                    let mut failed = Vec::new();
                    // Nobody stays held down because another cannot be started.
                    for node in &nodes {
                        if cluster.release(*node, Hold::Down)
                            && let Err(error) = start(cluster, *node, takes).await
                        {
                            failed.push(error);
                        }
                    }
                    if !failed.is_empty() {
                        return Err(failed.join("; "));
                    }
                    Box::new(Slowed { nodes, ended }) as Box<dyn Wound>
                }
            })
        })
    }
}

/// Restarts each once, or as many as there is time for.
async fn roll(
    cluster: Arc<Cluster>,
    nodes: Vec<NodeId>,
    mut over: Over,
    how: How,
    rest: Duration,
) -> Result<Effect, String> {
    let (mut ended, mut reached) = (Vec::new(), 0);
    for node in &nodes {
        if over.is_over() {
            break;
        }
        reached += 1;
        ended.extend(take_down(&cluster, &[*node], how).await);
        let_up(&cluster, &[*node]).await?;
        tokio::select! {
            served = cluster.ready(*node, SERVES) => {
                if let Err(reason) = served {
                    tracing::info!(%node, reason, "goes on to the next all the same");
                }
            }
            () = over.come() => {}
        }
        over.wait(rest).await;
    }
    let mut effect = effect(&ended, &nodes[..reached]);
    if reached < nodes.len() {
        effect.words += &format!("; no time for {} more", nodes.len() - reached);
    }
    effect.bit &= reached > 0;
    Ok(effect)
}

/// Kills all of them, once a period.
async fn crash(
    cluster: Arc<Cluster>,
    nodes: Vec<NodeId>,
    mut over: Over,
    period: Duration,
) -> Result<Effect, String> {
    let mut kills: BTreeMap<NodeId, u32> = BTreeMap::new();
    loop {
        let begun = Instant::now();
        for node in &nodes {
            let killed = take_down(&cluster, &[*node], How::Kill).await;
            *kills.entry(*node).or_default() += killed.len() as u32;
            let_up(&cluster, &[*node]).await?;
        }
        if over.wait(period.saturating_sub(begun.elapsed())).await {
            break;
        }
    }
    let words: Vec<_> = kills.iter().map(|(n, k)| format!("{n} was killed {k} times")).collect();
    Ok(Effect { bit: kills.values().all(|k| *k > 0), words: words.join(", ") })
}

/// Keeps them down but for those moments.
async fn nip(
    cluster: Arc<Cluster>,
    nodes: Vec<NodeId>,
    mut over: Over,
    after: Vec<Duration>,
) -> Result<Effect, String> {
    let first = take_down(&cluster, &nodes, How::Kill).await;
    let mut nipped = 0;
    let mut failed = None;
    for moment in &after {
        // What another fault keeps down too is not ours to start.
        let mut ours = Vec::new();
        for node in &nodes {
            match start_unless(&cluster, *node, Duration::ZERO, 1).await {
                Ok(true) => ours.push(*node),
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        }
        let ended = over.wait(*moment).await;
        for node in &ours {
            nipped += u32::from(end(&cluster, *node, How::Kill).await.is_some());
        }
        if ended || failed.is_some() {
            break;
        }
    }
    over.come().await;
    let_up(&cluster, &nodes).await?;
    if let Some(error) = failed {
        return Err(error);
    }
    let words = format!("{}; then {nipped} times within moments of a start", first.join(", "));
    Ok(Effect { bit: first.len() == nodes.len() && nipped > 0, words })
}

/// Nodes that are being started, slowly.
struct Slowed {
    nodes: Vec<NodeId>,
    ended: Vec<String>,
}

impl Wound for Slowed {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("ended", self.ended.clone().into())])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let mut effect = effect(&self.ended, &self.nodes);
            for node in &self.nodes {
                if cluster.processes.is_delayed(*node) {
                    // It has been down all the time; now it may start as usual.
                    let _ = end(cluster, *node, How::Kill).await;
                    start(cluster, *node, Duration::ZERO).await?;
                    effect.words += &format!(", {node} not started before the end");
                }
            }
            Ok(effect)
        })
    }
}
