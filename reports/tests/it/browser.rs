//! A real browser opens the pages from disk. Skipped where there is none.
//!
//! `DANSO_KEEP_REPORTS=<folder>` keeps the pages, to be looked at.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::figures;
use crate::hostile::poisoned;
use crate::sample::{self, Sample};

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// The page's document after loading, and what the browser complained of.
fn load(browser: &Path, page: &Path) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().expect("a folder for the browser");
    let file = |name: &str| profile.path().join(name);
    let create = |name: &str| std::fs::File::create(file(name)).expect("a file to write to");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .stdout(create("dom"))
        .stderr(create("log"))
        .spawn()
        .expect("the browser starts");
    let started = Instant::now();
    while child.try_wait().expect("the browser is ours").is_none() {
        if started.elapsed() > Duration::from_secs(90) {
            let _ = child.kill();
            panic!("the browser does not come back from {}", page.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let text =
        |name| String::from_utf8_lossy(&std::fs::read(file(name)).expect("read")).into_owned();
    let log = text("log");
    let complaints = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    (text("dom"), complaints.collect())
}

#[test]
fn a_browser_opens_every_kind_of_page() {
    let pages: [(&str, Sample, &str); 7] = [
        ("invalid", sample::invalid(), "invalid"),
        ("valid", sample::valid(), "valid"),
        ("unknown", sample::unknown(), "unknown"),
        ("interrupted", sample::interrupted(), "interrupted"),
        ("empty", sample::empty(), "unknown"),
        ("figures", figures::drawn(), "invalid"),
        (
            "hostile",
            poisoned(
                "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
            ),
            "invalid",
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder for the pages");
    let folder = match std::env::var_os("DANSO_KEEP_REPORTS") {
        Some(kept) => PathBuf::from(kept),
        None => folder.path().to_owned(),
    };
    for (name, sample, _) in &pages {
        std::fs::write(folder.join(format!("{name}.html")), sample.html()).expect("written");
    }
    if std::env::var_os("DANSO_KEEP_REPORTS").is_some() {
        std::fs::write(folder.join("big.html"), sample::big(200_000).html()).expect("written");
    }
    let Some(browser) = browser() else {
        println!("skipped: no chromium");
        return;
    };
    for (name, _, word) in &pages {
        let (dom, complaints) = load(&browser, &folder.join(format!("{name}.html")));
        assert_eq!(complaints, [""; 0], "{name}");
        assert!(dom.contains(&format!("<h1>{word}</h1>")), "{name}: no verdict in {dom:.300}");
        assert!(dom.contains(&format!("<title>{word} · ")), "{name}: another title");
        assert!(dom.matches("<script").count() <= 2, "{name}: foreign scripts");
        assert!(!dom.contains("<img"), "{name}: foreign elements");
        assert!(dom.contains("<footer>"), "{name}: the page ends early");
    }
}
