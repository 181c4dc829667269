//! Whether disks on loop devices can be had, found out by trying.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::device::Device;
use super::image::{format, mkfs};
use crate::means::Obstacle;

/// Enough for a file system with a journal, in bytes.
const SIZE: u64 = 16 << 20;

/// Whether nodes can have disks on loop devices here: a child really mounts one, where nobody
/// sees it.
///
/// # Errors
/// Why not, and the mend.
pub fn probe_image() -> Result<(), Obstacle> {
    if mkfs().is_none() {
        let mend = "install e2fsprogs";
        return Err(Obstacle::new("there is no program mkfs.ext4", mend));
    }
    let folder = super::survey::tempfile_name();
    let tried = std::fs::create_dir(&folder).and_then(|()| {
        let tried = attempt(&folder);
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "left");
        }
        tried
    });
    tried.map_err(|error| {
        let mend = "run as root of the machine, with loop devices and ext4 in its kernel \
                    (modprobe loop ext4)";
        Obstacle::new(error.to_string(), mend)
    })
}

fn attempt(folder: &Path) -> io::Result<()> {
    let image = folder.join("image");
    format(&image, SIZE)?;
    let device = Device::attach(&image)?;
    let text = |path: &Path| std::ffi::CString::new(path.as_os_str().as_encoded_bytes());
    let (source, target) = (text(&device.path)?, text(folder)?);
    let mut command = Command::new("/proc/self/exe");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec only async-signal-safe calls are made: unshare, mount and
    // _exit; nothing allocates, no lock is taken. All strings end with a zero and live until
    // then. The child never execs; its mount goes with it.
    unsafe {
        command.pre_exec(move || {
            let (none, root) = (std::ptr::null(), c"/".as_ptr());
            let slave = libc::MS_REC | libc::MS_SLAVE;
            if libc::unshare(libc::CLONE_NEWNS) < 0
                || libc::mount(none, root, none, slave, none.cast()) < 0
                || libc::mount(source.as_ptr(), target.as_ptr(), c"ext4".as_ptr(), 0, none.cast())
                    < 0
            {
                return Err(io::Error::last_os_error());
            }
            libc::_exit(0)
        });
    }
    let error = |e: io::Error| io::Error::new(e.kind(), format!("mounting a loop device: {e}"));
    match command.status().map_err(error)? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("a trial mount ended with {status}"))),
    }
}
