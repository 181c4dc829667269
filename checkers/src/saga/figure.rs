//! A [`Picture`] as a figure to be drawn, with what is wrong in it.

use danso_vocab::Figure;
use danso_vocab::figure::{Edge as Drawn, Graph, Vertex};
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};

use super::picture::{Happening, Picture};
use super::precedence::Event;

/// What is wrong in a picture.
pub(super) enum Guilt {
    /// No arrow by itself.
    None,
    /// Its shortest cycle.
    Cycle,
    /// The first must come before the second, and came after it.
    Against(Event, Event),
    /// The first came before the second, which must not be.
    Came(Event, Event),
    /// The same once more, which must not be after the second.
    Again(Happening, Event),
    /// Something had to happen and did not.
    Missing(Missing),
}

/// What had to happen and did not.
pub(super) struct Missing {
    /// It in words.
    pub(super) words: String,
    /// The service that should have done it.
    pub(super) place: String,
    /// After which of these, the first that is there.
    pub(super) after: Vec<Event>,
    /// Before which of these, the first that is there.
    pub(super) before: Vec<Event>,
    /// The rule.
    pub(super) why: &'static str,
}

impl Picture {
    /// The graph to be drawn; `None` if it is empty.
    pub(super) fn figure(&self, guilt: &Guilt) -> Option<Figure> {
        let guilty = match guilt {
            Guilt::None | Guilt::Missing(_) => Vec::new(),
            Guilt::Cycle => self.cycle_edges(),
            Guilt::Against(first, second) => {
                let demanded = self.edge(*first, *second, false);
                self.way(*second, *first).into_iter().chain(demanded).collect()
            }
            Guilt::Came(first, second) => self.way(*first, *second),
            // The arrow that leads to it.
            Guilt::Again(..) => self.graph.edge_indices().next_back().into_iter().collect(),
        };
        let vertices = self.graph.node_weights().map(|happening| Vertex {
            words: happening.words.clone(),
            place: Some(happening.journal.clone()),
            op: Some(happening.read),
        });
        let edges = self.graph.edge_references().map(|edge| Drawn {
            from: edge.source().index() as u32,
            to: edge.target().index() as u32,
            kind: if edge.weight().is_observed() { "observed" } else { "required" }.into(),
            words: edge.weight().to_string(),
            guilty: guilty.contains(&edge.id()),
        });
        let mut graph = Graph { vertices: vertices.collect(), edges: edges.collect() };
        if graph.vertices.is_empty() {
            return None;
        }
        if let Guilt::Missing(missing) = guilt {
            self.add(missing, &mut graph);
        }
        Some(Figure::Graph(graph))
    }

    /// What did not happen, and the arrow that should lead to it or from it.
    fn add(&self, missing: &Missing, graph: &mut Graph) {
        let there = |events: &[Event]| events.iter().find_map(|event| self.node(*event));
        let place = Some(missing.place.clone());
        let words = format!("{}: never", missing.words);
        let at = graph.vertices.len() as u32;
        graph.vertices.push(Vertex { words, place, op: None });
        let arrow = match (there(&missing.after), there(&missing.before)) {
            (Some(after), _) => Some((after.index() as u32, at)),
            (None, Some(before)) => Some((at, before.index() as u32)),
            (None, None) => None,
        };
        graph.edges.extend(arrow.map(|(from, to)| Drawn {
            from,
            to,
            kind: "required".into(),
            words: missing.why.to_owned(),
            guilty: true,
        }));
    }

    pub(super) fn node(&self, event: Event) -> Option<NodeIndex> {
        self.graph.node_indices().find(|node| self.graph[*node].event == event)
    }

    /// The edge between two events that was observed or is required.
    fn edge(&self, a: Event, b: Event, observed: bool) -> Option<EdgeIndex> {
        let mut between = self.graph.edges_connecting(self.node(a)?, self.node(b)?);
        Some(between.find(|edge| edge.weight().is_observed() == observed)?.id())
    }

    /// The observed edges that lead from one event to another; empty if there are none.
    fn way(&self, from: Event, to: Event) -> Vec<EdgeIndex> {
        let (Some(start), Some(end)) = (self.node(from), self.node(to)) else { return Vec::new() };
        // What is required is no way to know what was.
        let observed =
            petgraph::visit::EdgeFiltered::from_fn(&self.graph, |edge| edge.weight().is_observed());
        let path = petgraph::algo::astar(&observed, start, |node| node == end, |_| 1_u32, |_| 0);
        let Some((_, path)) = path else { return Vec::new() };
        let step = |two: &[NodeIndex]| {
            let edges = observed.edge_references();
            let mut edges = edges.filter(|e| e.source() == two[0] && e.target() == two[1]);
            edges.next().map(|edge| edge.id())
        };
        path.windows(2).filter_map(step).collect()
    }
}
