//! Carries out a plan's injections, records what they did, and heals them: at the end of their
//! window, or at once when the load ends.

use std::sync::Arc;
use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::{Event, FaultId, Injection, NodeId, Nodes, Note, Schedule, Start, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::Cluster;
use crate::nemesis::{self, Effect, Wound};
use crate::progress::Monitor;
use crate::recorder::Recorder;
use crate::undo::UndoLog;

/// How often somebody is asked who leads, while nobody does.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What injections need.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) undo: Arc<UndoLog>,
    pub(crate) monitor: Arc<Monitor>,
    /// The start of the load, from which the schedule's times count.
    pub(crate) start: Instant,
    /// Turns true when the load ends: heal now, begin nothing more.
    pub(crate) over: watch::Receiver<bool>,
}

/// Decides what goes wrong next. Usually a plan's schedule, which has decided everything before
/// the run; another source may decide by what it sees, and answers itself for being repeatable.
pub trait Source: Send {
    /// The injections to carry out now, each at its own start, after these things were seen.
    /// Called first with nothing seen, then whenever something was, until the load ends.
    fn next(&mut self, seen: &[Seen]) -> Vec<Injection>;
}

/// What a [`Source`] may decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A fault was in force and is healed.
    Healed(FaultId, Effect),
    /// A fault could not be injected, or not be healed.
    Failed(FaultId, String),
    /// A node printed this.
    Line(NodeId, String),
}

/// A schedule is a source that looks at nothing.
impl Source for Schedule {
    fn next(&mut self, _: &[Seen]) -> Vec<Injection> {
        std::mem::take(&mut self.injections)
    }
}

/// Carries out what the source decides; returns when the load is over and everything is healed.
pub(crate) async fn carry_out(mut source: Box<dyn Source>, context: &Context) {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut lines = context.cluster.processes.lines();
    let mut over = context.over.clone();
    let mut injections = JoinSet::new();
    let mut fresh = source.next(&[]);
    loop {
        for injection in fresh.drain(..) {
            let (context, tell) = (context.clone(), tell.clone());
            injections.spawn(async move {
                if let Some(seen) = carry_out_one(injection, context).await {
                    // Nobody listens once the load is over.
                    let _ = tell.send(seen);
                }
            });
        }
        tokio::select! {
            biased;
            _ = over.wait_for(|over| *over) => break,
            Some(seen) = told.recv() => fresh = source.next(&[seen]),
            line = lines.recv() => {
                // The sender lives as long as the cluster; lines missed in a flood are missed.
                if let Ok(line) = line {
                    fresh = source.next(&[Seen::Line(line.node, line.text)]);
                }
            }
            Some(ended) = injections.join_next() => complain(ended),
        }
    }
    while let Some(ended) = injections.join_next().await {
        complain(ended);
    }
}

fn complain(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an injection panicked");
    }
}

/// Returns what came of it, if it ever began.
async fn carry_out_one(injection: Injection, mut context: Context) -> Option<Seen> {
    let over = context.over.clone();
    let speaker = until(over.clone(), begin(&injection.start, &context)).await?;
    let begun = Instant::now();
    let end = begun + injection.lasts;
    let settling = settle(&injection.fault.nodes, speaker, &context.cluster, end);
    let nodes = match until(over, settling).await? {
        Ok(nodes) => nodes,
        Err(reason) => return Some(context.failed(&injection, reason)),
    };
    let wound = match context.inject(&injection, nodes).await {
        Ok(wound) => wound,
        Err(failed) => return Some(failed),
    };
    tokio::select! {
        () = sleep_until(end) => {}
        _ = context.over.wait_for(|over| *over) => {}
    }
    Some(context.heal(&injection, wound).await)
}

/// The result of `work`, unless the load is over first.
async fn until<T>(mut over: watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        _ = over.wait_for(|over| *over) => None,
        done = work => Some(done),
    }
}

/// Waits for the start; returns who spoke, if that is what it waited for.
async fn begin(start: &Start, context: &Context) -> Option<NodeId> {
    match start {
        Start::At(time) => {
            sleep_until(context.start + time.since_start()).await;
            None
        }
        Start::OnLog { from, text, delay } => {
            sleep_until(context.start + from.since_start()).await;
            let mut lines = context.cluster.processes.lines();
            loop {
                match lines.recv().await {
                    Ok(line) if line.text.contains(text) => {
                        if !delay.is_zero() {
                            sleep(*delay).await;
                        }
                        return Some(line.node);
                    }
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    // No process will ever speak again: wait for the load to end.
                    Err(_) => std::future::pending().await,
                }
            }
        }
    }
}

