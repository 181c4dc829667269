//! Nemeses: kinds of faults. Each draws its faults when planning, injects them, proves that they
//! have bitten, and heals them.
//!
//! To add one: a file here, a line in [`NEMESES`], a test that sees its effect from inside a
//! node.

mod args;
mod arrange;
mod clock;
mod custom;
mod damage;
mod ends;
mod flap;
mod kill;
mod limits;
mod links;
mod membership;
mod outage;
mod packets;
mod partition;
mod pause;
mod power;
mod quorum;
mod restarts;
mod select;
mod starve;
mod storage;
mod style;
mod timing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, FaultId, Injection, NodeId, Rng, Schedule, Value};

use crate::cluster::Cluster;
use crate::means::{Means, Need};
use crate::target::Fut;

pub use self::arrange::{arrange, auto};
pub use self::style::{Phases, SETTINGS, Style};
pub use self::timing::ARGS as TIMING;

/// A kind of fault.
pub trait Nemesis: Send + Sync {
    /// Its name: what happens.
    fn kind(&self) -> &'static str;

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// Its arguments, name and meaning, beside those of timing.
    fn args(&self) -> &'static [(&'static str, &'static str)];

    /// What it needs of machine, network and target with these arguments, which are those asked
    /// for or those drawn.
    fn needs(&self, args: &BTreeMap<String, Value>) -> Vec<Need>;

    /// Whether a correct system is supposed to stand it, and almost any traffic meets it: only
    /// such faults are chosen unasked.
    fn fair(&self) -> bool {
        true
    }

    /// What it takes from the quorum while it is in force.
    fn impairs(&self, _: &Fault) -> Impairs {
        Impairs::Nodes
    }

    /// Whether nodes it hits may end by themselves, and that is no finding.
    fn excuses(&self) -> bool {
        false
    }

    /// Settles every random choice.
    ///
    /// # Errors
    /// If the arguments make no sense for this cluster: one line, with the mend.
    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String>;

    /// Does it to `nodes`, which is what the fault's own `nodes` came to.
    ///
    /// # Errors
    /// If it could not be done. Then nothing is left of it.
    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>>;
}

/// What faults are drawn for.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The members.
    pub nodes: &'a [NodeId],
    /// What there is to work with.
    pub means: &'a Means,
    /// How long the load lasts.
    pub load: Duration,
}

/// What a fault takes from the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impairs {
    /// Nothing: nodes get slower at most.
    Nothing,
    /// The nodes it hits.
    Nodes,
    /// The links it lists as `cut`.
    Links,
}

/// A fault in force. Knows how to heal itself.
pub trait Wound: Send {
    /// The nodes it hit.
    fn nodes(&self) -> &[NodeId];

    /// What was done, for the history.
    fn detail(&self) -> Value;

    /// Undoes it and says what it did.
    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>>;
}

/// What a fault did, as far as could be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Whether it was seen to bite.
    pub bit: bool,
    /// What was seen, or why nothing was.
    pub words: String,
}

/// All nemeses.
pub static NEMESES: &[&dyn Nemesis] = &[
    &partition::Partition,
    &flap::Flap,
    &packets::rows::DELAY,
    &packets::rows::LOSS,
    &packets::rows::DUPLICATE,
    &packets::rows::REORDER,
    &packets::rows::CORRUPT,
    &packets::rows::BANDWIDTH,
    &packets::rows::BLACKHOLE,
    &packets::rows::RESET,
    &packets::rows::HOLD,
    &packets::rows::SLOW_CLOSE,
    &packets::rows::HTTP,
    &kill::KILL,
    &kill::STOP,
    &restarts::ROLLING,
    &restarts::CRASH_LOOP,
    &restarts::ON_START,
    &restarts::SLOW,
    &pause::Pause,
    &power::PowerFailure,
    &power::FsyncLie,
    &storage::ERROR,
    &storage::FULL,
    &storage::SLOW,
    &storage::READ_ONLY,
    &storage::CORRUPTION,
    &damage::FLIP,
    &damage::TRUNCATE,
    &damage::SnapshotRestore,
    &clock::Clock,
    &starve::CPU,
    &starve::MEMORY,
    &limits::FILES,
    &limits::FILE_SIZE,
    &membership::Membership,
    &custom::Custom,
];

/// The nemesis called `kind`.
pub fn find(kind: &str) -> Option<&'static dyn Nemesis> {
    NEMESES.iter().copied().find(|n| n.kind() == kind)
}

/// Whether any fault of `schedule` needs this.
pub fn needed(schedule: &Schedule, need: Need) -> bool {
    schedule.injections.iter().any(|injection| {
        let args = injection.fault.args.map().cloned().unwrap_or_default();
        find(&injection.fault.kind).is_some_and(|n| n.needs(&args).contains(&need))
    })
}

/// Whether a nemesis can work here with these arguments.
///
/// # Errors
/// What is missing and the mend, in one line.
pub fn available(
    nemesis: &dyn Nemesis,
    args: &BTreeMap<String, Value>,
    ground: &Ground<'_>,
) -> Result<(), String> {
    let kind = nemesis.kind();
    for need in nemesis.needs(args) {
        if matches!(need, Need::Link(_)) && ground.nodes.len() < 2 {
            return Err(format!("{kind} needs two nodes or more: there is no link to hurt"));
        }
        ground.means.have(need).map_err(|obstacle| format!("{kind}: {obstacle}"))?;
    }
    Ok(())
}

/// One `[[fault]]` of a test: a kind with arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The nemesis.
    pub kind: String,
    /// Its arguments and timing.
    pub args: BTreeMap<String, Value>,
}

/// Draws the injections of one request.
///
/// # Errors
/// One line: an unknown argument, a window that does not fit, a selection that makes no sense.
pub fn draw(
    request: &Request,
    ground: &Ground<'_>,
    rng: &mut Rng,
) -> Result<Vec<Injection>, String> {
    let nemesis = find(&request.kind).ok_or_else(|| unknown_kind(&request.kind))?;
    let known = nemesis.args().iter().chain(timing::ARGS).map(|(name, _)| *name);
    if let Some(arg) = request.args.keys().find(|a| known.clone().all(|k| k != *a)) {
        let known: Vec<_> = known.collect();
        return Err(format!(
            "{} has no argument `{arg}`; it has: {}",
            request.kind,
            known.join(", ")
        ));
    }
    available(nemesis, &request.args, ground)?;
    let windows = timing::windows(&request.args, ground.load, rng)
        .map_err(|e| format!("{}: {e}", request.kind))?;
    let mut injections = Vec::with_capacity(windows.len());
    for (start, lasts) in windows {
        let fault = nemesis
            .draw(&request.args, ground, rng)
            .map_err(|e| format!("{}: {e}", request.kind))?;
        injections.push(Injection { id: FaultId(0), fault, start, lasts });
    }
    Ok(injections)
}

/// Says which kinds there are.
pub fn unknown_kind(kind: &str) -> String {
    let known: Vec<_> = NEMESES.iter().map(|n| n.kind()).collect();
    format!("there is no fault `{kind}`; there are: {}", known.join(", "))
}

#[cfg(test)]
mod tests;
