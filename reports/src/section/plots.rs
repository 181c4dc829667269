//! What was going on then: latency and rate over time, with what went wrong behind them.

use maud::{Markup, PreEscaped, html};

use crate::Record;
use crate::plot::{Backdrop, rate, scatter};
use crate::section::scroller;

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    if record.history.is_empty() {
        return None;
    }
    let Some(backdrop) = Backdrop::of(record) else {
        return Some(
            html! { p .none { "The history carries no times, so there is nothing to draw." } },
        );
    };
    let plots = [
        ("Latency", scatter::draw(record.history, &backdrop)),
        ("Rate", rate::draw(record.history, &backdrop)),
    ];
    Some(html! {
        p .legend {
            span { span .key.ok {} "ok" }
            span { span .key.info {} "info: nobody knows" }
            span { span .key.fail {} "fail: did not happen" }
            @if backdrop.has_windows() { span .swatch.window { "fault at work" } }
            @if backdrop.has_crashes() { span .swatch.crash { "a node crashed" } }
        }
        @for (name, plot) in &plots {
            @if let Some((svg, words)) = plot {
                figure {
                    h3 { (name) }
                    // The library escapes text; everything else in it is ours.
                    (scroller(name, &PreEscaped(svg.clone())))
                    figcaption { (words) }
                }
            }
        }
    })
}
