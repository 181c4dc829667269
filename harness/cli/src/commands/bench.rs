//! `danso bench`: what danso itself costs, and what a healthy bundled cluster carries.

use danso_engine::network::{self, Choice, Spec as NetworkSpec};
use danso_engine::progress::Interrupt;
use danso_engine::site::Site;
use danso_vocab::NodeId;
use danso_vocab::history::Counts;

use crate::args::{BenchArgs, LimitArgs, TestArgs};
use crate::check::Budget;
use crate::draw;
use crate::exit::{Exit, usage};
use crate::launch::{Launch, conclude};
use crate::parts::Parts;
use crate::spec::Spec;

/// What is measured: target, operations per second wanted of it.
const CASES: &[(&str, f64)] = &[("noop", 40_000.0), ("raft-kv", 3_000.0)];

/// Measures and prints figures and ratios; a slow machine is no error.
pub(crate) fn bench(args: &BenchArgs) -> anyhow::Result<Exit> {
    let prepared = network::prepare(Choice::Auto).map_err(|e| usage(e.to_string()))?;
    let (exe, budget) = (std::env::current_exe()?, Budget::of(&LimitArgs::default())?);
    let out = std::env::temp_dir().join(format!("danso-bench-{}", std::process::id()));
    println!("target    clients   ops/s   wanted   ratio   controller µs/op   ready     verdict");
    let mut worst = Exit::Valid;
    for (target, wanted) in CASES {
        let test = TestArgs {
            test: (*target).to_owned(),
            faults: Some("none".to_owned()),
            time: Some(args.time.clone()),
            seed: Some(1),
            ..TestArgs::default()
        };
        let plan = draw::draw(&Spec::of(&test)?, 1)?;
        let parts = Parts::of(&plan)?;
        let site = Site::create(&out, target, "bench")?;
        std::fs::write(site.plan(), danso_vocab::codec::plan::write(&plan))?;
        let nodes = NodeId::all(plan.target.nodes());
        let network = prepared.open(&NetworkSpec::new(nodes, parts.target.ports().to_vec()))?;
        let launch = Launch {
            plan: &plan,
            parts: &parts,
            exe: &exe,
            out: &out,
            budget: &budget,
            pcap: false,
            traffic: false,
            watch: None,
            interrupt: Interrupt::default(),
            reproduce: String::new(),
            shown: true,
        };
        let facts = launch.execute(&site, network)?;
        let (results, checked) = super::run::timed(|| conclude(&site, &parts, &budget, None));
        let (_, results) = results?;
        let ops: u64 = results.counts.values().copied().map(Counts::total).sum();
        let rate = ops as f64 / plan.load.time.as_secs_f64();
        println!(
            "{target:<9} {:>7} {rate:>7.0} {wanted:>8.0} {:>7.2} {:>18.1} {:>7.3} s {:>9} (checked {ops} operations in {checked:.2?})",
            plan.load.workers(),
            rate / wanted,
            facts.cpu.as_secs_f64() * 1e6 / ops.max(1) as f64,
            facts.ready.as_secs_f64(),
            results.verdict,
        );
        worst = worst.max(Exit::of(results.verdict));
    }
    std::fs::remove_dir_all(&out)?;
    Ok(worst)
}
