//! A program with a clock of its own that tells, for every line it reads, what its clocks read.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use danso_engine::clock::{Clock, Way};
use nix::time::{ClockId, clock_gettime};

pub(super) const SECOND: i64 = 1_000_000_000;

/// What a clock of the machine reads, in nanoseconds.
pub(super) fn true_clock(id: ClockId) -> i64 {
    let time = clock_gettime(id).unwrap();
    time.tv_sec() * SECOND + time.tv_nsec()
}

/// A folder with a page that everybody may read.
pub(super) fn page() -> (tempfile::TempDir, Clock) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let clock = Clock::create(&dir.path().join("clock")).unwrap();
    (dir, clock)
}

/// How a program is started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct How {
    pub(super) user: Option<u32>,
    pub(super) in_place: bool,
    pub(super) first_only: bool,
}

/// `program` under the helper, with the clocks of `clock`.
pub(super) fn command(clock: &Clock, program: &[String], how: How) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_danso-internal"));
    command.args(["internal", "clocked"]);
    if how.in_place {
        command.arg("--in-place");
    }
    if how.first_only {
        command.arg("--first-only");
    }
    command.arg(clock.path()).args(program);
    if let Some(user) = how.user {
        command.uid(user).gid(user).current_dir("/");
    }
    command
}

pub(super) struct Node {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// One answer: what was read, and between which true readings of which clock.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) readings: Vec<(String, i64)>,
    wall: (i64, i64),
    monotonic: (i64, i64),
}

impl Node {
    pub(super) fn start(clock: &Clock, program: &[String], how: How) -> Node {
        let mut command = command(clock, program, how);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Node { child, stdin, stdout }
    }

    pub(super) fn ask(&mut self) -> Answer {
        let both = || (true_clock(ClockId::CLOCK_REALTIME), true_clock(ClockId::CLOCK_MONOTONIC));
        let before = both();
        self.stdin.write_all(b"?\n").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let after = both();
        let readings: Vec<_> = line.split_whitespace().map(reading).collect();
        assert!(!readings.is_empty(), "the program said nothing");
        Answer { readings, wall: (before.0, after.0), monotonic: (before.1, after.1) }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The program dies with the helper.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `name=seconds.fraction`.
fn reading(word: &str) -> (String, i64) {
    let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{word:?}"));
    let (seconds, fraction) = value.split_once('.').unwrap_or((value, ""));
    let fraction = format!("{fraction:0<9}");
    let ns = seconds.parse::<i64>().unwrap() * SECOND + fraction.parse::<i64>().unwrap();
    (name.to_owned(), ns)
}

impl Answer {
    /// Every reading lies where the clock's page says, given when it was asked for and answered.
    pub(super) fn check(&self, clock: &Clock) {
        for (name, reading) in &self.readings {
            // What a name does not tell exactly.
            let lag = match name.as_str() {
                "time" | "printf" => SECOND,
                "coarse" | "mono-coarse" => SECOND / 10,
                _ => SECOND / 1000,
            };
            let (id, (before, after)) = match name.as_str() {
                "mono" => (1, self.monotonic),
                "coarse" => (5, self.wall),
                "mono-coarse" => (6, self.monotonic),
                // Others of the family have their own zero.
                "raw" | "boot" => continue,
                _ => (0, self.wall),
            };
            let line = clock.lines()[id];
            let (low, high) = (line.at(before) - lag, line.at(after));
            assert!(
                (low..=high).contains(reading),
                "{name} is off by {} to {} ns, not {} ns",
                reading - after,
                reading - before,
                line.at(after) - after
            );
        }
    }

    pub(super) fn of(&self, name: &str) -> i64 {
        self.readings.iter().find(|(n, _)| n == name).unwrap().1
    }
}

/// The folder for what is built, and sources.
pub(super) fn folder() -> (PathBuf, PathBuf) {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clocks");
    std::fs::create_dir_all(&built).unwrap();
    (built, Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clocks/programs"))
}

/// Builds something with a compiler that need not be there: `None` says so, and so does the
/// output.
pub(super) fn build(compiler: &str, args: &[&str], env: &[(&str, &str)]) -> Option<()> {
    let output = Command::new(compiler).args(args).envs(env.iter().copied()).output();
    match output {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => {
            println!(
                "skipped: {compiler} cannot build it: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            None
        }
        Err(error) => {
            println!("skipped: there is no {compiler}: {error}");
            None
        }
    }
}

/// Whether a program is there.
pub(super) fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        println!("skipped: there is no {program}");
    }
    found
}

/// Whether processes can be patched.
pub(super) fn can() -> bool {
    match danso_engine::clock::way() {
        Ok(Way::Preloaded) => {
            println!("skipped: processes may not be patched");
            false
        }
        Ok(_) => true,
        Err(obstacle) => {
            println!("skipped: {obstacle}");
            false
        }
    }
}

/// Whether nodes can have clocks at all; says how.
pub(super) fn can_somehow() -> bool {
    let way = danso_engine::clock::way();
    let denied = std::env::var_os(super::denied::DENIED).is_some();
    assert!(!denied || !matches!(way, Ok(Way::Relocated | Way::InPlace)), "ptrace is forbidden");
    match way {
        Ok(way) => println!("clocks by {way:?}"),
        Err(obstacle) => {
            println!("skipped: {obstacle}");
            return false;
        }
    }
    true
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}
