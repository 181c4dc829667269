//! How each node answered over time.

use danso_vocab::{NodeId, Status};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::Color;

use super::tally::{Outcomes, Tally, at};
use super::{
    Area, Backdrop, Drawn, GRID, INK, LEFT, OK_BAR, Plot, colour, linear, picture, words_style,
};

const ROW: i32 = 30;
/// The bar within a row.
const BAR: i32 = 24;
/// More rows than this make no picture.
const MOST: usize = 16;

/// A row a node: the outcomes of what it was asked, one above the other.
pub(super) fn availability(tally: &Tally<'_>, backdrop: &Backdrop) -> Option<Plot> {
    let shown: Vec<(NodeId, &Vec<Outcomes>)> =
        tally.nodes.iter().take(MOST).map(|(id, outcomes)| (*id, outcomes)).collect();
    if shown.is_empty() {
        return None;
    }
    let height = (backdrop.top() + ROW * shown.len() as i32 + 30) as u32;
    let svg = picture("Outcomes over time at each node", "", height, |area| {
        linear(area, backdrop, height, 0.0..1.0, 0, &|_| String::new())?;
        for (row, (id, outcomes)) in shown.iter().enumerate() {
            let top = backdrop.top() + ROW * row as i32 + (ROW - BAR) / 2;
            let at = (LEFT as i32 - 34, top + BAR / 2);
            area.draw(&Text::new(id.to_string(), at, words_style(INK, 12.0)))?;
            bars(area, backdrop, tally, outcomes, top)?;
        }
        Ok(())
    })?;
    let mut words = format!(
        "For every slot of {} s, how the operations sent to a node ended: ok from below, then \
         fail, info on top; nothing where nothing ended. A refused compare-and-set is a fail too.",
        tally.slots.width
    );
    if tally.nodes.len() > MOST {
        words.push_str(&format!(" {} more nodes are not drawn.", tally.nodes.len() - MOST));
    }
    Some(Plot::new("Availability by node", svg, words))
}

fn bars(
    area: &Area<'_>,
    backdrop: &Backdrop,
    tally: &Tally<'_>,
    outcomes: &[Outcomes],
    top: i32,
) -> Drawn {
    let bottom = top + BAR;
    let line = [(backdrop.x(f64::MIN), bottom), (backdrop.x(f64::MAX), bottom)];
    area.draw(&PathElement::new(line, GRID))?;
    let mut from = 0;
    for to in 1..=outcomes.len() {
        let heights = heights(&outcomes[from]);
        if to < outcomes.len() && self::heights(&outcomes[to]) == heights {
            continue;
        }
        let (x0, x1) =
            (backdrop.x(tally.slots.bounds(from).0), backdrop.x(tally.slots.bounds(to - 1).1));
        let mut y = bottom;
        for status in [Status::Ok, Status::Fail, Status::Info] {
            let height = heights[at(status)];
            if height > 0 {
                let corners = [(x0, y - height), (x1, y)];
                let fill = if status == Status::Ok { OK_BAR } else { colour(status) };
                area.draw(&Rectangle::new(corners, fill.filled()))?;
                y -= height;
            }
        }
        from = to;
    }
    Ok(())
}

/// Pixels of each outcome; one that occurred has at least two.
fn heights(outcomes: &Outcomes) -> [i32; 3] {
    let all: u32 = outcomes.iter().sum();
    if all == 0 {
        return [0; 3];
    }
    let part = |n: u32| match n {
        0 => 0,
        n => ((f64::from(n) / f64::from(all) * f64::from(BAR)).round() as i32).max(2),
    };
    let (fail, info) = (part(outcomes[1]), part(outcomes[2]));
    let ok = if outcomes[0] == 0 { 0 } else { (BAR - fail - info).max(2) };
    [ok, fail, info]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_occurred_shows() {
        assert_eq!(heights(&[5, 0, 0]), [BAR, 0, 0]);
        assert_eq!(heights(&[9_999, 0, 1]), [BAR - 2, 0, 2]);
        assert_eq!(heights(&[1, 9_999, 0])[0], 2);
        assert_eq!(heights(&[0, 0, 0]), [0; 3]);
    }
}
