//! The timeline of one key around an anomaly: a lane a process, a bar an operation.
//!
//! What matters there is order, not length: who overlapped whom. So the axis is stretched, event
//! by event, until every label fits its own bar; ticks carry the true times.

mod layout;
mod select;

use danso_vocab::time::human;
use danso_vocab::{Anomaly, Op};
use maud::{Markup, html};

use crate::label::Roles;
use crate::windows::{self, Window};
use crate::{Record, inert, label, link};
use layout::{Bar, Layout};
use select::{Part, Selection};

/// Heights, in pixels.
const LANE: i32 = 30;
const BAR: i32 = 20;
const BAND_ROW: i32 = 18;
const AXIS: i32 = 26;
/// After how many pixels a long bar says again what it is.
const AGAIN: i32 = 340;
/// Room above the lanes, for what the dotted lines say.
const HEAD: i32 = 16;
/// Rows for the names of fault windows.
const BAND_ROWS: usize = 4;

/// The picture, with its legend; `None` if none of the anomaly's operations is in the history.
pub(crate) fn render(
    record: &Record<'_>,
    anomaly: &Anomaly,
    number: usize,
    roles: Roles,
) -> Option<Markup> {
    let selection = select::around(record.history, anomaly, roles.others)?;
    let layout = Layout::of(&selection);
    let bands = bands(record, &layout);
    let top = BAND_ROW * bands.iter().map(|b| b.row as i32 + 1).max().unwrap_or(0) + HEAD;
    let height = top + LANE * layout.lanes.len() as i32 + AXIS;
    let caption = caption(&selection);
    Some(html! {
        figure .timeline aria-labelledby={ "timeline-" (number) } {
            div .pane {
                (lanes(&layout, top, height))
                div .scroller tabindex="0" role="region" aria-label="Timeline, scrolls sideways" {
                    svg width=(layout.width) height=(height) viewBox={ "0 0 " (layout.width) " " (height) } role="group"
                        aria-label=(caption) {
                        (background(&layout, &bands, top, height))
                        @for gap in &layout.gaps { (omission(gap, top, height)) }
                        @for bar in &layout.bars { (operation(bar, &layout, top)) }
                    }
                    // Where a browser can, it opens the picture at the operation in question.
                    @if let Some(x) = layout.aim() { span .aim style={ "left:" (x) "px" } {} }
                }
            }
            figcaption id={ "timeline-" (number) } {
                (legend(&selection, roles))
                span { (caption) }
            }
        }
    })
}

fn caption(selection: &Selection<'_>) -> String {
    let shown = selection.ops.len();
    let what = match &selection.key {
        Some(key) => format!("on {}", inert::clip(key, 60)),
        None => "of the history".to_owned(),
    };
    let mut out = format!(
        "{shown} of {} operations {what}. The axis is stretched so that order can be read; \
         the ticks carry true times.",
        label::number(selection.total as u64)
    );
    if selection.left_out > 0 {
        out.push_str(&format!(
            " Between them {} are left out, where a dotted line says so.",
            label::number(selection.left_out as u64)
        ));
    }
    out
}

fn legend(selection: &Selection<'_>, roles: Roles) -> Markup {
    let has = |part: Part| selection.ops.iter().any(|(_, p)| *p == part);
    html! {
        span .legend {
            span .swatch.culprit { (roles.culprit) }
            @if has(Part::Witness) { span .swatch.witness { (roles.witness) } }
            @if has(Part::Around) { span .swatch.around { "around it" } }
            span { span .key.ok {} "ok" }
            span { span .key.info {} "info: may take effect at any later time" }
            span { span .key.fail {} "fail: did not happen" }
        }
    }
}

/// The names of the lanes stand still while the lanes scroll.
fn lanes(layout: &Layout<'_>, top: i32, height: i32) -> Markup {
    html! {
        svg .lanes width="64" height=(height) viewBox={ "0 0 64 " (height) } aria-hidden="true" {
            @for (row, process) in layout.lanes.iter().enumerate() {
                @let part = layout.bars.iter().any(|b| b.lane == row && b.part != Part::Around);
                text .part[part] x="56" y=(top + LANE * row as i32 + LANE / 2 + 4) text-anchor="end" { (process) }
            }
        }
    }
}

struct Band {
    window: Window,
    x: i32,
    width: i32,
    row: usize,
}

/// The windows that reach into the picture.
fn bands(record: &Record<'_>, layout: &Layout<'_>) -> Vec<Band> {
    let Some((first, last)) = layout.span() else { return Vec::new() };
    let windows: Vec<Window> = windows::all(record)
        .into_iter()
        .filter(|w| w.start <= last && w.stop >= first && w.stop > w.start)
        .collect();
    let rows = windows::rows(&windows, BAND_ROWS);
    let mut bands = Vec::new();
    for (window, row) in windows.into_iter().zip(rows) {
        let x = layout.x(window.start);
        let width = (layout.x(window.stop) - x).max(2);
        bands.push(Band { window, x, width, row });
    }
    bands
}

