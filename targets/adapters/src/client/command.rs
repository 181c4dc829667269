//! Client `command`: a program in any language, one for each client, which is told what to do by
//! a JSON line on its standard input and says how it ended by one on its standard output.
//!
//! | what happens | outcome |
//! | --- | --- |
//! | an answer of type `ok`, `fail` or `info` | that |
//! | an answer that makes no sense, is about another operation or longer than a mebibyte | `info` |
//! | the program ends before it answers | `info` |
//! | the program cannot be started, or is given a rest after it died | `fail`: it was not asked |
//!
//! A program that owes an answer is never asked again: when the operation's time is up it is
//! killed with everything it started, and the next operation gets a new one. What it prints to
//! its standard error goes to danso's log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json;
use danso_vocab::{Call, Outcome, Process, Value};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep};

use super::{Dialect, Row};
use crate::mistake::read;
use crate::place::Place;
use crate::template::Template;
use crate::{Mistake, Settings, program};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "command",
    about: "a program in any language: a JSON line in for each operation, a JSON line out",
    build: |table, settings| Ok(Arc::new(Commands::new(table, settings)?)),
};

/// Bytes of an answer.
const ANSWER: u64 = 1 << 20;
/// Bytes of standard error that go to danso's log, of all programs of a run together.
const LOGGED: u64 = 1 << 20;
/// Bytes of it handled as one line.
const LOG_LINE: u64 = 4 << 10;
/// The rest after a program died: doubled each time until one answers.
const REST: Duration = Duration::from_millis(50);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// How long a program that has closed its output may take to end.
const DYING: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(2);
/// Characters of an error that are recorded.
const WORDS: usize = 200;

/// `[client]` of kind `command`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    command: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    port: Option<u16>,
}

struct Commands(Arc<Shared>);

/// What all programs of a run have in common.
struct Shared {
    program: PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    dir: PathBuf,
    port: Option<u16>,
    deaths: Mutex<Deaths>,
    /// Bytes of standard error that may still be logged.
    log: AtomicU64,
}

/// Programs that died since one answered.
#[derive(Default)]
struct Deaths {
    count: u32,
    /// None is started before.
    rest: Option<Instant>,
    /// How the last one died.
    how: String,
}

impl Commands {
    fn new(table: &Value, settings: &Settings) -> Result<Commands, Mistake> {
        let table: Table = read(table)?;
        let dir = PathBuf::from(settings.get("dir").and_then(Value::str).unwrap_or("."));
        let known = |name: &str| match name {
            "dir" => Ok(()),
            _ => Err(format!(
                "there is no `{{{name}}}` here, only `{{dir}}`: the program is told the rest \
                 with each operation"
            )),
        };
        let fill = |text: &String, at: &str| -> Result<String, Mistake> {
            let template = Template::new(text, &known);
            let filled = template
                .and_then(|t| t.fill(None, &|_| Ok(Value::Str(dir.to_string_lossy().into()))));
            filled.map_err(|e| Mistake::new(e).at(at))
        };
        let word = |(i, word)| fill(word, &format!("{i}")).map_err(|m| m.at("command"));
        let words = table.command.iter().enumerate().map(word);
        let mut words = words.collect::<Result<Vec<_>, _>>()?;
        if words.is_empty() {
            return Err(Mistake::new("the program is missing").at("command"));
        }
        let program = program::of(&words.remove(0), &dir);
        let env = table.env.iter().map(|(name, text)| Ok((name.clone(), fill(text, "env")?)));
        Ok(Commands(Arc::new(Shared {
            program,
            args: words,
            env: env.collect::<Result<_, Mistake>>()?,
            dir,
            port: table.port,
            deaths: Mutex::default(),
            log: AtomicU64::new(LOGGED),
        })))
    }
}

impl Dialect for Commands {
    fn speaks(&self) -> Option<Vec<String>> {
        None
    }

    fn fits(&self) -> Result<(), String> {
        let path = self.0.env.get("PATH").map(String::as_str);
        program::exists(&self.0.program, path).map_err(|e| format!("client.command: {e}"))
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        Box::new(Asker { shared: self.0.clone(), place, running: None })
    }
}

impl Shared {
    fn deaths(&self) -> MutexGuard<'_, Deaths> {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the last program died, if none may be started yet.
    fn resting(&self) -> Option<String> {
        let deaths = self.deaths();
        deaths.rest.filter(|until| Instant::now() < *until).map(|_| deaths.how.clone())
    }

    fn died(&self, how: &str) {
        let mut deaths = self.deaths();
        let rest = REST * (1 << deaths.count.min(10));
        deaths.count = deaths.count.saturating_add(1);
        deaths.rest = Some(Instant::now() + rest.min(LONGEST_REST));
        how.clone_into(&mut deaths.how);
    }

    fn answered(&self) {
        *self.deaths() = Deaths::default();
    }

    /// Starts a program. It does not outlive the controller.
    fn start(self: &Arc<Self>, process: Process) -> Result<Running, String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .envs(&self.env)
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe. The
        // thread that forks is a worker of the clients' runtime and lives as long as it.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let id = child.id().map(|id| Pid::from_raw(id.cast_signed()));
        let pipes = (id, child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(group), Some(input), Some(output), Some(errors)) = pipes else {
            return Err("it has no pipes".to_owned());
        };
        tokio::spawn(log(errors, process, self.clone()));
        Ok(Running { input, output: BufReader::new(output), asked: 0, group: Some(group), child })
    }
}

