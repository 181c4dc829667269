//! A run as a suite of one test: for its junit.xml, and for GitHub.

use danso_reports::suite::{State, Suite, Test, Try};
use danso_vocab::{Plan, Results};

use super::outcome::{anomalies, judged};
use crate::judge::expectation::wanted;
use crate::load::Loaded;

/// A run that is over.
pub(crate) fn of_run(plan: &Plan, loaded: &Loaded, results: &Results) -> Suite {
    let (outcome, reason) = judged(plan, results, None);
    let took = std::time::Duration::from_nanos(loaded.history.end().0);
    let injections = plan.schedule.injections.iter();
    let kinds: std::collections::BTreeSet<_> = injections.map(|i| &*i.fault.kind).collect();
    let test = Test {
        name: format!("{}/seed-{}", plan.name, plan.seed),
        target: plan.target.name.clone(),
        workload: plan.workload.name.clone(),
        faults: kinds.into_iter().collect::<Vec<_>>().join("+"),
        seed: plan.seed,
        file: None,
        reproduce: results.reproduce.clone(),
        expected: wanted(plan),
        chosen: None,
        outcome,
        reason: reason.clone(),
        tries: vec![Try {
            outcome,
            reason,
            verdict: Some(results.verdict),
            anomalies: anomalies(results),
            took,
            folder: Some(".".to_owned()),
        }],
    };
    Suite {
        name: plan.name.clone(),
        file: None,
        seed: plan.seed,
        reproduce: results.reproduce.clone(),
        started: String::new(),
        took,
        state: match &results.interrupted {
            None => State::Ended,
            Some(why) => State::CutShort(why.clone()),
        },
        unknown_passes: false,
        tests: vec![test],
    }
}
