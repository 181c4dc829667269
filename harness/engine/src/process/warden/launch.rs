//! [`launch`]: the birth of a node's main process.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{
    ForkResult, Gid, Pid, Uid, fork, getpid, getppid, pipe2, setgid, setgroups, setsid, setuid,
};

use crate::clock::exec::{Follower, Met};
use crate::clock::launch::Launch;
use crate::clock::{self, PatchError};
use crate::process::caps;
use crate::process::order::{Bounded, Order};
use crate::process::said::{Failure, Mouth, Said};

/// Something that must be attended to as long as the node lives, such as system calls that
/// wait for an answer.
pub(super) trait Attendant {
    /// Readable when there is something to do.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Does it, without blocking for long.
    fn attend(&mut self) -> Attended;
}

/// What came of attending to something.
pub(super) enum Attended {
    /// It goes on, perhaps with something to tell.
    Goes(Option<String>),
    /// It is of no use any more and can be dropped.
    Over(Option<String>),
}

/// What has been launched.
pub(super) struct Launched {
    /// The main process, as this process knows it.
    pub(super) main: Pid,
    /// What needs attention from now on.
    pub(super) attendants: Vec<Box<dyn Attendant>>,
}

/// Starts the program and returns once it runs: exec has succeeded. The caller has one thread and
/// is the parent, so it may trace the child: the child asks for that in [`become_it`], and where
/// this function has read the end of the pipe the child has just gone through exec and is stopped
/// there.
pub(super) fn launch(order: &Order, mouth: &Mouth) -> Result<Launched, Failure> {
    let clock = order.clock.clone().map(|page| Launch::new(page, true));
    let clock = clock.transpose().map_err(Failure::of("give it a clock"))?;
    let groups = open_groups(&order.cgroups)?;
    // Closed by a successful exec; anything in it is why there was none.
    let (reason, tell) = pipe2(OFlag::O_CLOEXEC).map_err(Failure::of("make a pipe"))?;
    let parent = getpid();
    // SAFETY: this process has one thread, so the child may do anything.
    match unsafe { fork() }.map_err(Failure::of("fork the node"))? {
        ForkResult::Child => {
            drop(reason);
            mouth.say(&Said::Main);
            let failure = become_it(order, parent, groups, clock.as_ref());
            let words = serde_json::to_vec(&failure).unwrap_or_default();
            let _ = File::from(tell).write_all(&words);
            std::process::exit(127);
        }
        ForkResult::Parent { child } => {
            drop(tell);
            // Before the pipe is read: a traced child waits for us in its exec.
            let clocked = clock.map(|clock| clock.in_parent(child));
            let mut words = Vec::new();
            File::from(reason).read_to_end(&mut words).map_err(Failure::of("hear of the node"))?;
            if !words.is_empty() {
                let unclear = |e| Failure::of("start the node")(io::Error::from(e));
                return Err(serde_json::from_slice(&words).map_err(unclear)?);
            }
            let attendants = match clocked {
                Some(clocked) => follow(clocked, mouth)?,
                None => Vec::new(),
            };
            Ok(Launched { main: child, attendants })
        }
    }
}

/// What a node with a clock of its own needs from now on. A node that got none is no node.
fn follow(
    clocked: Result<clock::launch::Launched, PatchError>,
    mouth: &Mouth,
) -> Result<Vec<Box<dyn Attendant>>, Failure> {
    let launched = clocked.map_err(|e| Failure::of("give it a clock")(io::Error::other(e)))?;
    if let Some(error) = launched.unfollowed {
        let words = format!("programs the node starts later have true clocks: {error}");
        mouth.say(&Said::Note(words));
    }
    let attendant = |f| Box::new(f) as Box<dyn Attendant>;
    Ok(launched.follower.map(attendant).into_iter().collect())
}

impl Attendant for Follower {
    fn fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    fn attend(&mut self) -> Attended {
        match self.handle() {
            Ok(Some(Met { pid, result: Err(error) })) if !matches!(error, PatchError::Gone(_)) => {
                Attended::Goes(Some(format!("pid {pid} has no clock of its own: {error}")))
            }
            Ok(_) => Attended::Goes(None),
            // Whoever it listened to is gone.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Attended::Over(None),
            Err(error) => {
                let words = format!("no program can be started in this node any more: {error}");
                Attended::Over(Some(words))
            }
        }
    }
}

/// Turns this process into the node. Returns only if it cannot.
fn become_it(
    order: &Order,
    parent: Pid,
    groups: Vec<(PathBuf, File)>,
    clock: Option<&Launch>,
) -> Failure {
    let prepared = prepare(order, parent, groups);
    if let Err(failure) = prepared {
        return failure;
    }
    if let Some(clock) = clock
        && let Err(error) = clock.in_child()
    {
        return Failure::of("ask for a clock")(error);
    }
    let mut command = Command::new(&order.program);
    command
        .args(&order.args)
        .envs(order.env.iter().map(|(k, v)| (k, v)))
        .current_dir(&order.dir)
        .stdin(Stdio::null());
    let error = command.exec();
    // A missing working directory and a missing program are the same to the kernel.
    if let Err(error) = fs::metadata(&order.dir) {
        return Failure::of(order.dir.display().to_string())(error);
    }
    Failure::of(format!("{} cannot be started", order.program.display()))(error)
}

fn prepare(order: &Order, parent: Pid, groups: Vec<(PathBuf, File)>) -> Result<(), Failure> {
    // A session of its own: a terminal's Ctrl-C is for the controller only.
    setsid().map_err(Failure::of("begin a session"))?;
    for (path, mut procs) in groups {
        procs.write_all(b"0").map_err(Failure::of(format!("enter {}", path.display())))?;
    }
    for limit in &order.limits {
        let resource = match limit.of {
            Bounded::Files => Resource::RLIMIT_NOFILE,
            Bounded::FileSize => Resource::RLIMIT_FSIZE,
        };
        let step = || format!("limit {:?}", limit.of);
        let (_, hard) = getrlimit(resource).map_err(Failure::of(step()))?;
        setrlimit(resource, limit.most.min(hard), hard).map_err(Failure::of(step()))?;
    }
    if let Some(user) = order.user {
        setgroups(&[]).map_err(Failure::of("leave all groups"))?;
        // Warden and node are already in the group the network tells them by.
        if order.group.is_none() {
            setgid(Gid::from_raw(user)).map_err(Failure::of(format!("become group {user}")))?;
        }
        setuid(Uid::from_raw(user)).map_err(Failure::of(format!("become user {user}")))?;
    }
    caps::lose_across_exec().map_err(Failure::of("lose capabilities"))?;
    // After the change of user, which would have undone it.
    set_pdeathsig(Signal::SIGKILL).map_err(Failure::of("ask for a signal"))?;
    SigSet::empty().thread_set_mask().map_err(Failure::of("unblock signals"))?;
    if getppid() != parent {
        // Our parent died before the line above took effect.
        std::process::exit(1);
    }
    Ok(())
}

/// Opened before anything changes that might forbid it.
fn open_groups(cgroups: &[PathBuf]) -> Result<Vec<(PathBuf, File)>, Failure> {
    let mut groups = Vec::new();
    for group in cgroups {
        let procs = File::options()
            .write(true)
            .open(group.join("cgroup.procs"))
            .map_err(Failure::of(format!("open {}", group.display())))?;
        groups.push((group.clone(), procs));
    }
    Ok(groups)
}
