//! What the clock of a running process reads, seen from inside it and without disturbing it.
//!
//! Nothing is stopped and nothing is taken for granted: the address the kernel gave the process
//! for its vDSO, the code that lies there now, the shim that code leads to and the page behind
//! the shim are all read from the process's own memory, and the reading is computed from that
//! copy of the page. Whether the very same code answers so when it runs is what
//! [`witness`](super::witness) tells.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::unistd::Pid;

use super::arch::{self, HEAD};
use super::elf;
use super::line::PAGE;
use super::page::{Lines, decode};
use super::patch::plain;
use super::skew::now;

/// What a process's clocks read, against the machine's at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub pid: Pid,
    /// Nanoseconds its wall clock is ahead.
    pub wall_ns: i64,
    /// Nanoseconds its monotonic clock is ahead.
    pub monotonic_ns: i64,
}

/// Reads the clocks of `pid`, a number of this process's own PID namespace, which are those of
/// the page with this token.
///
/// # Errors
/// If it is gone, may not be looked into, or has other clocks.
pub fn read(pid: Pid, token: u64) -> Result<Reading, String> {
    let dir = super::tracee::proc_dir(pid).map_err(|e| e.to_string())?;
    let lines = match lines(&dir) {
        Ok(Some((found, lines))) if found == token => Ok(lines),
        Ok(Some(_)) => Err("it has another node's clocks".to_owned()),
        Ok(None) => Err("it has the machine's clocks".to_owned()),
        Err(reason) => Err(reason),
    };
    let lines = lines.map_err(|reason| format!("pid {pid}: {reason}"))?;
    Ok(Reading::of(pid, &lines))
}

impl Reading {
    /// What a process reads now whose clocks run so.
    pub(super) fn of(pid: Pid, lines: &Lines) -> Reading {
        let ahead = |id: libc::clockid_t| {
            let t = now(id);
            lines[id as usize].at(t) - t
        };
        let (wall_ns, monotonic_ns) = (ahead(libc::CLOCK_REALTIME), ahead(libc::CLOCK_MONOTONIC));
        Reading { pid, wall_ns, monotonic_ns }
    }
}

/// How the clocks of the process at `dir` run and by which page, as its own memory says; `None` if
/// they are the machine's.
fn lines(dir: &Path) -> Result<Option<(u64, Lines)>, String> {
    let memory = File::open(dir.join("mem")).map_err(|e| format!("its memory: {e}"))?;
    let read = |address: u64, length: usize| {
        let mut bytes = vec![0; length];
        let read = memory.read_exact_at(&mut bytes, address);
        read.map(|()| bytes).map_err(|e| format!("its memory at {address:x}: {e}"))
    };
    let (vdso, length) = vdso(dir)?;
    let image = read(vdso, length)?;
    let functions = elf::functions(&image)?;
    let entry = functions.iter().find(|f| plain(&f.name) == "clock_gettime");
    let entry = entry.ok_or("its vDSO tells no time")?.offset as usize;
    let Some(target) = image.get(entry..).and_then(arch::jump_from) else { return Ok(None) };
    let shim = arch::shim().map_err(|e| e.to_string())?;
    let start = target.wrapping_sub(shim.clock_gettime);
    if read(start, shim.code.len())?[HEAD..] != shim.code[HEAD..] {
        return Err("what answers for its clock is not our code".to_owned());
    }
    let page = read(start + PAGE as u64, PAGE)?;
    decode(&page).map(Some).ok_or_else(|| "its clock has no page".to_owned())
}

/// Where the kernel told the process its vDSO is, and how long what lies there is.
fn vdso(dir: &Path) -> Result<(u64, usize), String> {
    let auxv = std::fs::read(dir.join("auxv")).map_err(|e| format!("its vDSO: {e}"))?;
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_ne_bytes(word)
    };
    let entries = auxv.chunks_exact(16).map(|e| (word(&e[..8]), word(&e[8..])));
    let mut found = entries.filter(|(key, _)| *key == libc::AT_SYSINFO_EHDR);
    let (_, at) = found.next().ok_or("it has no vDSO")?;
    let maps = std::fs::read_to_string(dir.join("maps")).map_err(|e| format!("its vDSO: {e}"))?;
    let end = maps.lines().find_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (number(start)?, number(end)?);
        (start..end).contains(&at).then_some(end)
    });
    Ok((at, (end.ok_or("its vDSO is gone")? - at) as usize))
}
