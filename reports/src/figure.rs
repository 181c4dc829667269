//! What a checker's reasoning looks like: the orders it tried, or what had to come before what.
//!
//! Only what the checker handed over is drawn. Where it gave no figure there is none.

mod bend;
mod circle;
mod edges;
mod graph;
mod layered;
mod orders;

use danso_vocab::Figure;
use maud::Markup;

use crate::Record;

/// The figure of the anomaly with this number; `None` if there is nothing in it.
pub(crate) fn render(record: &Record<'_>, figure: &Figure, number: usize) -> Option<Markup> {
    match figure {
        Figure::Orders(orders) => orders::render(record, orders),
        Figure::Graph(graph) => graph::render(record, graph, number),
    }
}
