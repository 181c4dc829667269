//! GitHub Actions, as seen from inside a step: annotations, the step's summary, and no commands
//! out of what a target sent.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::Context;
use danso_reports::github;
use danso_reports::suite::Suite;

/// A summary may have a mebibyte; what is longer is refused as a whole.
const MOST: usize = 900 << 10;

fn is_here() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|v| v == "true")
}

/// While it lives, the runner takes no commands out of what is printed.
pub(crate) struct Hushed(Option<String>);

impl Hushed {
    /// Begins, if a runner listens.
    ///
    /// # Errors
    /// If the machine has no randomness to give: the word that ends it must not be guessed.
    pub(crate) fn new() -> anyhow::Result<Hushed> {
        if !is_here() {
            return Ok(Hushed(None));
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|e| anyhow::anyhow!("no word can be drawn that nobody guesses: {e}"))?;
        let word: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("::stop-commands::{word}");
        Ok(Hushed(Some(word)))
    }
}

impl Drop for Hushed {
    fn drop(&mut self) {
        if let Some(word) = &self.0 {
            println!("::{word}::");
        }
    }
}

/// Prints annotations and adds to the step's summary, if a runner listens.
///
/// # Errors
/// If the summary cannot be written.
pub(crate) fn tell(suite: &Suite) -> anyhow::Result<()> {
    if !is_here() {
        return Ok(());
    }
    print!("{}", github::annotations(suite));
    let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let mut text = github::summary(suite);
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push('\n');
    let shown = std::path::Path::new(&file).display().to_string();
    let file = OpenOptions::new().append(true).create(true).open(&file);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{shown}: the step's summary cannot be written"))
}
