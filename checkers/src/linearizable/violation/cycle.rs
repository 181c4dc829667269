//! What a pattern says, as a graph: for where no order of its few operations can be shown, since
//! one of them needs a value that none of the others wrote.

use danso_vocab::figure::{Edge, Figure, Graph, Vertex};
use danso_vocab::{Op, Value};

use super::super::object::{Item, Object};
use crate::brief::brief;

/// `x` needs a value that `later` replaced or no longer saw; `later` had ended before `x` began.
/// All writers of the value come before `later`; `writer` is one of them.
pub(super) fn gone(
    object: &Object<'_>,
    value: &Value,
    x: &Item,
    later: &Item,
    writer: Option<Writer<'_>>,
) -> Figure {
    let value = brief(value);
    let (read, than) = (object.op(x), object.op(later));
    let mut graph = Graph {
        vertices: vec![vertex(read), vertex(than)],
        edges: vec![
            edge(1, 0, "rt", format!("{} had ended before {} began", than.id(), read.id()), true),
            edge(0, 1, "rw", format!("nothing wrote {value} after {}", than.id()), true),
        ],
    };
    if let Some(writer) = writer {
        let op = object.op(writer.item);
        graph.vertices.push(vertex(op));
        let ended = op.is_ok() && op.res_rank() < than.inv_rank();
        let (kind, words) = match (ended, writer.taken) {
            (true, _) => ("rt", format!("{} had ended before {} began", op.id(), than.id())),
            (false, true) => ("wr", format!("{} took {value}, written once", than.id())),
            (false, false) => ("rt", format!("{value} had been seen before {}", than.id())),
        };
        graph.edges.push(edge(2, 1, kind, words, false));
        if writer.only {
            graph.edges.push(edge(2, 0, "wr", format!("{value} was written once"), false));
        }
    }
    Figure::Graph(graph)
}

/// An operation that left the value.
pub(super) struct Writer<'i> {
    pub(super) item: &'i Item,
    /// Nobody else did.
    pub(super) only: bool,
    /// The later operation took it away.
    pub(super) taken: bool,
}

/// `x` and `y` both took away a value that was written once, by `writer`.
pub(super) fn taken(
    object: &Object<'_>,
    value: &Value,
    x: &Item,
    y: &Item,
    writer: Option<&Item>,
) -> Figure {
    let value = brief(value);
    let (one, other) = (object.op(x), object.op(y));
    let takes = |op: Op<'_>| format!("{} took {value} away", op.id());
    let mut graph = Graph {
        vertices: vec![vertex(one), vertex(other)],
        edges: vec![edge(0, 1, "rw", takes(other), true), edge(1, 0, "rw", takes(one), true)],
    };
    if let Some(writer) = writer {
        graph.vertices.push(vertex(object.op(writer)));
        for to in [0, 1] {
            graph.edges.push(edge(2, to, "wr", format!("{value} was written once"), false));
        }
    }
    Figure::Graph(graph)
}

fn vertex(op: Op<'_>) -> Vertex {
    let words = match (op.arg(), op.ret()) {
        (arg, Some(ret)) if arg.is_nil() => brief(format_args!("{} {ret}", op.f())),
        (arg, None) if arg.is_nil() => op.f().to_owned(),
        (arg, _) => brief(format_args!("{} {arg}", op.f())),
    };
    Vertex { words, place: Some(op.process().to_string()), op: Some(op.id()) }
}

fn edge(from: u32, to: u32, kind: &'static str, words: String, guilty: bool) -> Edge {
    Edge { from, to, kind: kind.into(), words, guilty }
}
