//! [`Told`]: what a warden has told of its node; [`End`]: who listens to it until the end.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::sync::watch;

use super::isolation::Isolation;
use super::mark;
use super::news::{Teller, Turn};
use super::output::Tail;
use super::said::{Ear, Said};
use crate::progress::lock;

/// How long a warden may take until its node runs, or its start is known to be delayed.
const START: Duration = Duration::from_secs(20);

/// What the warden told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) keeper: Option<Pid>,
    pub(super) main: Option<Pid>,
    pub(super) started: bool,
    delayed: bool,
    ended: Option<ExitStatus>,
    failed: Option<String>,
}

impl Told {
    fn hear(&mut self, node: NodeId, said: Said, speaker: Pid) {
        match said {
            Said::Keeper => self.keeper = Some(speaker),
            Said::Main => self.main = Some(speaker),
            Said::Delayed => self.delayed = true,
            Said::Started => self.started = true,
            Said::Note(words) => tracing::info!(%node, "{words}"),
            Said::Daemonised => {
                tracing::info!(%node, "its first process ended, others of it go on");
            }
            Said::Ended(raw) => self.ended = Some(ExitStatus::from_raw(raw)),
            Said::Failed(failure) => {
                self.failed = Some(io::Error::from(failure).to_string());
            }
        }
    }

    /// Listens until the node runs or is known to start later.
    ///
    /// # Errors
    /// If it does neither.
    pub(super) fn hear_start(&mut self, node: NodeId, ear: &Ear) -> io::Result<()> {
        let deadline = Instant::now() + START;
        while !self.started && !self.delayed {
            let heard = ear.hear(Some(deadline)).map_err(|e| match e.kind() {
                io::ErrorKind::TimedOut => io::Error::other(format!("no start after {START:?}")),
                _ => e,
            })?;
            let Some((said, speaker)) = heard else {
                return Err(io::Error::other("its warden ended without a word"));
            };
            if let Said::Failed(failure) = said {
                return Err(failure.into());
            }
            self.hear(node, said, speaker);
        }
        Ok(())
    }
}

/// What is needed when a node ends.
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) marked: String,
    pub(super) isolation: Isolation,
    pub(super) child: Child,
    pub(super) ear: Arc<Ear>,
    pub(super) told: Arc<Mutex<Told>>,
    /// Somebody is ending it on purpose.
    pub(super) expected: Arc<Mutex<bool>>,
    pub(super) stderr: Tail,
    pub(super) pumps: Vec<std::thread::JoinHandle<()>>,
    pub(super) teller: Teller,
}

impl End {
    /// Listens to the warden until it ends, lets the node's output drain, and tells.
    pub(super) fn wait(mut self, tell: &watch::Sender<Option<ExitStatus>>) {
        // Whoever ends it after it has ended by itself did not ask for that.
        let mut unasked = false;
        loop {
            match self.ear.hear(None) {
                Ok(Some((said, speaker))) => {
                    unasked |= matches!(said, Said::Ended(_)) && !*lock(&self.expected);
                    let starts = matches!(said, Said::Started);
                    let mut telling = self.teller.hold();
                    lock(&self.told).hear(self.node, said, speaker);
                    if starts {
                        telling.tell(self.node, Turn::Up);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(node = %self.node, %error, "its warden cannot be understood");
                    break;
                }
            }
        }
        let killed = ExitStatus::from_raw(Signal::SIGKILL as i32);
        let warden = self.child.wait().unwrap_or(killed);
        if warden.signal().is_some() && self.isolation == Isolation::Tree {
            // What it should have killed is nobody's now, but still carries our mark.
            mark::kill_marked(|mark| mark == self.marked);
        }
        let told = lock(&self.told).clone();
        // Killed together with its namespace: nobody was left to say so.
        let status = told.ended.unwrap_or(killed);
        // Its last words may still be in the pipe, which nobody of it holds open any more.
        for _ in 0..500 {
            if self.pumps.iter().all(std::thread::JoinHandle::is_finished) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let expected = *lock(&self.expected) && !unasked;
        let mut telling = self.teller.hold();
        // First, so that whoever hears of its death can start it again.
        tell.send_replace(Some(status));
        if !expected {
            let status = told.failed.unwrap_or_else(|| words(status));
            telling.tell(self.node, Turn::Died { status, stderr: self.stderr.text() });
        } else if told.started {
            telling.tell(self.node, Turn::Down(words(status)));
        }
    }
}

/// An exit status in words.
pub(crate) fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("signal {number} ({signal})"),
            Err(_) => format!("signal {number}"),
        },
        (None, None) => "an unknown end".to_owned(),
    }
}
