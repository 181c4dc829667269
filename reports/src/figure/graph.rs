//! What had to come before what, with the circle or the violated edge in it.

use std::collections::{BTreeSet, VecDeque};

use danso_vocab::figure::{Edge, Graph, Vertex};
use maud::{Markup, html};

use super::bend::{self, Rect};
use super::{circle, edges, layered};
use crate::section::scroller;
use crate::{Record, inert, link};

/// More vertices than this are no picture: only those near the guilty edges are drawn.
const MOST: usize = 30;
/// A ring of more would be a wall.
const RING: usize = 10;
/// The longest words in a box.
const WORDS: usize = 26;
/// Lanes are worth their room up to this many places.
const LANES: usize = 12;
const HEIGHT: f64 = 38.0;
/// Around the drawing.
const MARGIN: f64 = 14.0;
/// Left of the lanes, for their names.
const NAMES: f64 = 118.0;

pub(super) fn render(record: &Record<'_>, graph: &Graph, number: usize) -> Option<Markup> {
    let part = choose(graph);
    if part.vertices.is_empty() {
        return None;
    }
    let places = places(&part.vertices);
    let pairs: Vec<(usize, usize)> = part.edges.iter().map(|e| (e.from, e.to)).collect();
    let sizes: Vec<(f64, f64)> =
        part.vertices.iter().map(|v| (width(v, places.is_some()), HEIGHT)).collect();
    let forward = forward(part.vertices.len(), &part.edges);
    let ring = part.vertices.len() <= RING && is_one_circle(part.vertices.len(), &pairs);
    let lanes_of = places.as_ref().filter(|_| !ring);
    let (boxes, borders) = if ring {
        (circle::place(&sizes, &around(part.vertices.len(), &part.edges)), Vec::new())
    } else {
        let lane = |place: &Option<String>, names: &[String]| {
            names.iter().position(|name| Some(name) == place.as_ref()).unwrap_or(0)
        };
        let lanes: Option<Vec<usize>> =
            lanes_of.map(|names| part.vertices.iter().map(|v| lane(&v.place, names)).collect());
        let placed = layered::place(&sizes, &forward, lanes.as_deref());
        (placed.boxes, placed.lanes)
    };
    let curves = bend::curves(&boxes, &pairs);
    let labels = edges::labels(&part.edges, &curves, &boxes);
    let names = lanes_of.map(Vec::as_slice).unwrap_or_default();
    let bounds = Bounds::of(&boxes, &curves, &labels, &borders);
    let (width, height) = (bounds.width(), bounds.height());
    let view = format!("{:.0} {:.0} {width:.0} {height:.0}", bounds.left, bounds.top);
    let left_out = graph.vertices.len() - part.vertices.len();
    let picture = html! {
        svg .graph width=(format!("{width:.0}")) height=(format!("{height:.0}")) viewBox=(view)
            role="group" aria-label=(summary(&part)) {
            @for (i, name) in names.iter().enumerate() {
                (lane(name, borders[i], borders[i + 1], &bounds))
            }
            @for (edge, curve) in part.edges.iter().zip(&curves) { (edges::arrow(edge.edge, curve)) }
            @for (vertex, own) in part.vertices.iter().zip(&boxes) {
                (node(record, vertex, own, guilty(&part, vertex), lanes_of.is_none()))
            }
            @for label in &labels { (label.draw()) }
        }
    };
    Some(html! {
        figure .reasons aria-labelledby={ "graph-" (number) } {
            h4 id={ "graph-" (number) } { "What had to come before what" }
            (scroller("Graph, scrolls sideways", &picture))
            (edges::legend(&part.edges))
            @if left_out > 0 {
                p .none {
                    "Drawn are the " (part.vertices.len()) " of " (graph.vertices.len())
                    " vertices nearest to what is wrong; the results have all."
                }
            }
            (edges::list(record, &part))
        }
    })
}

/// The part of a graph that is drawn.
pub(super) struct Part<'g> {
    pub(super) vertices: Vec<&'g Vertex>,
    pub(super) edges: Vec<Drawn<'g>>,
}

/// An edge, by positions among the drawn vertices.
pub(super) struct Drawn<'g> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) edge: &'g Edge,
}

