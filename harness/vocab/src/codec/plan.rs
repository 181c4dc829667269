//! `plan.json`: a [`Plan`], complete and in a fixed order, so that equal plans are equal bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::{In, Out, in_map, out_map};
use super::{FORMAT, ReadError, check_format};
use crate::plan::{Expect, Load, Resilience, TargetPlan, WorkloadPlan};
use crate::{
    Fault, FaultId, Injection, NodeId, Nodes, Plan, Schedule, Start, Time, Value, Verdict,
};

/// What stands in the file, written (`V` = [`Out`]) or read (`V` = [`In`]).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<S: Ord, V> {
    format: u32,
    name: String,
    seed: u64,
    target: Named<S, V>,
    node_seeds: Vec<u64>,
    workload: Named<S, V>,
    load: StoredLoad,
    network: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ipv6: bool,
    schedule: Vec<StoredInjection<V>>,
    left_out: Vec<String>,
    expect: StoredExpect,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named<S: Ord, V> {
    name: String,
    params: BTreeMap<S, V>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLoad {
    rate: Option<u32>,
    time_ns: u64,
    timeout_ns: u64,
    streams: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resilience: Option<StoredResilience>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredResilience {
    attempt_ns: Option<u64>,
    retries: u32,
    backoff_ns: u64,
    most_ns: u64,
    breaker: u32,
    open_ns: u64,
    bulkhead: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredInjection<V> {
    id: u32,
    kind: String,
    nodes: StoredNodes,
    args: V,
    start_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    on_log: Option<StoredTrigger>,
    lasts_ns: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTrigger {
    text: String,
    delay_ns: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredNodes {
    Role(String),
    These(Vec<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredExpect {
    verdict: String,
    #[serde(default)]
    anomalies: Vec<String>,
    ok_rate: f64,
    min_ops: u64,
}

/// The bytes of `plan.json`.
pub fn write(plan: &Plan) -> Vec<u8> {
    let stored = Stored {
        format: FORMAT,
        name: plan.name.clone(),
        seed: plan.seed,
        target: Named { name: plan.target.name.clone(), params: out_map(&plan.target.options) },
        node_seeds: plan.target.seeds.clone(),
        workload: Named {
            name: plan.workload.name.clone(),
            params: out_map(&plan.workload.params),
        },
        load: StoredLoad {
            rate: plan.load.rate,
            time_ns: Time::from(plan.load.time).0,
            timeout_ns: Time::from(plan.load.timeout).0,
            streams: plan.load.streams.clone(),
            resilience: store_resilience(&plan.load.resilience),
        },
        network: plan.network.clone(),
        ipv6: plan.ipv6,
        schedule: plan.schedule.injections.iter().map(store_injection).collect(),
        left_out: plan.left_out.clone(),
        expect: StoredExpect {
            verdict: plan.expect.verdict.word().to_owned(),
            anomalies: plan.expect.anomalies.clone(),
            ok_rate: plan.expect.ok_rate,
            min_ops: plan.expect.min_ops,
        },
    };
    let mut bytes = serde_json::to_vec_pretty(&stored).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Clients that do nothing of the kind are not mentioned.
fn store_resilience(of: &Resilience) -> Option<StoredResilience> {
    (*of != Resilience::default()).then(|| StoredResilience {
        attempt_ns: of.attempt.map(|attempt| Time::from(attempt).0),
        retries: of.retries,
        backoff_ns: Time::from(of.backoff).0,
        most_ns: Time::from(of.most).0,
        breaker: of.breaker,
        open_ns: Time::from(of.open).0,
        bulkhead: of.bulkhead,
    })
}

fn load_resilience(stored: StoredResilience) -> Resilience {
    Resilience {
        attempt: stored.attempt_ns.map(Duration::from_nanos),
        retries: stored.retries,
        backoff: Duration::from_nanos(stored.backoff_ns),
        most: Duration::from_nanos(stored.most_ns),
        breaker: stored.breaker,
        open: Duration::from_nanos(stored.open_ns),
        bulkhead: stored.bulkhead,
    }
}

fn store_injection(injection: &Injection) -> StoredInjection<Out<'_>> {
    let (start, on_log) = match &injection.start {
        Start::At(time) => (*time, None),
        Start::OnLog { from, text, delay } => {
            let delay_ns = Time::from(*delay).0;
            (*from, Some(StoredTrigger { text: text.clone(), delay_ns }))
        }
    };
    StoredInjection {
        id: injection.id.0,
        kind: injection.fault.kind.clone().into_owned(),
        nodes: match &injection.fault.nodes {
            Nodes::These(nodes) => {
                StoredNodes::These(nodes.iter().map(NodeId::to_string).collect())
            }
            role => StoredNodes::Role(role.word().unwrap_or_default().to_owned()),
        },
        args: Out(&injection.fault.args),
        start_ns: start.0,
        on_log,
        lasts_ns: Time::from(injection.lasts).0,
    }
}

/// Reads `plan.json`.
///
/// # Errors
/// If it is no plan of this format.
pub fn read(bytes: &[u8]) -> Result<Plan, ReadError> {
    let stored: Stored<String, In> =
        serde_json::from_slice(bytes).map_err(|e| ReadError::json(&e))?;
    check_format(stored.format)?;
    let mut injections = Vec::with_capacity(stored.schedule.len());
    for injection in stored.schedule {
        injections.push(load_injection(injection)?);
    }
    let verdict = Verdict::of_word(&stored.expect.verdict).ok_or_else(|| {
        let got = &stored.expect.verdict;
        ReadError::whole(format!(
            "expect.verdict is `{got}`, but must be valid, unknown or invalid"
        ))
    })?;
    Ok(Plan {
        name: stored.name,
        seed: stored.seed,
        target: TargetPlan {
            name: stored.target.name,
            options: in_map(stored.target.params),
            seeds: stored.node_seeds,
        },
        workload: WorkloadPlan {
            name: stored.workload.name,
            params: in_map(stored.workload.params),
        },
        load: Load {
            rate: stored.load.rate,
            time: Duration::from_nanos(stored.load.time_ns),
            timeout: Duration::from_nanos(stored.load.timeout_ns),
            streams: stored.load.streams,
            resilience: stored.load.resilience.map(load_resilience).unwrap_or_default(),
        },
        network: stored.network,
        ipv6: stored.ipv6,
        schedule: Schedule { injections },
        left_out: stored.left_out,
        expect: Expect {
            verdict,
            anomalies: stored.expect.anomalies,
            ok_rate: stored.expect.ok_rate,
            min_ops: stored.expect.min_ops,
        },
    })
}

fn load_injection(stored: StoredInjection<In>) -> Result<Injection, ReadError> {
    let nodes = match stored.nodes {
        StoredNodes::Role(role) => Nodes::of_word(&role).ok_or_else(|| {
            let known: Vec<_> = Nodes::words().collect();
            ReadError::whole(format!(
                "injection {}: nodes are `{role}`, but must be a list or one of {}",
                stored.id,
                known.join(", ")
            ))
        })?,
        StoredNodes::These(names) => Nodes::These(
            names
                .iter()
                .map(|n| n.parse())
                .collect::<Result<_, String>>()
                .map_err(ReadError::whole)?,
        ),
    };
    let from = Time(stored.start_ns);
    Ok(Injection {
        id: FaultId(stored.id),
        fault: Fault { kind: stored.kind.into(), nodes, args: stored.args.0 },
        start: match stored.on_log {
            None => Start::At(from),
            Some(StoredTrigger { text, delay_ns }) => {
                Start::OnLog { from, text, delay: Duration::from_nanos(delay_ns) }
            }
        },
        lasts: Duration::from_nanos(stored.lasts_ns),
    })
}

/// The value of a fault's `cut`: directed links between nodes.
pub fn links(cut: &[(NodeId, NodeId)]) -> Value {
    Value::List(
        cut.iter()
            .map(|(a, b)| Value::from([Value::from(a.to_string()), b.to_string().into()]))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let fault = Fault {
            kind: "partition".into(),
            nodes: Nodes::These(NodeId::all(3)),
            args: Value::of([("cut", links(&[(NodeId(1), NodeId(2))]))]),
        };
        let kill = Fault { kind: "kill".into(), nodes: Nodes::Speaker, args: Value::of([]) };
        let on = Start::OnLog {
            from: Time(7),
            text: "became leader".to_owned(),
            delay: Duration::from_millis(3),
        };
        let injection = |fault, start| Injection {
            id: FaultId(9),
            fault,
            start,
            lasts: Duration::from_millis(5),
        };
        Plan {
            name: "x".to_owned(),
            seed: u64::MAX,
            target: TargetPlan {
                name: "raft-kv".to_owned(),
                options: [("bug".to_owned(), Value::Nil)].into(),
                seeds: vec![1, 2, u64::MAX],
            },
            workload: WorkloadPlan {
                name: "register".to_owned(),
                params: [("keys".to_owned(), Value::from(8))].into(),
            },
            load: Load {
                rate: None,
                time: Duration::from_secs(20),
                timeout: Duration::from_secs(1),
                streams: vec![3, 4],
                resilience: Resilience { retries: 2, ..Resilience::default() },
            },
            network: "auto".to_owned(),
            ipv6: true,
            schedule: Schedule::new(vec![
                injection(kill, on),
                injection(fault, Start::At(Time(3))),
            ]),
            left_out: vec!["clock: not here".to_owned()],
            expect: Expect::default(),
        }
    }

    #[test]
    fn a_plan_reads_as_it_was_written() {
        let plan = plan();
        assert_eq!(plan.schedule.injections[0].id, FaultId(0));
        let bytes = write(&plan);
        assert!(bytes.starts_with(b"{\n  \"format\": 1,"));
        let back = read(&bytes).unwrap();
        assert_eq!(back, plan);
        assert_eq!(write(&back), bytes);
    }

    #[test]
    fn strange_plans_are_refused() {
        let text = String::from_utf8(write(&plan())).unwrap();
        let refused = |from: &str, to: &str| {
            read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
        };
        assert!(refused("\"seed\"", "\"sede\"").contains("unknown field `sede`"));
        assert!(refused("\"format\": 1", "\"format\": 2").contains("format 2"));
        assert!(refused("\"speaker\"", "\"whoever\"").contains("whoever"));
        assert!(refused("\"n1\"", "\"one\"").contains("no node"));
    }
}
