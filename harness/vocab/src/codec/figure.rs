//! [`Figure`]s within `results.json`.

use serde::{Deserialize, Serialize};

use super::ReadError;
use crate::figure::{Edge, Figure, Graph, Order, Step, Vertex};
use crate::{Name, OpId};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoredFigure {
    Orders(Vec<StoredOrder>),
    Graph { vertices: Vec<StoredVertex>, edges: Vec<StoredEdge> },
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredOrder {
    steps: Vec<StoredStep>,
    refused: u32,
    state: String,
}

#[derive(Serialize, Deserialize)]
struct StoredStep {
    op: u32,
    state: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredVertex {
    words: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    op: Option<u32>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredEdge {
    from: u32,
    to: u32,
    kind: String,
    words: String,
    guilty: bool,
}

pub(super) fn store(figure: &Figure) -> StoredFigure {
    match figure {
        Figure::Orders(orders) => StoredFigure::Orders(orders.iter().map(store_order).collect()),
        Figure::Graph(graph) => StoredFigure::Graph {
            vertices: graph.vertices.iter().map(store_vertex).collect(),
            edges: graph.edges.iter().map(store_edge).collect(),
        },
    }
}

fn store_order(order: &Order) -> StoredOrder {
    let step = |step: &Step| StoredStep { op: step.op.0, state: step.state.clone() };
    StoredOrder {
        steps: order.steps.iter().map(step).collect(),
        refused: order.refused.0,
        state: order.state.clone(),
    }
}

fn store_vertex(vertex: &Vertex) -> StoredVertex {
    StoredVertex {
        words: vertex.words.clone(),
        place: vertex.place.clone(),
        op: vertex.op.map(|op| op.0),
    }
}

fn store_edge(edge: &Edge) -> StoredEdge {
    StoredEdge {
        from: edge.from,
        to: edge.to,
        kind: edge.kind.to_string(),
        words: edge.words.clone(),
        guilty: edge.guilty,
    }
}

/// # Errors
/// If an edge joins what is no vertex.
pub(super) fn load(stored: StoredFigure) -> Result<Figure, ReadError> {
    Ok(match stored {
        StoredFigure::Orders(orders) => {
            Figure::Orders(orders.into_iter().map(load_order).collect())
        }
        StoredFigure::Graph { vertices, edges } => {
            let count = vertices.len();
            if let Some(edge) = edges.iter().find(|e| e.from.max(e.to) as usize >= count) {
                let (from, to) = (edge.from, edge.to);
                let said = format!("edge {from} to {to} in a graph of {count} vertices");
                return Err(ReadError::whole(said));
            }
            let vertices = vertices.into_iter().map(load_vertex).collect();
            Figure::Graph(Graph { vertices, edges: edges.into_iter().map(load_edge).collect() })
        }
    })
}

fn load_order(order: StoredOrder) -> Order {
    let step = |step: StoredStep| Step { op: OpId(step.op), state: step.state };
    Order {
        steps: order.steps.into_iter().map(step).collect(),
        refused: OpId(order.refused),
        state: order.state,
    }
}

fn load_vertex(vertex: StoredVertex) -> Vertex {
    Vertex { words: vertex.words, place: vertex.place, op: vertex.op.map(OpId) }
}

fn load_edge(edge: StoredEdge) -> Edge {
    Edge {
        from: edge.from,
        to: edge.to,
        kind: Name::Owned(edge.kind),
        words: edge.words,
        guilty: edge.guilty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_round_trip_and_dangling_edges_are_refused() {
        let vertex = |words: &str| Vertex {
            words: words.to_owned(),
            place: Some("payment".to_owned()),
            op: Some(OpId(3)),
        };
        let edge = |to| Edge {
            from: 0,
            to,
            kind: "ww".into(),
            words: "overwrote".to_owned(),
            guilty: true,
        };
        let graph = |to| {
            Figure::Graph(Graph {
                vertices: vec![vertex("charge"), vertex("refund")],
                edges: vec![edge(to)],
            })
        };
        let orders = Figure::Orders(vec![Order {
            steps: vec![Step { op: OpId(4), state: "2".to_owned() }],
            refused: OpId(7),
            state: "2".to_owned(),
        }]);
        let again = |figure: &Figure| {
            let json = serde_json::to_string(&store(figure)).unwrap();
            load(serde_json::from_str(&json).unwrap())
        };
        for figure in [graph(1), orders] {
            assert_eq!(again(&figure).unwrap(), figure);
        }
        assert!(again(&graph(2)).is_err());
    }
}
