//! `danso doctor`: what this machine can inject, and why not.

use std::collections::BTreeMap;

use danso_engine::network;

use crate::args::DoctorArgs;
use crate::exit::Exit;

/// Prints what works here. `--clean` undoes what a killed danso left behind.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<Exit> {
    if args.clean {
        println!(
            "nothing to clean: processes, namespaces and cuts die with the danso that made them"
        );
        return Ok(Exit::Valid);
    }
    for (name, value) in machine() {
        println!("{name:<10} {value}");
    }
    println!();
    for capability in network::probe() {
        match capability.obstacle {
            None => println!("yes  {}", capability.name),
            Some(obstacle) => {
                println!("no   {}: {}", capability.name, obstacle.reason);
                println!("     {}", obstacle.mend);
            }
        }
    }
    println!("yes  kill, pause: nodes are processes of danso's own");
    Ok(Exit::Valid)
}

/// The machine in words.
pub(crate) fn machine() -> BTreeMap<String, String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel =
        format!("{} {}", read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease"));
    BTreeMap::from([
        ("danso".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel".to_owned(), kernel),
        ("processors".to_owned(), cpus.to_string()),
    ])
}