/// At most `MOST` vertices: those at guilty edges, then their neighbours. An edge to a vertex
/// that is not there is none.
fn choose(graph: &Graph) -> Part<'_> {
    let n = graph.vertices.len();
    let known = |edge: &&Edge| (edge.from as usize) < n && (edge.to as usize) < n;
    let ends = |edge: &Edge| [edge.from as usize, edge.to as usize];
    let mut kept = BTreeSet::new();
    if n <= MOST {
        kept.extend(0..n);
    } else {
        let mut next: VecDeque<usize> =
            graph.edges.iter().filter(known).filter(|e| e.guilty).flat_map(ends).collect();
        if next.is_empty() {
            next.push_back(0);
        }
        while let Some(vertex) = next.pop_front() {
            if kept.len() == MOST || !kept.insert(vertex) {
                continue;
            }
            let touching = graph.edges.iter().filter(known).filter(|e| ends(e).contains(&vertex));
            next.extend(touching.flat_map(ends).filter(|v| !kept.contains(v)));
        }
    }
    let order: Vec<usize> = kept.into_iter().collect();
    let at = |vertex: u32| order.binary_search(&(vertex as usize)).ok();
    let drawn = |edge| -> Option<Drawn<'_>> {
        let edge: &Edge = edge;
        Some(Drawn { from: at(edge.from)?, to: at(edge.to)?, edge })
    };
    Part {
        vertices: order.iter().map(|i| &graph.vertices[*i]).collect(),
        edges: graph.edges.iter().filter_map(drawn).collect(),
    }
}

