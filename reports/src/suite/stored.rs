//! suite.json.

use std::time::Duration;

use danso_vocab::Verdict;
use danso_vocab::codec::FORMAT;
use serde::{Deserialize, Serialize};

use super::{Outcome, State, Suite, Test, Try};

#[derive(Serialize, Deserialize)]
struct StoredSuite {
    format: u32,
    name: String,
    file: Option<String>,
    seed: u64,
    reproduce: String,
    started: String,
    took_ms: u64,
    state: String,
    cut_short: Option<String>,
    unknown_passes: bool,
    tests: Vec<StoredTest>,
}

#[derive(Serialize, Deserialize)]
struct StoredTest {
    name: String,
    target: String,
    workload: String,
    faults: String,
    seed: u64,
    file: Option<String>,
    reproduce: String,
    expected: String,
    chosen: Option<String>,
    outcome: String,
    reason: String,
    tries: Vec<StoredTry>,
}

#[derive(Serialize, Deserialize)]
struct StoredTry {
    outcome: String,
    reason: String,
    verdict: Option<String>,
    anomalies: Vec<String>,
    took_ms: u64,
    folder: Option<String>,
}

const RUNNING: &str = "running";
const ENDED: &str = "ended";
const CUT_SHORT: &str = "cut short";

/// The bytes of suite.json.
pub fn write(suite: &Suite) -> Vec<u8> {
    let (state, cut_short) = match &suite.state {
        State::Running => (RUNNING, None),
        State::Ended => (ENDED, None),
        State::CutShort(why) => (CUT_SHORT, Some(why.clone())),
    };
    let stored = StoredSuite {
        format: FORMAT,
        name: suite.name.clone(),
        file: suite.file.clone(),
        seed: suite.seed,
        reproduce: suite.reproduce.clone(),
        started: suite.started.clone(),
        took_ms: millis(suite.took),
        state: state.to_owned(),
        cut_short,
        unknown_passes: suite.unknown_passes,
        tests: suite.tests.iter().map(store).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&stored).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn store(test: &Test) -> StoredTest {
    let store = |t: &Try| StoredTry {
        outcome: t.outcome.word().to_owned(),
        reason: t.reason.clone(),
        verdict: t.verdict.map(|v| v.word().to_owned()),
        anomalies: t.anomalies.clone(),
        took_ms: millis(t.took),
        folder: t.folder.clone(),
    };
    StoredTest {
        name: test.name.clone(),
        target: test.target.clone(),
        workload: test.workload.clone(),
        faults: test.faults.clone(),
        seed: test.seed,
        file: test.file.clone(),
        reproduce: test.reproduce.clone(),
        expected: test.expected.clone(),
        chosen: test.chosen.clone(),
        outcome: test.outcome.word().to_owned(),
        reason: test.reason.clone(),
        tries: test.tries.iter().map(store).collect(),
    }
}

/// Reads suite.json.
///
/// # Errors
/// If it is none of this format: one line.
pub fn read(bytes: &[u8]) -> Result<Suite, String> {
    let stored: StoredSuite = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if stored.format != FORMAT {
        let format = stored.format;
        return Err(format!("format {format} is not known here: use the danso that wrote it"));
    }
    let state = match (stored.state.as_str(), stored.cut_short) {
        (RUNNING, _) => State::Running,
        (ENDED, _) => State::Ended,
        (CUT_SHORT, why) => State::CutShort(why.unwrap_or_default()),
        (other, _) => return Err(format!("state `{other}` is none of a suite")),
    };
    Ok(Suite {
        name: stored.name,
        file: stored.file,
        seed: stored.seed,
        reproduce: stored.reproduce,
        started: stored.started,
        took: Duration::from_millis(stored.took_ms),
        state,
        unknown_passes: stored.unknown_passes,
        tests: stored.tests.into_iter().map(load).collect::<Result<_, _>>()?,
    })
}

fn load(test: StoredTest) -> Result<Test, String> {
    let load = |t: StoredTry| {
        let verdict =
            |word: String| Verdict::of_word(&word).ok_or_else(|| format!("`{word}` is no verdict"));
        Ok::<_, String>(Try {
            outcome: outcome(&t.outcome)?,
            reason: t.reason,
            verdict: t.verdict.map(verdict).transpose()?,
            anomalies: t.anomalies,
            took: Duration::from_millis(t.took_ms),
            folder: t.folder,
        })
    };
    Ok(Test {
        name: test.name,
        target: test.target,
        workload: test.workload,
        faults: test.faults,
        seed: test.seed,
        file: test.file,
        reproduce: test.reproduce,
        expected: test.expected,
        chosen: test.chosen,
        outcome: outcome(&test.outcome)?,
        reason: test.reason,
        tries: test.tries.into_iter().map(load).collect::<Result<_, _>>()?,
    })
}

fn outcome(word: &str) -> Result<Outcome, String> {
    let found = Outcome::ALL.into_iter().find(|o| o.word() == word);
    found.ok_or_else(|| format!("`{word}` is no outcome of a test"))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_reads_as_it_was_written() {
        let tried = |outcome, verdict| Try {
            outcome,
            reason: "p4 read 2".to_owned(),
            verdict,
            anomalies: vec!["stale-read".to_owned()],
            took: Duration::from_millis(1234),
            folder: Some("tests/001/x".to_owned()),
        };
        let tests = Outcome::ALL.map(|outcome| Test {
            name: format!("a/{}", outcome.word()),
            outcome,
            seed: u64::MAX,
            chosen: Some("never run before".to_owned()),
            tries: vec![tried(outcome, Some(Verdict::Invalid)), tried(Outcome::Error, None)],
            ..Test::default()
        });
        for state in [State::Running, State::Ended, State::CutShort("SIGINT".to_owned())] {
            let suite = Suite {
                name: "all \u{0}\u{202e}</script>".to_owned(),
                state,
                took: Duration::from_secs(3),
                tests: tests.to_vec(),
                ..Suite::default()
            };
            assert_eq!(read(&write(&suite)).unwrap(), suite);
        }
        assert!(read(b"{}").is_err());
        let other = String::from_utf8(write(&Suite::default())).unwrap();
        let other = other.replace("\"format\": 1", "\"format\": 2");
        assert!(read(other.as_bytes()).unwrap_err().contains("format 2"));
    }
}
