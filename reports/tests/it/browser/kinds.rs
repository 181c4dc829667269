//! Every kind of report, as it opens.

use super::{Desk, fits_and_is_quiet, picture};
use crate::figures;
use crate::sample::{self, Sample};

#[test]
fn every_kind_of_report_says_so() {
    let Some(desk) = Desk::new() else { return };
    let kinds: [(&str, Sample, &str); 6] = [
        ("invalid", sample::invalid(), "invalid"),
        ("valid", sample::valid(), "valid"),
        ("unknown", sample::unknown(), "unknown"),
        ("interrupted", sample::interrupted(), "interrupted"),
        ("empty", sample::empty(), "unknown"),
        ("figures", figures::drawn(), "invalid"),
    ];
    for (name, sample, word) in &kinds {
        let mut page = desk.open(name, sample);
        let heading = page.eval("document.querySelector('h1').textContent");
        assert!(heading.as_str().unwrap().starts_with(word), "{name}: {heading}");
        let title = page.eval("document.title");
        assert!(title.as_str().unwrap().starts_with(&format!("{word} · ")), "{name}: {title}");
        assert_eq!(page.eval("!!document.querySelector('footer')"), true, "{name} ends early");
        // What the page offers to go to is there.
        let lost = "[...document.querySelectorAll('a[href^=\"#\"]')]
            .filter(a => !document.getElementById(decodeURIComponent(a.getAttribute('href').slice(1))))
            .map(a => a.outerHTML).slice(0, 3)";
        assert_eq!(page.eval(lost), serde_json::json!([]), "{name}: links that lead nowhere");
        fits_and_is_quiet(&mut page, name);
        picture(&mut page, name);
    }
}

#[test]
fn without_a_script_a_report_still_reads() {
    let Some(desk) = Desk::new() else { return };
    let mut page = desk.open("invalid-plain", &sample::invalid());
    page.scripts(false);
    let address = page.eval("location.href");
    page.go(address.as_str().unwrap());
    assert_eq!(page.eval("typeof window.danso"), "undefined");
    assert_eq!(page.eval("document.querySelector('h1').textContent.startsWith('invalid')"), true);
    for part in [".banner", "#anomaly-1", "#time svg", "table"] {
        let tall = format!("document.querySelector({part:?}).getBoundingClientRect().height > 20");
        assert_eq!(page.eval(&tall), true, "{part}");
    }
    fits_and_is_quiet(&mut page, "without a script");
}
