//! `danso serve`: run folders in a browser.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;

use crate::exit::{Exit, usage};
use crate::serve::{self, Site};

/// Where from, and for whom.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The folder with run folders.
    #[arg(value_name = "DIR", default_value = "danso-runs")]
    dir: PathBuf,
    /// The address to listen on. Any but a loopback address lets others read every run: there is
    /// no password.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 takes any that is free.
    #[arg(long, value_name = "N", default_value_t = 8428)]
    port: u16,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  danso serve                         the runs in danso-runs, at http://127.0.0.1:8428/
  danso serve artefacts --port 0      another folder, any free port
  danso serve --host 0.0.0.0          for everybody who can reach this machine";

/// Serves until it is told to end.
pub(crate) fn serve(args: &ServeArgs) -> anyhow::Result<Exit> {
    let shown = args.dir.display();
    let folder = args.dir.canonicalize().map_err(|e| {
        usage(format!(
            "{shown}: {e}; name the folder that run folders are in, as in `danso serve DIR`"
        ))
    })?;
    if !folder.is_dir() {
        return Err(usage(format!("{shown} is no folder; name the one that run folders are in")));
    }
    if folder.join("plan.json").is_file() && folder.join("history.jsonl").is_file() {
        let above = folder.parent().unwrap_or(&folder).display();
        return Err(usage(format!(
            "{shown} is a run folder; serve the folder it lies in: `danso serve {above}`"
        )));
    }
    serve::run(Site { folder, host: args.host, port: args.port })?;
    Ok(Exit::Valid)
}