/// One client.
struct Asker {
    shared: Arc<Shared>,
    place: Place,
    /// The program, unless it owes an answer.
    running: Option<Running>,
}

impl Client for Asker {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            // Taken out: should this future be dropped, the program goes with it.
            let alive = self.running.take().and_then(Running::alive);
            let mut running = match alive.map_or_else(|| self.start(), Ok) {
                Ok(running) => running,
                Err(outcome) => return outcome,
            };
            match running.ask(call, &self.place, self.shared.port).await {
                Ok(outcome) => {
                    self.shared.answered();
                    self.running = Some(running);
                    outcome
                }
                Err(why) => {
                    if why.starts_with(DIED) {
                        self.shared.died(&why);
                    }
                    tracing::warn!(process = %self.place.process, why, "a client's program");
                    Outcome::Info(why.into())
                }
            }
        })
    }
}

impl Asker {
    fn start(&self) -> Result<Running, Outcome> {
        if let Some(how) = self.shared.resting() {
            return Err(Outcome::Fail(format!("unasked after {how}").into()));
        }
        self.shared.start(self.place.process).map_err(|error| {
            let how = format!("client-not-started: {error}");
            self.shared.died(&how);
            Outcome::Fail(how.into())
        })
    }
}

/// Why there is no answer.
const DIED: &str = "client-died";

/// A program, and everything it started; both are killed with this.
struct Running {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// How many operations it was asked for.
    asked: i64,
    /// Its number and its group's, until it is killed.
    group: Option<Pid>,
    child: tokio::process::Child,
}

impl Running {
    /// Itself, unless it has ended.
    fn alive(self) -> Option<Running> {
        (!self.ended()).then_some(self)
    }

    /// Whether it has ended. It is not waited for: its number stays its own, and its group's.
    fn ended(&self) -> bool {
        let Some(id) = self.group else { return true };
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        !matches!(waitid(Id::Pid(id), flags), Ok(WaitStatus::StillAlive))
    }

    /// Kills it and everything it started.
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            let _gone_already = killpg(group, Signal::SIGKILL);
        }
    }

    /// The outcome as the program tells it.
    ///
    /// # Errors
    /// If it does not, or nobody can tell what it means: it may have done anything.
    async fn ask(
        &mut self,
        call: &Call,
        place: &Place,
        port: Option<u16>,
    ) -> Result<Outcome, String> {
        self.asked += 1;
        let line = question(self.asked, call, place, port);
        let sent = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        if sent.await.is_err() {
            return Err(self.end().await);
        }
        let mut answer = Vec::new();
        let read = (&mut self.output).take(ANSWER).read_until(b'\n', &mut answer).await;
        match read {
            Ok(_) if answer.ends_with(b"\n") => understand(&answer, self.asked),
            Ok(count) if count as u64 == ANSWER => Err("answer-too-long".to_owned()),
            _ => Err(self.end().await),
        }
    }

    /// How it died, if it is quick about it: it has closed its ends.
    async fn end(&mut self) -> String {
        let deadline = Instant::now() + DYING;
        while !self.ended() && Instant::now() < deadline {
            sleep(LOOK).await;
        }
        let ended = self.ended();
        self.kill();
        match self.child.wait().await {
            Ok(status) if ended => format!("{DIED}: {status}"),
            _ => format!("{DIED}: it has closed its standard output"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The line that asks for an operation.
fn question(number: i64, call: &Call, place: &Place, port: Option<u16>) -> String {
    let addresses = place.hosts.iter().map(|h| (h.id.to_string(), h.address(port).into()));
    let home = place.hosts.get(place.home);
    let line = Value::of([
        ("op", number.into()),
        ("process", i64::from(place.process.0).into()),
        ("node", home.map_or(Value::Nil, |h| h.id.to_string().into())),
        ("address", home.map_or(Value::Nil, |h| h.address(port).into())),
        ("addresses", Value::Map(addresses.collect())),
        ("f", call.f.to_string().into()),
        ("key", call.key.clone().unwrap_or_default()),
        ("value", call.arg.clone()),
    ]);
    json::to_string(&line) + "\n"
}

/// What an answer says about operation `number`.
fn understand(answer: &[u8], number: i64) -> Result<Outcome, String> {
    let bad = |why: &str| Err(format!("bad-answer: {why}"));
    let Ok(text) = std::str::from_utf8(answer) else { return bad("no UTF-8") };
    let Ok(answer) = json::from_str(text.trim()) else { return bad("no JSON danso reads") };
    if answer.get("op").and_then(Value::int) != Some(number) {
        return bad("it does not repeat the number under `op`");
    }
    let words = |usual: &str| {
        let words = answer.get("error").and_then(Value::str).filter(|words| !words.is_empty());
        words.unwrap_or(usual).chars().take(WORDS).collect::<String>()
    };
    match answer.get("type").and_then(Value::str) {
        Some("ok") => Ok(Outcome::Ok(answer.get("value").cloned().unwrap_or_default())),
        Some("fail") => Ok(Outcome::Fail(words("failed").into())),
        Some("info") => Ok(Outcome::Info(words("unknown").into())),
        _ => bad("its type is none of ok, fail, info"),
    }
}

/// Puts what a program says on its standard error into danso's log, as much as fits; all of it
/// is read.
async fn log(pipe: ChildStderr, process: Process, shared: Arc<Shared>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut pipe).take(LOG_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let room = shared.log.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(count as u64)
                });
                if room.is_ok() {
                    let said = String::from_utf8_lossy(&line);
                    tracing::info!(%process, said = said.trim_end(), "a client's program");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
