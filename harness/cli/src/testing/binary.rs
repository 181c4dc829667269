//! Finds the `danso` binary: it starts nodes and watches over them, so that none outlives a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::usage;

/// The variable that names it.
const VARIABLE: &str = "DANSO_BIN";
const NAME: &str = "danso";

/// The danso binary: what `DANSO_BIN` says, or beside the program that runs (cargo puts tests and
/// examples into folders of `target/debug`), or in `PATH`.
///
/// # Errors
/// If there is none, or one of another version.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => {
            let found = beside().or_else(in_path);
            found.ok_or_else(|| {
                usage(format!(
                    "there is no danso binary beside this program or in PATH, and it is what \
                     starts nodes: `cargo install danso`, or say in {VARIABLE} where it is"
                ))
            })?
        }
    };
    suits(&path)?;
    Ok(path)
}

fn beside() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folders = program.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(NAME)).find(|path| path.is_file())
}

/// Where cargo puts what it builds, `target` as a rule, if it has built this program.
pub(super) fn built_in() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let cargos = folder.ends_with("deps") || folder.ends_with("examples");
    cargos.then(|| folder.ancestors().nth(2).map(Path::to_owned))?
}

fn in_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(NAME)).find(|path| path.is_file())
}

/// Fails unless it is a danso of this library's version: they speak to each other.
fn suits(path: &Path) -> anyhow::Result<()> {
    let ours = env!("CARGO_PKG_VERSION");
    let mut asked = Command::new(path);
    asked.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    let said = asked
        .output()
        .map_err(|e| usage(format!("{}: {e}; say in {VARIABLE} where danso is", path.display())))?;
    let said = String::from_utf8_lossy(&said.stdout);
    if said.trim() == format!("{NAME} {ours}") {
        return Ok(());
    }
    let line = said.lines().next().unwrap_or_default().trim();
    let is = if line.starts_with(&format!("{NAME} ")) { line } else { "no danso" };
    Err(usage(format!(
        "{} is {is}, but this is the library danso {ours}: `cargo install danso --version {ours}`, \
         or say in {VARIABLE} where one is",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_danso_is_refused() {
        let refused = |path: &str| suits(Path::new(path)).unwrap_err().to_string();
        assert!(refused("/nonexistent/danso").contains("DANSO_BIN"));
        let said = refused("/bin/true");
        assert!(said.contains("/bin/true is no danso"), "{said}");
        assert!(said.contains("cargo install danso --version"), "{said}");
    }
}
