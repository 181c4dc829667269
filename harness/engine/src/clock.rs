//! Clocks of their own for nodes, without touching the host's.

use crate::means::Obstacle;

/// Whether nodes can have clocks of their own here.
///
/// # Errors
/// Why not, and the mend.
pub fn probe() -> Result<(), Obstacle> {
    Err(Obstacle::new("nodes have no clocks of their own yet", "choose another fault"))
}
