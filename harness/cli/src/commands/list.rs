//! `danso list`: what there is.

use danso_checkers::checks::CHECKS;
use danso_checkers::models::MODELS;
use danso_engine::nemesis::{NEMESES, SETTINGS, TIMING};
use danso_targets::TARGETS;
use danso_vocab::{ParamSpec, Params};
use danso_workloads::WORKLOADS;

use crate::args::Listed;
use crate::boxed;
use crate::exit::Exit;

/// Prints a registry.
pub(crate) fn list(what: Listed) -> anyhow::Result<Exit> {
    match what {
        Listed::Targets => targets(),
        Listed::Workloads => workloads(),
        Listed::Faults => faults(),
        Listed::Checkers => checkers(),
        Listed::Models => {
            let models = MODELS.iter().map(|m| (m.name, m.about));
            for (name, about) in models.chain(CHECKS.iter().map(|c| (c.name, c.about))) {
                println!("{name:<16} {about}");
            }
        }
    }
    Ok(Exit::Valid)
}

fn targets() {
    for target in TARGETS {
        println!("{:<16} {}", target.name, target.about);
        let sizes: Vec<_> = target.nodes.iter().map(u16::to_string).collect();
        println!("  nodes: {}", sizes.join(", "));
        println!("  workloads: {}", target.workloads.join(", "));
        for (workload, name, value) in target.params {
            let path = if name.contains('.') { "" } else { "params." };
            println!("  {workload} runs with {path}{name}={}", value());
        }
        options("options", target.options);
        for bug in target.bugs {
            println!("  --bug {:<18} {}", bug.name, bug.about);
        }
    }
    println!("\nreal systems, if they are installed; run as danso run NAME");
    for (name, about) in boxed::systems() {
        println!("{name:<24} {about}");
    }
    println!("\nof your own, described in a test file: [target] kind = …");
    for kind in danso_adapters::KINDS {
        println!("{:<16} {}", kind.name, kind.about);
        let spoken: Vec<_> = danso_adapters::spoken(kind.name).iter().map(|s| s.name).collect();
        if !spoken.is_empty() {
            println!("  workloads: {}", spoken.join(", "));
        }
    }
    println!("\nand reached by [client] kind = …");
    for client in danso_adapters::client::CLIENTS {
        println!("{:<16} {}", client.name, client.about);
    }
}

fn workloads() {
    for workload in WORKLOADS {
        println!("{:<16} {}", workload.name, workload.about);
        let speakers = TARGETS.iter().filter(|t| t.workloads.contains(&workload.name));
        let mut speakers: Vec<_> = speakers.map(|t| t.name).collect();
        for kind in danso_adapters::KINDS {
            let spoken = danso_adapters::spoken(kind.name);
            if spoken.iter().any(|spoken| spoken.workload == workload.name) {
                speakers.push(kind.name);
            }
        }
        println!("  spoken by: {}", speakers.join(", "));
        let params = Params::complete(workload.params, &Default::default()).unwrap_or_default();
        for checker in (workload.checkers)(&params) {
            println!("  judged by: {}: {}", checker.name(), checker.decides());
            println!("  can find: {}", checker.anomalies().join(", "));
        }
        for op in workload.ops {
            println!("  {:<24} {}", op.f, op.about);
        }
        options("params", workload.params);
    }
}

fn options(prefix: &str, specs: &[ParamSpec]) {
    for spec in specs {
        let path = format!("{prefix}.{}={}", spec.name, (spec.default)());
        println!("  --set {path:<34} {}", spec.about);
    }
}

fn faults() {
    for nemesis in NEMESES {
        println!("{:<16} {}", nemesis.kind(), nemesis.about());
        let needs = nemesis.needs(&Default::default());
        let needs: Vec<_> = needs.iter().map(ToString::to_string).collect();
        let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.join(", ") };
        println!("  needs {needs}");
        for (name, about) in nemesis.args() {
            println!("  {name:<14} {about}");
        }
    }
    println!("\nevery fault also takes");
    for (name, about) in TIMING {
        println!("  {name:<14} {about}");
    }
    println!("\nand [schedule], or --set schedule.NAME=VALUE, puts them together");
    for (name, about) in SETTINGS {
        println!("  {name:<14} {about}");
    }
}

fn checkers() {
    let mut seen = std::collections::BTreeMap::new();
    for workload in WORKLOADS {
        let params = Params::complete(workload.params, &Default::default()).unwrap_or_default();
        for checker in (workload.checkers)(&params) {
            seen.insert(checker.name(), checker.decides());
        }
    }
    for (name, decides) in seen {
        println!("{name:<16} {decides}");
    }
    println!("{:<16} no node ended although no fault asked it to", "nodes");
    println!("{:<16} the run tested something: operations succeeded, faults bit", "coverage");
}
