//! [`run`]: the user's own commands. They run where the caller's runtime is: on
//! [`Party::Control`](crate::network::Party) they reach every node.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Bytes of a command's output that are kept.
const OUTPUT: u64 = 65_536;
/// Bytes of it that an error shows.
const SHOWN: usize = 2_048;

/// What the shell command printed, with these variables in its environment. It does not outlive
/// the controller.
///
/// # Errors
/// If it fails, or takes longer than `patience`: then it is killed with everything it started.
pub async fn run(
    command: &str,
    env: &[(String, String)],
    dir: Option<&Path>,
    patience: Duration,
) -> Result<String, String> {
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", command])
        .envs(env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(dir) = dir {
        shell.current_dir(dir);
    }
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe. The
    // thread that forks is a worker of the controller's runtime and lives as long as it.
    unsafe {
        shell.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
    }
    let mut child = shell.spawn().map_err(|e| format!("/bin/sh cannot be started: {e}"))?;
    let mut group = Group(child.id().map(|id| Pid::from_raw(id.cast_signed())));
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let (status, out, err) = tokio::join!(child.wait(), text(out), text(err));
        (status, out, err)
    };
    let done = tokio::time::timeout(patience, work).await;
    let Ok((status, out, err)) = done else {
        return Err(format!("`{command}` takes longer than {patience:?}"));
    };
    group.0 = None;
    let status = status.map_err(|e| format!("`{command}`: {e}"))?;
    if status.success() {
        Ok(out)
    } else {
        let mut said = err + &out;
        said.truncate(said.floor_char_boundary(SHOWN));
        Err(format!("`{command}` failed ({status}): {said}"))
    }
}

/// A group of processes that is killed when nobody waits for it any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _gone_already = killpg(group, Signal::SIGKILL);
        }
    }
}

/// The beginning of what a command prints; all of it is read.
async fn text(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut kept = Vec::new();
    // A pipe that breaks has been read to its end.
    let _ = (&mut pipe).take(OUTPUT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).trim().to_owned()
}
