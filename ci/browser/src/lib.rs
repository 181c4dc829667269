//! Headless Chromium for tests: opens a page, looks at it, clicks in it, listens to its console.
//!
//! ```no_run
//! use danso_browser::Browser;
//!
//! let Some(browser) = Browser::start() else { return };
//! let mut page = browser.open("file:///tmp/report.html");
//! page.click("a[data-op]");
//! page.wait_for("location.hash === '#timeline'");
//! assert_eq!(page.console(), [""; 0]);
//! ```
//!
//! Everything that goes wrong panics and says what: this is for tests only.
//!
//! It speaks the browser's own protocol over two pipes and needs no crate that danso does not have
//! anyway: a second to compile. The kept crates have generated bindings of the whole protocol, an
//! asynchronous runtime and a web socket: chromiumoxide 0.9.1 takes 66 s and 163 crates on two
//! cores, headless_chrome 1.0.22 has 167. Pipes rather than a socket also mean that a browser whose
//! test is gone, however it went, reads the end of its input and leaves.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod keys;
mod page;
mod pipe;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

pub use page::Page;
use pipe::Pipe;

/// A running browser with a profile of its own. It ends with this value.
#[derive(Debug)]
pub struct Browser {
    pipe: Arc<Mutex<Pipe>>,
    child: Child,
    profile: TempDir,
}

/// How long it may take to leave in good order.
const FAREWELL: Duration = Duration::from_secs(5);

const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

impl Browser {
    /// Starts one. `None`, with a notice, on a machine without Chromium.
    ///
    /// # Panics
    /// If the environment has `CI` and there is none: there the tests have to run.
    pub fn start() -> Option<Browser> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CI").is_none(), "CI has no chromium: install it");
            println!("skipped: no chromium");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // The protocol comes in at descriptor 3 and goes out at 4, which only a shell arranges
        // without unsafe code.
        let mut child = Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = Pipe::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Browser { pipe: Arc::new(Mutex::new(pipe)), child, profile })
    }

    /// Opens `url` (`file://…` or `http://…`) in a window of 1280 by 800 and waits until it has
    /// loaded.
    pub fn open(&self, url: &str) -> Page {
        let target = {
            let mut pipe = lock(&self.pipe);
            // A context is a profile of its own: pages do not see one another's storage.
            let context = pipe.call(None, "Target.createBrowserContext", json!({}));
            let about = json!({
                "url": "about:blank",
                "browserContextId": context["browserContextId"],
            });
            pipe.call(None, "Target.createTarget", about)["targetId"].clone()
        };
        Page::open(self.pipe.clone(), &target, url)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        lock(&self.pipe).close();
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && since.elapsed() < FAREWELL {
            std::thread::sleep(FAREWELL / 500);
        }
        // Whether it has left by itself makes no difference.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its helpers leave with it, but they may still be writing their last words.
        while std::fs::remove_dir_all(self.profile.path())
            .is_err_and(|e| e.kind() != ErrorKind::NotFound && since.elapsed() < 2 * FAREWELL)
        {
            std::thread::sleep(FAREWELL / 500);
        }
    }
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn program() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH")?;
    names.into_iter().find_map(|name| {
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    })
}
