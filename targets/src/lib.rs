//! How to start, reach and hurt one kind of system: the bundled reference clusters.
//!
//! [`TARGETS`] is the registry. A target is a recipe: it says which processes to run and gives
//! the engine a client. The nodes of bundled targets are part of the one binary and are run as
//! `danso node NAME …`.

mod crdt;
mod kit;
mod lock;
mod names;
mod noop;
mod paxos_register;
mod primary_kv;
mod probe;
mod queue;
mod quorum_kv;
mod raft;
mod raft_kv;
mod saga;
mod two_phase;

use std::collections::BTreeMap;
use std::sync::Arc;

use danso_engine::target::Target;
use danso_vocab::{ParamSpec, Value};

/// A deliberate mistake that a target can be told to make: a canary for the checkers.
#[derive(Clone, Copy, Debug)]
pub struct BugSpec {
    /// Its name, as in the option `bug`.
    pub name: &'static str,
    /// The mistake, in one line.
    pub about: &'static str,
}

/// The target with these options; those not given have their defaults. The error is one line
/// and names what there is.
pub type Build = fn(&BTreeMap<String, Value>) -> Result<Arc<dyn Target>, String>;

/// Runs one node with these arguments until it is told to stop; the error is one line.
pub type RunNode = fn(Vec<String>) -> Result<(), String>;

/// A workload, one of its parameters (or `options.NAME`: an option of the target), and its value.
pub type Wanted = (&'static str, &'static str, fn() -> Value);

/// A bundled target.
#[derive(Clone, Copy, Debug)]
pub struct TargetSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// How many nodes it may have; the first is the default.
    pub nodes: &'static [u16],
    /// The workloads its client speaks; the first is what runs if nobody says.
    pub workloads: &'static [&'static str],
    /// Parameters of those workloads, and options with them, that it wants other than usual, unless
    /// the user says them.
    pub params: &'static [Wanted],
    /// Its options, `bug` among them if it has bugs.
    pub options: &'static [ParamSpec],
    /// The mistakes it can be told to make.
    pub bugs: &'static [BugSpec],
    /// Makes the recipe.
    pub build: Build,
    /// What `danso node NAME ARGS…` does, if there is a node of ours.
    pub node: Option<RunNode>,
}

/// All bundled targets.
pub const TARGETS: &[TargetSpec] = &[
    raft_kv::SPEC,
    paxos_register::SPEC,
    primary_kv::SPEC,
    quorum_kv::SPEC,
    queue::SPEC,
    saga::SPEC,
    lock::SPEC,
    two_phase::SPEC,
    crdt::SPEC,
    probe::SPEC,
    noop::SPEC,
];

/// The target called `name`.
///
/// # Errors
/// One line naming the nearest target and all there are.
pub fn find(name: &str) -> Result<&'static TargetSpec, String> {
    TARGETS.iter().find(|t| t.name == name).ok_or_else(|| {
        let known: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        names::unknown("target", name, &known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_well_formed() {
        for (i, target) in TARGETS.iter().enumerate() {
            assert!(TARGETS[..i].iter().all(|t| t.name != target.name), "{}", target.name);
            assert!(!target.about.is_empty() && !target.nodes.is_empty(), "{}", target.name);
            assert!(!target.workloads.is_empty(), "{}", target.name);
            for (workload, param, _) in target.params {
                assert!(target.workloads.contains(workload), "{}: {workload}.{param}", target.name);
                let option = param.strip_prefix("options.");
                let known = |option| target.options.iter().any(|o| o.name == option);
                assert!(option.is_none_or(known), "{}: {param}", target.name);
            }
            assert_eq!(
                !target.bugs.is_empty(),
                target.options.iter().any(|o| o.name == "bug"),
                "{}",
                target.name
            );
            let defaults = target.options.iter().map(|o| (o.name.to_owned(), (o.default)()));
            assert!((target.build)(&defaults.collect()).is_ok(), "{}", target.name);
            assert!((target.build)(&BTreeMap::new()).is_ok(), "{}", target.name);
            for bug in target.bugs {
                let options = [("bug".to_owned(), Value::from(bug.name))].into();
                assert!((target.build)(&options).is_ok(), "{}", bug.name);
            }
        }
    }

    #[test]
    fn unknown_names_are_answered_with_known_ones() {
        assert!(find("raft-kv").is_ok());
        let error = find("raft-vk").unwrap_err();
        let known: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        let want = "there is no target `raft-vk`; did you mean `raft-kv`? There are: ";
        assert_eq!(error, format!("{want}{}", known.join(", ")));
        let options = [("bug".to_owned(), Value::from("stale-raed"))].into();
        let error = (raft_kv::SPEC.build)(&options).err().unwrap();
        assert!(error.contains("did you mean `stale-read`?"), "{error}");
        let options = [("bgu".to_owned(), Value::Nil)].into();
        let error = (raft_kv::SPEC.build)(&options).err().unwrap();
        assert!(error.contains("did you mean `bug`?"), "{error}");
    }
}
