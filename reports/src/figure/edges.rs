//! The arrows of a graph: their looks by kind, their labels, and all of them in words.

use danso_vocab::figure::Edge;
use maud::{Markup, html};

use super::bend::{Curve, Rect};
use super::graph::{Drawn, Part, px};
use crate::{Record, inert, link};

/// With more edges than this only guilty ones are labelled; the legend tells the others.
const LABELLED: usize = 10;
/// A reason this long fits beside its kind.
const SHORT: usize = 24;
/// Edges told in words at once, and at most.
const OPEN: usize = 8;
const MOST: usize = 120;
/// Where along its arrow a label may stand, best first.
const SPOTS: [f64; 7] = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74];

/// The kinds that have a look of their own, with their meaning.
const KINDS: [(&str, &str, &str); 8] = [
    ("ww", "ww", "overwrote what the other wrote"),
    ("wr", "wr", "read what the other wrote"),
    ("rw", "rw", "overwrote what the other had read"),
    ("rt", "rt", "began after the other had ended"),
    ("realtime", "rt", "began after the other had ended"),
    ("process", "process", "same process, later"),
    ("required", "required", "the definition demands this order"),
    ("observed", "observed", "this order was seen"),
];

/// The class of a kind. What a checker calls a kind never becomes markup itself.
fn class(kind: &str) -> &'static str {
    KINDS.iter().find(|(name, ..)| *name == kind).map_or("other", |(_, class, _)| class)
}

/// A line with its head.
pub(super) fn arrow(edge: &Edge, curve: &Curve) -> Markup {
    let Curve { from, control, to } = curve;
    let line = format!(
        "M{} {}Q{} {} {} {}",
        px(from.0),
        px(from.1),
        px(control.0),
        px(control.1),
        px(to.0),
        px(to.1)
    );
    html! {
        g .edge.(class(&edge.kind)).guilty[edge.guilty] {
            title { (inert::clip(&edge.kind, 40)) ": " (inert::clip(&edge.words, 200)) }
            path .line d=(line) {}
            path .head d=(head(curve)) {}
        }
    }
}

/// A triangle at the end, pointing along the curve.
fn head(curve: &Curve) -> String {
    let (dx, dy) = (curve.to.0 - curve.control.0, curve.to.1 - curve.control.1);
    let length = dx.hypot(dy).max(1e-9);
    let (ux, uy) = (dx / length, dy / length);
    let (x, y) = curve.to;
    let side = |turn: f64| (x - 10.0 * ux - turn * 4.5 * uy, y - 10.0 * uy + turn * 4.5 * ux);
    let ((ax, ay), (bx, by)) = (side(1.0), side(-1.0));
    format!("M{} {}L{} {}L{} {}Z", px(x), px(y), px(ax), px(ay), px(bx), px(by))
}

/// A few words on an arrow.
pub(super) struct Label {
    pub(super) rect: Rect,
    words: String,
    guilty: bool,
}

impl Label {
    pub(super) fn draw(&self) -> Markup {
        let Rect { x, y, width, height } = self.rect;
        html! {
            g .label.guilty[self.guilty] aria-hidden="true" {
                rect x=(px(x - width / 2.0)) y=(px(y - height / 2.0)) width=(px(width)) height=(px(height)) rx="4" {}
                text x=(px(x)) y=(px(y + 4.0)) text-anchor="middle" { (self.words) }
            }
        }
    }
}

