//! Disks for tests, and threads and programs that see them.

use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use danso_engine::disk::{self, Disk, Way};
use nix::sched::{CloneFlags, setns, unshare};

/// Helpers come from this binary.
pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_danso-internal");

/// A disk in a folder of its own.
pub(crate) struct Bench {
    pub(crate) disk: Disk,
    /// The data directory.
    pub(crate) data: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    /// None where there can be none, which is said.
    pub(crate) fn new() -> Option<Bench> {
        if let Err(obstacle) = disk::probe() {
            println!("skipped: {obstacle}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap().join("data");
        std::fs::create_dir(&data).unwrap();
        let disk = Disk::open(Path::new(EXE), &data, &folder.path().join("log")).unwrap();
        if disk.users().is_some() {
            println!("skipped: a thread cannot enter a user namespace");
            return None;
        }
        Some(Bench { disk, data, folder })
    }

    /// One on a loop device, filled beforehand.
    pub(crate) fn on_loop(fill: impl FnOnce(&Path)) -> Option<Bench> {
        if let Err(obstacle) = disk::probe_image() {
            println!("skipped: {obstacle}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap().join("data");
        std::fs::create_dir(&data).unwrap();
        fill(&data);
        let log = folder.path().join("log");
        let disk = Disk::open_as(Path::new(EXE), &data, &log, Way::Loop).unwrap();
        Some(Bench { disk, data, folder })
    }

    /// Does something where the disk is seen.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce(&Path) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                act(&self.data)
            });
            thread.join().unwrap()
        })
    }

    /// Moves this thread to where the disk is seen.
    pub(crate) fn enter(&self) {
        // A thread shares its view of files with the others until it parts.
        unshare(CloneFlags::CLONE_FS).unwrap();
        // SAFETY: the disk keeps it open.
        let mounts = unsafe { BorrowedFd::borrow_raw(self.disk.mounts()) };
        setns(mounts, CloneFlags::CLONE_NEWNS).unwrap();
    }

    /// A program that will see the disk and start in it.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        command(&self.disk, program, args)
    }
}

/// A program that will see the disk and start in it.
pub(crate) fn command(disk: &Disk, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    let (mounts, users) = (disk.mounts(), disk.users());
    let data = std::ffi::CString::new(disk.data().as_os_str().as_encoded_bytes()).unwrap();
    let check = |result: i32| match result {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: only async-signal-safe calls; the disk keeps the descriptors open.
    unsafe {
        command.pre_exec(move || {
            if let Some(users) = users {
                check(libc::setns(users, libc::CLONE_NEWUSER))?;
            }
            check(libc::setns(mounts, libc::CLONE_NEWNS))?;
            check(libc::chdir(data.as_ptr()))?;
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))
        });
    }
    command
}
