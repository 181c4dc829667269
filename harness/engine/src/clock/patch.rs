//! [`patch`]: puts the shim between a process and the kernel's clocks.
//!
//! At the stop after `execve` a process has one thread and has not run an instruction. Programs
//! of every language ask the vDSO for the time, at an address the kernel told them. *Relocating*
//! moves the vDSO with its data elsewhere and lays a copy of the image at the old address whose
//! functions lead to the shim, or straight on to the moved originals. Where the kernel does not
//! let it be moved, *in place* the entries of the clock functions are overwritten, and the shim
//! makes true system calls: seven times slower, otherwise the same.
//!
//! Not reached: system calls made without the vDSO, and absolute waits on the wall clock, which
//! the kernel compares with its own.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::ptrace;
use nix::unistd::Pid;

use super::arch::{self, GADGET, Shim};
use super::elf::{self, Function};
use super::line::MAGIC;
use super::skew::now;
use super::tracee::{PatchError, Tracee};

const PAGE: u64 = 4096;
/// Where the path of the parameter page lies in the shim's page while it is being opened.
const PATH_AT: usize = 2048;
const READ_EXEC: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;
const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
const FIXED: u64 = libc::MAP_FIXED as u64;
const NO_FILE: u64 = u64::MAX;

/// How a process is patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Its vDSO was moved.
    Relocate,
    /// Its vDSO was overwritten.
    InPlace,
}

/// A mapping the kernel made.
struct Mapping {
    start: u64,
    end: u64,
    name: String,
}

/// Where things went in a process.
pub(super) struct Patched {
    pub(super) method: Method,
    /// The entry of `clock_gettime`, as programs know it.
    clock_gettime: u64,
    breakpoint: u64,
}

/// Gives a process the clocks of the page at `page`, an absolute path, with the best method that
/// works and is not better than `best`. It must be stopped right after `execve`, by this thread,
/// and stays stopped.
///
/// # Errors
/// Whatever stood in the way. Unless it is [`PatchError::Broken`] the process can go on, with
/// true clocks.
pub fn patch(pid: Pid, page: &Path, best: Method) -> Result<Method, PatchError> {
    let mut tracee = Tracee::new(pid)?;
    let patched = patch_by(&mut tracee, page, best);
    finish(tracee, patched).map(|p| p.method)
}

/// What a process said when it was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) method: Method,
    /// What its clock read, in nanoseconds.
    pub(super) reading: i64,
    /// What the true clock read a moment before.
    pub(super) asked: i64,
}

/// As [`patch`], and then has the patched process say what its clock with this id reads.
pub(super) fn patch_and_ask(
    pid: Pid,
    page: &Path,
    best: Method,
    clock: libc::clockid_t,
) -> Result<Answer, PatchError> {
    let mut tracee = Tracee::new(pid)?;
    let asked = patch_by(&mut tracee, page, best).and_then(|patched| {
        let asked = now(clock);
        let reading = ask(&mut tracee, &patched, clock)?;
        Ok(Answer { method: patched.method, reading, asked })
    });
    finish(tracee, asked)
}

/// The registers go back whatever happened.
fn finish<T>(tracee: Tracee, result: Result<T, PatchError>) -> Result<T, PatchError> {
    let released = tracee.release();
    let result = result?;
    released.map(|()| result)
}

/// Lets a patched process go on. One that cannot is killed rather than left half patched.
///
/// # Errors
/// If it could not be let go.
pub(super) fn detach(pid: Pid, result: &Result<Method, PatchError>) -> Result<(), PatchError> {
    if let Err(PatchError::Broken { .. }) = result {
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
    match ptrace::detach(pid, None) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(PatchError::of(pid, "letting it go", error)),
    }
}

fn ask(tracee: &mut Tracee, patched: &Patched, clock: libc::clockid_t) -> Result<i64, PatchError> {
    let (entry, back) = (patched.clock_gettime, patched.breakpoint);
    let (result, at) = tracee.call(entry, back, |at| [clock.cast_unsigned().into(), at])?;
    if result as u32 != 0 {
        return Err(PatchError::Unfit(format!("its clock {clock} answers {result}")));
    }
    let bytes = tracee.read(at, 16)?;
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        i64::from_le_bytes(word)
    };
    Ok(word(0).wrapping_mul(1_000_000_000).wrapping_add(word(8)))
}

