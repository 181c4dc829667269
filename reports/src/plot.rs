//! Pictures of a whole run, drawn by plotters and dressed by the page.
//!
//! The drawing library knows colours, the page knows light and dark. So what is drawn carries a
//! marker colour each, and the finished picture has every marker replaced by a class name.

mod clock;
mod nodes;
mod quantiles;
mod rate;
mod scatter;
mod staleness;
mod tally;

use std::ops::Range;

use danso_vocab::event::note;
use danso_vocab::{Status, Time};
use maud::Markup;
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use crate::windows::{self, Window};
use crate::{Record, inert};

/// The size of a picture in its own units, which are pixels on a wide screen.
pub(crate) const WIDTH: u32 = 1080;
const LEFT: u32 = 64;
const AXIS: u32 = 26;
const RIGHT: u32 = 14;
/// Rows above the plot: phases, then faults.
const ROW: i32 = 17;
const FAULT_ROWS: usize = 4;

const INK: RGBColor = RGBColor(1, 2, 3);
const GRID: RGBColor = RGBColor(4, 5, 6);
const FAINT: RGBColor = RGBColor(7, 8, 9);
const OK: RGBColor = RGBColor(10, 11, 12);
const FAIL: RGBColor = RGBColor(13, 14, 15);
const INFO: RGBColor = RGBColor(16, 17, 18);
const WASH: RGBColor = RGBColor(19, 20, 21);
const CAP: RGBColor = RGBColor(22, 23, 24);
const CAP_TEXT: RGBColor = RGBColor(25, 26, 27);
const CRASH: RGBColor = RGBColor(28, 29, 30);
const AREA: RGBColor = RGBColor(31, 32, 33);
const Q50: RGBColor = RGBColor(34, 35, 36);
const Q95: RGBColor = RGBColor(37, 38, 39);
const Q99: RGBColor = RGBColor(40, 41, 42);
const QMAX: RGBColor = RGBColor(43, 44, 45);
/// Paler than ok: the windows behind it must show through.
const OK_BAR: RGBColor = RGBColor(64, 65, 66);
/// To tell nodes apart.
const HUES: [RGBColor; 6] = [
    RGBColor(46, 47, 48),
    RGBColor(49, 50, 51),
    RGBColor(52, 53, 54),
    RGBColor(55, 56, 57),
    RGBColor(58, 59, 60),
    RGBColor(61, 62, 63),
];

/// What each marker colour becomes.
const CLASSES: &[(RGBColor, &str)] = &[
    (INK, "ink"),
    (GRID, "grid"),
    (FAINT, "faint"),
    (OK, "ok"),
    (FAIL, "fail"),
    (INFO, "info"),
    (WASH, "wash"),
    (CAP, "cap"),
    (CAP_TEXT, "captext"),
    (CRASH, "crash"),
    (AREA, "area"),
    (Q50, "q50"),
    (Q95, "q95"),
    (Q99, "q99"),
    (QMAX, "qmax"),
    (OK_BAR, "okbar"),
    (HUES[0], "hue0"),
    (HUES[1], "hue1"),
    (HUES[2], "hue2"),
    (HUES[3], "hue3"),
    (HUES[4], "hue4"),
    (HUES[5], "hue5"),
];

type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
type Linear<'a, 's> = ChartContext<'a, SVGBackend<'s>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Logarithmic<'a, 's> =
    ChartContext<'a, SVGBackend<'s>, Cartesian2d<RangedCoordf64, LogCoord<f64>>>;

/// A picture with what has to be said of it.
pub(crate) struct Plot {
    pub(crate) title: String,
    /// Empty where words are enough.
    pub(crate) svg: String,
    pub(crate) words: String,
    pub(crate) legend: Option<Markup>,
    /// The same in numbers.
    pub(crate) more: Option<Markup>,
    /// Whether it is one of many of its sort, to be unfolded by whoever wants them.
    pub(crate) folded: bool,
}

impl Plot {
    fn new(title: impl Into<String>, svg: String, words: String) -> Plot {
        Plot { title: title.into(), svg, words, legend: None, more: None, folded: false }
    }
}

/// All pictures of a run, on the same axis.
pub(crate) fn all(record: &Record<'_>, backdrop: &Backdrop) -> Vec<Plot> {
    let history = record.history;
    let mut plots: Vec<Plot> = Vec::new();
    let tally = tally::Tally::of(history, backdrop.span.start, backdrop.span.end);
    plots.extend(scatter::draw(history, backdrop));
    if let Some(tally) = &tally {
        plots.extend(rate::throughput(tally, backdrop));
        plots.extend(rate::ok_share(tally, backdrop));
        plots.extend(nodes::availability(tally, backdrop));
    }
    plots.extend(clock::offsets(history, backdrop));
    plots.extend(staleness::draw(history, record.plan, backdrop));
    plots.extend(tally.map(|tally| quantiles::panels(&tally, backdrop)).unwrap_or_default());
    plots
}

