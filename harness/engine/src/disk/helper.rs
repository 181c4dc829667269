//! The disk helper, `danso internal disk`: a process that outlives its node's restarts and holds
//! the mount namespace the node enters. It reads wishes from its standard input, a socket, and
//! ends with it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use danso_vocab::{Rng, Value};
use fuser::{Config, INodeNo, Notifier, Session, SessionACL};
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, getppid};

use super::image::Image;
use super::later::Later;
use super::message::{Stats, Wish, loss_value, receive, send, stats_value, tally_value};
use super::mount::Mounted;
use super::store::Store;
use crate::internal::{Args, complain};

/// Threads that answer the kernel.
const THREADS: usize = 4;
const NONE: Option<&str> = None;

/// The helper's `main`.
pub(crate) fn helper(_: Args) -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            complain(&format!("disk: {reason}"));
            ExitCode::FAILURE
        }
    }
}

/// What a failed step was about.
pub(super) trait While<T> {
    fn during(self, step: &str) -> Result<T, String>;
}

impl<T, E: std::fmt::Display> While<T> for Result<T, E> {
    fn during(self, step: &str) -> Result<T, String> {
        self.map_err(|error| format!("{step}: {error}"))
    }
}

fn work() -> Result<(), String> {
    let socket = io::stdin().as_fd().try_clone_to_owned().during("take over the socket")?;
    let socket = UnixStream::from(socket);
    let mut reader = BufReader::new(socket.try_clone().during("share the socket")?);
    let Some(first) = receive(&mut reader).during("read the first wish")? else { return Ok(()) };
    let served = match Wish::of(&first)? {
        Wish::Serve { data, trash, controller } => {
            serve(Path::new(&data), Path::new(&trash), controller).map(Served::Store)
        }
        Wish::Image { data, image, bytes, controller } => begin(part_as_root, controller)
            .and_then(|()| Image::mount(Path::new(&data), Path::new(&image), bytes))
            .map(Served::Image),
        _ => return Err("the first wish must be to serve".to_owned()),
    };
    let server = match served {
        Ok(server) => server,
        Err(reason) => {
            let said = send(&socket, &Value::of([("error", reason.as_str().into())]));
            return said.during("answer").and(Err(reason));
        }
    };
    send(&socket, &Value::of([("ok", true.into())])).during("answer")?;
    while let Some(wish) = receive(&mut reader).during("read a wish")? {
        let answer = match Wish::of(&wish).and_then(|wish| server.grant(wish)) {
            Ok(value) => Value::of([("ok", value)]),
            Err(reason) => Value::of([("error", reason.into())]),
        };
        send(&socket, &answer).during("answer")?;
    }
    // The controller is done, or gone. With this process the kernel takes back the mount.
    Ok(())
}

/// What is mounted.
enum Served {
    Store(Server),
    Image(Image),
}

impl Served {
    fn grant(&self, wish: Wish) -> Result<Value, String> {
        let image = match self {
            Served::Store(server) => return server.grant(wish),
            Served::Image(image) => image,
        };
        match wish {
            Wish::Crash(keep, _) if keep.chance > 0 => {
                Err("on a loop device nothing unsynced is kept by chance".to_owned())
            }
            Wish::Crash(..) => image.crash().map(|loss| loss_value(&loss)).during("crash"),
            Wish::Settle => image.settle().map(|()| Value::Nil).during("settle"),
            Wish::MoveOut => image.move_out().map(|()| Value::Nil).during("move the files out"),
            // Nothing is ever delayed.
            Wish::Hurry(_) => Ok(Value::Nil),
            Wish::Serve { .. } | Wish::Image { .. } => Err("it serves already".to_owned()),
            Wish::Add(_) | Wish::Tally(_) | Wish::Lift(_) | Wish::Stats => {
                Err("a disk on a loop device can lose power, no more".to_owned())
            }
        }
    }
}

struct Server {
    store: Arc<Store>,
    later: Later,
    notifier: Notifier,
}

