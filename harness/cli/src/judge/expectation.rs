//! Whether a run ended as its plan expects.

use std::collections::BTreeSet;

use danso_vocab::{Plan, Results, Verdict};

/// Whether `results` are what `plan` expects: its verdict and, where that is `invalid` and it
/// names anomalies, one of these.
///
/// # Errors
/// One line: what was expected, and what came instead.
pub(crate) fn expectation(plan: &Plan, results: &Results) -> Result<(), String> {
    let (expect, verdict) = (&plan.expect, results.verdict);
    if verdict != expect.verdict {
        return Err(format!("expected {}, got {verdict}", wanted(plan)));
    }
    let anomalies = results.findings.iter().flat_map(|f| &f.anomalies);
    let found: BTreeSet<&str> = anomalies.map(|a| &*a.name).collect();
    let named = verdict == Verdict::Invalid && !expect.anomalies.is_empty();
    if named && !expect.anomalies.iter().any(|name| found.contains(name.as_str())) {
        let found: Vec<_> = found.into_iter().collect();
        return Err(format!("expected {}, found {}", wanted(plan), found.join(", ")));
    }
    Ok(())
}

/// How that went, in words; `None` if nothing but `valid` was expected, which the verdict tells.
pub(crate) fn outcome(plan: &Plan, results: &Results) -> Option<String> {
    if plan.expect.verdict == Verdict::Valid {
        return None;
    }
    Some(match expectation(plan, results) {
        Ok(()) => format!("{}: as expected", wanted(plan)),
        Err(why) => format!("not met: {why}"),
    })
}

/// What `plan` expects, in words: `invalid with stale-read or lost-write`.
pub(crate) fn wanted(plan: &Plan) -> String {
    let expect = &plan.expect;
    match (expect.verdict, expect.anomalies.as_slice()) {
        (Verdict::Invalid, [_, ..]) => {
            format!("{} with {}", expect.verdict, expect.anomalies.join(" or "))
        }
        _ => expect.verdict.to_string(),
    }
}
