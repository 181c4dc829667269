//! The janitor: a process that waits for the end of its controller, however it comes, and removes
//! its control groups. It must not be in them, and is in a session of its own.

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::super::{mark, tree};
use super::{Controller, home, remove};
use crate::internal::{Args, WORD, complain};

/// The controller's end of it.
#[derive(Debug)]
pub(super) struct Janitor {
    child: Child,
    /// Its closing is the signal.
    open: Option<ChildStdin>,
}

impl Janitor {
    /// Starts one for the groups in these directories that carry our mark.
    pub(super) fn start(exe: &Path, dirs: &[&Path]) -> io::Result<Janitor> {
        let mut command = Command::new(exe);
        command.args([WORD, "janitor", mark::ours()]).args(dirs);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // SAFETY: setsid is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let open = child.stdin.take();
        Ok(Janitor { child, open })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.open = None;
        match self.child.wait() {
            Ok(status) if status.success() => {}
            ended => tracing::warn!(?ended, "control groups may be left"),
        }
    }
}

/// `danso internal janitor MARK DIRECTORY…`
pub(crate) fn serve(args: Args) -> ExitCode {
    let Some((mark, dirs)) = args.split_first() else { return ExitCode::from(254) };
    let Some(mark) = mark.to_str() else { return ExitCode::from(254) };
    // Nothing is written: this returns when the last writer is gone.
    if let Err(error) = io::stdin().read_to_end(&mut Vec::new()) {
        complain(&format!("janitor: {error}"));
    }
    let mut code = ExitCode::SUCCESS;
    for dir in dirs {
        for done in clear(Path::new(dir), |name| name.starts_with(&format!("{mark}-"))) {
            if let Err(error) = done {
                complain(&format!("janitor: {error}"));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Kills who lives in such groups and removes them. Says which there were.
fn clear(dir: &Path, ours: impl Fn(&str) -> bool) -> Vec<io::Result<PathBuf>> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let groups = entries.flatten().filter(|e| e.file_name().to_str().is_some_and(&ours));
    groups.map(|group| empty(&group.path()).map(|()| group.path())).collect()
}

fn empty(group: &Path) -> io::Result<()> {
    for _ in 0..2_000 {
        let procs = match fs::read_to_string(group.join("cgroup.procs")) {
            Ok(procs) => procs,
            // Somebody was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let pids: Vec<Pid> =
            procs.lines().filter_map(|p| p.parse().ok().map(Pid::from_raw)).collect();
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            tree::signal(pid, Signal::SIGKILL)?;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    remove(group)
}

/// Removes the groups of controllers that are dead. Says which, or why not.
pub(in crate::process) fn sweep() -> Vec<io::Result<PathBuf>> {
    let mut dirs: Vec<PathBuf> = [Controller::Cpu, Controller::Memory]
        .into_iter()
        .filter_map(|c| home::find(c).ok())
        .map(|home| home.dir)
        .collect();
    dirs.dedup();
    dirs.iter().flat_map(|dir| clear(dir, mark::is_orphaned)).collect()
}
