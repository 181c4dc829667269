//! Disks of their own for nodes, which fail on command.

use crate::means::Obstacle;

/// Whether nodes can have such disks here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe() -> Result<(), Obstacle> {
    Err(Obstacle::new("nodes have no disks of their own yet", "choose another fault"))
}
