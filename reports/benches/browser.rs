//! How long a browser takes to open a page, and to draw its timeline anew while one zooms and
//! pans: `cargo bench -p danso-reports --bench browser`. Wanted are at most 1.5 s from
//! DOMContentLoaded to the first timeline of 20 000 operations, and no more than 16 ms a frame.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "page/run.rs"]
mod run;

use danso_browser::Browser;
use danso_reports::Record;
use danso_vocab::codec::jsonl::{self, Tail};

const OPS: [u64; 2] = [20_000, 200_000];

/// Draws 60 times, each after `step`, and says how long the middle one and the slowest took.
const FRAMES: &str = "(async (step) => {
    const timeline = danso.timeline, took = [];
    timeline.show(0, 1e18);
    for (let i = 0; i < 60; i++) {
        step(timeline);
        const begun = performance.now();
        timeline.draw();
        took.push(performance.now() - begun);
        await new Promise(requestAnimationFrame);
    }
    took.sort((a, b) => a - b);
    return `${took[30].toFixed(1)} / ${took[59].toFixed(1)} ms`;
})";

fn main() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    println!("{:>7} {:>10} {:>10} {:>16} {:>16}", "ops", "loaded", "drawn", "zoom", "pan");
    for ops in OPS {
        let history = jsonl::read(&run::history(2 * ops)[..], Tail::Strict).unwrap().history;
        let results = run::results(&history);
        let record =
            Record { title: "bench", plan: None, history: &history, results: &results, logs: &[] };
        let file = folder.path().join(format!("{ops}.html"));
        std::fs::write(&file, danso_reports::html(&record)).unwrap();
        let mut page = browser.open(&format!("file://{}", file.display()));
        page.wait_for("performance.getEntriesByName('danso:timeline').length === 1");
        // The script ends before the document does: it is drawn when that is loaded.
        let mut number = |expression: &str| page.eval(expression).as_f64().unwrap();
        let loaded =
            number("performance.getEntriesByType('navigation')[0].domContentLoadedEventStart");
        let drawn = number("performance.getEntriesByName('danso:timeline')[0].startTime");
        let mut frames =
            |step: &str| page.eval(&format!("{FRAMES}({step})")).as_str().unwrap().to_owned();
        let zoom = frames("(timeline) => timeline.zoom(0.97)");
        let pan = frames("(timeline) => { timeline.zoom(0.999); timeline.pan(0.01); }");
        println!("{ops:>7} {loaded:>7.0} ms {drawn:>7.0} ms {zoom:>16} {pan:>16}");
    }
    println!(
        "loaded, drawn: since the navigation began; zoom, pan: the middle of 60 frames and the slowest"
    );
}
