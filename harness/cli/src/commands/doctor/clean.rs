//! `danso doctor --clean`: undoes what killed runs have left behind. Only what a run's own undo log
//! names or what carries a run's mark, and only of runs whose controller is gone.

use std::path::{Path, PathBuf};

use danso_engine::undo::{HOSTS, Leftover, leftovers};
use danso_vocab::Value;

use crate::exit::{Exit, usage};

/// Cleans up behind every dead run under `out`.
pub(super) fn clean(out: &Path) -> anyhow::Result<Exit> {
    let mut failed = 0;
    let mut dead = 0;
    for log in logs(out) {
        let shown = log.display();
        let remains = match leftovers(&log) {
            Ok(Some(remains)) => remains,
            Ok(None) => {
                println!("{shown}: its run goes on, left alone");
                continue;
            }
            Err(error) => {
                println!("{shown}: {error}");
                failed += 1;
                continue;
            }
        };
        dead += usize::from(!remains.open.is_empty());
        for leftover in &remains.open {
            let (fault, kind) = (leftover.fault, &leftover.kind);
            let what = if fault == HOSTS { kind.clone() } else { format!("{fault} {kind}") };
            match undo(leftover) {
                Ok(how) => {
                    println!("{shown}: {what}: {how}");
                    remains.log.undone(fault).map_err(|e| usage(format!("{shown}: {e}")))?;
                }
                Err(error) => {
                    println!("{shown}: {what} is not undone: {error}");
                    failed += 1;
                }
            }
        }
    }
    // What outlives a controller only if its helpers were killed with it.
    for done in danso_engine::process::clean() {
        dead += 1;
        match done {
            Ok(how) => println!("{how}"),
            Err(error) => {
                println!("not removed: {error}");
                failed += 1;
            }
        }
    }
    if dead == 0 && failed == 0 {
        println!("nothing to clean under {}", out.display());
    }
    Ok(if failed == 0 { Exit::Valid } else { Exit::Internal })
}

/// The undo logs of the run folders under `out`.
fn logs(out: &Path) -> Vec<PathBuf> {
    let folders = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|e| e.path()).filter(|p| p.is_dir() && !p.is_symlink()).collect()
    };
    let runs = folders(out).into_iter().flat_map(|name| folders(&name));
    let mut logs: Vec<_> = runs.map(|run| run.join("undo.log")).filter(|l| l.exists()).collect();
    logs.sort();
    logs
}

/// Undoes one fault of a dead run and says how.
fn undo(leftover: &Leftover) -> Result<String, String> {
    if leftover.fault == HOSTS {
        return danso_adapters::clean_hosts(&leftover.detail);
    }
    if leftover.kind != "custom" {
        return Ok("it died with its controller".to_owned());
    }
    let detail = &leftover.detail;
    let heal = detail.get("args").and_then(|a| a.get("heal")).and_then(Value::str);
    let heal = heal.ok_or("the log names no command that heals it")?;
    let nodes = detail.get("nodes").and_then(Value::list).unwrap_or_default();
    let nodes: Vec<&str> = nodes.iter().filter_map(Value::str).collect();
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", heal])
        .env("DANSO_NODES", nodes.join(" "))
        .status()
        .map_err(|e| format!("/bin/sh cannot be started: {e}"))?;
    if status.success() {
        Ok(format!("healed by `{heal}`"))
    } else {
        Err(format!("`{heal}` failed ({status})"))
    }
}
