//! The way where ptrace is not permitted: a library that is preloaded into every dynamically
//! linked program of a node and stands in front of the C library's clock functions. It reads the
//! same page.
//!
//! It does not reach programs that load no libraries, nor Go's, which ask the vDSO themselves:
//! those are refused. Nor does it reach what the C library asks of itself.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::elf::{self, Linking};

/// The library; empty where it could not be built.
const LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/clock.so"));
/// Names the page to the library.
const PAGE_VARIABLE: &str = "DANSO_CLOCK";
/// Names the library to the loader.
const LOADER_VARIABLE: &str = "LD_PRELOAD";

/// The library in a file that every node can load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    path: PathBuf,
}

impl Library {
    /// Writes it into `folder`.
    ///
    /// # Errors
    /// If it cannot be written or would not be found by the loader, or if there is none.
    pub fn write(folder: &Path) -> io::Result<Library> {
        if LIBRARY.is_empty() {
            return Err(io::Error::other("this danso was built without the library for it"));
        }
        let path = folder.canonicalize()?.join("clock.so");
        if path.to_string_lossy().contains([' ', ':']) || path.to_str().is_none() {
            let words = format!("{} has a space or a colon: no loader finds it", path.display());
            return Err(io::Error::other(words));
        }
        std::fs::write(&path, LIBRARY)?;
        // Whatever the umask says, and whoever the nodes run as.
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(Library { path })
    }

    /// The variables that make a program load it and read the page at `page`, beside those it is
    /// given anyway.
    pub fn environment(&self, page: &Path, env: &[(String, String)]) -> [(String, String); 2] {
        let given = env.iter().rev().find(|(name, _)| name == LOADER_VARIABLE);
        let before = match given {
            Some((_, value)) => value.clone(),
            None => std::env::var(LOADER_VARIABLE).unwrap_or_default(),
        };
        let own = self.path.display().to_string();
        let all = if before.is_empty() { own } else { format!("{own}:{before}") };
        [(LOADER_VARIABLE.to_owned(), all), (PAGE_VARIABLE.to_owned(), page.display().to_string())]
    }

    /// Whether the process at `dir` in /proc has loaded it and mapped the page at `page`.
    pub(super) fn is_in(&self, dir: &Path, page: &Path) -> io::Result<bool> {
        let maps = std::fs::read_to_string(dir.join("maps"))?;
        let has = |path: &Path| maps.lines().any(|l| l.ends_with(&*path.to_string_lossy()));
        Ok(has(&self.path) && has(page))
    }

    /// What the clock of a program started now with the page at `page` reads, in nanoseconds.
    ///
    /// # Errors
    /// If there is no such program.
    pub(super) fn witness(&self, page: &Path) -> io::Result<i64> {
        let mut command = Command::new("date");
        command.arg("+%s%N").envs(self.environment(page, &[])).stdin(Stdio::null());
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().parse().map_err(|_| io::Error::other(format!("date says {text:?}")))
    }
}

/// Whether a program can be reached so.
///
/// # Errors
/// Why not: one line.
pub fn suits(program: &Path) -> Result<(), String> {
    let file = find(program, std::env::var_os("PATH").as_deref());
    let mut interpreted = file;
    // A script may be run by a script, but not for ever.
    for _ in 0..4 {
        let mut bytes = Vec::new();
        let named = |e: io::Error| format!("{}: {e}", interpreted.display());
        let file = std::fs::File::open(&interpreted).map_err(named)?;
        file.take(1 << 30).read_to_end(&mut bytes).map_err(named)?;
        let shown = interpreted.display();
        match elf::linking(&bytes) {
            Linking::Dynamic => return Ok(()),
            Linking::Static => {
                return Err(format!(
                    "{shown} is linked statically: without ptrace its clock cannot be reached"
                ));
            }
            Linking::Go => {
                return Err(format!(
                    "{shown} is a Go program: without ptrace its clock cannot be reached"
                ));
            }
            Linking::Other => match interpreter(&bytes) {
                Some(next) => interpreted = next,
                None => return Err(format!("{shown} is no program of this machine's")),
            },
        }
    }
    Err(format!("{} is a script of a script of a script", program.display()))
}

/// The program a script names in its first line.
fn interpreter(script: &[u8]) -> Option<PathBuf> {
    let line = script.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    Some(PathBuf::from(line.split_whitespace().next()?))
}

/// The file that is meant by a program's name.
fn find(program: &Path, path: Option<&OsStr>) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let folders = path.map(|p| std::env::split_paths(p).collect::<Vec<_>>()).unwrap_or_default();
    let mut files = folders.into_iter().map(|folder| folder.join(program));
    files.find(|f| f.is_file()).unwrap_or_else(|| program.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Skew};

    const HOUR: i64 = 3_600 * 1_000_000_000;

    #[test]
    fn a_preloaded_program_has_the_pages_clock() {
        let dir = tempfile::tempdir().unwrap();
        let library = match Library::write(dir.path()) {
            Ok(library) => library,
            Err(error) => return println!("skipped: {error}"),
        };
        let date = find(Path::new("date"), std::env::var_os("PATH").as_deref());
        if let Err(reason) = suits(&date) {
            return println!("skipped: {reason}");
        }
        let clock = Clock::create(&dir.path().join("clock")).unwrap();
        for ahead in [0, HOUR, -HOUR] {
            clock.reset();
            clock.apply(Skew::Bump(ahead)).unwrap();
            let before = crate::clock::skew::now(libc::CLOCK_REALTIME);
            let reading = library.witness(&clock.path()).unwrap();
            let after = crate::clock::skew::now(libc::CLOCK_REALTIME);
            assert!((before + ahead..=after + ahead).contains(&reading), "{}", reading - before);
        }
        clock.reset();
        clock.apply(Skew::Freeze { monotonic: false }).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let frozen = library.witness(&clock.path()).unwrap();
        assert_eq!(library.witness(&clock.path()).unwrap(), frozen);
    }

    #[test]
    fn what_is_preloaded_anyway_still_is() {
        let library = Library { path: "/run/clock.so".into() };
        let env = [(LOADER_VARIABLE.to_owned(), "/lib/a.so".to_owned())];
        let [(_, all), (_, page)] = library.environment(Path::new("/page"), &env);
        assert_eq!((all.as_str(), page.as_str()), ("/run/clock.so:/lib/a.so", "/page"));
    }

    #[test]
    fn programs_that_cannot_be_reached_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/bin/sh -e\ndate\n").unwrap();
        assert_eq!(suits(&script).is_ok(), suits(Path::new("/bin/sh")).is_ok());
        let text = dir.path().join("text");
        std::fs::write(&text, "no program").unwrap();
        assert!(suits(&text).unwrap_err().contains("no program"));
        assert!(suits(Path::new("/no/such")).unwrap_err().contains("/no/such"));
    }
}
