//! How far nodes' clocks were off, as read from inside the nodes.

use std::collections::BTreeMap;

use danso_vocab::event::note;
use danso_vocab::{History, NodeId};
use maud::html;
use plotters::element::{Circle, PathElement};
use plotters::style::Color;

use super::{Backdrop, HUES, Plot, linear, picture};

const HEIGHT: u32 = 200;
/// Readings of one node that are drawn.
const MOST: usize = 2000;

/// `None` if no clock was read.
pub(super) fn offsets(history: &History, backdrop: &Backdrop) -> Option<Plot> {
    let mut nodes: BTreeMap<NodeId, Vec<(f64, f64)>> = BTreeMap::new();
    for (_, time, what) in history.notes().filter(|(_, _, what)| what.f == note::CLOCK_OFFSET) {
        let Some(ahead) = what.value.int() else { continue };
        for node in &what.nodes {
            nodes.entry(*node).or_default().push((time.secs(), ahead as f64 / 1e9));
        }
    }
    let all = || nodes.values().flatten().map(|p| p.1);
    let (low, high) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    // A clock that is right must not look as if it jumped about.
    let room = ((high - low) * 0.12).max(0.002);
    let svg = picture("Clock offsets over time, by node", "", HEIGHT, |area| {
        let range = low.min(0.0) - room..high.max(0.0) + room;
        let mut chart = linear(area, backdrop, HEIGHT, range, 5, &|s| signed(*s))?;
        for (i, points) in nodes.values().enumerate() {
            let hue = HUES[i % HUES.len()];
            let every = points.len().div_ceil(MOST);
            let points = || points.iter().copied().step_by(every);
            chart.draw_series([PathElement::new(steps(points()), hue.stroke_width(2))])?;
            chart.draw_series(points().map(|p| Circle::new(p, 2, hue.filled())))?;
        }
        Ok(())
    })?;
    let words = "How far each node's wall clock was ahead of the true time, read inside the node; \
                 the line holds from one reading to the next.";
    let mut plot = Plot::new("Clock offsets", svg, words.to_owned());
    plot.legend = Some(html! {
        p .legend {
            @for (i, id) in nodes.keys().enumerate() {
                span class={ "swatch hue" (i % HUES.len()) } { (id) }
            }
        }
    });
    Some(plot)
}

/// From one reading to the next the last one stands.
fn steps(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut line: Vec<(f64, f64)> = Vec::new();
    for (at, ahead) in points {
        if let Some((_, last)) = line.last().copied() {
            line.push((at, last));
        }
        line.push((at, ahead));
    }
    line
}

fn signed(secs: f64) -> String {
    let ms = (secs * 1e6).round() / 1e3;
    match ms.abs() {
        0.0 => "0".to_owned(),
        ..1000.0 => format!("{ms:+} ms"),
        _ => format!("{:+} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_signs() {
        assert_eq!(signed(0.25), "+250 ms");
        assert_eq!(signed(-0.0005), "-0.5 ms");
        assert_eq!(signed(-60.0), "-60 s");
        assert_eq!(signed(1e-9), "0");
    }

    #[test]
    fn a_reading_stands_until_the_next() {
        let line = steps([(0.0, 0.0), (1.0, 5.0)].into_iter());
        assert_eq!(line, [(0.0, 0.0), (1.0, 0.0), (1.0, 5.0)]);
    }
}
