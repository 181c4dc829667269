//! What was going on then: waiting times, rates and outcomes over time, with what went wrong
//! behind them.

use maud::{Markup, PreEscaped, html};

use crate::Record;
use crate::plot::{self, Backdrop, Plot};
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
    let plots = plot::all(record, &backdrop);
    let folded = plots.iter().filter(|plot| plot.folded).count();
    Some(html! {
        p .legend {
            span { span .key.ok {} "ok" }
            span { span .key.info {} "info: nobody knows" }
            span { span .key.fail {} "fail: did not happen" }
            @if backdrop.has_windows() { span .swatch.window { "fault at work" } }
            @if backdrop.has_crashes() { span .swatch.crash { "a node crashed" } }
        }
        @for plot in plots.iter().filter(|plot| !plot.folded) { (figure(plot)) }
        @if folded > 0 {
            details {
                summary { (folded) " more pictures of latency" }
                @for plot in plots.iter().filter(|plot| plot.folded) { (figure(plot)) }
            }
        }
    })
}

fn figure(plot: &Plot) -> Markup {
    html! {
        figure {
            h3 { (plot.title) }
            @if let Some(legend) = &plot.legend { (legend) }
            @if !plot.svg.is_empty() {
                // The library escapes text; everything else in it is ours.
                (scroller(&plot.title, &PreEscaped(plot.svg.clone())))
            }
            @if !plot.words.is_empty() { figcaption { (plot.words) } }
            @if let Some(more) = &plot.more { (more) }
        }
    }
}
