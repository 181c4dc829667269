use super::world::{Setup, World};
use crate::raft_kv::bug::Bug;

/// A world that depends on the seed alone: three, five or seven nodes, long and short logs.
fn setup(seed: u64, bug: Option<Bug>) -> Setup {
    Setup {
        seed,
        nodes: [3, 3, 5, 7][seed as usize % 4],
        bug,
        pre_vote: !seed.is_multiple_of(5),
        max_entries: [256, 1, 3][seed as usize % 3],
        snapshot_every: [0, 40, 300][(seed / 3) as usize % 3],
        trouble_ms: 12_000,
    }
}

#[test]
fn healthy_clusters_keep_every_promise() {
    let (mut steps, mut commits, mut terms, mut succeeded) = (0, 0, 0, 0);
    let seeds = 240;
    for seed in 0..seeds {
        let summary = World::run(setup(seed, None)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        steps += summary.steps;
        commits += summary.commits;
        terms += summary.terms;
        succeeded += summary.succeeded;
    }
    println!("{seeds} worlds: {steps} steps, {commits} commits, {terms} terms, {succeeded} ok");
    assert!(commits > 200 * seeds as usize && terms > 10 * seeds as usize, "too little happened");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = || World::run(setup(3, None)).map(|s| (s.steps, s.commits, s.succeeded));
    assert_eq!(run(), run());
}

/// The switch does something, and the oracle sees it.
fn is_found(bug: Bug, promise: &[&str]) {
    let found = (0..400).find_map(|seed| World::run(setup(seed, Some(bug))).err().map(|e| (seed, e)));
    let (seed, violation) = found.unwrap_or_else(|| panic!("{bug:?} is never found"));
    println!("{bug:?}: seed {seed}: {violation}");
    assert!(promise.iter().any(|p| violation.contains(p)), "{violation}");
}

#[test]
fn stale_read_is_found() {
    is_found(Bug::StaleRead, &["stale read"]);
}

#[test]
fn forget_vote_is_found() {
    is_found(Bug::ForgetVote, &["election safety"]);
}

#[test]
fn commit_minority_is_found() {
    is_found(Bug::CommitMinority, &["leader completeness", "state machine safety"]);
}

#[test]
fn no_fsync_log_is_found() {
    is_found(Bug::NoFsyncLog, &["leader completeness", "state machine safety", "lost write"]);
}

#[test]
fn commit_old_term_is_found() {
    is_found(Bug::CommitOldTerm, &["leader completeness", "state machine safety"]);
}

#[test]
fn dup_apply_is_found() {
    is_found(Bug::DupApply, &["was told", "state machine safety"]);
}
