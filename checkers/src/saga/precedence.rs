//! The order of one saga's events: what the rules require against what the journals force.
//!
//! Required, where both are there, for a step i that j needs: T_i before T_j; T_i before C_i; T_j
//! before C_i; C_j before C_i; the beginning before every T; every T before the decision to commit;
//! the decision to abort before every C. Forced: the windows of `windows.rs`, and positions in one
//! journal. A legal total order exists exactly if the two together have no cycle.

use super::case::{Case, steps};
use super::evidence::{Act, NONE};
use super::windows::Windows;

/// An event of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// A step was done.
    Apply(u8),
    /// It was undone.
    Compensate(u8),
    /// A compensation found nothing to undo.
    Null(u8),
    /// The decider wrote that the saga begins.
    Begin,
    /// It decided to commit.
    Commit,
    /// It decided to abort.
    Abort,
}

/// Why one event must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edge {
    /// A step needs another: T_i before T_j.
    ProgramOrder,
    /// A step comes before its own compensation.
    Compensates,
    /// Compensations come in reverse order: C_j before C_i.
    ReverseOrder,
    /// Nothing that needs a step is done once the step was undone: T_j before C_i.
    NoLateStep,
    /// Decisions: begin before T before commit, abort before C.
    Decision,
    /// Both are in one journal, in this order.
    Journal,
    /// By the decider's records.
    HappensBefore,
}

impl Edge {
    /// Whether the journals say so; otherwise the rules demand it.
    pub fn is_observed(self) -> bool {
        matches!(self, Edge::Journal | Edge::HappensBefore)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Edge::ProgramOrder => "program order",
            Edge::Compensates => "compensates",
            Edge::ReverseOrder => "reverse order of compensations",
            Edge::NoLateStep => "no step after the compensation of what it needs",
            Edge::Decision => "decision",
            Edge::Journal => "journal order",
            Edge::HappensBefore => "happens before",
        }
    }
}

/// An event with its place.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) event: Event,
    /// Its position among all effects, or among the decider's records.
    pub(super) at: u32,
    /// The service's number; that of the decider is [`NONE`].
    pub(super) journal: u32,
    low: u32,
    high: u32,
}

/// A saga's events, few enough for masks of 64 bits.
pub(super) struct Precedence<'a> {
    pub(super) nodes: Vec<Node>,
    needs: &'a [u32],
    retriable: u32,
}

impl<'a> Precedence<'a> {
    /// The events of `case`; `needs` has the predecessors of each step, `journal` the service of
    /// each, `retriable` the steps that may be done after the decision to commit.
    pub(super) fn new(
        case: &Case,
        windows: &Windows,
        needs: &'a [u32],
        journal: &[u32],
        retriable: u32,
    ) -> Precedence<'a> {
        let mut nodes = Vec::with_capacity(12);
        type Make = fn(u8) -> Event;
        let kinds: [(Act, Make); 3] = [
            (Act::Apply, Event::Apply),
            (Act::Compensate, Event::Compensate),
            (Act::Null, Event::Null),
        ];
        for (act, event) in kinds {
            for i in steps(case.has[act as usize]) {
                let at = case.first[act as usize][i];
                let (low, high) = (windows.low[at as usize], windows.high[at as usize]);
                nodes.push(Node { event: event(i as u8), at, journal: journal[i], low, high });
            }
        }
        for (event, at) in
            [(Event::Begin, case.begin), (Event::Commit, case.commit), (Event::Abort, case.abort)]
        {
            if at != NONE {
                nodes.push(Node { event, at, journal: NONE, low: at + 1, high: at });
            }
        }
        Precedence { nodes, needs, retriable }
    }

    /// Why `a` certainly came before `b`, if it did.
    pub(super) fn observed(&self, a: &Node, b: &Node) -> Option<Edge> {
        if a.journal == b.journal {
            return (a.at < b.at).then_some(Edge::Journal);
        }
        (a.high < b.low).then_some(Edge::HappensBefore)
    }

    /// Why `a` must come before `b`, if it must.
    pub(super) fn required(&self, a: Event, b: Event) -> Option<Edge> {
        use Event::{Abort, Apply, Begin, Commit, Compensate, Null};
        let needs = |j: u8, i: u8| self.needs[usize::from(j)] & (1 << i) != 0;
        match (a, b) {
            (Apply(i), Apply(j)) => needs(j, i).then_some(Edge::ProgramOrder),
            (Apply(i), Compensate(j) | Null(j)) if i == j => Some(Edge::Compensates),
            (Apply(j), Compensate(i)) => needs(j, i).then_some(Edge::NoLateStep),
            (Compensate(j), Compensate(i)) => needs(j, i).then_some(Edge::ReverseOrder),
            (Apply(i), Commit) => (self.retriable & (1 << i) == 0).then_some(Edge::Decision),
            (Begin, Apply(_)) | (Abort, Compensate(_)) => Some(Edge::Decision),
            _ => None,
        }
    }

    /// All pairs whose required order is the contrary of the observed one: what must come first,
    /// what did, and why it must not.
    pub(super) fn contradictions(&self) -> impl Iterator<Item = (Node, Node, Edge)> + '_ {
        self.nodes.iter().flat_map(move |a| {
            self.nodes.iter().filter_map(move |b| {
                let why = self.required(a.event, b.event)?;
                self.observed(b, a).map(|_| (*a, *b, why))
            })
        })
    }

    /// Whether no total order keeps both what is required and what was observed. O(n²).
    pub(super) fn is_cyclic(&self) -> bool {
        let edge = |a: &Node, b: &Node| {
            self.observed(a, b).is_some() || self.required(a.event, b.event).is_some()
        };
        let before = |b: &Node| {
            let others = self.nodes.iter().enumerate();
            others.filter(|(_, a)| edge(a, b)).fold(0_u64, |mask, (i, _)| mask | 1 << i)
        };
        let before: Vec<u64> = self.nodes.iter().map(before).collect();
        let mut left = (1_u64 << self.nodes.len()) - 1;
        while left != 0 {
            let free = (0..self.nodes.len())
                .filter(|i| left & (1 << i) != 0 && before[*i] & left == 0)
                .fold(0_u64, |mask, i| mask | 1 << i);
            if free == 0 {
                return true;
            }
            left &= !free;
        }
        false
    }
}
