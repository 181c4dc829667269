//! What a target sent does nothing in a real browser, whatever it looks like.

use std::time::Duration;

use danso_reports::suite::{Outcome, State, Suite, Test, Try};
use danso_vocab::Verdict;

use super::{Desk, fits_and_is_quiet, picture};
use crate::hostile::{SHARP, poisoned};

/// A suite in which everything a file or a run could fill in is `sharp`.
fn suite(sharp: &str) -> Suite {
    let text = || sharp.to_owned();
    let tried = Try {
        outcome: Outcome::Failed,
        reason: text(),
        verdict: Some(Verdict::Invalid),
        anomalies: vec![text()],
        took: Duration::from_secs(1),
        folder: Some(text()),
    };
    let test = Test {
        name: text(),
        target: text(),
        workload: text(),
        faults: text(),
        seed: 7,
        file: Some(text()),
        reproduce: text(),
        expected: text(),
        chosen: Some(text()),
        outcome: Outcome::Failed,
        reason: text(),
        tries: vec![tried.clone(), tried],
    };
    let unknown = Test { outcome: Outcome::Unknown, name: format!("{sharp}2"), ..test.clone() };
    Suite {
        name: text(),
        file: Some(text()),
        started: text(),
        reproduce: text(),
        state: State::CutShort(text()),
        tests: vec![test, unknown],
        ..Suite::default()
    }
}

#[test]
fn the_page_over_all_reports_is_as_safe() {
    let Some(desk) = Desk::new() else { return };
    for (i, text) in texts().iter().enumerate() {
        let path = desk.folder.join(format!("index-{i}.html"));
        std::fs::write(&path, danso_reports::index(&suite(text))).unwrap();
        let mut page = desk.browser.open(&format!("file://{}", path.display()));
        fits_and_is_quiet(&mut page, &format!("index {i}"));
        assert_eq!(page.eval("typeof window.owned"), "undefined", "index {i} ran");
        let lost =
            "[...document.links].filter(a => !['file:'].includes(a.protocol)).map(a => a.href)";
        assert_eq!(page.eval(lost), serde_json::json!([]), "index {i} leads elsewhere");
    }
}

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = SHARP.iter().map(ToString::to_string).collect();
    texts.extend([
        "</script><script>window.owned=1;alert(1)</script><img src=x onerror=\"window.owned=1\">"
            .to_owned(),
        "<!--<script>window.owned=1</script>".to_owned(),
        "</title></style></svg></canvas><iframe srcdoc='<script>parent.owned=1</script>'>"
            .to_owned(),
        "javascript:window.owned=1".to_owned(),
        "__proto__".to_owned(),
        "\\ud800\\u0000 \u{fffe}\u{10ffff}".to_owned(),
        "W".repeat(1 << 20),
        "<&\"'\u{202e}".repeat(100_000),
    ]);
    texts
}

#[test]
fn nothing_a_target_sent_runs_or_breaks_the_page() {
    let Some(desk) = Desk::new() else { return };
    for (i, text) in texts().iter().enumerate() {
        let name = format!("hostile-{i}");
        let sample = poisoned(text);
        let mut page = desk.open(&name, &sample);
        page.wait_for("performance.getEntriesByName('danso:timeline').length");
        fits_and_is_quiet(&mut page, &name);
        // And where the script shows values of the target: details, tooltip, filters, tables.
        let op = sample.results.findings[0].anomalies[0].ops[0].0;
        page.click(&format!("#anomaly-1 a[data-op='{op}']"));
        page.wait_for(&format!("danso.timeline.state().selected === {op}"));
        page.hover("#timeline canvas[tabindex]");
        page.click("#timeline .filter input[name=text]");
        page.type_text(&text.chars().filter(|c| !c.is_control()).take(40).collect::<String>());
        page.press("Enter");
        page.eval("document.querySelectorAll('details').forEach(d => { d.open = true })");
        fits_and_is_quiet(&mut page, &name);
        assert_eq!(page.eval("typeof window.owned"), "undefined", "{name} ran");
        let foreign = "document.querySelectorAll('script:not([type]), iframe, img, [onload], [onerror], [srcdoc]').length";
        assert_eq!(page.eval(foreign), 1, "{name}: only the page's own script");
        if i == SHARP.len() {
            picture(&mut page, &name);
        }
    }
}
