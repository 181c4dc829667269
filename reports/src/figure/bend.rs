//! Arrows between boxes: which way they bend so as not to run through others.

/// A box of the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    /// Its middle.
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    /// Whether a point lies in the box or within `room` of it.
    pub(super) fn has(&self, (x, y): (f64, f64), room: f64) -> bool {
        (x - self.x).abs() < self.width / 2.0 + room
            && (y - self.y).abs() < self.height / 2.0 + room
    }

    /// Whether two boxes share a point.
    pub(super) fn meets(&self, other: &Rect) -> bool {
        (self.x - other.x).abs() < (self.width + other.width) / 2.0
            && (self.y - other.y).abs() < (self.height + other.height) / 2.0
    }

    /// Where the line from the middle towards a point leaves the box.
    fn exit(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (dx, dy) = (x - self.x, y - self.y);
        let across = (self.width / 2.0) / dx.abs().max(1e-9);
        let down = (self.height / 2.0) / dy.abs().max(1e-9);
        let part = across.min(down).min(1.0);
        (self.x + dx * part, self.y + dy * part)
    }
}

/// An arrow: a quadratic curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) from: (f64, f64),
    pub(super) control: (f64, f64),
    pub(super) to: (f64, f64),
}

/// How far the control point may lie beside the straight line, nearest first.
const BENDS: [f64; 13] =
    [0.0, 28.0, -28.0, 56.0, -56.0, 88.0, -88.0, 124.0, -124.0, 170.0, -170.0, 230.0, -230.0];
const SAMPLES: usize = 24;
/// Arrows keep this far from boxes they do not belong to.
const ROOM: f64 = 5.0;

impl Curve {
    /// The point at `t` of the way.
    pub(super) fn at(&self, t: f64) -> (f64, f64) {
        let s = 1.0 - t;
        let of = |a: f64, b: f64, c: f64| s * s * a + 2.0 * s * t * b + t * t * c;
        (of(self.from.0, self.control.0, self.to.0), of(self.from.1, self.control.1, self.to.1))
    }

    fn between(from: &Rect, to: &Rect, bend: f64) -> Curve {
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = dx.hypot(dy).max(1e-9);
        let middle = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        let control = (middle.0 + dy / length * bend, middle.1 - dx / length * bend);
        Curve { from: from.exit(control), control, to: to.exit(control) }
    }

    /// Above its own box, for what comes before itself.
    fn around(own: &Rect) -> Curve {
        let top = own.y - own.height / 2.0;
        Curve { from: (own.x - 18.0, top), control: (own.x, top - 64.0), to: (own.x + 18.0, top) }
    }
}

/// The curve of each edge, given as positions of boxes.
pub(super) fn curves(boxes: &[Rect], edges: &[(usize, usize)]) -> Vec<Curve> {
    let mut drawn: Vec<Curve> = Vec::new();
    for (from, to) in edges {
        if from == to {
            drawn.push(Curve::around(&boxes[*from]));
            continue;
        }
        let cost = |curve: &Curve, bend: f64| {
            let points = (1..SAMPLES).map(|i| curve.at(i as f64 / SAMPLES as f64));
            let hits = points
                .filter(|point| {
                    let foreign =
                        |(i, b): (usize, &Rect)| i != *from && i != *to && b.has(*point, ROOM);
                    boxes.iter().enumerate().any(foreign)
                })
                .count();
            let middle = curve.at(0.5);
            let crowded = drawn.iter().filter(|other| near(other.at(0.5), middle)).count();
            100.0 * hits as f64 + 90.0 * crowded as f64 + bend.abs()
        };
        let options = BENDS.map(|bend| {
            let curve = Curve::between(&boxes[*from], &boxes[*to], bend);
            (cost(&curve, bend), curve)
        });
        let best = options.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        drawn.extend(best.map(|(_, curve)| curve));
    }
    drawn
}

/// Whether labels on two such places would be in each other's way.
fn near(a: (f64, f64), b: (f64, f64)) -> bool {
    (a.0 - b.0).abs() < 40.0 && (a.1 - b.1).abs() < 20.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: usize) -> Vec<Rect> {
        (0..n).map(|i| Rect { x: 150.0 * i as f64, y: 0.0, width: 80.0, height: 30.0 }).collect()
    }

    #[test]
    fn arrows_run_around_boxes() {
        let boxes = row(3);
        let curves = curves(&boxes, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(curves[0].from, (40.0, 0.0));
        assert_eq!(curves[0].to, (110.0, 0.0));
        for i in 0..=SAMPLES {
            assert!(!boxes[1].has(curves[2].at(i as f64 / SAMPLES as f64), ROOM));
        }
    }

    #[test]
    fn parallel_arrows_part() {
        let curves = curves(&row(2), &[(0, 1), (0, 1), (1, 0)]);
        let middles: Vec<_> = curves.iter().map(|c| c.at(0.5).1.round()).collect();
        assert!(middles[0] != middles[1] && middles[1] != middles[2] && middles[0] != middles[2]);
    }
}
