//! [`Isolation`]: how it is made sure that a node's processes, all of them, end together.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::caps;
use crate::means::Obstacle;

/// How a node's processes are kept together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In a PID namespace: when its first process ends, the kernel kills all others.
    Namespace,
    /// The same, in a user namespace of the node's own, as an ordinary user.
    UserNamespace,
    /// Descent: whoever loses its parent is given to the warden, which kills all of them before
    /// it ends. A warden that is killed with SIGKILL together with its controller can not.
    #[default]
    Tree,
}

impl Isolation {
    /// The word for reports.
    pub fn word(self) -> &'static str {
        match self {
            Isolation::Namespace => "PID namespaces",
            Isolation::UserNamespace => "PID namespaces in user namespaces",
            Isolation::Tree => "process trees",
        }
    }

    /// As an argument of a trial.
    fn trial(self) -> &'static str {
        match self {
            Isolation::Namespace => "namespace",
            Isolation::UserNamespace => "user-namespace",
            Isolation::Tree => "tree",
        }
    }

    /// The one a trial is for.
    pub(super) fn of_trial(word: &str) -> Option<Isolation> {
        let all = [Isolation::Namespace, Isolation::UserNamespace, Isolation::Tree];
        all.into_iter().find(|i| i.trial() == word)
    }
}

/// The best isolation to be had here, and why none better: found out by trying.
///
/// # Errors
/// If not even the trial could be made: `exe` is no danso.
pub fn probe(exe: &Path) -> io::Result<(Isolation, Option<Obstacle>)> {
    let mut reason = String::new();
    for isolation in [Isolation::Namespace, Isolation::UserNamespace] {
        let mut trial = Command::new(exe);
        trial.args([crate::internal::WORD, "warden", "try", isolation.trial()]);
        trial.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::null());
        // SAFETY: makes two system calls and allocates nothing.
        unsafe { trial.pre_exec(caps::keep_across_exec) };
        let said = trial.output()?;
        match said.status.code() {
            Some(0) => return Ok((isolation, None)),
            Some(code) if code == i32::from(super::warden::REFUSED) => {}
            _ => return Err(io::Error::other(format!("{} is no danso", exe.display()))),
        }
        let words = String::from_utf8_lossy(&said.stderr);
        let words = words.trim().trim_start_matches("danso internal: ").to_owned();
        reason = if reason.is_empty() { words } else { format!("{reason}; {words}") };
    }
    let mend = "run as root, or allow user namespaces (sysctl user.max_user_namespaces; \
                kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; in a container \
                --cap-add SYS_ADMIN and an unmasked /proc)";
    Ok((Isolation::Tree, Some(Obstacle::new(reason, mend))))
}
