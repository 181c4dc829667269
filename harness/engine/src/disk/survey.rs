//! What can be had here, found out by trying.

use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::unistd::{getegid, geteuid};

use super::Way;
use crate::means::{Need, Obstacle};

/// What disk faults stand on, each with why it cannot be had, if so.
pub fn survey() -> Vec<(&'static str, Result<(), Obstacle>)> {
    vec![
        ("disks of their own for nodes (FUSE)", probe()),
        ("disks that lose power (ext4 on a loop device)", super::probe_image()),
        ("files of stopped nodes", Ok(())),
    ]
}

/// Whether nodes can have disks of their own here: a child really mounts one, where nobody sees
/// it.
///
/// # Errors
/// Why not, and the mend.
pub fn probe() -> Result<(), Obstacle> {
    let folder = tempfile_name();
    std::fs::create_dir(&folder)
        .map_err(|e| Obstacle::new(format!("{}: {e}", folder.display()), "free the disk"))?;
    let tried = attempt(&folder);
    if let Err(error) = std::fs::remove_dir(&folder) {
        tracing::warn!(%error, folder = %folder.display(), "left");
    }
    tried
}

pub(super) fn tempfile_name() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("danso-probe-{}-{count}", std::process::id()))
}

/// The steps of a trial; a child's exit status says at which it failed.
const STEPS: [&str; 4] = ["user namespaces", "mount namespaces", "/dev/fuse", "mounting FUSE"];

/// What disks are to be made of for these needs, if any needs a disk: FUSE where it can be had,
/// unless it must be another way.
pub(crate) fn way(needed: impl Fn(Need) -> bool) -> io::Result<Option<Way>> {
    Ok(match (needed(Need::Disk), needed(Need::Loop), needed(Need::PowerLoss)) {
        (true, true, _) => {
            return Err(io::Error::other(
                "disks on loop devices can only lose power, and other faults of this run need \
                 more of them: leave disk = \"loop\" out",
            ));
        }
        (true, false, _) => Some(Way::Fuse),
        (false, true, _) => Some(Way::Loop),
        (false, false, true) if probe().is_ok() => Some(Way::Fuse),
        (false, false, true) => Some(Way::Loop),
        (false, false, false) => None,
    })
}

fn attempt(folder: &std::path::Path) -> Result<(), Obstacle> {
    let mend = "run as root, or allow user namespaces and make /dev/fuse accessible to this user \
                (modprobe fuse; chmod 0666 /dev/fuse)";
    let sorry = |reason: String| Obstacle::new(reason, mend);
    let mut command = Command::new("/proc/self/exe");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let path = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes())
        .map_err(|e| sorry(e.to_string()))?;
    let (user, group) = (geteuid(), getegid());
    let maps = [("/proc/self/setgroups", "deny".to_owned())].into_iter().chain([
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ]);
    let maps: Vec<_> =
        maps.map(|(file, line)| (std::ffi::CString::new(file).unwrap_or_default(), line)).collect();
    // The device gets a number known beforehand: nothing can be formatted between fork and exec.
    let options = format!("fd={DEVICE},rootmode=40000,user_id={user},group_id={group}");
    let options = std::ffi::CString::new(options).map_err(|e| sorry(e.to_string()))?;
    // SAFETY: between fork and exec only async-signal-safe calls are made: unshare, open, write,
    // dup2, mount and _exit; nothing allocates, no lock is taken. The child never execs.
    unsafe {
        command.pre_exec(move || {
            let status = match trial(&path, &maps, &options) {
                Ok(()) => 0,
                // Both numbers are small.
                Err((step, errno)) => return Err(code(step, errno)),
            };
            libc::_exit(status)
        });
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(sorry(format!("a trial mount ended with {status}"))),
        Err(error) => {
            let code = error.raw_os_error().unwrap_or(libc::EIO);
            let step = STEPS.get((code / STEP) as usize).unwrap_or(&"a trial mount");
            Err(sorry(format!("{step}: {}", Errno::from_raw(code % STEP).desc())))
        }
    }
}

/// The descriptor of the device in a trial.
const DEVICE: i32 = 200;
/// How step and error number share one number.
const STEP: i32 = 1_000;

fn code(step: i32, errno: i32) -> io::Error {
    io::Error::from_raw_os_error(step * STEP + errno)
}

/// Mounts; between fork and exec.
fn trial(
    path: &CStr,
    maps: &[(std::ffi::CString, String)],
    options: &CStr,
) -> Result<(), (i32, i32)> {
    let check = |step: i32, result: i32| {
        if result < 0 { Err((step, Errno::last_raw())) } else { Ok(result) }
    };
    // SAFETY: all strings end with a zero and live until this returns; the calls touch only this
    // process, which is a child of its own.
    unsafe {
        if libc::unshare(libc::CLONE_NEWNS) < 0 {
            check(0, libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS))?;
            for (file, line) in maps {
                let fd = check(0, libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
                let wrote = libc::write(fd, line.as_ptr().cast(), line.len());
                check(0, if wrote < 0 { -1 } else { 0 })?;
                libc::close(fd);
            }
        }
        let (none, root) = (std::ptr::null(), c"/".as_ptr());
        let slave = libc::MS_REC | libc::MS_SLAVE;
        check(1, libc::mount(none, root, none, slave, none.cast()))?;
        let how = libc::O_RDWR | libc::O_CLOEXEC;
        let device = check(2, libc::open(c"/dev/fuse".as_ptr(), how))?;
        check(2, libc::dup2(device, DEVICE))?;
        let (source, kind) = (c"danso".as_ptr(), c"fuse".as_ptr());
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        check(3, libc::mount(source, path.as_ptr(), kind, flags, options.as_ptr().cast()))?;
    }
    Ok(())
}