/// Mounts the file system over its own backing directory, in a mount namespace of its own.
fn serve(data: &Path, trash: &Path, controller: i32) -> Result<Server, String> {
    begin(part, controller)?;
    nix::sys::stat::umask(Mode::empty());
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).during("read the limit of open files")?;
    // Every file the kernel remembers is a descriptor here.
    setrlimit(Resource::RLIMIT_NOFILE, most, most).during("raise the limit of open files")?;
    let path = |fd| nix::fcntl::readlink(format!("/proc/self/fd/{fd}").as_str());
    let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = open(data, how, Mode::empty()).during("open the data directory")?;
    let base = path(root.as_raw_fd()).during("name the data directory")?;
    // What a dead run left in the trash was never durable.
    if let Err(error) = std::fs::remove_dir_all(trash)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(format!("empty {}: {error}", trash.display()));
    }
    std::fs::create_dir(trash).during("make the trash")?;
    let bin = File::open(trash).during("open the trash")?;
    let store = Arc::new(Store::new(root, Path::new(&base), bin.into()));
    let later = Later::new().during("start a thread")?;
    let device = attach(data).during("mount")?;
    let mut config = Config::default();
    config.n_threads = Some(THREADS);
    config.acl = SessionACL::All;
    let mounted = Mounted::new(store.clone(), later.clone());
    let session = Session::from_fd(mounted, device, SessionACL::All, config)
        .and_then(Session::spawn)
        .during("talk to the kernel")?;
    let notifier = session.notifier();
    // It serves until this process ends; nobody will wait for it.
    std::mem::forget(session);
    Ok(Server { store, later, notifier })
}

/// Parts from the machine's mounts, and makes sure to end with the controller.
fn begin(part: fn() -> io::Result<()>, controller: i32) -> Result<(), String> {
    part().during("make a mount namespace")?;
    // Becoming another's namespace may have cost the signal the parent had asked for.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).during("ask for a signal")?;
    if getppid().as_raw() != controller {
        return Err("the controller is gone".to_owned());
    }
    Ok(())
}

/// As [`part`], but never with a user namespace: whoever has only that may not mount devices.
fn part_as_root() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)?;
    Ok(())
}

/// Leaves the machine's mounts: what happens to them is seen here, what is mounted here is not
/// seen there. With a user namespace of its own if that is what it takes.
fn part() -> io::Result<()> {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        let (user, group) = (geteuid(), getegid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)?;
    Ok(())
}

/// Mounts a FUSE file system over `path` and returns the device that serves it.
fn attach(path: &Path) -> io::Result<OwnedFd> {
    let device: OwnedFd = OpenOptions::new().read(true).write(true).open("/dev/fuse")?.into();
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions,allow_other",
        device.as_raw_fd(),
        geteuid(),
        getegid(),
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("danso"), path, Some("fuse.danso"), flags, Some(options.as_str()))?;
    Ok(device)
}

impl Server {
    fn grant(&self, wish: Wish) -> Result<Value, String> {
        let none = |id| format!("there is no rule {id}");
        match wish {
            Wish::Serve { .. } | Wish::Image { .. } => Err("it serves already".to_owned()),
            Wish::MoveOut => Err("the files are in their place".to_owned()),
            Wish::Add(rule) => {
                let id = self.store.rules.add(rule)?;
                if self.store.rules.reading() {
                    // What is in the page cache could be read without us.
                    self.revoke();
                }
                Ok(id.cast_signed().into())
            }
            Wish::Tally(id) => {
                self.store.rules.tally(id).map(|t| tally_value(&t)).ok_or_else(|| none(id))
            }
            Wish::Lift(id) => {
                let tally = self.store.rules.lift(id).ok_or_else(|| none(id))?;
                self.revoke();
                Ok(tally_value(&tally))
            }
            Wish::Hurry(on) => {
                self.later.hurry(on);
                Ok(Value::Nil)
            }
            Wish::Crash(keep, seed) => {
                let loss = self.store.crash(keep, &mut Rng::new(seed)).during("crash")?;
                self.revoke();
                Ok(loss_value(&loss))
            }
            Wish::Settle => {
                self.store.settle().during("settle")?;
                self.revoke();
                Ok(Value::Nil)
            }
            Wish::Stats => Ok(stats_value(&self.stats())),
        }
    }

    /// The kernel must ask again what files hold and look like.
    fn revoke(&self) {
        for id in self.store.table.known() {
            // Not to know it is as good.
            let _ = self.notifier.inval_inode(INodeNo(id), 0, 0);
        }
    }

    fn stats(&self) -> Stats {
        use std::sync::atomic::Ordering::Relaxed;
        let counts = &self.store.counts;
        let (files, held, changes) = self.store.pending();
        Stats {
            reads: counts.reads.load(Relaxed),
            writes: counts.writes.load(Relaxed),
            bytes: counts.bytes.load(Relaxed),
            syncs: counts.syncs.load(Relaxed),
            written_back: counts.written_back.load(Relaxed),
            files,
            held,
            changes,
        }
    }
}
