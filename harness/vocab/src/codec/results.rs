//! `results.json`: [`Results`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figure::{self, StoredFigure};
use super::json::{In, Out};
use super::{FORMAT, ReadError, check_format};
use crate::history::Counts;
use crate::results::FaultReport;
use crate::{Anomaly, FaultId, Finding, Name, NodeId, OpId, Results, Time, Verdict};

#[derive(Serialize, Deserialize)]
struct Stored<V> {
    format: u32,
    verdict: String,
    reason: String,
    seed: Option<u64>,
    reproduce: String,
    interrupted: Option<String>,
    checkers: Vec<StoredFinding<V>>,
    faults: Vec<StoredFault>,
    counts: BTreeMap<String, StoredCounts>,
    environment: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct StoredFinding<V> {
    name: String,
    verdict: String,
    reason: String,
    anomalies: Vec<StoredAnomaly<V>>,
    stats: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct StoredAnomaly<V> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    key: Option<V>,
    ops: Vec<u32>,
    because: String,
    explain: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    figure: Option<StoredFigure>,
}

#[derive(Serialize, Deserialize)]
struct StoredFault {
    id: u32,
    kind: String,
    nodes: Vec<String>,
    start_ns: Option<u64>,
    stop_ns: Option<u64>,
    bit: bool,
    effect: String,
}

#[derive(Serialize, Deserialize)]
struct StoredCounts {
    ok: u64,
    fail: u64,
    info: u64,
}

/// The bytes of `results.json`.
pub fn write(results: &Results) -> Vec<u8> {
    let stored = Stored {
        format: FORMAT,
        verdict: results.verdict.word().to_owned(),
        reason: results.reason.clone(),
        seed: results.seed,
        reproduce: results.reproduce.clone(),
        interrupted: results.interrupted.clone(),
        checkers: results.findings.iter().map(store_finding).collect(),
        faults: results.faults.iter().map(store_fault).collect(),
        counts: results
            .counts
            .iter()
            .map(|(f, c)| (f.clone(), StoredCounts { ok: c.ok, fail: c.fail, info: c.info }))
            .collect(),
        environment: results.environment.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&stored).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn store_finding(finding: &Finding) -> StoredFinding<Out<'_>> {
    StoredFinding {
        name: finding.checker.to_string(),
        verdict: finding.verdict.word().to_owned(),
        reason: finding.reason.clone(),
        anomalies: finding
            .anomalies
            .iter()
            .map(|a| StoredAnomaly {
                name: a.name.to_string(),
                key: a.key.as_ref().map(Out),
                ops: a.ops.iter().map(|id| id.0).collect(),
                because: a.because.clone(),
                explain: a.explain.clone(),
                figure: a.figure.as_ref().map(figure::store),
            })
            .collect(),
        stats: finding.stats.iter().map(|(k, v)| (k.to_string(), *v)).collect(),
    }
}

fn store_fault(fault: &FaultReport) -> StoredFault {
    StoredFault {
        id: fault.id.0,
        kind: fault.kind.to_string(),
        nodes: fault.nodes.iter().map(NodeId::to_string).collect(),
        start_ns: fault.start.map(|t| t.0),
        stop_ns: fault.stop.map(|t| t.0),
        bit: fault.bit,
        effect: fault.effect.clone(),
    }
}

/// Reads `results.json`.
///
/// # Errors
/// If it is none of this format.
pub fn read(bytes: &[u8]) -> Result<Results, ReadError> {
    let stored: Stored<In> = serde_json::from_slice(bytes).map_err(|e| ReadError::json(&e))?;
    check_format(stored.format)?;
    let mut findings = Vec::new();
    for finding in stored.checkers {
        findings.push(Finding {
            checker: Name::Owned(finding.name),
            verdict: verdict(&finding.verdict)?,
            reason: finding.reason,
            anomalies: finding.anomalies.into_iter().map(load_anomaly).collect::<Result<_, _>>()?,
            stats: finding.stats.into_iter().map(|(k, v)| (Name::Owned(k), v)).collect(),
        });
    }
    let mut faults = Vec::new();
    for fault in stored.faults {
        let nodes = fault.nodes.iter().map(|n| n.parse()).collect::<Result<_, String>>();
        faults.push(FaultReport {
            id: FaultId(fault.id),
            kind: Name::Owned(fault.kind),
            nodes: nodes.map_err(ReadError::whole)?,
            start: fault.start_ns.map(Time),
            stop: fault.stop_ns.map(Time),
            bit: fault.bit,
            effect: fault.effect,
        });
    }
    let counts = |c: StoredCounts| Counts { ok: c.ok, fail: c.fail, info: c.info };
    Ok(Results {
        verdict: verdict(&stored.verdict)?,
        reason: stored.reason,
        seed: stored.seed,
        reproduce: stored.reproduce,
        findings,
        faults,
        counts: stored.counts.into_iter().map(|(f, c)| (f, counts(c))).collect(),
        environment: stored.environment,
        interrupted: stored.interrupted,
    })
}

fn load_anomaly(stored: StoredAnomaly<In>) -> Result<Anomaly, ReadError> {
    Ok(Anomaly {
        name: Name::Owned(stored.name),
        key: stored.key.map(|k| k.0),
        ops: stored.ops.into_iter().map(OpId).collect(),
        because: stored.because,
        explain: stored.explain,
        figure: stored.figure.map(figure::load).transpose()?,
    })
}

fn verdict(word: &str) -> Result<Verdict, ReadError> {
    Verdict::of_word(word).ok_or_else(|| {
        ReadError::whole(format!("verdict `{word}` is none of valid, unknown, invalid"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_read_as_they_were_written() {
        let anomaly = Anomaly {
            name: "stale-read".into(),
            key: Some("k3".into()),
            ops: vec![OpId(812), OpId(640)],
            because: "op #812 read 2".to_owned(),
            explain: vec!["state 3".to_owned()],
            figure: None,
        };
        let results = Results {
            verdict: Verdict::Invalid,
            reason: "stale".to_owned(),
            seed: Some(u64::MAX),
            reproduce: "danso run raft-kv --seed 7".to_owned(),
            findings: vec![Finding::invalid("linearizable", vec![anomaly]).stat("states", 9)],
            faults: vec![FaultReport {
                id: FaultId(0),
                kind: "kill".into(),
                nodes: vec![NodeId(2)],
                start: Some(Time(1)),
                stop: None,
                bit: true,
                effect: "pid 7 gone".to_owned(),
            }],
            counts: [("read".to_owned(), Counts { ok: 1, fail: 2, info: 3 })].into(),
            environment: [("kernel".to_owned(), "6.1".to_owned())].into(),
            interrupted: Some("SIGINT".to_owned()),
        };
        let bytes = write(&results);
        assert!(bytes.starts_with(b"{\n  \"format\": 1,\n  \"verdict\": \"invalid\""));
        assert_eq!(read(&bytes).unwrap(), results);
    }
}