fn colour(status: Status) -> RGBColor {
    match status {
        Status::Ok => OK,
        Status::Fail => FAIL,
        Status::Info => INFO,
    }
}

/// What lies behind every picture of a run: its span, phases, faults and crashes.
pub(crate) struct Backdrop {
    /// Seconds.
    span: Range<f64>,
    windows: Vec<Window>,
    rows: Vec<usize>,
    phases: Vec<(f64, String)>,
    crashes: Vec<(f64, String)>,
}

impl Backdrop {
    /// `None` if the record's history has no operation or carries no times.
    pub(crate) fn of(record: &Record<'_>) -> Option<Backdrop> {
        let history = record.history;
        let end = history.end().secs();
        let ops = history.ops().map(|op| op.inv_time());
        let first =
            ops.min()?.min(history.notes().map(|(_, t, _)| t).min().unwrap_or(Time(u64::MAX)));
        // A history from elsewhere may count from any moment.
        let start = if first.secs() < 0.2 * end { 0.0 } else { first.secs() };
        if end <= start {
            return None;
        }
        let windows: Vec<Window> = windows::all(record);
        let rows = windows::rows(&windows, FAULT_ROWS);
        let notes = |f: &'static str| history.notes().filter(move |(_, _, note)| note.f == f);
        let phases = notes(note::PHASE)
            .filter_map(|(_, t, note)| Some((t.secs(), inert::brief(note.value.str()?, 16))))
            .collect();
        let crashes = notes(note::NODE_CRASHED)
            .map(|(_, t, note)| (t.secs(), windows::nodes(&note.nodes)))
            .collect();
        Some(Backdrop { span: start..end, windows, rows, phases, crashes })
    }

    pub(crate) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    pub(crate) fn has_crashes(&self) -> bool {
        !self.crashes.is_empty()
    }

    /// The height of the rows above the plot.
    fn top(&self) -> i32 {
        let faults = self.rows.iter().max().map_or(0, |row| *row as i32 + 1);
        ROW * (faults + i32::from(!self.phases.is_empty())) + 10
    }

    fn x(&self, secs: f64) -> i32 {
        let span = self.span.end - self.span.start;
        let part = ((secs - self.span.start) / span).clamp(0.0, 1.0);
        LEFT as i32 + (part * f64::from(WIDTH - LEFT - RIGHT)) as i32
    }

    /// Windows as pale bands down to `bottom`, with their names in the rows above.
    fn draw(&self, area: &Area<'_>, bottom: i32) -> Drawn {
        let top = self.top();
        let first = if self.phases.is_empty() { 0 } else { ROW };
        for (window, row) in self.windows.iter().zip(&self.rows) {
            let (x0, x1) = (self.x(window.start.secs()), self.x(window.stop.secs()));
            let x1 = x1.max(x0 + 2);
            let y = first + ROW * *row as i32;
            area.draw(&Rectangle::new([(x0, top), (x1, bottom)], WASH.filled()))?;
            area.draw(&Rectangle::new([(x0, y), (x1, y + ROW - 3)], CAP.filled()))?;
            if let Some(words) = fitting(window, x1 - x0) {
                area.draw(&Text::new(
                    words,
                    (x0 + 5, y + ROW / 2 - 1),
                    words_style(CAP_TEXT, 11.0),
                ))?;
            }
        }
        for (i, (secs, name)) in self.phases.iter().enumerate() {
            let x = self.x(*secs);
            area.draw(&PathElement::new([(x, 2), (x, bottom)], FAINT))?;
            let next = self.phases.get(i + 1).map_or(WIDTH as i32, |(next, _)| self.x(*next));
            if next - x > 7 * name.chars().count() as i32 {
                area.draw(&Text::new(name.clone(), (x + 5, ROW / 2), words_style(INK, 11.0)))?;
            }
        }
        for (secs, _) in &self.crashes {
            let x = self.x(*secs);
            area.draw(&PathElement::new([(x, top), (x, bottom)], CRASH))?;
            area.draw(&Polygon::new([(x - 5, top - 7), (x + 5, top - 7), (x, top + 2)], CRASH))?;
        }
        Ok(())
    }
}

