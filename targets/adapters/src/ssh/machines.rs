//! [`Machines`]: the hosts of a run, connected.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::remote::{Act, Remote};
use danso_engine::target::{Fut, NodeCommand};
use danso_vocab::{NodeId, Value};
use nix::unistd::Pid;
use tokio::process::Command;

use super::login::Login;
use super::script::{self, Mark, quote};
use super::session::Session;

/// How long the copy of one file may take.
const COPY: Duration = Duration::from_secs(60);
/// `sh -c` this, with a script and a command behind it: the command reads the script, and no end
/// behind it as long as it lives.
const STAND_IN: &str = "f=$1; shift; p=$f.pipe; rm -f \"$p\"; mkfifo -m 600 \"$p\" && \
                        exec 3<>\"$p\" && rm -f \"$p\" || exit 255; \
                        cat \"$f\" >&3 & exec \"$@\" <&3 3<&-";

/// One host.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) login: Login,
    /// The socket through which its connection is shared.
    pub(super) control: PathBuf,
    pub(super) mark: Mark,
    pub(super) session: Session,
}

/// All of them, node by node.
#[derive(Debug)]
pub(super) struct Machines(Arc<Vec<Machine>>);

impl Machines {
    pub(super) fn new(machines: Vec<Machine>) -> Machines {
        Machines(Arc::new(machines))
    }

    pub(super) fn of(&self, node: NodeId) -> Result<&Machine, String> {
        self.0.get(node.index()).ok_or_else(|| format!("{node} has no host"))
    }

    /// Has a script of its own run on each of these hosts, on all at once. Blocks.
    ///
    /// # Errors
    /// What went wrong, and where.
    pub(super) fn each(
        &self,
        scripts: impl IntoIterator<Item = (NodeId, String)>,
    ) -> Result<(), String> {
        let mut asked = Vec::new();
        for (node, script) in scripts {
            let machine = self.of(node)?;
            asked.push((machine, machine.session.begin(script)));
        }
        let answers = asked.into_iter().map(|(machine, answer)| {
            answer.wait().map_err(|why| format!("{}: {why}", machine.login.to))
        });
        let failed: Vec<_> = answers.filter_map(Result::err).collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }

    /// Has this run on all hosts.
    fn all(&self, script: impl Fn(&Mark) -> String) -> Fut<'_, Result<(), String>> {
        let machines = Machines(self.0.clone());
        let scripts = self.0.iter().zip(1..).map(|(m, n)| (NodeId(n), script(&m.mark)));
        let scripts: Vec<_> = scripts.collect();
        Box::pin(blocking(move || machines.each(scripts)))
    }
}

/// Somewhere else than on a runtime's few threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(format!("its thread is lost: {e}")))
}

impl Remote for Machines {
    fn folder(&self, node: NodeId) -> PathBuf {
        self.of(node).map(|m| PathBuf::from(&m.mark.folder)).unwrap_or_default()
    }

    fn stand_in(&self, node: NodeId, script: &Path) -> NodeCommand {
        let words = ["-c", STAND_IN, "stand-in"].map(str::to_owned).into_iter();
        let words = words.chain([script.to_string_lossy().into_owned(), "ssh".to_owned()]);
        let ssh = self.of(node).map(|m| m.login.share(&m.control, None)).unwrap_or_default();
        let (program, args) = ("/bin/sh".into(), words.chain(ssh).collect());
        NodeCommand { program, args, ..NodeCommand::default() }
    }

    fn traces(&self) -> Value {
        let host = |machine: &Machine| {
            let mark = &machine.mark;
            let mut value = machine.login.store().map().cloned().unwrap_or_default();
            for (name, text) in
                [("token", &mark.token), ("node", &mark.node), ("folder", &mark.folder)]
            {
                value.insert(name.to_owned(), text.as_str().into());
            }
            Value::Map(value)
        };
        Value::of([("hosts", Value::List(self.0.iter().map(host).collect()))])
    }

    fn settle(&self) -> Fut<'_, Result<(), String>> {
        self.all(script::settle)
    }

    fn act(&self, node: NodeId, act: Act) -> Fut<'_, Result<Vec<Pid>, String>> {
        let machines = Machines(self.0.clone());
        Box::pin(blocking(move || {
            let said = machines.of(node)?.session.ask(script::act(act))?;
            let pids = said.split_whitespace().filter_map(|pid| pid.parse().ok());
            Ok(pids.map(Pid::from_raw).collect())
        }))
    }

    fn fetch<'a>(
        &'a self,
        node: NodeId,
        pattern: &'a str,
        to: &'a Path,
        most: u64,
    ) -> Fut<'a, Result<usize, String>> {
        Box::pin(async move {
            let machines = Machines(self.0.clone());
            // The shell is to see the pattern, so it is not one word.
            let list = format!("for f in {pattern}; do [ ! -f \"$f\" ] || echo \"$f\"; done");
            let found = blocking(move || machines.of(node)?.session.ask(list)).await?;
            let machine = self.of(node)?;
            let mut copied = 0;
            for path in found.lines().filter(|l| !l.is_empty()) {
                let file = fresh(to, path).map_err(|e| format!("{}: {e}", to.display()))?;
                let command = format!("head -c {most} {}", quote(path));
                let mut ssh = Command::new("ssh");
                ssh.args(machine.login.share(&machine.control, Some(&command)));
                ssh.stdin(Stdio::null()).stdout(file).stderr(Stdio::null()).kill_on_drop(true);
                let done = tokio::time::timeout(COPY, ssh.status()).await;
                let status = done.map_err(|_| format!("{path} takes longer than {COPY:?}"))?;
                let status = status.map_err(|e| format!("ssh: {e}"))?;
                if !status.success() {
                    return Err(format!("{path} cannot be copied ({status})"));
                }
                copied += 1;
            }
            Ok(copied)
        })
    }

    fn leave(&self) -> Fut<'_, Result<(), String>> {
        self.all(|_| "leave".to_owned())
    }
}

/// A new file in `folder`, under the name of `path` or a number and that name.
fn fresh(folder: &Path, path: &str) -> std::io::Result<File> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut to = folder.join(name);
    let mut number = 1;
    while to.exists() {
        number += 1;
        to = folder.join(format!("{number}-{name}"));
    }
    File::create(to)
}
