//! [`Image`]: a disk that is an ext4 file system in a file, on a loop device. It can lose power
//! and nothing else.
//!
//! Between syncs the file system keeps all to itself as long as it can, so that what nobody
//! synced is lost. Still, one sync makes durable what went into the same journal before it, and
//! `sync` of the whole machine reaches it too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::syncfs;

use super::contents::Contents;
use super::device::{Device, shut_down};
use super::helper::While;
use super::offline;
use super::store::Loss;

/// How long one may take to let go of the file system.
const PATIENCE: Duration = Duration::from_secs(10);
/// The journal is not written just because time passes.
const OPTIONS: &str = "commit=3600,noinit_itable";

/// See the [module](self).
pub(super) struct Image {
    /// The directory it is mounted over.
    data: PathBuf,
    /// What is below the mount.
    plain: PathBuf,
    /// The descriptor `plain` goes by.
    _under: File,
    device: Device,
}

impl Image {
    /// Makes the file `image`, of so many bytes of which only those in use take room, mounts it
    /// over `data` and moves in what is there.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn mount(data: &Path, image: &Path, bytes: u64) -> Result<Image, String> {
        format(image, bytes).during("make a file system")?;
        let device = Device::attach(image).during("attach a loop device")?;
        let under = File::open(data).during("open the data directory")?;
        let plain = PathBuf::from(format!("/proc/self/fd/{}/.", under.as_raw_fd()));
        let image = Image { data: data.to_owned(), plain, _under: under, device };
        image.up().during("mount")?;
        image.move_in().during("copy what was there")?;
        Ok(image)
    }

    fn move_in(&self) -> io::Result<()> {
        // Programs take a directory with anything in it for one in use.
        fs::remove_dir(self.data.join("lost+found"))?;
        offline::copy(&self.plain, &self.data)?;
        let like = fs::metadata(&self.plain)?;
        lchown(&self.data, Some(like.uid()), Some(like.gid()))?;
        fs::set_permissions(&self.data, fs::Permissions::from_mode(like.mode() & 0o7777))?;
        self.settle()
    }

    fn up(&self) -> io::Result<()> {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        Ok(mount(Some(&self.device.path), &self.data, Some("ext4"), flags, Some(OPTIONS))?)
    }

    /// Takes the mount away; waits for whoever still has files open.
    fn down(&self, until: Instant) -> io::Result<()> {
        loop {
            match umount2(&self.data, MntFlags::UMOUNT_NOFOLLOW) {
                Err(Errno::EBUSY) if Instant::now() < until => sleep(Duration::from_millis(5)),
                Err(Errno::EBUSY) => return Err(in_use()),
                done => return Ok(done?),
            }
        }
    }

    /// The power fails, and comes back.
    ///
    /// # Errors
    /// If somebody still uses the disk, or it cannot be mounted again.
    pub(super) fn crash(&self) -> io::Result<Loss> {
        let before = Contents::of(&self.data)?;
        shut_down(&File::open(&self.data)?)?;
        let until = Instant::now() + PATIENCE;
        loop {
            self.down(until)?;
            self.up()?;
            // As long as anybody holds on to the file system in any way it is the one that was
            // shut down, which answers no sync.
            match File::open(&self.data)?.sync_all() {
                Ok(()) => break,
                Err(_) if Instant::now() < until => sleep(Duration::from_millis(5)),
                Err(error) => {
                    let reason = format!("{}: {error}", in_use());
                    return Err(io::Error::new(error.kind(), reason));
                }
            }
        }
        Ok(before.lost(&Contents::of(&self.data)?))
    }

    /// Everything is durable as it is now.
    pub(super) fn settle(&self) -> io::Result<()> {
        Ok(syncfs(File::open(&self.data)?)?)
    }

    /// Puts what is here in place of what is below the mount.
    pub(super) fn move_out(&self) -> io::Result<()> {
        offline::put_back(&self.data, &self.plain)
    }
}

fn in_use() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "somebody still uses the disk")
}

/// Makes a file with an empty ext4 file system.
pub(super) fn format(image: &Path, bytes: u64) -> io::Result<()> {
    match fs::remove_file(image) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(image)?.set_len(bytes)?;
    let program = mkfs().ok_or_else(|| io::Error::other("there is no program mkfs.ext4"))?;
    let mut command = Command::new(program);
    // A new file is all zeros: there is nothing to initialise.
    command.args(["-q", "-F", "-b", "4096", "-i", "8192", "-m", "0"]);
    command.args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"]).arg(image);
    command.stdin(Stdio::null());
    // SAFETY: between fork and exec one async-signal-safe call is made; nothing allocates.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("mkfs.ext4: {}: {}", output.status, said.trim())))
}

/// Where the program is: administrators' programs are not on everybody's path.
pub(super) fn mkfs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join(OsStr::new("mkfs.ext4")));
    programs.find(|program| program.is_file())
}
