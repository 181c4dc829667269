//! A long fork as the cycle it is: each reader comes after one write and before the other.

use danso_vocab::figure::{Edge, Figure, Graph, Vertex};
use danso_vocab::{Op, Value};

use crate::brief::brief;

/// A write and the key it was of.
pub(super) struct Write<'h> {
    pub(super) key: &'h Value,
    pub(super) op: Op<'h>,
}

/// `a` saw the write `x` and not `y`, `b` saw `y` and not `x`.
pub(super) fn cycle(a: Op<'_>, b: Op<'_>, x: &Write<'_>, y: &Write<'_>) -> Figure {
    let vertex = |words: String, op: Op<'_>| Vertex {
        words,
        place: Some(op.process().to_string()),
        op: Some(op.id()),
    };
    let write = |write: &Write<'_>| vertex(brief(format_args!("write of {}", write.key)), write.op);
    let read = |op: Op<'_>| vertex("read".to_owned(), op);
    let edge = |from: u32, to: u32, kind: &'static str, words: String| Edge {
        from,
        to,
        kind: kind.into(),
        words,
        guilty: true,
    };
    let sees = |op: Op<'_>, write: &Write<'_>| brief(format_args!("{} saw {}", op.id(), write.key));
    let misses = |op: Op<'_>, write: &Write<'_>| {
        format!("{} did not see {}, which is written once", op.id(), brief(write.key))
    };
    Figure::Graph(Graph {
        vertices: vec![write(x), read(a), write(y), read(b)],
        edges: vec![
            edge(0, 1, "wr", sees(a, x)),
            edge(1, 2, "rw", misses(a, y)),
            edge(2, 3, "wr", sees(b, y)),
            edge(3, 0, "rw", misses(b, x)),
        ],
    })
}