/// The nodes a fault hits, now that it begins.
async fn settle(
    nodes: &Nodes,
    speaker: Option<NodeId>,
    cluster: &Cluster,
    end: Instant,
) -> Result<Vec<NodeId>, String> {
    match nodes {
        // A stored plan may name anybody.
        Nodes::These(nodes) => {
            nodes.iter().try_for_each(|n| cluster.member(*n).map(drop))?;
            Ok(nodes.clone())
        }
        Nodes::Speaker => speaker
            .map(|s| vec![s])
            .ok_or_else(|| "nodes = speaker wants a fault that begins on a log line".to_owned()),
        Nodes::Primaries | Nodes::Follower | Nodes::Followers | Nodes::Winner => loop {
            let primaries = cluster.primaries().await;
            if *nodes == Nodes::Winner
                && let Some(winner) = cluster.winner()
            {
                return Ok(vec![winner]);
            }
            if let Some(first) = primaries.first() {
                let mut all = cluster.nodes();
                return Ok(match nodes {
                    Nodes::Follower => vec![all[(first.index() + 1) % all.len()]],
                    Nodes::Followers => {
                        all.retain(|n| !primaries.contains(n));
                        all
                    }
                    _ => primaries,
                });
            }
            if Instant::now() >= end {
                return Err("nobody led during its window".to_owned());
            }
            sleep(ASK_EVERY).await;
        },
    }
}

impl Context {
    async fn inject(
        &self,
        injection: &Injection,
        nodes: Vec<NodeId>,
    ) -> Result<Box<dyn Wound>, Seen> {
        let (id, fault) = (injection.id, &injection.fault);
        let Some(nemesis) = nemesis::find(&fault.kind) else {
            return Err(self.failed(injection, nemesis::unknown_kind(&fault.kind)));
        };
        let named: Vec<Value> = nodes.iter().map(|n| n.to_string().into()).collect();
        let intent = Value::of([("nodes", Value::List(named)), ("args", fault.args.clone())]);
        if let Err(error) = self.undo.intend(id, &fault.kind, &intent) {
            let reason = format!("the undo log cannot be written: {error}");
            return Err(self.failed(injection, reason));
        }
        let begun = Instant::now();
        match nemesis.inject(&self.cluster, fault, nodes).await {
            Ok(wound) => {
                let mut detail = fault.args.map().cloned().unwrap_or_default();
                detail.extend(wound.detail().map().cloned().unwrap_or_default());
                if nemesis.excuses() {
                    // A node may have ended of it before all of it was done.
                    let took = i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
                    detail.insert(note::TOOK.to_owned(), took.into());
                }
                let note = Note::new(fault.kind.clone(), Value::Map(detail));
                let note = note.nodes(wound.nodes()).fault(id);
                self.recorder.record(&Event::Note(note));
                let names: Vec<_> = wound.nodes().iter().map(NodeId::to_string).collect();
                let words = format!("{} {}", fault.kind, names.join(","));
                tracing::info!("{id} {words}");
                self.monitor.fault(id, Some(words));
                Ok(wound)
            }
            Err(reason) => {
                self.undone(injection);
                Err(self.failed(injection, reason))
            }
        }
    }

    async fn heal(&self, injection: &Injection, wound: Box<dyn Wound>) -> Seen {
        let nodes = wound.nodes().to_vec();
        let seen = match wound.heal(&self.cluster).await {
            Ok(effect) => {
                tracing::info!("{} healed: {}", injection.id, effect.words);
                let words = effect.words.as_str().into();
                let value = Value::of([("bit", effect.bit.into()), ("effect", words)]);
                let note = Note::new(note::HEAL, value).nodes(nodes).fault(injection.id);
                self.recorder.record(&Event::Note(note));
                self.undone(injection);
                Seen::Healed(injection.id, effect)
            }
            Err(reason) => self.failed(injection, format!("healing failed: {reason}")),
        };
        self.monitor.fault(injection.id, None);
        seen
    }

    fn undone(&self, injection: &Injection) {
        if let Err(error) = self.undo.undone(injection.id) {
            tracing::warn!(%error, "the undo log cannot be written");
        }
    }

    fn failed(&self, injection: &Injection, reason: String) -> Seen {
        tracing::warn!(fault = %injection.id, kind = %injection.fault.kind, reason);
        let note = Note::new(note::FAULT_FAILED, reason.as_str()).fault(injection.id);
        self.recorder.record(&Event::Note(note));
        Seen::Failed(injection.id, reason)
    }
}
