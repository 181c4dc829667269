//! The options of `raft-kv`, the same for the target and on a node's command line.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Params, Value};

use super::bug::Bug;
use crate::names;

/// The options, as `danso list targets` shows them.
pub(crate) const OPTIONS: &[ParamSpec] = &[
    ParamSpec { name: "bug", about: "a mistake to make; nil for none", default: || Value::Nil },
    ParamSpec {
        name: "election-timeout-min-ms",
        about: "the shortest election timeout",
        default: || 200.into(),
    },
    ParamSpec {
        name: "election-timeout-max-ms",
        about: "the longest election timeout",
        default: || 400.into(),
    },
    ParamSpec {
        name: "heartbeat-ms",
        about: "a leader is silent no longer than this; votes are asked for again this often",
        default: || 50.into(),
    },
    ParamSpec {
        name: "pre-vote",
        about: "ask whether an election could be won before disturbing anybody (thesis, 9.6)",
        default: || true.into(),
    },
    ParamSpec {
        name: "max-entries",
        about: "the most log entries in one AppendEntries",
        default: || 256.into(),
    },
    ParamSpec {
        name: "snapshot-every",
        about: "entries between snapshots; 0 for none",
        default: || 10_000.into(),
    },
    ParamSpec {
        name: "fsync",
        about: "wait for the disk; without it only a power failure loses data, not a kill",
        default: || true.into(),
    },
    ParamSpec {
        name: "request-timeout-ms",
        about: "a node gives up waiting for a request's entry after this",
        default: || 2_000.into(),
    },
    ParamSpec {
        name: "attempt-timeout-ms",
        about: "a client's first attempt waits this long before it asks another node",
        default: || 300.into(),
    },
];

/// Checked options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) bug: Option<Bug>,
    pub(crate) election_min_ms: u64,
    pub(crate) election_max_ms: u64,
    pub(crate) heartbeat_ms: u64,
    pub(crate) pre_vote: bool,
    pub(crate) max_entries: usize,
    pub(crate) snapshot_every: u64,
    pub(crate) fsync: bool,
    pub(crate) request_timeout_ms: u64,
    pub(crate) attempt_timeout_ms: u64,
    /// All options with their values, to be handed on to the nodes.
    pub(crate) all: BTreeMap<String, Value>,
}

impl Settings {
    /// The given options, completed by defaults; the error is one line.
    pub(crate) fn new(given: &BTreeMap<String, Value>) -> Result<Settings, String> {
        if let Some(name) = given.keys().find(|g| OPTIONS.iter().all(|o| o.name != *g)) {
            let known: Vec<&str> = OPTIONS.iter().map(|o| o.name).collect();
            return Err(names::unknown("option", name, &known));
        }
        let params = Params::complete(OPTIONS, given).map_err(|e| e.to_string())?;
        let bug = match params.get("bug") {
            Value::Nil => None,
            Value::Str(name) => Some(Bug::named(name)?),
            other => return Err(format!("option `bug` is {other}, but must be a name or nil")),
        };
        let settings = Settings {
            bug,
            election_min_ms: int(&params, "election-timeout-min-ms", 10, 60_000)?,
            election_max_ms: int(&params, "election-timeout-max-ms", 10, 60_000)?,
            heartbeat_ms: int(&params, "heartbeat-ms", 1, 10_000)?,
            pre_vote: flag(&params, "pre-vote")?,
            max_entries: int(&params, "max-entries", 1, 100_000)? as usize,
            snapshot_every: int(&params, "snapshot-every", 0, 1_000_000_000)?,
            fsync: flag(&params, "fsync")?,
            request_timeout_ms: int(&params, "request-timeout-ms", 1, 600_000)?,
            attempt_timeout_ms: int(&params, "attempt-timeout-ms", 1, 600_000)?,
            all: params.all().clone(),
        };
        if settings.election_max_ms < settings.election_min_ms {
            return Err("option `election-timeout-max-ms` is below the minimum".to_owned());
        }
        if settings.heartbeat_ms * 2 > settings.election_min_ms {
            return Err("option `heartbeat-ms` must be at most half of `election-timeout-min-ms`"
                .to_owned());
        }
        Ok(settings)
    }
}

fn int(params: &Params, name: &str, low: i64, high: i64) -> Result<u64, String> {
    params.int(name, low..=high).map(|i| i as u64).map_err(|e| e.to_string())
}

fn flag(params: &Params, name: &str) -> Result<bool, String> {
    let got = params.get(name);
    got.bool().ok_or_else(|| format!("option `{name}` is {got}, but must be true or false"))
}

/// `NAME=VALUE` from a command line.
pub(crate) fn parse_option(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is no option: write NAME=VALUE"))?;
    let value = match value {
        "nil" | "null" | "" => Value::Nil,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        other => other.parse().map_or_else(|_| Value::from(other), Value::Int),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: impl Into<Value>) -> Result<Settings, String> {
        Settings::new(&[(name.to_owned(), value.into())].into())
    }

    #[test]
    fn options_are_checked() {
        assert_eq!(with("bug", "dup-apply").unwrap().bug, Some(Bug::DupApply));
        assert_eq!(with("bug", ()).unwrap().bug, None);
        assert!(with("bug", 3).is_err());
        assert!(with("heartbeat-ms", 150).unwrap_err().contains("half"));
        assert!(with("election-timeout-max-ms", 100).unwrap_err().contains("below"));
        assert!(with("fsync", "yes").unwrap_err().contains("true or false"));
        assert!(with("max-entries", 0).unwrap_err().contains("from 1"));
    }

    #[test]
    fn options_round_trip_through_a_command_line() {
        for (name, value) in Settings::new(&BTreeMap::new()).unwrap().all {
            assert_eq!(parse_option(&format!("{name}={value}")), Ok((name, value)));
        }
        assert!(parse_option("fsync").is_err());
    }
}
