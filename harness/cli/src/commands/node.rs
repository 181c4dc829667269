//! `danso node`: one node of a bundled target.

use crate::draw;
use crate::exit::{Exit, usage};

/// Runs a node until it is told to stop.
pub(crate) fn node(target: &str, args: Vec<String>) -> anyhow::Result<Exit> {
    let stand_in = danso_adapters::NODES.iter().find(|(name, _)| *name == target);
    if let Some((_, run)) = stand_in {
        run(args).map_err(|e| anyhow::anyhow!(e))?;
        return Ok(Exit::Valid);
    }
    let spec = draw::target(target).map_err(usage)?;
    let Some(run) = spec.node else {
        return Err(usage(format!("{target} has no nodes of its own to run")));
    };
    run(args).map_err(|e| anyhow::anyhow!(e))?;
    Ok(Exit::Valid)
}
