//! The options of `quorum-kv` and the mistakes it can be told to make. Each mistake is one branch
//! somewhere: search for its variant.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use super::detector::Method;
use crate::BugSpec;
use crate::kit::options::{BUG, FSYNC, Options};

/// How writes are ordered and reads answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Stamps come from a quorum, and a read writes back what it returns: with R + W > N
    /// registers are linearizable.
    Abd,
    /// Stamps come from the coordinator's clock, the last one wins: with R + W > N a read may
    /// still be taken back, and a clock that is ahead hides the writes of others.
    Lww,
    /// Writes that have not seen each other are kept side by side.
    Siblings,
}

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    NoReadRepair,
    ClockWins,
    HintLost,
    SiblingDrop,
    RingOffByOne,
    AckBeforeWrite,
}

/// All of them.
pub(crate) const BUGS: [(BugSpec, Bug); 6] = [
    (
        BugSpec {
            name: "no-read-repair",
            about: "a read does not bring replicas that lag behind up to date (ABD: no write-back)",
        },
        Bug::NoReadRepair,
    ),
    (
        BugSpec {
            name: "clock-wins",
            about: "a write is stamped with the coordinator's wall clock, whatever replicas have",
        },
        Bug::ClockWins,
    ),
    (
        BugSpec {
            name: "hint-lost",
            about: "hints for nodes that are down are kept in memory only and gone after a restart",
        },
        Bug::HintLost,
    ),
    (
        BugSpec {
            name: "sibling-drop",
            about: "a write replaces all that went through its coordinator, seen or not",
        },
        Bug::SiblingDrop,
    ),
    (
        BugSpec {
            name: "ring-off-by-one",
            about: "tokens of a node that joins are numbered from 1 by the others, from 0 by itself",
        },
        Bug::RingOffByOne,
    ),
    (
        BugSpec {
            name: "ack-before-write",
            about: "a replica acknowledges at once and writes to its disk up to 2 s later",
        },
        Bug::AckBeforeWrite,
    ),
];

/// The same as the registry wants them.
pub(crate) const BUG_SPECS: &[BugSpec] =
    &[BUGS[0].0, BUGS[1].0, BUGS[2].0, BUGS[3].0, BUGS[4].0, BUGS[5].0];

/// The options, as `danso list targets` shows them.
pub(crate) const OPTIONS: &[ParamSpec] = &[
    BUG,
    FSYNC,
    ParamSpec {
        name: "mode",
        about: "abd (linearizable registers), lww (the last write wins) or siblings",
        default: || "abd".into(),
    },
    ParamSpec { name: "replicas", about: "N: nodes that keep a key", default: || 3.into() },
    ParamSpec {
        name: "read-quorum",
        about: "R: replicas that must answer a read",
        default: || 2.into(),
    },
    ParamSpec {
        name: "write-quorum",
        about: "W: replicas that must have a write",
        default: || 2.into(),
    },
    ParamSpec {
        name: "virtual-nodes",
        about: "tokens of a node on the ring",
        default: || 16.into(),
    },
    ParamSpec {
        name: "sloppy",
        about: "the next nodes on the ring stand in for those that seem to be down",
        default: || false.into(),
    },
    ParamSpec {
        name: "hinted-handoff",
        about: "what a replica missed is kept for it",
        default: || true.into(),
    },
    ParamSpec {
        name: "read-repair",
        about: "reads bring replicas that lag behind up to date; abd always does",
        default: || true.into(),
    },
    ParamSpec {
        name: "anti-entropy-ms",
        about: "how often a node compares hash trees with a peer; 0 for never",
        default: || 250.into(),
    },
    ParamSpec {
        name: "detector",
        about: "who seems to be down: timeout (since the last heartbeat) or phi (accrual)",
        default: || "timeout".into(),
    },
    ParamSpec { name: "heartbeat-ms", about: "between two heartbeats", default: || 100.into() },
    ParamSpec {
        name: "suspect-ms",
        about: "silence after which a node seems to be down",
        default: || 500.into(),
    },
    ParamSpec {
        name: "phi",
        about: "the suspicion at which a node seems to be down, with detector = phi",
        default: || 8.into(),
    },
    ParamSpec {
        name: "request-timeout-ms",
        about: "a coordinator gives up waiting for a quorum after this",
        default: || 1_500.into(),
    },
];

