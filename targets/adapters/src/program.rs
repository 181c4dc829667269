//! Programs a test file names: where they are, and whether they are there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program called `word`: with a slash it is looked for beside the test file, as in a shell
/// that is there; without one in `$PATH`, by whoever starts it.
pub(crate) fn of(word: &str, dir: &Path) -> PathBuf {
    if word.contains('/') { dir.join(word) } else { PathBuf::from(word) }
}

/// Fails if there is no such program on this machine. `path` is `$PATH` where it is not ours.
///
/// # Errors
/// One line: where it was looked for.
pub(crate) fn exists(program: &Path, path: Option<&str>) -> Result<(), String> {
    if program.components().count() > 1 {
        return match std::fs::metadata(program) {
            Err(error) => Err(format!("{} cannot be started: {error}", program.display())),
            Ok(data) if !data.is_file() || data.permissions().mode() & 0o111 == 0 => {
                Err(format!("{} is no program: chmod +x makes it one", program.display()))
            }
            Ok(_) => Ok(()),
        };
    }
    let path = path.map(Into::into).or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    let name = program.display();
    Err(format!(
        "there is no program `{name}` in $PATH: install it, or write ./{name} for one beside the test file"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_or_missed_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("text"), "x").unwrap();
        let said = |word: &str| exists(&of(word, dir.path()), None);
        assert_eq!(said("sh"), Ok(()));
        assert_eq!(said("/bin/sh"), Ok(()));
        assert!(said("no-such-program").unwrap_err().contains("./no-such-program"));
        assert!(said("./nothing").unwrap_err().contains("No such file"));
        assert!(said("./text").unwrap_err().contains("chmod +x"));
        assert!(exists(Path::new("sh"), Some("/nowhere")).is_err());
    }
}
