//! Loop devices: files as block devices. They vanish with the last who has them open.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

/// The kernel's `struct loop_config`.
#[repr(C)]
struct Config {
    file: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// The kernel's `struct loop_info64`.
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    real_device: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: u32,
    key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    key: [u8; 32],
    init: [u64; 2],
}

const _: () = assert!(size_of::<Config>() == 304);

const CONFIGURE: u32 = 0x4C0A;
const GET_FREE: u32 = 0x4C82;
/// The device is detached when nobody has it open any more.
const AUTOCLEAR: u32 = 4;
/// `EXT4_IOC_SHUTDOWN`.
const SHUTDOWN: u32 = 0x8004_587D;
/// Not even the journal is written out.
const NOLOGFLUSH: u32 = 2;
/// How often another may be faster to take the free device.
const TRIES: usize = 64;

/// A loop device that is attached as long as this exists, or it is mounted.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) path: PathBuf,
    _open: File,
}

impl Device {
    /// Makes `image` a block device.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn attach(image: &Path) -> io::Result<Device> {
        let about = |what: &str, e: io::Error| io::Error::new(e.kind(), format!("{what}: {e}"));
        let backing = OpenOptions::new().read(true).write(true).open(image)?;
        let control = "/dev/loop-control";
        let open = |path: &str| OpenOptions::new().read(true).write(true).open(path);
        let control = open(control).map_err(|e| about(control, e))?;
        for _ in 0..TRIES {
            let number = free(control.as_raw_fd()).map_err(|e| about("a free loop device", e))?;
            let path = format!("/dev/loop{number}");
            let writable = open(&path).map_err(|e| about(&path, e))?;
            match configure(writable.as_raw_fd(), backing.as_raw_fd()) {
                Ok(()) => {
                    // Some kernels refuse to mount what others may write to.
                    let kept = File::open(&path).map_err(|e| about(&path, e))?;
                    return Ok(Device { path: path.into(), _open: kept });
                }
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return Err(about(&path, error)),
            }
        }
        Err(io::Error::other("others take every loop device that is free"))
    }
}

fn free(control: RawFd) -> io::Result<i32> {
    // SAFETY: the descriptor is open; the call takes no argument and touches no memory of ours.
    let number = unsafe { libc::ioctl(control, GET_FREE as _) };
    if number < 0 { Err(io::Error::last_os_error()) } else { Ok(number) }
}

fn configure(device: RawFd, file: RawFd) -> io::Result<()> {
    let info = Info {
        device: 0,
        inode: 0,
        real_device: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encryption: 0,
        key_size: 0,
        flags: AUTOCLEAR,
        file_name: [0; 64],
        crypt_name: [0; 64],
        key: [0; 32],
        init: [0; 2],
    };
    let config = Config { file: file.cast_unsigned(), block_size: 0, info, reserved: [0; 8] };
    // SAFETY: both descriptors are open; the kernel reads a `loop_config`, which this is, and
    // keeps no pointer to it.
    let done = unsafe { libc::ioctl(device, CONFIGURE as _, &raw const config) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Ends all writing to the file system of this file, an ext4, as a power failure does: what its
/// journal has not on the device already never gets there.
pub(super) fn shut_down(root: &File) -> io::Result<()> {
    let how = NOLOGFLUSH;
    // SAFETY: the descriptor is open; the kernel reads one u32 and keeps no pointer to it.
    let done = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const how) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
