//! What comes first stands left; who did it, where that is known, has a lane.

use super::bend::Rect;

/// Between columns: room for arrows and their labels; less where that makes the drawing fit.
const COLUMN: f64 = 96.0;
const NARROW: f64 = 58.0;
/// What a page has room for without scrolling.
const ROOM: f64 = 880.0;
/// Between boxes one above the other.
const ROW: f64 = 26.0;
/// Above and below the boxes of a lane.
const LANE: f64 = 20.0;

/// Boxes and, where there are lanes, their edges from above: one more than lanes.
pub(super) struct Placed {
    pub(super) boxes: Vec<Rect>,
    pub(super) lanes: Vec<f64>,
}

/// Places boxes of these sizes. `edges` must make no circle; `lanes` names the lane of each box.
pub(super) fn place(
    sizes: &[(f64, f64)],
    edges: &[(usize, usize)],
    lanes: Option<&[usize]>,
) -> Placed {
    let ranks = ranks(sizes.len(), edges);
    let columns = ranks.iter().max().map_or(0, |r| r + 1);
    let wide = |rank: usize| {
        let of = sizes.iter().zip(&ranks).filter(move |(_, r)| **r == rank).map(|(s, _)| s.0);
        of.fold(0.0, f64::max)
    };
    let mut middles = Vec::new();
    let gaps = columns.saturating_sub(1).max(1) as f64;
    let boxes: f64 = (0..columns).map(wide).sum();
    let column = ((ROOM - boxes) / gaps).clamp(NARROW, COLUMN);
    let mut x = 0.0;
    for rank in 0..columns {
        middles.push(x + wide(rank) / 2.0);
        x += wide(rank) + column;
    }
    let height = sizes.iter().map(|s| s.1).fold(0.0, f64::max);
    let mut boxes: Vec<Rect> = sizes
        .iter()
        .zip(&ranks)
        .map(|((width, height), rank)| Rect {
            x: middles[*rank],
            y: 0.0,
            width: *width,
            height: *height,
        })
        .collect();
    let borders = match lanes {
        Some(lanes) => stack_in_lanes(&mut boxes, &ranks, lanes, height),
        None => {
            stack(&mut boxes, &ranks, edges, height);
            Vec::new()
        }
    };
    Placed { boxes, lanes: borders }
}

/// The length of the longest path to each vertex.
fn ranks(n: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut ranks = vec![0; n];
    // Without a circle, no path has more than n edges.
    for _ in 0..n {
        for (from, to) in edges {
            ranks[*to] = ranks[*to].max(ranks[*from] + 1);
        }
    }
    ranks
}

fn stack_in_lanes(boxes: &mut [Rect], ranks: &[usize], lanes: &[usize], height: f64) -> Vec<f64> {
    let count = lanes.iter().max().map_or(0, |l| l + 1);
    let columns = ranks.iter().max().map_or(0, |r| r + 1);
    let mut borders = vec![0.0];
    let mut top = 0.0;
    for lane in 0..count {
        let of = |rank: usize| -> Vec<usize> {
            (0..boxes.len()).filter(|i| lanes[*i] == lane && ranks[*i] == rank).collect()
        };
        let cells: Vec<Vec<usize>> = (0..columns).map(of).collect();
        let most = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let inner = height * most as f64 + ROW * (most - 1) as f64;
        for cell in &cells {
            let used = height * cell.len() as f64 + ROW * cell.len().saturating_sub(1) as f64;
            let first = top + LANE + (inner - used) / 2.0 + height / 2.0;
            for (i, vertex) in cell.iter().enumerate() {
                boxes[*vertex].y = first + (height + ROW) * i as f64;
            }
        }
        top += inner + 2.0 * LANE;
        borders.push(top);
    }
    borders
}

/// Column by column, each box near the middle of those it comes after.
fn stack(boxes: &mut [Rect], ranks: &[usize], edges: &[(usize, usize)], height: f64) {
    let columns = ranks.iter().max().map_or(0, |r| r + 1);
    for rank in 0..columns {
        let before = |vertex: usize| {
            let ys: Vec<f64> = edges
                .iter()
                .filter(|(_, to)| *to == vertex)
                .map(|(from, _)| boxes[*from].y)
                .collect();
            if ys.is_empty() { 0.0 } else { ys.iter().sum::<f64>() / ys.len() as f64 }
        };
        let mut column: Vec<(f64, usize)> =
            (0..ranks.len()).filter(|i| ranks[*i] == rank).map(|i| (before(i), i)).collect();
        column.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let span = (height + ROW) * (column.len() - 1) as f64;
        let middle = column.iter().map(|c| c.0).sum::<f64>() / column.len() as f64;
        for (i, (_, vertex)) in column.iter().enumerate() {
            boxes[*vertex].y = middle - span / 2.0 + (height + ROW) * i as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (f64, f64) = (100.0, 36.0);

    fn apart(boxes: &[Rect]) -> bool {
        (0..boxes.len()).all(|i| (0..i).all(|j| !boxes[i].meets(&boxes[j])))
    }

    #[test]
    fn what_comes_before_stands_left() {
        let edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3)];
        let placed = place(&[SIZE; 4], &edges, None);
        for (from, to) in edges {
            assert!(placed.boxes[from].x < placed.boxes[to].x);
        }
        assert!(apart(&placed.boxes));
    }

    #[test]
    fn lanes_keep_to_themselves() {
        let lanes = [0, 1, 1, 1, 2];
        let placed = place(&[SIZE; 5], &[(0, 1), (0, 2), (3, 4)], Some(&lanes));
        assert_eq!(placed.lanes.len(), 4);
        for (own, lane) in placed.boxes.iter().zip(lanes) {
            assert!(placed.lanes[lane] < own.y - 18.0 && own.y + 18.0 < placed.lanes[lane + 1]);
        }
        assert!(apart(&placed.boxes));
    }
}