/// Checked options. Times are ns.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) bug: Option<Bug>,
    pub(crate) fsync: bool,
    pub(crate) mode: Mode,
    pub(crate) replicas: usize,
    pub(crate) read_quorum: usize,
    pub(crate) write_quorum: usize,
    pub(crate) virtual_nodes: u32,
    pub(crate) sloppy: bool,
    pub(crate) hinted_handoff: bool,
    pub(crate) read_repair: bool,
    /// `None` for never.
    pub(crate) anti_entropy: Option<u64>,
    pub(crate) detector: Method,
    pub(crate) heartbeat: u64,
    pub(crate) request_timeout: u64,
    /// All options with their values, to be handed on to the nodes.
    pub(crate) all: BTreeMap<String, Value>,
}

impl Settings {
    /// The given options, completed by defaults; the error is one line.
    pub(crate) fn new(given: &BTreeMap<String, Value>) -> Result<Settings, String> {
        let options = Options::new(OPTIONS, given)?;
        let timeout = options.ms("suspect-ms", 10, 600_000)?;
        let threshold = options.int("phi", 1, 300)? as f64;
        let phi = Method::Phi { threshold, timeout };
        let detectors = [("timeout", Method::Timeout(timeout)), ("phi", phi)];
        let modes = [("abd", Mode::Abd), ("lww", Mode::Lww), ("siblings", Mode::Siblings)];
        let anti_entropy = options.ms("anti-entropy-ms", 0, 3_600_000)?;
        let settings = Settings {
            bug: options.bug(&BUGS)?,
            fsync: options.flag("fsync")?,
            mode: options.word("mode", &modes)?,
            replicas: options.int("replicas", 1, 100)? as usize,
            read_quorum: options.int("read-quorum", 1, 100)? as usize,
            write_quorum: options.int("write-quorum", 1, 100)? as usize,
            virtual_nodes: options.int("virtual-nodes", 1, 1_024)? as u32,
            sloppy: options.flag("sloppy")?,
            hinted_handoff: options.flag("hinted-handoff")?,
            read_repair: options.flag("read-repair")?,
            anti_entropy: (anti_entropy > 0).then_some(anti_entropy),
            detector: options.word("detector", &detectors)?,
            heartbeat: options.ms("heartbeat-ms", 1, 60_000)?,
            request_timeout: options.ms("request-timeout-ms", 1, 600_000)?,
            all: options.all().clone(),
        };
        for (name, quorum) in
            [("read-quorum", settings.read_quorum), ("write-quorum", settings.write_quorum)]
        {
            if quorum > settings.replicas {
                return Err(format!(
                    "option `{name}` is {quorum}, more than the {} `replicas`",
                    settings.replicas
                ));
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[(&str, Value)]) -> Result<Settings, String> {
        let given = options.iter().map(|(n, v)| ((*n).to_owned(), v.clone()));
        Settings::new(&given.collect())
    }

    #[test]
    fn options_are_checked() {
        let settings = with(&[]).unwrap();
        assert_eq!((settings.bug, settings.mode), (None, Mode::Abd));
        assert!(settings.read_quorum + settings.write_quorum > settings.replicas);
        for (spec, bug) in BUGS {
            assert_eq!(with(&[("bug", spec.name.into())]).unwrap().bug, Some(bug));
        }
        assert_eq!(with(&[("anti-entropy-ms", 0.into())]).unwrap().anti_entropy, None);
        let refused = [
            (vec![("mode", Value::from("adb"))], "abd, lww, siblings"),
            (vec![("read-quorum", 4.into())], "more than the 3"),
            (vec![("replicas", 2.into()), ("write-quorum", 3.into())], "more than the 2"),
            (vec![("sloppy", 1.into())], "true or false"),
            (vec![("slopy", true.into())], "did you mean `sloppy`?"),
            (vec![("bug", "hint-lots".into())], "did you mean `hint-lost`?"),
        ];
        for (options, want) in refused {
            let error = with(&options).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}
