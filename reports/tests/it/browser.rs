//! A real browser opens the pages from disk, clicks in them, and must not complain. Skipped where
//! there is none.
//!
//! `DANSO_KEEP_REPORTS=<folder>` keeps pages and pictures, to be looked at.

mod hostile;
mod kinds;
mod long;

use std::path::PathBuf;

use danso_browser::{Browser, Page};
use tempfile::TempDir;

use crate::sample::Sample;

/// A browser, and the folder with its pages.
struct Desk {
    browser: Browser,
    folder: PathBuf,
    _made: TempDir,
}

impl Desk {
    /// `None` where there is no browser.
    fn new() -> Option<Desk> {
        let browser = Browser::start()?;
        let made = tempfile::tempdir().unwrap();
        let folder = kept().unwrap_or_else(|| made.path().to_owned());
        Some(Desk { browser, folder, _made: made })
    }

    fn open(&self, name: &str, sample: &Sample) -> Page {
        let path = self.folder.join(format!("{name}.html"));
        std::fs::write(&path, sample.html()).unwrap();
        self.browser.open(&format!("file://{}", path.display()))
    }
}

fn kept() -> Option<PathBuf> {
    std::env::var_os("DANSO_KEEP_REPORTS").map(PathBuf::from)
}

/// Fails if anything was complained of or asked for, or sticks out of the page, on a screen or on
/// a phone.
#[track_caller]
fn fits_and_is_quiet(page: &mut Page, what: &str) {
    let sticks_out = "[...document.querySelectorAll('body *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroller, nav, svg, pre'))
        .slice(0, 3).map(e => e.outerHTML.slice(0, 200))";
    for width in [1280, 390] {
        page.size(width, 844);
        let wide = page.eval("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= u64::from(width), "{what} at {width}: {wide}: {}", page.eval(sticks_out));
        let hidden = "[document.querySelector('.banner'), ...document.querySelectorAll('main > section')]
            .filter(e => e.getBoundingClientRect().height < 20).map(e => e.outerHTML.slice(0, 200))";
        assert_eq!(page.eval(hidden), serde_json::json!([]), "{what} at {width}: not to be seen");
    }
    page.size(1280, 800);
    assert_eq!(page.console(), [""; 0], "{what}");
    assert_eq!(page.network(), [""; 0], "{what}");
}

/// Keeps what it looks like, if somebody wants to see it.
fn picture(page: &mut Page, name: &str) {
    let Some(folder) = kept() else { return };
    let file = |kind: &str| folder.join(format!("{name}-{kind}.png"));
    page.screenshot_whole(&file("light"));
    page.dark(true);
    page.screenshot_whole(&file("dark"));
    page.size(390, 844);
    page.screenshot_whole(&file("phone"));
    page.dark(false);
    page.size(1280, 800);
    page.pdf(&folder.join(format!("{name}.pdf")));
}