fn background(layout: &Layout<'_>, bands: &[Band], top: i32, height: i32) -> Markup {
    let bottom = height - AXIS;
    html! {
        @for band in bands {
            g .band {
                title {
                    (band.window.label()) ", " (band.window.start) " to "
                    @if band.window.healed { (band.window.stop) } @else { "the end, not healed" }
                }
                rect .wash x=(band.x) y="0" width=(band.width) height=(bottom) {}
                rect .cap x=(band.x) y=(BAND_ROW * band.row as i32) width=(band.width) height=(BAND_ROW - 4) rx="2" {}
                @let label = fitting(band.window.label(), band.width);
                @for x in places(band.x + 5, band.x + band.width, label.chars().count()) {
                    text x=(x) y=(BAND_ROW * band.row as i32 + 11) { (label) }
                }
            }
        }
        @for (row, process) in (0..).zip(&layout.lanes) {
            text .inlaid x="-8" y=(top + LANE * row + LANE / 2 + 4) text-anchor="end" { (process) }
            line .lane x1="0" x2=(layout.width) y1=(top + LANE * row + LANE / 2) y2=(top + LANE * row + LANE / 2) {}
        }
        @for (x, words) in &layout.ticks {
            line .tick x1=(x) x2=(x) y1=(top) y2=(bottom + 5) {}
            text .time x=(x) y=(bottom + 19) { (words) }
        }
    }
}

fn omission(gap: &layout::Gap, top: i32, height: i32) -> Markup {
    html! {
        g .omission {
            title { (gap.ops) " operations left out here" }
            line x1=(gap.x) x2=(gap.x) y1=(top) y2=(height - AXIS) {}
            text x=(gap.x) y=(top - 4) text-anchor="middle" { "+" (gap.ops) }
        }
    }
}

fn operation(bar: &Bar<'_>, layout: &Layout<'_>, top: i32) -> Markup {
    let middle = top + LANE * bar.lane as i32 + LANE / 2;
    let y = middle - BAR / 2;
    let status = bar.op.status().to_string();
    let class = format!("op {status} {}", bar.part.word());
    html! {
        // By keyboard the table beside the picture leads to the same places.
        a class=(class) href=(link::TIMELINE) data-op=(bar.op.id().0) tabindex="-1" {
            title { (tooltip(bar.op)) }
            @if let Some(end) = bar.end {
                rect x=(bar.start) y=(y) width=(end - bar.start) height=(BAR) rx="4" {}
            } @else {
                path .open d=(open_ended(bar.start, y, layout.width)) {}
            }
            @for x in places(bar.start + 7, bar.end.unwrap_or(layout.width), bar.label.chars().count()) {
                text x=(x) y=(middle + 4) { (bar.label) }
            }
        }
    }
}

/// As much of a fault's name as its window has room for: all, its number, or nothing.
fn fitting(label: String, width: i32) -> String {
    let fits = |text: &str| 7 * text.chars().count() as i32 + 8 <= width;
    let number = label.split(' ').next().unwrap_or_default();
    match (fits(&label), fits(number)) {
        (true, _) => label,
        (false, true) => number.to_owned(),
        (false, false) => String::new(),
    }
}

/// Where to write the name of something that reaches from `start` to `end`: at its start, and
/// again where somebody who scrolled along no longer sees that.
fn places(start: i32, end: i32, chars: usize) -> impl Iterator<Item = i32> {
    let room = 8 * chars as i32 + 16;
    let again = (1..).map(move |i| start + i * AGAIN).take_while(move |x| x + room < end);
    std::iter::once(start).chain(again)
}

/// A bar without an end: an arrow out of the picture.
fn open_ended(x: i32, y: i32, width: i32) -> String {
    let (right, tip) = (width - 14, width - 4);
    let (middle, bottom) = (y + BAR / 2, y + BAR);
    format!(
        "M{right} {y}H{}Q{x} {y} {x} {}V{}Q{x} {bottom} {} {bottom}H{right}L{tip} {middle}Z",
        x + 4,
        y + 4,
        bottom - 4,
        x + 4
    )
}

fn tooltip(op: Op<'_>) -> String {
    let mut out = inert::clip(op, 400);
    out.push_str(&format!("\nfrom {}", op.inv_time()));
    match (op.res_time(), op.latency()) {
        (Some(end), Some(latency)) => out.push_str(&format!(" to {end}, {}", human(latency))),
        _ => out.push_str(", never answered"),
    }
    if let Some(node) = op.node() {
        out.push_str(&format!("\nasked {node}"));
    }
    out
}
