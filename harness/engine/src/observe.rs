//! What a run sees by itself and writes down, beside operations and faults: nodes that come and
//! go, who leads, what their clocks say.

use std::sync::Arc;
use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::{Event, NodeId, Note, Value};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::cluster::Cluster;
use crate::process::{Listener, News, Turn};
use crate::recorder::Recorder;
use crate::remote;

/// How often nodes are asked who leads.
const LEADERS_EVERY: Duration = Duration::from_secs(1);
/// How often clocks are read.
const CLOCKS_EVERY: Duration = Duration::from_millis(500);

/// Writes down what happens to the nodes' processes, `elsewhere` or here.
pub(crate) fn nodes(elsewhere: bool, recorder: Arc<Recorder>) -> Listener {
    Box::new(move |News { node, what }| {
        let note = match what {
            Turn::Up => Note::new(note::NODE_UP, ()),
            Turn::Down(how) => Note::new(note::NODE_DOWN, how),
            Turn::Paused => Note::new(note::NODE_PAUSED, ()),
            Turn::Resumed => Note::new(note::NODE_RESUMED, ()),
            Turn::Died { status, stderr } => {
                tracing::warn!(%node, status, "a node ended by itself");
                let lost = elsewhere && status == remote::LOST;
                let f = if lost { remote::NODE_LOST } else { note::NODE_CRASHED };
                Note::new(f, Value::of([("status", status.into()), ("stderr", stderr.into())]))
            }
        };
        recorder.record(&Event::Note(note.nodes([node])));
    })
}

/// Looks every now and then at who leads and at the clocks, if this run has any, until dropped.
pub(crate) fn samples(cluster: &Arc<Cluster>, recorder: &Arc<Recorder>) -> JoinSet<()> {
    let mut samples = JoinSet::new();
    samples.spawn(leaders(cluster.clone(), recorder.clone()));
    if !cluster.clocks.is_empty() {
        samples.spawn(clocks(cluster.clone(), recorder.clone()));
    }
    samples
}

/// Writes down who leads, whenever that is another than before.
async fn leaders(cluster: Arc<Cluster>, recorder: Arc<Recorder>) {
    let mut last = Vec::new();
    let mut ticks = every(LEADERS_EVERY);
    loop {
        ticks.tick().await;
        // Who does not answer in time has not said that nobody leads.
        let Some(leads) = cluster.leaders().await else { continue };
        if leads != last {
            recorder.record(&Event::Note(Note::new(note::LEADER, ()).nodes(leads.clone())));
            last = leads;
        }
    }
}

/// Writes down what each node's clock is, as read from inside.
async fn clocks(cluster: Arc<Cluster>, recorder: Arc<Recorder>) {
    let mut ticks = every(CLOCKS_EVERY);
    loop {
        ticks.tick().await;
        let cluster = cluster.clone();
        // It looks at every process of the machine.
        let read = tokio::task::spawn_blocking(move || offsets(&cluster)).await;
        for (node, ahead) in read.unwrap_or_default() {
            recorder.record(&Event::Note(Note::new(note::CLOCK_OFFSET, ahead).nodes([node])));
        }
    }
}

/// How far the clock of each node that runs is ahead, ns.
fn offsets(cluster: &Cluster) -> Vec<(NodeId, i64)> {
    let offset = |node: NodeId| {
        let pids = cluster.processes.processes(node);
        // One that is just being started may not have its clock yet.
        let seen = cluster.clocks.read(node, &pids).ok()?;
        Some((node, seen.readings.first()?.wall_ns))
    };
    cluster.nodes().into_iter().filter_map(offset).collect()
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
