//! How soon the big timeline of a long run is there.

use super::Desk;
use crate::sample;

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
        assert_eq!(page.eval("danso.timeline.state().total"), sample.history.len());
        assert_eq!(page.console(), [""; 0]);
    }
}