fn patch_by(tracee: &mut Tracee, page: &Path, best: Method) -> Result<Patched, PatchError> {
    let shim = arch::shim()?;
    let mappings = kernel_mappings(tracee)?;
    let vdso = mappings.iter().find(|m| m.name == "[vdso]");
    let vdso = vdso.ok_or_else(|| PatchError::Unfit("it has no vDSO".to_owned()))?;
    let image = tracee.read(vdso.start, (vdso.end - vdso.start) as usize)?;
    let functions = elf::functions(&image).map_err(PatchError::Unfit)?;
    let found = image.windows(GADGET.len()).position(|w| w == GADGET);
    let found =
        found.ok_or_else(|| PatchError::Unfit("its vDSO makes no system call".to_owned()))?;
    // Nothing of the program's own text is touched.
    let gadget = vdso.start + found as u64;
    let work = Work {
        shim: &shim,
        mappings: &mappings,
        vdso,
        image: &image,
        functions: &functions,
        gadget,
    };
    if best == Method::Relocate {
        match work.relocate(tracee, page) {
            Err(PatchError::Refused { step: MOVING, .. }) => {}
            result => return result,
        }
    }
    work.in_place(tracee, page)
}

/// The step that may be refused where the other method is still open.
const MOVING: &str = "moving the vDSO";

struct Work<'a> {
    shim: &'a Shim,
    mappings: &'a [Mapping],
    vdso: &'a Mapping,
    image: &'a [u8],
    functions: &'a [Function],
    gadget: u64,
}

