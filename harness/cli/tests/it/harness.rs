//! Running danso from tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The binary under test.
pub(crate) const DANSO: &str = env!("CARGO_BIN_EXE_danso");

/// The project.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// How many tests may have clusters at the same time: most of them wait most of the time.
const TURNS: usize = 3;

/// Who has clusters, and who waits for having the machine alone.
struct Turns {
    taken: usize,
    waiting: usize,
}

static TURNS_TAKEN: Mutex<Turns> = Mutex::new(Turns { taken: 0, waiting: 0 });
static CHANGED: Condvar = Condvar::new();

/// The right to start clusters; given back when dropped.
pub(crate) struct Turn(usize);

fn turns() -> MutexGuard<'static, Turns> {
    TURNS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `free`.
fn wait<'a>(turns: MutexGuard<'a, Turns>, free: fn(&Turns) -> bool) -> MutexGuard<'a, Turns> {
    CHANGED.wait_while(turns, |t| !free(t)).unwrap_or_else(PoisonError::into_inner)
}

/// Whoever starts clusters holds this.
pub(crate) fn turn() -> Turn {
    // Who wants the machine alone goes first, or would have to wait for the very end.
    let mut turns = wait(turns(), |t| t.waiting == 0 && t.taken < TURNS);
    turns.taken += 1;
    Turn(1)
}

/// Whoever measures time or memory, or looks at the whole machine, while clusters run, holds this:
/// nobody else has clusters then.
pub(crate) fn alone() -> Turn {
    let mut waiting = turns();
    waiting.waiting += 1;
    let mut turns = wait(waiting, |t| t.taken == 0);
    turns.waiting -= 1;
    turns.taken = TURNS;
    Turn(TURNS)
}

impl Drop for Turn {
    fn drop(&mut self) {
        turns().taken -= self.0;
        CHANGED.notify_all();
    }
}

/// Whether to leave out what takes minutes.
pub(crate) fn quick() -> bool {
    std::env::var_os("DANSO_QUICK").is_some()
}

/// What danso did.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Said {
        Said {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless danso ended so.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Fails unless danso ended in one of these ways.
    #[track_caller]
    pub(crate) fn exits_with_any(&self, codes: &[i32]) -> &Self {
        let ended = self.code.is_some_and(|code| codes.contains(&code));
        assert!(
            ended,
            "{:?}, not {codes:?}: stdout:\n{}\nstderr:\n{}",
            self.code, self.out, self.err
        );
        self
    }

    /// Fails unless one of the outputs has this text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        let said = self.out.contains(text) || self.err.contains(text);
        assert!(said, "`{text}` is not in\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// Runs danso in `dir`.
pub(crate) fn danso(dir: &Path, args: &[&str]) -> Said {
    Said::of(&Command::new(DANSO).args(args).current_dir(dir).output().unwrap())
}

/// Starts danso in `dir`.
pub(crate) fn start(dir: &Path, args: &[&str]) -> Child {
    Command::new(DANSO)
        .args(args)
        .current_dir(dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a shell script in `dir` with `$DANSO` set.
pub(crate) fn shell(dir: &Path, script: &str) -> Said {
    let mut command = Command::new("bash");
    command.args(["-ec", script]).current_dir(dir).env("DANSO", DANSO);
    Said::of(&command.output().unwrap())
}

/// The newest run folder under `dir`.
pub(crate) fn latest(dir: &Path) -> PathBuf {
    dir.join("danso-runs/latest").canonicalize().unwrap()
}

/// A run's results.
pub(crate) fn results(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap()
}
