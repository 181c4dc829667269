//! [`Page`]: the parameters of a node's clocks, one page of shared memory behind a file.
//!
//! The controller writes, every process of the node reads, and a change is in force for all of
//! them at once. A generation counts the changes, and its parity says which of two slots holds;
//! the writer fills the other slot first. A reader who sees the generation move tries again, and
//! a writer that dies half way cannot make a reader wait, as it could with a sequence lock.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

use super::line::{CLOCKS, GENERATION, LINE, Line, MAGIC, PAGE, SLOT, SLOTS};

/// How all clocks of a node run, by clock id.
pub type Lines = [Line; CLOCKS];

const WORDS: usize = LINE / 8;
/// Where the token lies.
const TOKEN: usize = 16;
/// Pages this process has made.
static PAGES: AtomicU32 = AtomicU32::new(0);

/// The page as it lies in memory.
#[repr(C)]
struct Shared {
    magic: AtomicU64,
    generation: AtomicU64,
    /// By which a process's page is known to be this one.
    token: AtomicU64,
    reserved: [AtomicI64; SLOTS / 8 - 3],
    slots: [[[AtomicI64; WORDS]; CLOCKS]; 2],
}

const _: () = assert!(size_of::<Shared>() == PAGE);

/// A mapped page and the file behind it.
#[derive(Debug)]
pub struct Page {
    shared: NonNull<Shared>,
    path: PathBuf,
    /// Named by the path, if the page has no name of its own.
    _file: File,
}

// SAFETY: the mapping belongs to this value alone and is accessed through atomics only.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// A new page at `path`, which must not exist: true clocks. Every user may read it, since a
    /// node need not run as who controls it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: &Path) -> io::Result<Page> {
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path)?;
        // Whatever the umask says.
        file.set_permissions(Permissions::from_mode(0o644))?;
        Page::fresh(file, path.canonicalize()?)
    }

    /// A page without a name, for this process and those that may look into its descriptors.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn anonymous() -> io::Result<Page> {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        let file = File::from(memfd_create("danso-clock", MFdFlags::MFD_CLOEXEC)?);
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        Page::fresh(file, path.into())
    }

    fn fresh(file: File, path: PathBuf) -> io::Result<Page> {
        file.set_len(PAGE as u64)?;
        let page = Page::map(file, path)?;
        let own = u64::from(std::process::id()) << 32;
        let count = PAGES.fetch_add(1, Ordering::Relaxed);
        page.shared().token.store(own | u64::from(count), Ordering::Relaxed);
        page.shared().magic.store(MAGIC, Ordering::Release);
        Ok(page)
    }

    fn map(file: File, path: PathBuf) -> io::Result<Page> {
        // SAFETY: a new shared mapping at an address the kernel chooses.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let shared = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Page { shared, path, _file: file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// By which it is known, unlike any other page of a run.
    pub fn token(&self) -> u64 {
        self.shared().token.load(Ordering::Relaxed)
    }

    fn shared(&self) -> &Shared {
        // SAFETY: mapped for as long as this value lives; every field is atomic, and any bits
        // are valid for it.
        unsafe { self.shared.as_ref() }
    }

    /// What holds now.
    pub fn lines(&self) -> Lines {
        let shared = self.shared();
        let slot = &shared.slots[(shared.generation.load(Ordering::Acquire) & 1) as usize];
        std::array::from_fn(|id| {
            line(std::array::from_fn(|word| slot[id][word].load(Ordering::Relaxed)))
        })
    }

    /// Makes `lines` hold from now on, in all processes at once.
    pub fn publish(&mut self, lines: &Lines) {
        let shared = self.shared();
        // The slot below may still be read by whoever saw the generation before the last one:
        // the last one must be seen first.
        fence(Ordering::Release);
        let next = shared.generation.load(Ordering::Relaxed) + 1;
        for (to, from) in shared.slots[(next & 1) as usize].iter().zip(lines) {
            for (to, from) in to.iter().zip(words(from)) {
                to.store(from, Ordering::Relaxed);
            }
        }
        shared.generation.store(next, Ordering::Release);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by this value, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.shared.as_ptr().cast(), PAGE) };
    }
}

/// What a page's bytes say, as read from somebody's memory: its token and lines; `None` if it is
/// no such page.
pub(super) fn decode(bytes: &[u8]) -> Option<(u64, Lines)> {
    let word = |at: usize| {
        let bytes = bytes.get(at..at + 8)?;
        Some(i64::from_le_bytes(bytes.try_into().ok()?))
    };
    if word(0)?.cast_unsigned() != MAGIC {
        return None;
    }
    let slot = SLOTS + (word(GENERATION)? & 1) as usize * SLOT;
    let mut lines = Lines::default();
    for (id, to) in lines.iter_mut().enumerate() {
        let mut read = [0; WORDS];
        for (index, value) in read.iter_mut().enumerate() {
            *value = word(slot + id * LINE + index * 8)?;
        }
        *to = line(read);
    }
    Some((word(TOKEN)?.cast_unsigned(), lines))
}

fn line(words: [i64; WORDS]) -> Line {
    let [anchor, offset, rate, before, slew, slew_for, from, every, by, spare @ ..] = words;
    let (strobe_from, strobe_every, strobe_by) = (from, every, by);
    Line {
        anchor,
        offset,
        rate,
        before,
        slew,
        slew_for,
        strobe_from,
        strobe_every,
        strobe_by,
        spare,
    }
}

fn words(line: &Line) -> [i64; WORDS] {
    let mut words = [0; WORDS];
    words[..9].copy_from_slice(&[
        line.anchor,
        line.offset,
        line.rate,
        line.before,
        line.slew,
        line.slew_for,
        line.strobe_from,
        line.strobe_every,
        line.strobe_by,
    ]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_read_back_from_memory_and_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let mut page = Page::create(&path).unwrap();
        assert_eq!(page.lines(), Lines::default());
        for offset in [1, -2, 3] {
            let mut lines = Lines::default();
            lines[11] = Line { offset, strobe_by: 9, ..Line::default() };
            page.publish(&lines);
            assert_eq!(page.lines(), lines);
            assert_eq!(decode(&std::fs::read(&path).unwrap()), Some((page.token(), lines)));
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert!(Page::create(&path).is_err(), "somebody else's page is left alone");
        assert_eq!(decode(&[0; PAGE]), None);
    }
}
