//! A cycle drawn as one.

use std::f64::consts::TAU;

use super::bend::Rect;

/// Puts boxes of these sizes on a ring, in this order.
pub(super) fn place(sizes: &[(f64, f64)], order: &[usize]) -> Vec<Rect> {
    let n = order.len().max(1) as f64;
    let widest = sizes.iter().map(|s| s.0).fold(0.0, f64::max);
    let highest = sizes.iter().map(|s| s.1).fold(0.0, f64::max);
    let mut boxes: Vec<Rect> = sizes
        .iter()
        .map(|(width, height)| Rect { x: 0.0, y: 0.0, width: *width, height: *height })
        .collect();
    // Two lie side by side: above each other their arrows would have no room.
    let (start, rx) = match order.len() {
        0..=2 => (TAU / 2.0, widest / 2.0 + 120.0),
        _ => (-TAU / 4.0, (widest * n / TAU * 1.3).max(widest / 2.0 + 150.0)),
    };
    let ry = (highest * n / TAU * 2.1).max(125.0);
    for (i, vertex) in order.iter().enumerate() {
        let angle = start + TAU * i as f64 / n;
        boxes[*vertex].x = rx * angle.cos();
        boxes[*vertex].y = ry * angle.sin();
    }
    boxes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_on_a_ring_do_not_meet() {
        for n in 1..=12 {
            let order: Vec<usize> = (0..n).collect();
            let boxes = place(&vec![(180.0, 40.0); n], &order);
            for i in 0..n {
                for j in 0..i {
                    assert!(!boxes[i].meets(&boxes[j]), "{i} and {j} of {n}");
                }
            }
        }
    }
}
