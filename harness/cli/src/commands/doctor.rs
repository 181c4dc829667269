//! `danso doctor`: what this machine can inject, and why not.

mod clean;

use std::collections::BTreeMap;

use anyhow::Context;
use danso_engine::means::{Means, Need, Obstacle};
use danso_engine::nemesis::{NEMESES, Nemesis};
use danso_engine::network::{self, Backend, Choice};

use crate::args::DoctorArgs;
use crate::exit::{Exit, usage};

/// Prints what works here. `--clean` undoes what killed runs have left behind.
pub(crate) fn doctor(args: &DoctorArgs) -> anyhow::Result<Exit> {
    if args.clean {
        return clean::clean(&args.out);
    }
    for (name, value) in machine() {
        println!("{name:<10} {value}");
    }
    println!("\nnetworks, the first that works is --network auto");
    for capability in network::probe() {
        row(capability.name, "", capability.obstacle.as_ref());
    }
    println!("\nhow nodes' processes are kept together");
    let exe = std::env::current_exe().context("the danso binary cannot be found")?;
    let (isolation, obstacle) = danso_engine::process::probe(&exe)?;
    if let Some(obstacle) = &obstacle {
        row("PID namespaces", "", Some(obstacle));
    }
    row(isolation.word(), "", None);
    println!("\ndisks");
    for (name, way) in danso_engine::disk::survey() {
        row(name, "", way.as_ref().err());
    }
    println!("\nwhat can be done to links");
    print!("{}", network::table_text());
    let backend = network::choose(Choice::Auto).map_err(|e| usage(e.to_string()))?;
    println!("\nfaults, over the network {}", backend.word());
    faults(backend);
    Ok(Exit::Valid)
}

fn row(name: &str, about: &str, obstacle: Option<&Obstacle>) {
    match obstacle {
        None => println!("yes  {name:<24} {about}"),
        Some(obstacle) => {
            println!("no   {name:<24} {}", obstacle.reason);
            println!("     {:<24} {}", "", obstacle.mend);
        }
    }
}

fn faults(backend: Backend) {
    // Whatever a target can do by itself is the target's affair, not the machine's.
    let hooks = |n: &&dyn Nemesis| n.needs(&BTreeMap::new());
    let hooks = NEMESES.iter().flat_map(hooks).filter_map(|need| match need {
        Need::Hook(hook) => Some(hook),
        _ => None,
    });
    let means = Means::new(backend, true, hooks.collect());
    for nemesis in NEMESES {
        let needs = nemesis.needs(&BTreeMap::new());
        let obstacle = needs.iter().find_map(|need| means.have(*need).err());
        let wants = needs.iter().any(|n| matches!(n, Need::Hook(_)));
        let about = if wants { "if the target can" } else { nemesis.about() };
        row(nemesis.kind(), about, obstacle.as_ref());
    }
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
