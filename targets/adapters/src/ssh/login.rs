//! [`Login`]: how one host is reached with the system's own `ssh`.

use std::path::Path;
use std::process::Command;

use danso_vocab::Value;

/// What every connection is told, behind the user's own options: the first word on anything counts.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "RequestTTY=no",
    "LogLevel=ERROR",
];
/// What runs there: a shell that reads its script from us, whatever shell the user has.
const SHELL: &str = "exec sh -s";

/// A user on a host, and options of `ssh` to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// `user@host`, `host`, or a name from the user's own `~/.ssh/config`.
    pub(super) to: String,
    /// Words for `ssh`.
    pub(super) options: Vec<String>,
}

impl Login {
    /// The host without the user.
    pub(super) fn host(&self) -> &str {
        self.to.rsplit_once('@').map_or(&self.to, |(_, host)| host)
    }

    /// A connection of its own, which others may share through the socket `control`.
    pub(super) fn connect(&self, control: &Path) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(&self.options);
        for option in OPTIONS {
            ssh.args(["-o", option]);
        }
        ssh.args(["-M", "-o", "ControlPersist=no", "-S"]).arg(control);
        ssh.args(["--", &self.to, SHELL]);
        ssh
    }

    /// The words behind `ssh` that run a shell, or a command, through the connection at `control`
    /// and through no other.
    pub(super) fn share(&self, control: &Path, command: Option<&str>) -> Vec<String> {
        let control = control.to_string_lossy();
        let words = ["-F", "none", "-T", "-o", "LogLevel=ERROR", "-o", "ProxyCommand=false", "-S"];
        let words = words.into_iter().chain([&*control, "--", &self.to]);
        words.chain([command.unwrap_or(SHELL)]).map(str::to_owned).collect()
    }

    /// For the undo log.
    pub(super) fn store(&self) -> Value {
        let options = self.options.iter().map(|o| Value::from(o.as_str())).collect();
        Value::of([("to", self.to.as_str().into()), ("options", Value::List(options))])
    }

    /// From the undo log.
    pub(super) fn stored(value: &Value) -> Option<Login> {
        let options = value.get("options")?.list()?.iter();
        let options = options.map(|o| o.str().map(str::to_owned)).collect::<Option<_>>()?;
        Some(Login { to: value.get("to")?.str()?.to_owned(), options })
    }
}
