//! The big timeline: from an anomaly to its operations, filters, pointer, wheel and keys.

use serde_json::Value;

use super::{Desk, fits_and_is_quiet, kept};
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
fn an_anomaly_leads_to_its_operations() {
    let Some(desk) = Desk::new() else { return };
    let sample = sample::invalid();
    let mut page = desk.open("clicked", &sample);
    page.wait_for("performance.getEntriesByName('danso:timeline').length");
    assert_eq!(state(&mut page, "total"), sample.history.len());
    assert_eq!(state(&mut page, "selected"), Value::Null);
    let whole = span(&mut page);
    for op in sample.results.findings[0].anomalies[0].ops.clone() {
        let link = format!("#anomaly-1 a[href='#timeline'][data-op='{}']", op.0);
        page.click(&link);
        page.wait_for(&format!("danso.timeline.state().selected === {}", op.0));
        // It is really to be seen, and large enough to be.
        let inv = sample.history.op(op).unwrap().inv_time().0;
        let seen = format!("(s => s.from <= {inv} && {inv} <= s.to)(danso.timeline.state())");
        assert_eq!(page.eval(&seen), true, "operation {op}");
        assert!(span(&mut page) < whole / 10.0, "operation {op} is a dot");
        let shown = "(b => b.bottom > 0 && b.top < innerHeight)(document.querySelector('#timeline canvas').getBoundingClientRect())";
        page.wait_for(shown);
    }
    if let Some(folder) = kept() {
        page.screenshot(&folder.join("timeline-clicked.png"));
    }
    fits_and_is_quiet(&mut page, "after clicking");
}

#[test]
fn filters_leave_what_was_asked_for() {
    let Some(desk) = Desk::new() else { return };
    let sample = sample::invalid();
    let mut page = desk.open("filtered", &sample);
    let all = sample.history.len();
    let matching = |page: &mut Page, wanted: usize| {
        page.wait_for(&format!("danso.timeline.state().matching === {wanted}"));
    };
    matching(&mut page, all);
    let fails = sample.history.ops().filter(|op| op.reason().is_some() && !op.is_ok());
    let (fail, info): (Vec<_>, Vec<_>) =
        fails.partition(|op| op.status() == danso_vocab::Status::Fail);
    assert!(!fail.is_empty() && !info.is_empty(), "the sample has both");
    page.click("#timeline .filter input[name=ok]");
    matching(&mut page, all - sample.history.ops().filter(|op| op.is_ok()).count());
    page.click("#timeline .filter input[name=info]");
    matching(
        &mut page,
        sample.history.ops().filter(|op| op.status() == danso_vocab::Status::Fail).count(),
    );
    page.click("#timeline .filter input[name=ok]");
    page.click("#timeline .filter input[name=info]");
    matching(&mut page, all);
    let process = sample.history.ops().next().unwrap().process();
    page.click("#timeline .filter input[name=process]");
    page.type_text(&process.to_string());
    matching(&mut page, sample.history.ops().filter(|op| op.process() == process).count());
    // By keyboard: into the field from anywhere in the timeline, and out of it with nothing left.
    page.press("Control+a");
    page.press("Delete");
    matching(&mut page, all);
    let f = "read";
    page.eval(&format!(
        "(s => {{ s.value = [...s.options].find(o => o.textContent === '{f}').value; s.dispatchEvent(new Event('change', {{ bubbles: true }})) }})(document.querySelector('#timeline .filter select[name=f]'))"
    ));
    matching(&mut page, sample.history.ops().filter(|op| op.f() == f).count());
    assert_eq!(page.console(), [""; 0]);
}

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
