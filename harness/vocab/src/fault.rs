//! [`Fault`], [`Injection`], [`Schedule`]: what will go wrong, drawn before the run.

use std::fmt;
use std::time::Duration;

use crate::{Name, NodeId, Time, Value};

/// Names an injection within its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FaultId(pub u32);

impl fmt::Display for FaultId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "F{}", self.0)
    }
}

/// The nodes a fault hits. Chance is settled when planning; only what nobody can know before
/// the run is settled at injection, and recorded then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// These.
    These(Vec<NodeId>),
    /// Whoever leads at the moment of injection.
    Primaries,
    /// The member behind whoever leads then, counting in a circle: one that does not lead.
    Follower,
    /// Everybody who does not lead then.
    Followers,
    /// Whoever led last, whether or not it still does.
    Winner,
    /// The node that printed the line the injection was waiting for.
    Speaker,
}

impl Nodes {
    /// What is settled only at injection, by its word and in words.
    const ROLES: [(Nodes, &str, &str); 5] = [
        (Nodes::Primaries, "primaries", "whoever leads"),
        (Nodes::Follower, "follower", "one who does not lead"),
        (Nodes::Followers, "followers", "all who do not lead"),
        (Nodes::Winner, "winner", "whoever led last"),
        (Nodes::Speaker, "speaker", "whoever says so"),
    ];

    /// The role a word stands for.
    pub fn of_word(word: &str) -> Option<Nodes> {
        Nodes::ROLES.iter().find(|(_, w, _)| *w == word).map(|(role, _, _)| role.clone())
    }

    /// The words [`Nodes::of_word`] knows.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Nodes::ROLES.iter().map(|(_, word, _)| *word)
    }

    /// The word of a role; `None` if the nodes are known.
    pub fn word(&self) -> Option<&'static str> {
        Nodes::ROLES.iter().find(|(role, _, _)| role == self).map(|(_, word, _)| *word)
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Nodes::These(nodes) = self {
            let names: Vec<_> = nodes.iter().map(NodeId::to_string).collect();
            return out.write_str(&names.join(","));
        }
        let role = Nodes::ROLES.iter().find(|(role, _, _)| role == self);
        out.write_str(role.map_or("nobody", |(_, _, words)| words))
    }
}

/// One instance of a kind of fault: data, not code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The nemesis: `partition`, `kill`, `pause`…
    pub kind: Name,
    /// The nodes it hits.
    pub nodes: Nodes,
    /// Details of the kind; a map. A partition's `cut` lists directed links `[from to]`.
    pub args: Value,
}

/// When an injection begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this time.
    At(Time),
    /// `delay` after the first line containing `text` that a node prints after `from`.
    OnLog {
        /// When to begin listening.
        from: Time,
        /// What to listen for.
        text: String,
        /// How long to wait once it was heard.
        delay: Duration,
    },
}

/// A fault and its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// Its name in the history.
    pub id: FaultId,
    /// What is injected.
    pub fault: Fault,
    /// When.
    pub start: Start,
    /// How long it lasts before it is healed.
    pub lasts: Duration,
}

/// Everything that will go wrong in a run, by start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The injections; ids count from 0 in this order.
    pub injections: Vec<Injection>,
}

impl Schedule {
    /// Puts injections in order of start and numbers them.
    pub fn new(mut injections: Vec<Injection>) -> Schedule {
        injections.sort_by_key(|i| i.start.earliest());
        for (i, injection) in injections.iter_mut().enumerate() {
            injection.id = FaultId(i as u32);
        }
        Schedule { injections }
    }
}

impl Start {
    /// The earliest time it can begin.
    pub fn earliest(&self) -> Time {
        match self {
            Start::At(time) | Start::OnLog { from: time, .. } => *time,
        }
    }
}
