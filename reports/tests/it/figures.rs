//! The reasoning of checkers, drawn.

use danso_vocab::figure::{Edge, Figure, Graph, Order, Step, Vertex};
use danso_vocab::{Anomaly, Finding, OpId};

use crate::markup::{self, Page, Tag};
use crate::sample::{self, Sample};

type Row = (u32, u32, &'static str, &'static str, bool);

fn graph(vertices: Vec<(String, Option<&str>, Option<OpId>)>, edges: &[Row]) -> Figure {
    let vertex = |(words, place, op): (String, Option<&str>, Option<OpId>)| Vertex {
        words,
        place: place.map(str::to_owned),
        op,
    };
    let edge = |(from, to, kind, words, guilty): &Row| Edge {
        from: *from,
        to: *to,
        kind: (*kind).into(),
        words: (*words).to_owned(),
        guilty: *guilty,
    };
    Figure::Graph(Graph {
        vertices: vertices.into_iter().map(vertex).collect(),
        edges: edges.iter().map(edge).collect(),
    })
}

fn with(base: &Anomaly, name: &'static str, figure: Figure) -> Anomaly {
    Anomaly { name: name.into(), figure: Some(figure), ..base.clone() }
}

/// A page with one figure of each sort.
pub(crate) fn drawn() -> Sample {
    let mut sample = sample::invalid();
    let base = sample.results.findings[0].anomalies[0].clone();
    let ids: Vec<OpId> = sample.history.ops().map(|op| op.id()).take(40).collect();
    let steps = |ids: &[OpId]| -> Vec<Step> {
        ids.iter().enumerate().map(|(i, op)| Step { op: *op, state: format!("k3 = {i}") }).collect()
    };
    let order = |ids: &[OpId], state: &str| Order {
        steps: steps(ids),
        refused: base.ops[0],
        state: state.to_owned(),
    };
    let orders = Figure::Orders(vec![order(&ids[..34], "k3 = 33"), order(&ids[..30], "k3 = 29")]);
    let ring = graph(
        (1..=3).map(|i| (format!("T{i} append x {i}"), None, Some(ids[i]))).collect(),
        &[
            (0, 1, "ww", "x: 1 then 2", true),
            (1, 2, "wr", "x: 2 was read", true),
            (2, 0, "rw", "y: read before 1", true),
        ],
    );
    let pair = graph(
        (1..=2).map(|i| (format!("T{i}"), Some("p1"), Some(ids[i]))).collect(),
        &[(0, 1, "ww", "x: 1 then 2", true), (1, 0, "rw", "", true), (0, 1, "rt", "", false)],
    );
    let places = ["coordinator", "inventory", "payment", "payment", "shipping", "coordinator"];
    let words = ["begin", "reserve", "charge", "refund", "arrange", "decide abort"];
    let saga = graph(
        words
            .iter()
            .zip(places)
            .zip(&ids)
            .map(|((w, p), id)| ((*w).to_owned(), Some(p), Some(*id)))
            .collect(),
        &[
            (0, 1, "required", "decision", false),
            (0, 2, "required", "decision", false),
            (0, 4, "required", "decision", false),
            (1, 2, "required", "program order", false),
            (1, 2, "observed", "happens before", false),
            (2, 3, "required", "compensation", true),
            (3, 2, "observed", "refund before charge", true),
            (2, 4, "required", "program order", false),
            (4, 5, "required", "decision", false),
            (1, 5, "required", "decision", false),
            (2, 5, "required", "decision", false),
        ],
    );
    let anomalies = vec![
        with(&base, "stuck", orders),
        with(&base, "G-single", ring),
        with(&base, "G2", pair),
        with(&base, "compensation-order", saga),
    ];
    sample.results.findings = vec![Finding::invalid("linearizable", anomalies)];
    sample
}

fn class(tag: &Tag) -> impl Iterator<Item = &str> {
    let class = tag.attributes.iter().find(|(k, _)| k == "class");
    class.map_or("", |(_, v)| v.as_str()).split(' ')
}

fn count(page: &Page, name: &str, wanted: &str) -> usize {
    page.tag(name).filter(|tag| class(tag).any(|c| c == wanted)).count()
}

#[test]
fn every_vertex_and_edge_is_drawn_and_told() {
    let page = markup::read(&drawn().html());
    assert_eq!(count(&page, "g", "vertex"), 3 + 2 + 6);
    assert_eq!(count(&page, "figure", "reasons"), 3);
    // Each edge once; the others are samples in legends.
    let lines = page.tag("li").filter(|tag| !class(tag).any(|c| c == "gap"));
    assert!(lines.count() > 3 + 3 + 11);
    assert_eq!(count(&page, "rect", "lane"), 4, "a lane a service");
    for words in ["y: read before 1", "refund before charge", "ww: overwrote what the other wrote"]
    {
        assert!(page.text.contains(words), "{words}");
    }
}

#[test]
fn a_stuck_search_shows_orders_and_states() {
    let page = markup::read(&drawn().html());
    assert_eq!(count(&page, "ol", "order"), 2);
    assert_eq!(count(&page, "li", "refused"), 2);
    assert_eq!(page.tag("s").count(), 2, "what cannot come next is struck out");
    assert!(page.text.contains("The 2 states possible then were k3 = 33, k3 = 29"));
    assert!(page.text.contains("… 26 more"), "a common beginning is not told at length");
}

#[test]
fn no_figure_is_invented() {
    let page = markup::read(&sample::invalid().html());
    assert_eq!(count(&page, "figure", "reasons") + count(&page, "figure", "orders"), 0);
}

#[test]
fn operations_in_figures_lead_into_the_timeline() {
    let sample = drawn();
    let page = markup::read(&sample.html());
    let links: Vec<u32> = page
        .tag("a")
        .filter_map(|tag| tag.attributes.iter().find(|(k, _)| k == "data-op"))
        .map(|(_, id)| id.parse().unwrap())
        .collect();
    assert!(links.len() > 60);
    assert!(links.iter().all(|id| sample.history.op(OpId(*id)).is_some()));
}