impl Work<'_> {
    fn relocate(&self, tracee: &mut Tracee, page: &Path) -> Result<Patched, PatchError> {
        let low = self.mappings.iter().map(|m| m.start).min().unwrap_or(self.vdso.start);
        let span = self.vdso.end - low;
        if let Some(small) = self.functions.iter().find(|f| (f.size as usize) < jump_size()) {
            let error = std::io::Error::other(format!("its {} is too small", small.name));
            return Err(PatchError::Refused { step: MOVING, error });
        }
        let region = self.region(tracee, span)?;
        let moved = |address: u64| region + (address - low);
        let original = |name| self.function(name).map(|f| moved(self.vdso.start) + f.offset);
        let shim_at = region + span;
        let mapped = self
            .lay_shim(tracee, shim_at, original("clock_gettime"), original("gettimeofday"))
            .and_then(|()| self.map_page(tracee, shim_at, page));
        if let Err(error) = mapped {
            self.forget(tracee, region, span)?;
            return Err(error);
        }
        let gadget = shim_at + self.shim.gadget;
        for (index, mapping) in self.mappings.iter().enumerate() {
            let length = mapping.end - mapping.start;
            let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
            let args = [mapping.start, length, length, flags, moved(mapping.start), 0];
            match tracee.system_call(gadget, MOVING, libc::SYS_mremap, args) {
                Ok(_) => {}
                Err(error @ PatchError::Gone(_)) => return Err(error),
                // Nothing has moved: the region is all there is to undo.
                Err(error) if index == 0 => {
                    self.forget(tracee, region, span)?;
                    return Err(error);
                }
                Err(error) => return Err(broken(tracee, &error)),
            }
        }
        self.lay_image(tracee, gadget, shim_at, moved(self.vdso.start))
            .map_err(|error| broken(tracee, &error))?;
        self.patched(Method::Relocate, shim_at)
    }

    /// The copy at the old address, whose functions lead elsewhere.
    fn lay_image(
        &self,
        tracee: &mut Tracee,
        gadget: u64,
        shim_at: u64,
        moved: u64,
    ) -> Result<(), PatchError> {
        let (start, length) = (self.vdso.start, self.vdso.end - self.vdso.start);
        let args = [start, length, READ_EXEC, PRIVATE | FIXED, NO_FILE, 0];
        tracee.system_call(gadget, "the copy of the vDSO", libc::SYS_mmap, args)?;
        let mut image = self.image.to_vec();
        for function in self.functions {
            let target = self.stand_in(function).map_or(moved + function.offset, |s| shim_at + s);
            let (at, jump) = (function.offset as usize, arch::jump_to(target));
            image[at..at + jump.len()].copy_from_slice(&jump);
        }
        tracee.write(start, &image)
    }

    fn in_place(&self, tracee: &mut Tracee, page: &Path) -> Result<Patched, PatchError> {
        let clocks = || self.functions.iter().filter(|f| self.stand_in(f).is_some());
        if let Some(small) = clocks().find(|f| (f.size as usize) < jump_size()) {
            let reason = format!("its vDSO's {} is too small", small.name);
            return Err(PatchError::Unfit(reason));
        }
        let shim_at = self.region(tracee, 0)?;
        self.lay_shim(tracee, shim_at, None, None)?;
        self.map_page(tracee, shim_at, page)?;
        for function in clocks() {
            let stand_in = self.stand_in(function).unwrap_or_default();
            let jump = arch::jump_to(shim_at + stand_in);
            tracee
                .write(self.vdso.start + function.offset, &jump)
                .map_err(|error| broken(tracee, &error))?;
        }
        self.patched(Method::InPlace, shim_at)
    }

    fn patched(&self, method: Method, shim_at: u64) -> Result<Patched, PatchError> {
        let entry = self.function("clock_gettime");
        let entry = entry.ok_or_else(|| PatchError::Unfit("its vDSO tells no time".to_owned()))?;
        Ok(Patched {
            method,
            clock_gettime: self.vdso.start + entry.offset,
            breakpoint: shim_at + self.shim.breakpoint,
        })
    }

    /// New pages: `span` bytes, the shim's page and the parameter page.
    fn region(&self, tracee: &mut Tracee, span: u64) -> Result<u64, PatchError> {
        let args = [0, span + 2 * PAGE, READ_EXEC, PRIVATE, NO_FILE, 0];
        tracee.system_call(self.gadget, "memory for the shim", libc::SYS_mmap, args)
    }

    fn forget(&self, tracee: &mut Tracee, region: u64, span: u64) -> Result<(), PatchError> {
        let args = [region, span + 2 * PAGE, 0, 0, 0, 0];
        tracee.system_call(self.gadget, "memory of the shim", libc::SYS_munmap, args).map(drop)
    }

    /// The shim, in front of these originals or of true system calls.
    fn lay_shim(
        &self,
        tracee: &Tracee,
        at: u64,
        clock_gettime: Option<u64>,
        gettimeofday: Option<u64>,
    ) -> Result<(), PatchError> {
        let mut code = self.shim.code.clone();
        let first = clock_gettime.unwrap_or(at + self.shim.true_clock_gettime);
        let second = gettimeofday.unwrap_or(at + self.shim.true_gettimeofday);
        code[0..8].copy_from_slice(&first.to_le_bytes());
        code[8..16].copy_from_slice(&second.to_le_bytes());
        tracee.write(at, &code)
    }

    /// Maps the parameter page behind the shim.
    fn map_page(&self, tracee: &mut Tracee, shim_at: u64, page: &Path) -> Result<(), PatchError> {
        let path = CString::new(page.as_os_str().as_bytes());
        let path = path.map_err(|_| PatchError::Unfit("a path with a NUL".to_owned()))?;
        let path = path.as_bytes_with_nul();
        if path.len() > PAGE as usize - PATH_AT {
            return Err(PatchError::Unfit(format!("{} is too long a path", page.display())));
        }
        let at = shim_at + PATH_AT as u64;
        tracee.write(at, path)?;
        let gadget = shim_at + self.shim.gadget;
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
        let here = i64::from(libc::AT_FDCWD).cast_unsigned();
        let file = tracee.system_call(
            gadget,
            "opening the clock's page from inside",
            libc::SYS_openat,
            [here, at, flags, 0, 0, 0],
        )?;
        let to = shim_at + PAGE;
        let shared = libc::MAP_SHARED as u64 | FIXED;
        let args = [to, PAGE, libc::PROT_READ as u64, shared, file, 0];
        let mapped = tracee.system_call(gadget, "mapping the clock's page", libc::SYS_mmap, args);
        tracee.system_call(gadget, "closing it", libc::SYS_close, [file, 0, 0, 0, 0, 0])?;
        mapped?;
        tracee.write(at, &vec![0; path.len()])?;
        if tracee.read(to, 8)? != MAGIC.to_le_bytes() {
            return Err(PatchError::Unfit(format!("{} is no clock's page", page.display())));
        }
        Ok(())
    }

    fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| plain(&f.name) == name)
    }

    /// What of the shim stands in for a function, if anything.
    fn stand_in(&self, function: &Function) -> Option<u64> {
        match plain(&function.name) {
            "clock_gettime" => Some(self.shim.clock_gettime),
            "gettimeofday" => Some(self.shim.gettimeofday),
            "time" => Some(self.shim.time),
            _ => None,
        }
    }
}

fn broken(tracee: &Tracee, error: &PatchError) -> PatchError {
    match error {
        PatchError::Gone(pid) => PatchError::Gone(*pid),
        error => PatchError::Broken { pid: tracee.pid, reason: error.to_string() },
    }
}

/// A vDSO function's name as the C library calls it.
pub(super) fn plain(name: &str) -> &str {
    name.strip_prefix("__vdso_").or_else(|| name.strip_prefix("__kernel_")).unwrap_or(name)
}

fn jump_size() -> usize {
    arch::jump_to(0).len()
}

/// The vDSO and its data.
fn kernel_mappings(tracee: &Tracee) -> Result<Vec<Mapping>, PatchError> {
    let maps = std::fs::read_to_string(tracee.dir.join("maps"));
    let maps = maps.map_err(PatchError::io("its mappings"))?;
    let mapping = |line: &str| {
        let name = line.split_whitespace().nth(5)?;
        if !name.starts_with("[vvar") && name != "[vdso]" {
            return None;
        }
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping { start: number(start)?, end: number(end)?, name: name.to_owned() })
    };
    Ok(maps.lines().filter_map(mapping).collect())
}
