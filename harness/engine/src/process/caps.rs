//! Capabilities across exec. A controller that lives in a user namespace under its own number
//! has capabilities there, which exec takes from everyone but root: a warden needs them, the node
//! must not have them. Nothing here allocates, so all of it may be called between fork and exec.

use std::io;

/// Version 3 of the interface: two words of 32 capabilities each.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Set {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Lets the next program have what this process has.
///
/// # Errors
/// If the kernel refuses.
pub(crate) fn keep_across_exec() -> io::Result<()> {
    // SAFETY: no memory is involved.
    if unsafe { libc::geteuid() } == 0 {
        return Ok(());
    }
    let mut sets = get()?;
    let has = |capability: usize, sets: &[Set; 2]| {
        // SAFETY: no memory is involved. What is beyond the last capability is an error.
        let bounded = unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) } == 1;
        bounded && sets[capability / 32].permitted >> (capability % 32) & 1 == 1
    };
    for capability in 0..64 {
        if has(capability, &sets) {
            sets[capability / 32].inheritable |= 1 << (capability % 32);
        }
    }
    set(&sets)?;
    for capability in (0..64).filter(|c| has(*c, &sets)) {
        ambient(libc::PR_CAP_AMBIENT_RAISE, capability)?;
    }
    Ok(())
}

/// Lets the next program have what its own file gives it, and no more: the usual rule.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn lose_across_exec() -> io::Result<()> {
    ambient(libc::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    let mut sets = get()?;
    for set in &mut sets {
        set.inheritable = 0;
    }
    set(&sets)
}

fn ambient(what: libc::c_int, capability: usize) -> io::Result<()> {
    // SAFETY: changes this thread's ambient set; no memory is involved.
    let done = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, what, capability, 0, 0) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn get() -> io::Result<[Set; 2]> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut sets = [Set::default(); 2];
    // SAFETY: both point to live values of the layout that version 3 prescribes.
    let done = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(sets) }
}

fn set(sets: &[Set; 2]) -> io::Result<()> {
    let mut header = Header { version: VERSION, pid: 0 };
    // SAFETY: as above; the kernel only reads the sets.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
