//! Groups: by which the packet filter tells whose a socket is.
//!
//! Groups and not users: a node that runs as another user could read neither its program nor its
//! data where those are its owner's alone, and programs that write files would leave them to
//! nobody. A group of its own takes nothing from a node.

use std::fs;

use nix::errno::Errno;
use nix::unistd::{Gid, getegid, setfsgid};

/// Numbers nobody gives out, if this user namespace has them; else what most have.
const HIGH: u32 = 0x7000_0000;
const LOW: u32 = 20_000;
/// 174 parts of loopback, 256 parties each.
const WIDTH: u32 = 174 * 256;

/// The first group of our range.
pub(super) fn first() -> u32 {
    let map = fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    if maps(&map, HIGH) { HIGH } else { LOW }
}

/// Whether `map`, a `gid_map`, has all of the range that begins there.
fn maps(map: &str, first: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<u64>().unwrap_or(0));
        let (inside, _, length) = (numbers.next(), numbers.next(), numbers.next());
        let (inside, length) = (inside.unwrap_or(u64::MAX), length.unwrap_or(0));
        inside <= first.into() && inside.saturating_add(length) >= u64::from(first + WIDTH)
    })
}

/// The group of sockets that nobody has given another.
pub(super) fn own() -> u32 {
    getegid().as_raw()
}

/// From now on, sockets made by this thread belong to `group`.
///
/// # Errors
/// If this process may not choose its groups.
pub(super) fn enter(group: u32) -> Result<(), Errno> {
    setfsgid(Gid::from_raw(group));
    // It answers only what was before.
    if setfsgid(Gid::from_raw(u32::MAX)).as_raw() == group { Ok(()) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_be_mapped_as_a_whole() {
        assert!(maps("         0          0 4294967295\n", HIGH));
        assert!(!maps("0 100000 65536\n", HIGH) && maps("0 100000 65536\n", LOW));
        assert!(!maps("1000 1000 1\n", LOW) && !maps("", LOW));
    }
}
