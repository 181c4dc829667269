//! What a child's end means for its test.

use std::path::Path;

use danso_reports::suite::{Outcome, Try};
use danso_vocab::{Plan, Results, Verdict, codec};

use crate::child::Ended;
use crate::judge::expectation::expectation;

/// A try, from how its child ended; `root` is the folder of the suite.
pub(super) fn tried(ended: &Ended, root: &Path) -> Try {
    let plan = ended
        .folder
        .as_ref()
        .and_then(|folder| codec::plan::read(&std::fs::read(folder.join("plan.json")).ok()?).ok());
    let (outcome, reason) = match (&plan, &ended.results) {
        (Some(plan), Some(results)) if ended.code == Some(code(results.verdict)) => {
            judged(plan, results, ended.cut)
        }
        _ => (Outcome::Error, without_results(ended)),
    };
    let results = ended.results.as_ref();
    let anomalies = results.map(anomalies).unwrap_or_default();
    let folder = ended
        .folder
        .as_ref()
        .map(|folder| folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned());
    let verdict = results.map(|r| r.verdict);
    Try { outcome, reason, verdict, anomalies, took: ended.took, folder }
}

/// The anomalies found, each name once.
pub(super) fn anomalies(results: &Results) -> Vec<String> {
    let mut names = Vec::new();
    for anomaly in results.findings.iter().flat_map(|f| &f.anomalies) {
        let name = anomaly.name.to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What `danso run` ends with.
fn code(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::Valid => 0,
        Verdict::Invalid => 1,
        Verdict::Unknown => 2,
    }
}

/// What a run's results are to its plan; `cut` is why it was told to end.
pub(super) fn judged(plan: &Plan, results: &Results, cut: Option<&str>) -> (Outcome, String) {
    let reason = &results.reason;
    match (expectation(plan, results), results.verdict, cut) {
        // A run that was ended came to no answer of its own.
        (_, Verdict::Unknown, Some(cut)) => (Outcome::Unknown, format!("{cut}: {reason}")),
        (Ok(()), ..) => (Outcome::Passed, reason.clone()),
        (Err(_), Verdict::Unknown, None) => (Outcome::Unknown, reason.clone()),
        (Err(_), Verdict::Invalid, _) if plan.expect.verdict == Verdict::Valid => {
            (Outcome::Failed, reason.clone())
        }
        (Err(why), ..) => (Outcome::Failed, format!("{why}: {reason}")),
    }
}

/// Why there is no run to judge: what the child said last.
fn without_results(ended: &Ended) -> String {
    let said = ended.said.lines().rev();
    let error = said.clone().find(|line| line.starts_with("error:"));
    let last = error.or_else(|| said.clone().find(|line| !line.is_empty()));
    let last = last.unwrap_or("it said nothing");
    match (ended.cut, ended.code) {
        (Some(cut), _) => format!("{cut}, before there was anything to judge: {last}"),
        (None, None) => format!("it was killed: {last}"),
        (None, Some(code)) => format!("it ended with {code}: {last}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ended(code: Option<i32>, cut: Option<&'static str>, said: &str) -> Ended {
        Ended {
            code,
            cut,
            folder: None,
            results: None,
            said: said.to_owned(),
            took: Duration::from_secs(1),
        }
    }

    #[test]
    fn without_results_there_is_nothing_to_pass() {
        for (code, cut, said, words) in [
            (Some(0), None, "", "ended with 0: it said nothing"),
            (
                Some(254),
                None,
                "x\nerror: no such thing\n\n",
                "ended with 254: error: no such thing",
            ),
            (None, None, "half a line", "killed: half a line"),
            (None, Some("timeout"), "seed 1", "timeout, before"),
        ] {
            let tried = tried(&ended(code, cut, said), Path::new("/"));
            assert_eq!(tried.outcome, Outcome::Error);
            assert!(tried.reason.contains(words), "{}", tried.reason);
        }
    }
}