/// The places in order of appearance, if every vertex has one and lanes would tell them apart.
fn places(vertices: &[&Vertex]) -> Option<Vec<String>> {
    let mut places: Vec<String> = Vec::new();
    for vertex in vertices {
        let place = vertex.place.as_ref()?;
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
    (2..=LANES).contains(&places.len()).then_some(places)
}

/// Whether every vertex can reach every other.
fn is_one_circle(n: usize, edges: &[(usize, usize)]) -> bool {
    let all = |step: fn(&(usize, usize)) -> (usize, usize)| {
        let mut seen = BTreeSet::from([0]);
        let mut next = vec![0];
        while let Some(vertex) = next.pop() {
            for (from, to) in edges.iter().map(step) {
                if from == vertex && seen.insert(to) {
                    next.push(to);
                }
            }
        }
        seen.len() == n
    };
    n > 1 && all(|e| *e) && all(|(from, to)| (*to, *from))
}

/// Edges without the circles they make: the guilty ones are the first to go.
fn forward(n: usize, edges: &[Drawn<'_>]) -> Vec<(usize, usize)> {
    let mut order: Vec<&Drawn<'_>> = edges.iter().collect();
    order.sort_by_key(|edge| edge.edge.guilty);
    let mut reach = vec![vec![false; n]; n];
    let mut kept = Vec::new();
    for Drawn { from, to, .. } in order {
        if from == to || reach[*to][*from] {
            continue;
        }
        kept.push((*from, *to));
        let after: Vec<bool> = (0..n).map(|v| v == *to || reach[*to][v]).collect();
        for (v, row) in reach.iter_mut().enumerate() {
            if v == *from || row[*from] {
                row.iter_mut().zip(&after).for_each(|(cell, add)| *cell |= add);
            }
        }
    }
    kept
}

/// The vertices in the order of the guilty cycle, then all others.
fn around(n: usize, edges: &[Drawn<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    let first = edges.iter().find(|e| e.edge.guilty).map_or(0, |e| e.from);
    let mut next = Some(first);
    while let Some(vertex) = next {
        order.push(vertex);
        next = edges
            .iter()
            .find(|e| e.edge.guilty && e.from == vertex && !order.contains(&e.to))
            .map(|e| e.to);
    }
    let rest: Vec<usize> = (0..n).filter(|v| !order.contains(v)).collect();
    order.extend(rest);
    order
}

fn guilty(part: &Part<'_>, vertex: &Vertex) -> bool {
    let own = |at: usize| std::ptr::eq(part.vertices[at], vertex);
    part.edges.iter().any(|e| e.edge.guilty && (own(e.from) || own(e.to)))
}

/// What stands small below a vertex's words.
fn below(vertex: &Vertex, with_place: bool) -> String {
    let place = vertex.place.as_ref().filter(|_| with_place).map(|p| inert::brief(p, 16));
    let op = vertex.op.map(|op| op.to_string());
    place.into_iter().chain(op).collect::<Vec<_>>().join(" ")
}

fn width(vertex: &Vertex, lanes: bool) -> f64 {
    let words = inert::brief(&vertex.words, WORDS).chars().count();
    let below = below(vertex, !lanes).chars().count();
    (7.4 * words as f64).max(6.2 * below as f64) + 22.0
}

fn node(record: &Record<'_>, vertex: &Vertex, own: &Rect, guilty: bool, place: bool) -> Markup {
    let (left, top) = (own.x - own.width / 2.0, own.y - own.height / 2.0);
    let below = below(vertex, place);
    let shift = if below.is_empty() { 4.0 } else { -2.0 };
    let drawn = html! {
        g .vertex.guilty[guilty] {
            title { (inert::clip(&vertex.words, 200)) }
            rect x=(px(left)) y=(px(top)) width=(px(own.width)) height=(px(own.height)) rx="7" {}
            text x=(px(own.x)) y=(px(own.y + shift)) text-anchor="middle" { (inert::brief(&vertex.words, WORDS)) }
            @if !below.is_empty() {
                text .small x=(px(own.x)) y=(px(own.y + 13.0)) text-anchor="middle" { (below) }
            }
        }
    };
    match vertex.op {
        Some(op) => link::op(record, op, drawn),
        None => drawn,
    }
}

fn lane(name: &str, top: f64, bottom: f64, bounds: &Bounds) -> Markup {
    html! {
        rect .lane x=(px(bounds.left)) y=(px(top + 2.0)) width=(px(bounds.width())) height=(px(bottom - top - 4.0)) rx="6" {}
        text .lanename x=(px(bounds.left + 10.0)) y=(px((top + bottom) / 2.0 + 4.0)) { (inert::brief(name, 14)) }
    }
}

/// What a reader hears who does not see the drawing.
fn summary(part: &Part<'_>) -> String {
    let guilty: Vec<String> = part
        .edges
        .iter()
        .filter(|e| e.edge.guilty)
        .map(|e| {
            let words = |at: usize| inert::brief(&part.vertices[at].words, WORDS);
            format!("{} before {} ({})", words(e.from), words(e.to), inert::brief(&e.edge.kind, 20))
        })
        .collect();
    let size = format!("Graph of {} vertices and {} edges", part.vertices.len(), part.edges.len());
    match guilty.len() {
        0 => size,
        n => format!("{size}. What is wrong: {}", guilty[..n.min(12)].join(", ")),
    }
}

/// What the drawing takes up.
struct Bounds {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Bounds {
    fn of(
        boxes: &[Rect],
        curves: &[bend::Curve],
        labels: &[edges::Label],
        borders: &[f64],
    ) -> Bounds {
        let mut bounds = Bounds {
            left: f64::INFINITY,
            right: f64::NEG_INFINITY,
            top: borders.first().copied().unwrap_or(f64::INFINITY),
            bottom: borders.last().copied().unwrap_or(f64::NEG_INFINITY),
        };
        for own in boxes.iter().chain(labels.iter().map(|label| &label.rect)) {
            bounds.reach(own.x - own.width / 2.0, own.y - own.height / 2.0);
            bounds.reach(own.x + own.width / 2.0, own.y + own.height / 2.0);
        }
        for curve in curves {
            for i in 0..=12 {
                let (x, y) = curve.at(f64::from(i) / 12.0);
                bounds.reach(x, y);
            }
        }
        if !borders.is_empty() {
            bounds.left -= NAMES;
        }
        bounds.left -= MARGIN;
        bounds.right += MARGIN;
        bounds.top -= MARGIN;
        bounds.bottom += MARGIN;
        bounds
    }

    fn reach(&mut self, x: f64, y: f64) {
        self.left = self.left.min(x);
        self.right = self.right.max(x);
        self.top = self.top.min(y);
        self.bottom = self.bottom.max(y);
    }

    fn width(&self) -> f64 {
        self.right - self.left
    }

    fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// A length in the drawing.
pub(super) fn px(length: f64) -> String {
    format!("{length:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(n: usize, edges: &[(u32, u32, bool)]) -> Graph {
        let vertex = |i| Vertex { words: format!("T{i}"), place: None, op: None };
        let edge = |(from, to, guilty): &(u32, u32, bool)| Edge {
            from: *from,
            to: *to,
            kind: "ww".into(),
            words: String::new(),
            guilty: *guilty,
        };
        Graph { vertices: (0..n).map(vertex).collect(), edges: edges.iter().map(edge).collect() }
    }

    #[test]
    fn a_big_graph_shrinks_to_what_is_wrong() {
        let chain: Vec<_> = (0..99).map(|i| (i, i + 1, i == 50)).collect();
        let graph = graph(100, &chain);
        let part = choose(&graph);
        assert_eq!(part.vertices.len(), MOST);
        assert!(part.edges.iter().any(|e| e.edge.guilty));
        assert_eq!(part.edges.len(), MOST - 1, "a stretch of the chain");
    }

    #[test]
    fn a_circle_is_told_from_what_leads_into_one() {
        assert!(is_one_circle(3, &[(0, 1), (1, 2), (2, 0)]));
        assert!(!is_one_circle(3, &[(0, 1), (1, 2), (2, 1)]));
        assert!(!is_one_circle(1, &[]));
        let graph = graph(3, &[(0, 2, true), (2, 1, true), (1, 0, true)]);
        assert_eq!(around(3, &choose(&graph).edges), [0, 2, 1]);
    }

    #[test]
    fn breaking_circles_takes_guilty_edges_first() {
        let graph = graph(3, &[(1, 0, true), (0, 1, false), (1, 2, false), (2, 2, false)]);
        assert_eq!(forward(3, &choose(&graph).edges), [(0, 1), (1, 2)]);
    }

    #[test]
    fn an_edge_to_nowhere_is_left_out() {
        assert_eq!(choose(&graph(2, &[(0, 7, true), (0, 1, false)])).edges.len(), 1);
    }
}
