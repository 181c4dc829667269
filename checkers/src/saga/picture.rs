//! The explanation of a finding: one saga's events as a small graph.

use std::fmt;

use danso_vocab::{History, OpId};
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::evidence::{Evidence, NONE};
use super::precedence::{Edge, Event, Precedence};

/// What happened, where a journal has it, and which read showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// The event.
    pub event: Event,
    /// It in words: `charge`, `undo charge`, `decide abort`.
    pub words: String,
    /// The service or decider whose journal has it.
    pub journal: String,
    /// Its position there.
    pub position: u32,
    /// The operation that read it.
    pub read: OpId,
}

/// A saga's events and why each must come, or did come, before another.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The saga.
    pub saga: String,
    /// The graph; observed edges are those from one event to the next only, as far as possible.
    pub graph: DiGraph<Happening, Edge>,
}

impl Picture {
    /// The graph of one saga. `label` says the names of steps.
    pub(super) fn new(
        history: &History,
        evidence: &Evidence<'_>,
        saga: usize,
        precedence: &Precedence<'_>,
        label: &dyn Fn(Event) -> String,
        decider: &str,
    ) -> Picture {
        let mut graph = DiGraph::new();
        let mut ids: Vec<NodeIndex> = Vec::new();
        for node in &precedence.nodes {
            let journal = evidence.journals.get(node.journal as usize);
            let (name, start, row) = match journal.filter(|_| node.journal != NONE) {
                Some(journal) => (
                    journal.service.clone(),
                    journal.range.start as u32,
                    evidence.effects.row[node.at as usize],
                ),
                None => (decider.to_owned(), 0, evidence.decisions.row[node.at as usize]),
            };
            ids.push(graph.add_node(Happening {
                event: node.event,
                words: label(node.event),
                journal: name,
                position: node.at - start,
                read: history.row(row as usize).id(),
            }));
        }
        let all = &precedence.nodes;
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate().filter(|(j, _)| *j != i) {
                if let Some(why) = precedence.required(a.event, b.event) {
                    graph.add_edge(ids[i], ids[j], why);
                }
                let between = |c: &super::precedence::Node| {
                    precedence.observed(a, c).is_some() && precedence.observed(c, b).is_some()
                };
                if let Some(why) = precedence.observed(a, b)
                    && !all.iter().any(between)
                {
                    graph.add_edge(ids[i], ids[j], why);
                }
            }
        }
        Picture { saga: saga_name(evidence, saga), graph }
    }

    /// Adds an event that has happened before, after another of the same journal.
    pub(super) fn again(&mut self, again: &Happening, after: Event) {
        let Some(after) = self.node(after) else { return };
        let again = self.graph.add_node(again.clone());
        self.graph.add_edge(after, again, Edge::Journal);
    }

    /// The edges of a cycle of required and observed order; empty if there is none.
    pub fn cycle(&self) -> Vec<(&Happening, &Happening, Edge)> {
        let words = |edge| {
            let (a, b) = self.graph.edge_endpoints(edge)?;
            Some((&self.graph[a], &self.graph[b], self.graph[edge]))
        };
        self.cycle_edges().into_iter().filter_map(words).collect()
    }

    /// The same as places in the graph.
    pub(super) fn cycle_edges(&self) -> Vec<EdgeIndex> {
        let mut shortest: Option<Vec<NodeIndex>> = None;
        for edge in self.graph.edge_references() {
            // The shortest way back from an edge's head to its tail closes a cycle.
            let path = petgraph::algo::astar(
                &self.graph,
                edge.target(),
                |n| n == edge.source(),
                |_| 1_u32,
                |_| 0,
            );
            if let Some((_, path)) = path
                && shortest.as_ref().is_none_or(|s| path.len() < s.len())
            {
                shortest = Some(path);
            }
        }
        let Some(path) = shortest else { return Vec::new() };
        let next = path.iter().cycle().skip(1);
        path.iter().zip(next).filter_map(|(a, b)| self.graph.find_edge(*a, *b)).collect()
    }

    /// One line a node, then one line an edge.
    pub fn lines(&self) -> Vec<String> {
        let saga = &self.saga;
        let nodes = self.graph.node_weights().map(|n| {
            format!("node {}({saga}): {}[{}], read by {}", n.words, n.journal, n.position, n.read)
        });
        let edges = self.graph.edge_references().map(|e| {
            let (a, b) = (&self.graph[e.source()].words, &self.graph[e.target()].words);
            let kind = if e.weight().is_observed() { "observed" } else { "required" };
            format!("edge {a}({saga}) -> {b}({saga}): {} ({kind})", e.weight())
        });
        nodes.chain(edges).collect()
    }
}

fn saga_name(evidence: &Evidence<'_>, saga: usize) -> String {
    evidence.sagas[saga].to_owned()
}

impl fmt::Display for Edge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.words())
    }
}