/// As much of a window's name as its band has room for.
fn fitting(window: &Window, width: i32) -> Option<String> {
    let fits = |words: &String| 6 * words.chars().count() as i32 + 8 <= width;
    [window.label(), window.short(), window.id.to_string()].into_iter().find(fits)
}

fn words_style(colour: RGBColor, size: f64) -> TextStyle<'static> {
    // The backend divides sizes by 1.24.
    let style: TextStyle<'_> = ("sans-serif", size * 1.24).into_font().color(&colour);
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

/// Axes with a linear scale over the backdrop; `lines` is about how many.
fn linear<'a, 's>(
    area: &'a Area<'s>,
    backdrop: &Backdrop,
    height: u32,
    range: Range<f64>,
    lines: usize,
    format: &dyn Fn(&f64) -> String,
) -> Drawn<Linear<'a, 's>> {
    backdrop.draw(area, height as i32 - AXIS as i32)?;
    let mut chart = builder(area, backdrop).build_cartesian_2d(backdrop.span.clone(), range)?;
    mesh(&mut chart, lines, format)?;
    Ok(chart)
}

/// Axes with a logarithmic scale of durations over the backdrop.
fn logarithmic<'a, 's>(
    area: &'a Area<'s>,
    backdrop: &Backdrop,
    height: u32,
    range: Range<f64>,
    lines: usize,
) -> Drawn<Logarithmic<'a, 's>> {
    backdrop.draw(area, height as i32 - AXIS as i32)?;
    let range = decades(range.start, range.end).log_scale();
    let mut chart = builder(area, backdrop).build_cartesian_2d(backdrop.span.clone(), range)?;
    mesh(&mut chart, lines, &|secs| duration(*secs))?;
    Ok(chart)
}

/// Faint lines at `lines` values or so, and the scales in words.
fn mesh<Y: Ranged<ValueType = f64> + ValueFormatter<f64>>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<RangedCoordf64, Y>>,
    lines: usize,
    format: &dyn Fn(&f64) -> String,
) -> Drawn {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .light_line_style(FAINT.mix(0.0))
        .axis_style(INK)
        .x_labels(12)
        .y_labels(lines)
        .x_label_formatter(&seconds)
        .y_label_formatter(format)
        .label_style(words_style(INK, 11.5))
        .draw()
}

fn builder<'a, 's>(
    area: &'a Area<'s>,
    backdrop: &Backdrop,
) -> ChartBuilder<'a, 'a, SVGBackend<'s>> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_top(backdrop.top())
        .margin_right(RIGHT)
        .x_label_area_size(AXIS)
        .y_label_area_size(LEFT);
    builder
}

/// A little more than what is shown, and at least two powers of ten to read it by.
fn decades(low: f64, high: f64) -> Range<f64> {
    let (low, high) = (low / 1.5, high * 1.5);
    match high.log10().floor() - low.log10().ceil() {
        1.0.. => low..high,
        // A hair more, so that the powers themselves are labelled.
        _ => 0.999 * 10f64.powf(low.log10().floor())..1.001 * 10f64.powf(high.log10().ceil()),
    }
}

/// A picture of this height; what is drawn on it becomes SVG to be put into the page. `None` if
/// the library refuses: a page without a picture is better than none.
fn picture(
    label: &str,
    class: &str,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Option<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let drawn = draw(&area).and_then(|()| area.present());
    drop(area);
    drawn.ok()?;
    Some(dress(&svg, label, class, height))
}

/// Replaces marker colours by classes and drops what the page says anyway. Text in the picture
/// cannot be hit: its quotes are escaped.
fn dress(svg: &str, label: &str, class: &str, height: u32) -> String {
    let (_, body) = svg.split_once('>').unwrap_or_default();
    let mut body = body.to_owned();
    for (RGBColor(r, g, b), class) in CLASSES {
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        body = body.replace(&format!("fill=\"{hex}\""), &format!("class=\"f-{class}\""));
        body = body.replace(&format!("stroke=\"{hex}\""), &format!("class=\"s-{class}\""));
    }
    for noise in
        [" stroke=\"none\"", " stroke-width=\"1\"", " opacity=\"1\"", " font-family=\"sans-serif\""]
    {
        body = body.replace(noise, "");
    }
    format!(
        "<svg class=\"plot {class}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">{body}"
    )
}

/// Seconds on the time axis.
fn seconds(secs: &f64) -> String {
    let rounded = (secs * 1000.0).round() / 1000.0;
    format!("{rounded} s")
}

fn duration(secs: f64) -> String {
    let ns = (secs * 1e9).round() as u64;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}
