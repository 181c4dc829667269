//! [`Figure`]: an anomaly's reasoning as data, for whoever draws it.

use crate::{Name, OpId};

/// What can be drawn of the reasoning behind an anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// How far each order of the anomaly's operations gets: all maximal partial linearizations,
    /// the longest first.
    Orders(Vec<Order>),
    /// What had to come before what, and the circle or the missing arrow in it.
    Graph(Graph),
}

/// An order of operations that cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What took effect, in this order.
    pub steps: Vec<Step>,
    /// The operation that would have to come next and cannot.
    pub refused: OpId,
    /// The state in which it cannot, in words.
    pub state: String,
}

/// One operation taking effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The operation.
    pub op: OpId,
    /// The state after it, in words.
    pub state: String,
}

/// A directed graph of few vertices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Its vertices.
    pub vertices: Vec<Vertex>,
    /// Its edges, by positions among the vertices.
    pub edges: Vec<Edge>,
}

/// An operation, a transaction, or a step of a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// What it is, in few words: `charge`, `T3`, `decide abort`.
    pub words: String,
    /// Where it happened or who did it, if vertices are to be told apart by that: a service, a
    /// process.
    pub place: Option<String>,
    /// The operation it is, or that showed it.
    pub op: Option<OpId>,
}

/// Why one vertex comes before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The earlier vertex.
    pub from: u32,
    /// The later vertex.
    pub to: u32,
    /// The kind: `ww`, `wr`, `rw`, `rt` (real time), `process`, `required`, `observed`…
    pub kind: Name,
    /// The reason, in few words.
    pub words: String,
    /// Whether it is part of what is wrong: of the cycle, or the edge that was violated.
    pub guilty: bool,
}
