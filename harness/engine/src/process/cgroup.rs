//! Control groups: less processor time, less memory for a node.

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
