//! Whether a run's controller lives: it holds a lock on its run folder until all is stored.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Held by a controller. However it ends, the lock ends with it.
pub(crate) struct Alive {
    _lock: Flock<File>,
}

impl Alive {
    /// Says that this run is under way.
    ///
    /// # Errors
    /// If the folder cannot be locked.
    pub(crate) fn hold(folder: &Path) -> io::Result<Alive> {
        // It waits: whoever is just asking is done at once.
        let lock = Flock::lock(File::open(folder)?, FlockArg::LockExclusive);
        Ok(Alive { _lock: lock.map_err(|(_, errno)| io::Error::from(errno))? })
    }
}

/// Whether the run in this folder is under way.
///
/// # Errors
/// If that cannot be told.
pub(crate) fn lives(folder: &File) -> io::Result<bool> {
    match Flock::lock(folder.try_clone()?, FlockArg::LockSharedNonblock) {
        // Unlocked by dropping it.
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, errno)) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_lives_as_long_as_its_controller() {
        let folder = tempfile::tempdir().unwrap();
        let lives = || lives(&File::open(folder.path()).unwrap()).unwrap();
        assert!(!lives());
        let held = Alive::hold(folder.path()).unwrap();
        assert!(lives() && lives());
        drop(held);
        assert!(!lives());
    }
}
