//! Control groups: less processor time, less memory for a node.

use std::path::PathBuf;

use crate::means::Obstacle;

/// Whether a node's processor time can be limited here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe_cpu() -> Result<(), Obstacle> {
    Err(Obstacle::new("processor time cannot be limited yet", "choose another fault"))
}

/// Whether a node's memory can be limited here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe_memory() -> Result<(), Obstacle> {
    Err(Obstacle::new("memory cannot be limited yet", "choose another fault"))
}

/// Removes these groups, in which nobody lives any more; says which could not be.
pub(super) fn remove_all(groups: &[PathBuf]) -> Vec<String> {
    let mut failed = Vec::new();
    for group in groups {
        let mut tries = 0;
        while let Err(error) = std::fs::remove_dir(group) {
            // The kernel takes leave of the dead in the background.
            let busy = error.kind() == std::io::ErrorKind::ResourceBusy;
            if error.kind() == std::io::ErrorKind::NotFound {
                break;
            }
            if !busy || tries == 2_000 {
                failed.push(format!("{} is left: {error}", group.display()));
                break;
            }
            tries += 1;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    failed
}