/// Labels, each where it covers nothing if there is such a spot on its arrow.
pub(super) fn labels(edges: &[Drawn<'_>], curves: &[Curve], boxes: &[Rect]) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|i| !edges[*i].edge.guilty);
    for i in order {
        let edge = edges[i].edge;
        if !edge.guilty && edges.len() > LABELLED {
            continue;
        }
        let covers = |rect: &Rect| {
            boxes.iter().chain(labels.iter().map(|l| &l.rect)).filter(|o| o.meets(rect)).count()
        };
        let best = |words: String| {
            let width = 6.8 * words.chars().count() as f64 + 10.0;
            let spot = |t: f64| {
                let (x, y) = curves[i].at(t);
                let rect = Rect { x, y, width, height: 17.0 };
                (covers(&rect), rect)
            };
            let (covered, rect) = SPOTS.map(spot).into_iter().min_by_key(|(n, _)| *n)?;
            Some((covered, Label { rect, words, guilty: edge.guilty }))
        };
        // Words that fit nowhere are left to the list.
        let wordy = best(words(edge)).filter(|(covered, _)| *covered == 0);
        let label = wordy.or_else(|| best(inert::brief(&edge.kind, 16)));
        labels.extend(label.map(|(_, label)| label));
    }
    labels
}

fn words(edge: &Edge) -> String {
    let kind = inert::brief(&edge.kind, 16);
    let words = inert::brief(&edge.words, SHORT + 1);
    if edge.guilty && !words.is_empty() && words.chars().count() <= SHORT {
        format!("{kind}: {words}")
    } else {
        kind
    }
}

/// The looks that occur.
pub(super) fn legend(edges: &[Drawn<'_>]) -> Markup {
    let mut seen: Vec<(&'static str, String)> = Vec::new();
    for Drawn { edge, .. } in edges {
        let known = KINDS.iter().find(|(name, ..)| *name == edge.kind);
        let words = match known {
            Some((name, _, meaning)) => format!("{name}: {meaning}"),
            None => inert::brief(&edge.kind, 40),
        };
        let class = class(&edge.kind);
        if seen.len() < 12 && !seen.iter().any(|(_, other)| *other == words) {
            seen.push((class, words));
        }
    }
    let any_guilty = edges.iter().any(|e| e.edge.guilty);
    html! {
        p .legend {
            @for (class, words) in &seen { span { (sample(class, false)) (words) } }
            @if any_guilty { span { (sample("other", true)) "part of what is wrong" } }
        }
    }
}

fn sample(class: &str, guilty: bool) -> Markup {
    html! {
        svg .graph.sample width="34" height="12" viewBox="0 0 34 12" aria-hidden="true" {
            g .edge.(class).guilty[guilty] {
                path .line d="M1 6H24" {}
                path .head d="M33 6L23 1.5L23 10.5Z" {}
            }
        }
    }
}

/// Every edge in words, guilty ones first: the drawing for those who do not see it.
pub(super) fn list(record: &Record<'_>, part: &Part<'_>) -> Markup {
    let mut edges: Vec<&Drawn<'_>> = part.edges.iter().collect();
    edges.sort_by_key(|e| !e.edge.guilty);
    if edges.is_empty() {
        return html! {};
    }
    html! {
        details open[edges.len() <= OPEN] {
            summary { "The same in words: " (edges.len()) " " @if edges.len() == 1 { "edge" } @else { "edges" } }
            ul .edges {
                @for edge in edges.iter().take(MOST) {
                    li .guilty[edge.edge.guilty] {
                        (end(record, part, edge.from)) " → " (end(record, part, edge.to)) " "
                        b { (inert::clip(&edge.edge.kind, 40)) }
                        @if !edge.edge.words.is_empty() { " " (link::prose(record, &inert::clip(&edge.edge.words, 200))) }
                    }
                }
            }
            @if edges.len() > MOST { p .none { "… and " (edges.len() - MOST) " more." } }
        }
    }
}

fn end(record: &Record<'_>, part: &Part<'_>, at: usize) -> Markup {
    let vertex = part.vertices[at];
    let words = inert::clip(&vertex.words, 60);
    match vertex.op {
        Some(op) => link::op(record, op, words),
        None => html! { (words) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(kind: &'static str, words: &str, guilty: bool) -> Edge {
        Edge { from: 0, to: 1, kind: kind.into(), words: words.to_owned(), guilty }
    }

    #[test]
    fn a_kind_nobody_knows_has_a_look_too() {
        assert_eq!(class("ww"), "ww");
        assert_eq!(class("\"><script>"), "other");
        assert_eq!(words(&edge("ww", "x: 3 then 4", true)), "ww: x: 3 then 4");
        assert_eq!(words(&edge("ww", &"long ".repeat(9), true)), "ww");
        assert_eq!(words(&edge("ww", "short", false)), "ww");
    }

    #[test]
    fn labels_of_parallel_arrows_do_not_cover_each_other() {
        let boxes = [0.0, 300.0].map(|x| Rect { x, y: 0.0, width: 80.0, height: 38.0 });
        let edges = [edge("ww", "a", true), edge("rw", "b", true), edge("rt", "", false)];
        let drawn: Vec<Drawn<'_>> =
            edges.iter().map(|edge| Drawn { from: 0, to: 1, edge }).collect();
        let curves = super::super::bend::curves(&boxes, &[(0, 1); 3]);
        let labels = labels(&drawn, &curves, &boxes);
        assert_eq!(labels.len(), 3);
        for (i, label) in labels.iter().enumerate() {
            assert!(!boxes.iter().any(|b| b.meets(&label.rect)));
            assert!(!labels[..i].iter().any(|other| other.rect.meets(&label.rect)));
        }
    }
}
