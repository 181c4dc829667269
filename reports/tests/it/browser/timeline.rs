//! The big timeline under pointer, wheel and keys, and of a long run.

use serde_json::Value;

use super::Desk;
use crate::sample;
use danso_browser::Page;

fn state(page: &mut Page, of: &str) -> Value {
    page.eval(&format!("danso.timeline.state().{of}"))
}

/// How much of the run is shown, ns.
fn span(page: &mut Page) -> f64 {
    page.eval("(s => s.to - s.from)(danso.timeline.state())").as_f64().unwrap()
}

const ROWS: &str = "#timeline canvas[tabindex]";

#[test]
fn pointer_wheel_and_keys_move_it() {
    let Some(desk) = Desk::new() else { return };
    let sample = sample::invalid();
    let mut page = desk.open("moved", &sample);
    page.wait_for("performance.getEntriesByName('danso:timeline').length");
    let whole = span(&mut page);
    let at = page.place(ROWS);
    // A wheel that only passes by scrolls the page.
    page.wheel(at, 0.0, -200.0);
    assert_eq!(span(&mut page), whole);
    page.eval(&format!("document.querySelector({ROWS:?}).focus()"));
    let nearer = |page: &mut Page, before: f64| {
        page.wait_for(&format!("(s => s.to - s.from < {before} * 0.98)(danso.timeline.state())"));
        span(page)
    };
    page.press("+");
    let zoomed = nearer(&mut page, whole);
    let at = page.place(ROWS);
    page.wheel(at, 0.0, -200.0);
    nearer(&mut page, zoomed);
    let from = state(&mut page, "from").as_f64().unwrap();
    page.press("ArrowRight");
    page.wait_for(&format!("danso.timeline.state().from > {from}"));
    let from = state(&mut page, "from").as_f64().unwrap();
    let at = page.place(ROWS);
    page.drag(at, (at.0 + 200.0, at.1));
    page.wait_for(&format!("danso.timeline.state().from < {from}"));
    page.press("0");
    page.wait_for(&format!("(s => s.to - s.from >= {whole} * 0.95)(danso.timeline.state())"));
    // From one anomaly to the next, and back to none.
    page.press("n");
    page.wait_for(
        "danso.timeline.state().anomaly === 1 && danso.timeline.state().selected !== null",
    );
    page.press("]");
    page.press("Escape");
    page.wait_for("danso.timeline.state().selected === null");
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn a_long_run_opens_soon() {
    let Some(desk) = Desk::new() else { return };
    for sample in [sample::long(), sample::big(200_000)] {
        let mut page = desk.open(&format!("long-{}", sample.history.len()), &sample);
        page.wait_for("performance.getEntriesByName('danso:timeline').length");
        let took = page.eval(
            "performance.getEntriesByName('danso:timeline')[0].startTime
             - performance.getEntriesByType('navigation')[0].domContentLoadedEventStart",
        );
        let open = page.eval("performance.getEntriesByName('danso:timeline')[0].startTime");
        // A figure for people: how fast a loaded machine is proves nothing.
        println!(
            "{} operations: painted {took} ms after DOMContentLoaded, {open} ms after opening",
            sample.history.len()
        );
        assert_eq!(state(&mut page, "total"), sample.history.len());
        assert_eq!(page.console(), [""; 0]);
    }
}
