//! [`Disk`]: a node's disk as the controller has it: a helper process and a socket to it.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use danso_vocab::Value;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::message::{Stats, Wish, loss_of, receive, send, stats_of, tally_of};
use super::pages::Keep;
use super::rules::{Rule, Tally};
use super::store::Loss;
use crate::progress::lock;

/// How long the helper may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Bytes a disk on a loop device holds, at most.
const IMAGE_SIZE: u64 = 256 << 20;

/// What a disk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A file system of danso's own: it can do all there is.
    Fuse,
    /// An ext4 file system in a file, on a loop device: it can lose power. For root only.
    Loop,
}

/// A node's disk. The helper ends with it.
#[derive(Debug)]
pub struct Disk {
    data: PathBuf,
    way: Way,
    socket: Mutex<BufReader<UnixStream>>,
    /// Of the helper.
    pid: i32,
    mounts: OwnedFd,
    /// The helper's, if it needed one.
    users: Option<OwnedFd>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

/// The number of a rule in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

impl Disk {
    /// Starts the helper, from the danso binary `exe`, for the directory `data`, which must
    /// exist. What the helper says goes to `log`.
    ///
    /// # Errors
    /// If there can be no such disk here.
    pub fn open(exe: &Path, data: &Path, log: &Path) -> io::Result<Disk> {
        Disk::open_as(exe, data, log, Way::Fuse)
    }

