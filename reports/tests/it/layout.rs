//! The page in a real browser, by its looks: narrow, dark, on paper, by keyboard.

use std::path::PathBuf;

use danso_browser::{Browser, Page};

use crate::figures;
use crate::hostile::poisoned;
use crate::sample::{self, Sample};

fn pages() -> [(&'static str, Sample); 6] {
    [
        ("figures", figures::drawn()),
        ("valid", sample::valid()),
        ("unknown", sample::unknown()),
        ("interrupted", sample::interrupted()),
        ("empty", sample::empty()),
        ("hostile", poisoned(&"<b>\"wide".repeat(400))),
    ]
}

fn each(mut look: impl FnMut(&str, &mut Page)) {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start() else { return };
    for (name, sample) in pages() {
        let file: PathBuf = folder.path().join(format!("{name}.html"));
        std::fs::write(&file, sample.html()).unwrap();
        let mut page = browser.open(&format!("file://{}", file.display()));
        look(name, &mut page);
        assert_eq!(page.console(), [""; 0], "{name}");
    }
}

#[test]
fn nothing_but_scrollers_is_wider_than_the_window() {
    each(|name, page| {
        // Everything unfolded, so that nothing hides.
        page.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
        for (width, dark) in [(390, false), (768, true), (1240, false)] {
            page.size(width, 844);
            page.dark(dark);
            let wide = page.eval(
                "[...document.querySelectorAll('body *')].filter((e) => \
                   e.getBoundingClientRect().right > innerWidth + 1 && \
                   !e.closest('.scroller, nav, .skip, #explorer')) \
                 .slice(0, 3).map((e) => e.outerHTML.slice(0, 120))",
            );
            assert_eq!(wide, serde_json::json!([]), "{name} at {width}");
            let whole = page.eval("document.documentElement.scrollWidth");
            assert!(whole.as_u64().unwrap() <= u64::from(width), "{name}: {whole} at {width}");
        }
    });
}

#[test]
fn headings_go_down_one_by_one() {
    each(|name, page| {
        let levels = page.eval(
            "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => Number(h.tagName[1]))",
        );
        let levels: Vec<u64> =
            levels.as_array().unwrap().iter().map(|l| l.as_u64().unwrap()).collect();
        assert_eq!(levels[0], 1, "{name}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: {levels:?}");
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{name}");
    });
}

#[test]
fn what_can_be_reached_has_a_name() {
    each(|name, page| {
        let nameless = page.eval(
            "[...document.querySelectorAll('main, nav, section, article, [role], [tabindex=\"0\"], button, summary, a')] \
             .filter((e) => !e.matches('main, pre, [aria-hidden], [role=status]')) \
             .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim())) \
             .slice(0, 3).map((e) => e.outerHTML.slice(0, 120))",
        );
        assert_eq!(nameless, serde_json::json!([]), "{name}");
        let dangling = page.eval(
            "[...document.querySelectorAll('[aria-labelledby]')] \
             .filter((e) => !document.getElementById(e.getAttribute('aria-labelledby'))).length",
        );
        assert_eq!(dangling, 0, "{name}");
    });
}

#[test]
fn the_keyboard_can_be_followed() {
    each(|name, page| {
        page.press("Tab");
        let skip = page.eval("document.activeElement.className");
        assert_eq!(skip, "skip", "{name}: the way past the banner comes first");
        page.press("Tab");
        let outline = page.eval("getComputedStyle(document.activeElement).outlineStyle");
        assert_eq!(outline, "solid", "{name}: the focus is visible");
    });
}

#[test]
fn the_reproducing_command_can_be_copied() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::start() else { return };
    let (file, sample) = (folder.path().join("report.html"), sample::invalid());
    std::fs::write(&file, sample.html()).unwrap();
    let mut page = browser.open(&format!("file://{}", file.display()));
    let button = "button[data-copy='#again-command']";
    page.wait_for(&format!("!document.querySelector(\"{button}\").hidden"));
    page.click(button);
    page.wait_for(&format!("document.querySelector(\"{button}\").textContent !== 'Copy'"));
    // Where the clipboard is out of reach the command is selected instead.
    let said = page.eval(&format!("document.querySelector(\"{button}\").textContent"));
    if said != "copied" {
        assert_eq!(page.eval("getSelection().toString()"), sample.results.reproduce);
    }
}
