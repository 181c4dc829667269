//! Carries out a plan's injections, records what they did, and heals them: at the end of their
//! window, or at once when the load ends.

use std::sync::Arc;
use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::{Event, Injection, NodeId, Nodes, Note, Schedule, Start, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::Cluster;
use crate::nemesis::{self, Wound};
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

/// Carries out all of it; returns when everything is healed.
pub(crate) async fn carry_out(schedule: &Schedule, context: &Context) {
    let mut injections = JoinSet::new();
    for injection in &schedule.injections {
        injections.spawn(carry_out_one(injection.clone(), context.clone()));
    }
    while let Some(result) = injections.join_next().await {
        if let Err(error) = result {
            tracing::error!(%error, "an injection panicked");
        }
    }
}

async fn carry_out_one(injection: Injection, mut context: Context) {
    let over = context.over.clone();
    let Some(speaker) = until(over.clone(), begin(&injection.start, &context)).await else {
        return;
    };
    let begun = Instant::now();
    let end = begun + injection.lasts;
    let settling = settle(&injection.fault.nodes, speaker, &context.cluster, end);
    let nodes = match until(over, settling).await {
        Some(Ok(nodes)) => nodes,
        Some(Err(reason)) => return context.failed(&injection, reason),
        None => return,
    };
    let Some(wound) = context.inject(&injection, nodes).await else { return };
    tokio::select! {
        () = sleep_until(end) => {}
        _ = context.over.wait_for(|over| *over) => {}
    }
    context.heal(&injection, wound).await;
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
        Nodes::These(nodes) => Ok(nodes.clone()),
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
    async fn inject(&self, injection: &Injection, nodes: Vec<NodeId>) -> Option<Box<dyn Wound>> {
        let (id, fault) = (injection.id, &injection.fault);
        let Some(nemesis) = nemesis::find(&fault.kind) else {
            self.failed(injection, nemesis::unknown_kind(&fault.kind));
            return None;
        };
        let named: Vec<Value> = nodes.iter().map(|n| n.to_string().into()).collect();
        let intent = Value::of([("nodes", Value::List(named)), ("args", fault.args.clone())]);
        if let Err(error) = self.undo.intend(id, &fault.kind, &intent) {
            self.failed(injection, format!("the undo log cannot be written: {error}"));
            return None;
        }
        match nemesis.inject(&self.cluster, fault, nodes).await {
            Ok(wound) => {
                let mut detail = fault.args.map().cloned().unwrap_or_default();
                detail.extend(wound.detail().map().cloned().unwrap_or_default());
                let note = Note::new(fault.kind.clone(), Value::Map(detail));
                let note = note.nodes(wound.nodes()).fault(id);
                self.recorder.record(&Event::Note(note));
                let names: Vec<_> = wound.nodes().iter().map(NodeId::to_string).collect();
                let words = format!("{} {}", fault.kind, names.join(","));
                tracing::info!("{id} {words}");
                self.monitor.fault(id, Some(words));
                Some(wound)
            }
            Err(reason) => {
                self.failed(injection, reason);
                self.undone(injection);
                None
            }
        }
    }

    async fn heal(&self, injection: &Injection, wound: Box<dyn Wound>) {
        let nodes = wound.nodes().to_vec();
        match wound.heal(&self.cluster).await {
            Ok(effect) => {
                tracing::info!("{} healed: {}", injection.id, effect.words);
                let value =
                    Value::of([("bit", effect.bit.into()), ("effect", effect.words.into())]);
                let note = Note::new(note::HEAL, value).nodes(nodes).fault(injection.id);
                self.recorder.record(&Event::Note(note));
                self.undone(injection);
            }
            Err(reason) => self.failed(injection, format!("healing failed: {reason}")),
        }
        self.monitor.fault(injection.id, None);
    }

    fn undone(&self, injection: &Injection) {
        if let Err(error) = self.undo.undone(injection.id) {
            tracing::warn!(%error, "the undo log cannot be written");
        }
    }

    fn failed(&self, injection: &Injection, reason: String) {
        tracing::warn!(fault = %injection.id, kind = %injection.fault.kind, reason);
        let note = Note::new(note::FAULT_FAILED, reason).fault(injection.id);
        self.recorder.record(&Event::Note(note));
    }
}