    /// The same, made of this.
    ///
    /// # Errors
    /// As [`Disk::open`].
    pub fn open_as(exe: &Path, data: &Path, log: &Path, way: Way) -> io::Result<Disk> {
        let data = data.canonicalize()?;
        let (ours, theirs) = UnixStream::pair()?;
        let log = File::options().append(true).create(true).open(log)?;
        let (tell, told) = mpsc::channel();
        let mut command = Command::new(exe);
        command
            .args([crate::internal::WORD, "disk"])
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(log);
        bind(&mut command);
        // The kernel ties the helper's life to the thread that starts it.
        let keeper = std::thread::Builder::new().name("disk".to_owned()).spawn(move || {
            let child = command.spawn();
            // Our copy of its end of the socket must go, or we never hear of its death.
            drop(command);
            match child {
                Ok(mut child) => {
                    let pid = child.id().cast_signed();
                    let heard = tell.send(Ok(pid)).is_ok();
                    if !heard {
                        let _ = child.kill();
                    }
                    if let Err(error) = child.wait() {
                        tracing::warn!(%error, pid, "a disk helper may be left");
                    }
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let gone = || io::Error::other("the thread of the disk helper is gone");
        let pid = told.recv().map_err(|_| gone())??;
        ours.set_read_timeout(Some(PATIENCE))?;
        ours.set_write_timeout(Some(PATIENCE))?;
        let mut socket = BufReader::new(ours);
        let text = |path: &Path| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| io::Error::other(format!("{} is not UTF-8", path.display())))
        };
        let controller = std::process::id().cast_signed();
        let serve = match way {
            Way::Fuse => {
                Wish::Serve { data: text(&data)?, trash: text(&trash(&data))?, controller }
            }
            Way::Loop => Wish::Image {
                data: text(&data)?,
                image: text(&image(&data))?,
                bytes: IMAGE_SIZE,
                controller,
            },
        };
        ask(&mut socket, &serve)?;
        let mounts = File::open(format!("/proc/{pid}/ns/mnt"))?.into();
        let users = foreign(pid)?;
        let socket = Mutex::new(socket);
        Ok(Disk { data, way, socket, pid, mounts, users, keeper: Some(keeper) })
    }

    /// The mount namespace a process has to enter to see it.
    pub fn mounts(&self) -> RawFd {
        self.mounts.as_raw_fd()
    }

    /// The user namespace it has to enter before that, if any.
    pub fn users(&self) -> Option<RawFd> {
        self.users.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where everybody finds the node's files as they are now.
    pub fn seen(&self) -> PathBuf {
        match self.way {
            Way::Fuse => self.data.clone(),
            Way::Loop => {
                let mut path = PathBuf::from(format!("/proc/{}/root", self.pid));
                // Joined, an absolute path would stand for itself.
                path.extend(self.data.components().skip(1));
                path
            }
        }
    }

    /// What it is made of.
    pub fn way(&self) -> Way {
        self.way
    }

    /// The helper's process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Puts a rule in force, until it is lifted.
    ///
    /// # Errors
    /// If a pattern is malformed, or the helper is gone.
    pub fn add(&self, rule: Rule) -> io::Result<RuleId> {
        let id = self.ask(&Wish::Add(rule))?;
        let id = id.int().ok_or_else(|| io::Error::other("a rule without a number"))?;
        Ok(RuleId(id.cast_unsigned()))
    }

    /// How a rule has bitten so far.
    ///
    /// # Errors
    /// If there is no such rule, or the helper is gone.
    pub fn tally(&self, rule: RuleId) -> io::Result<Tally> {
        tally_of(&self.ask(&Wish::Tally(rule.0))?).map_err(io::Error::other)
    }

    /// Lifts a rule and says how it has bitten.
    ///
    /// # Errors
    /// If there is no such rule, or the helper is gone.
    pub fn lift(&self, rule: RuleId) -> io::Result<Tally> {
        tally_of(&self.ask(&Wish::Lift(rule.0))?).map_err(io::Error::other)
    }

    /// While on, nothing is delayed: a process that is killed ends only when its disk has
    /// answered.
    ///
    /// # Errors
    /// If the helper is gone.
    pub fn hurry(&self, on: bool) -> io::Result<()> {
        self.ask(&Wish::Hurry(on)).map(drop)
    }

    /// The power fails: everything not synced is lost, but for what `keep` lets survive. To be
    /// called once the node is dead.
    ///
    /// # Errors
    /// If the helper is gone, or files cannot be restored: then they are in no defined state.
    pub fn crash(&self, keep: Keep, seed: u64) -> io::Result<Loss> {
        loss_of(&self.ask(&Wish::Crash(keep, seed))?).map_err(io::Error::other)
    }

    /// Everything is durable as it is now. To be called when files were changed from outside.
    ///
    /// # Errors
    /// If the helper is gone.
    pub fn settle(&self) -> io::Result<()> {
        self.ask(&Wish::Settle).map(drop)
    }

    /// What has been done.
    ///
    /// # Errors
    /// If the helper is gone.
    pub fn stats(&self) -> io::Result<Stats> {
        stats_of(&self.ask(&Wish::Stats)?).map_err(io::Error::other)
    }

    fn ask(&self, wish: &Wish) -> io::Result<Value> {
        ask(&mut lock(&self.socket), wish)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let moved = match self.way {
            Way::Fuse => Ok(()),
            Way::Loop => self.ask(&Wish::MoveOut).map(drop),
        };
        // The helper ends with its socket.
        if let Err(error) = lock(&self.socket).get_ref().shutdown(std::net::Shutdown::Both) {
            tracing::debug!(%error, pid = self.pid, "the disk helper was gone already");
        }
        if let Some(keeper) = self.keeper.take() {
            let since = Instant::now();
            while !keeper.is_finished() && since.elapsed() < GRACE {
                std::thread::sleep(Duration::from_millis(1));
            }
            // As long as the keeper waits for it, the number is still the helper's.
            if !keeper.is_finished()
                && let Err(error) = kill(Pid::from_raw(self.pid), Signal::SIGKILL)
            {
                tracing::warn!(%error, pid = self.pid, "a disk helper cannot be killed");
            }
            if keeper.join().is_err() {
                tracing::warn!(pid = self.pid, "a disk helper may be left");
            }
        }
        if self.way == Way::Loop {
            let image = image(&self.data);
            if let Err(error) = moved.and_then(|()| std::fs::remove_file(&image)) {
                tracing::warn!(%error, image = %image.display(), "a node's files are still in its image");
            }
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(trash(&self.data))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, data = %self.data.display(), "removed files are left");
        }
    }
}

/// Where removed files wait until that is durable: beside the directory, on its file system.
fn trash(data: &Path) -> PathBuf {
    beside(data, ".removed")
}

fn beside(data: &Path, suffix: &str) -> PathBuf {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    data.with_file_name(name)
}

/// The file system in a file: beside the directory.
fn image(data: &Path) -> PathBuf {
    beside(data, ".ext4")
}

/// Ends the child with the thread that starts it.
fn bind(command: &mut Command) {
    let parent = nix::unistd::getpid().as_raw();
    // SAFETY: between fork and exec only async-signal-safe calls are made: setsid, prctl, getppid
    // and _exit; nothing allocates, no lock is taken.
    unsafe {
        command.pre_exec(move || {
            // A terminal's Ctrl-C is for the controller only.
            libc::setsid();
            crate::process::keep_across_exec()?;
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                libc::_exit(1);
            }
            Ok(())
        });
    }
}

/// The helper's user namespace, if it is not ours.
fn foreign(pid: i32) -> io::Result<Option<OwnedFd>> {
    let path = format!("/proc/{pid}/ns/user");
    if std::fs::read_link(&path)? == std::fs::read_link("/proc/self/ns/user")? {
        return Ok(None);
    }
    Ok(Some(File::open(path)?.into()))
}

fn ask(socket: &mut BufReader<UnixStream>, wish: &Wish) -> io::Result<Value> {
    send(socket.get_ref(), &wish.value())?;
    let gone = || io::Error::new(io::ErrorKind::UnexpectedEof, "the disk helper is gone");
    let mut answer = receive(socket)?.ok_or_else(gone)?;
    let Value::Map(fields) = &mut answer else {
        return Err(io::Error::other(format!("the disk helper says {answer}")));
    };
    match (fields.remove("ok"), fields.remove("error")) {
        (Some(value), _) => Ok(value),
        (None, Some(Value::Str(reason))) => Err(io::Error::other(reason)),
        _ => Err(io::Error::other("the disk helper's answer makes no sense")),
    }
}
