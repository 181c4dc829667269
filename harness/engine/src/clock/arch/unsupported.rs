//! Processors for which nobody has written the code yet: everything says so.

use nix::unistd::Pid;

use super::Shim;
use crate::clock::tracee::PatchError;

pub(in crate::clock) const SUPPORTED: bool = false;
pub(in crate::clock) const AUDIT_ARCH: u32 = 0;

fn unsupported<T>() -> Result<T, PatchError> {
    let arch = std::env::consts::ARCH;
    Err(PatchError::Unfit(format!("clocks are not written for {arch} yet")))
}

pub(in crate::clock) fn shim() -> Result<Shim, PatchError> {
    unsupported()
}

pub(in crate::clock) fn jump_to(_: u64) -> Vec<u8> {
    Vec::new()
}

pub(in crate::clock) fn jump_from(_: &[u8]) -> Option<u64> {
    None
}

/// A stopped thread's registers.
#[derive(Clone, Copy)]
pub(in crate::clock) struct Registers;

impl Registers {
    pub(in crate::clock) fn get(_: Pid) -> Result<Registers, PatchError> {
        unsupported()
    }

    pub(in crate::clock) fn set(&self, _: Pid) -> Result<(), PatchError> {
        unsupported()
    }

    pub(in crate::clock) fn system_call(&self, _: u64, _: i64, _: [u64; 6]) -> Registers {
        *self
    }

    pub(in crate::clock) fn call(&self, _: u64, _: u64, _: [u64; 2]) -> Registers {
        *self
    }

    pub(in crate::clock) fn stack(&self) -> u64 {
        0
    }

    pub(in crate::clock) fn result(&self) -> u64 {
        0
    }
}
