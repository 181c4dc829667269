//! What depends on the processor: the code that goes into processes, and their registers. Another
//! architecture is another file here.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{AUDIT_ARCH, Registers, SUPPORTED, jump_from, jump_to, shim};

#[cfg(not(target_arch = "x86_64"))]
mod unsupported;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use unsupported::{AUDIT_ARCH, Registers, SUPPORTED, jump_from, jump_to, shim};

/// The code that goes into processes, byte for byte, and where in it things are. The two
/// addresses of what it stands in front of are its first 16 bytes; the parameter page follows
/// one page after its start.
pub(super) struct Shim {
    pub(super) code: Vec<u8>,
    /// `clock_gettime` on the node's clocks.
    pub(super) clock_gettime: u64,
    /// `gettimeofday`.
    pub(super) gettimeofday: u64,
    /// `time`.
    pub(super) time: u64,
    /// The true `clock_gettime`, by system call.
    pub(super) true_clock_gettime: u64,
    /// The true `gettimeofday`, by system call.
    pub(super) true_gettimeofday: u64,
    /// An instruction that calls the kernel.
    pub(super) gadget: u64,
    /// An instruction that stops the process.
    pub(super) breakpoint: u64,
}

/// Bytes before the code proper, which differ from process to process.
pub(super) const HEAD: usize = 64;

/// The instruction that calls the kernel.
#[cfg(target_arch = "x86_64")]
pub(super) const GADGET: &[u8] = &[0x0f, 0x05];
/// The instruction that calls the kernel.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const GADGET: &[u8] = &[];
