//! A whole cluster in one thread under virtual time: real [`Node`](super::Node)s, a network that
//! drops, delays, repeats and reorders, disks that keep only what was persisted, clients, and
//! misfortune. Everything is drawn from one seed. What clients saw is a history, to be judged by
//! the checkers that judge real clusters.
//!
//! Messages and records travel as JSON, so their encoding is tried, too.

mod clients;
pub(crate) mod registers;
mod trouble;
mod world;

use danso_vocab::{Finding, Verdict};

pub(crate) use self::clients::Load;
pub(crate) use self::world::{Setup, run};

/// How many worlds to run: more with `DANSO_SIM_SEEDS=100000`.
pub(crate) fn seeds() -> u64 {
    std::env::var("DANSO_SIM_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60)
}

/// Every world of a healthy cluster is valid, and enough happens in it.
pub(crate) fn all_valid(run: impl Fn(u64) -> Result<(Finding, u64), String>, least: u64) {
    let (mut sum, seeds) = (0, seeds());
    for seed in 0..seeds {
        let (finding, succeeded) = run(seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(finding.verdict, Verdict::Valid, "seed {seed}: {finding:#?}");
        sum += succeeded;
    }
    println!("{seeds} worlds, {sum} calls succeeded");
    assert!(sum > least * seeds, "too little happened: {sum} calls succeeded in {seeds} worlds");
}

/// The switch does something, and the checkers see it in some world.
pub(crate) fn is_found(run: impl Fn(u64) -> Result<(Finding, u64), String>, anomalies: &[&str]) {
    let invalid = (0..400).find_map(|seed| {
        // With a bug a cluster may stand still for ever; that is not what is looked for.
        let (finding, _) = run(seed).ok()?;
        (finding.verdict == Verdict::Invalid).then_some((seed, finding))
    });
    let (seed, finding) = invalid.expect("it is never found");
    let name = finding.anomalies[0].name.as_ref();
    println!("seed {seed}: {name}: {}", finding.reason);
    assert!(anomalies.contains(&name), "{finding:#?}");
}
