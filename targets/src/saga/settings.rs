//! What `saga` can be told, and the mistakes it can be told to make.

use std::collections::BTreeMap;

use danso_vocab::{ParamSpec, Value};

use crate::BugSpec;
use crate::kit::options::{BUG, FSYNC, Options};

/// A deliberate mistake; each is one branch somewhere: search for its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    SkipCompensation,
    CompensateTwice,
    ForwardOrder,
    ForgetInFlight,
    ChargeOnRetry,
    CompensateAfterCommit,
    LostEvent,
}

/// All of them, with what they are called.
const TABLE: [(BugSpec, Bug); 7] = [
    (
        BugSpec {
            name: "skip-compensation",
            about: "a step whose answer did not come in time is taken for not done, and not undone",
        },
        Bug::SkipCompensation,
    ),
    (
        BugSpec {
            name: "compensate-twice",
            about: "a repeated refund is paid again: the compensation is not idempotent",
        },
        Bug::CompensateTwice,
    ),
    (
        BugSpec {
            name: "forward-order",
            about: "compensations go in the order of the steps: released before refunded",
        },
        Bug::ForwardOrder,
    ),
    (
        BugSpec {
            name: "forget-in-flight",
            about: "a coordinator that was killed does not go on with the sagas in its log",
        },
        Bug::ForgetInFlight,
    ),
    (
        BugSpec {
            name: "charge-on-retry",
            about: "a repeated charge is charged again: the step is not idempotent",
        },
        Bug::ChargeOnRetry,
    ),
    (
        BugSpec {
            name: "compensate-after-commit",
            about: "the timer of a step that was repeated outlives the commit and cancels the shipment",
        },
        Bug::CompensateAfterCommit,
    ),
    (
        BugSpec {
            name: "lost-event",
            about: "choreographed: a restarted bus goes on with the newest event, whatever was delivered",
        },
        Bug::LostEvent,
    ),
];

/// All of them.
pub(super) const BUGS: &[BugSpec] =
    &[TABLE[0].0, TABLE[1].0, TABLE[2].0, TABLE[3].0, TABLE[4].0, TABLE[5].0, TABLE[6].0];

pub(super) const OPTIONS: &[ParamSpec] = &[
    ParamSpec {
        name: "flavour",
        about: "`orchestrated` by a coordinator, or `choreographed` over an event bus",
        default: || "orchestrated".into(),
    },
    ParamSpec {
        name: "stock",
        about: "of every item in the beginning",
        default: || 100_000.into(),
    },
    ParamSpec {
        name: "credit",
        about: "of every customer in the beginning",
        default: || 10_000_000.into(),
    },
    ParamSpec {
        name: "retry-ms",
        about: "first pause before an unanswered message is repeated; it doubles, with jitter",
        default: || 100.into(),
    },
    ParamSpec { name: "retry-max-ms", about: "the longest such pause", default: || 800.into() },
    ParamSpec {
        name: "patience-ms",
        about: "how long a step may go unanswered before its saga is aborted",
        default: || 1_500.into(),
    },
    ParamSpec {
        name: "breaker-failures",
        about: "unanswered messages in a row that open a service's circuit breaker",
        default: || 20.into(),
    },
    ParamSpec {
        name: "breaker-ms",
        about: "how long an open breaker lets nothing through but one trial at its end",
        default: || 500.into(),
    },
    ParamSpec {
        name: "max-open",
        about: "sagas under way at once; further orders are refused",
        default: || 2_000.into(),
    },
    FSYNC,
    BUG,
];

/// How the services are led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Orchestrated,
    Choreographed,
}

/// Checked options; times in ns.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) flavour: Flavour,
    pub(super) stock: i64,
    pub(super) credit: i64,
    pub(super) retry: u64,
    pub(super) retry_max: u64,
    pub(super) patience: u64,
    pub(super) breaker_failures: u64,
    pub(super) breaker: u64,
    pub(super) max_open: usize,
    pub(super) fsync: bool,
    pub(super) bug: Option<Bug>,
}

impl Settings {
    /// What these options say; the error is one line.
    pub(super) fn new(given: &BTreeMap<String, Value>) -> Result<(Options, Settings), String> {
        let options = Options::new(OPTIONS, given)?;
        let flavours =
            [("orchestrated", Flavour::Orchestrated), ("choreographed", Flavour::Choreographed)];
        let settings = Settings {
            flavour: options.word("flavour", &flavours)?,
            stock: options.int("stock", 0, 1 << 40)? as i64,
            credit: options.int("credit", 0, 1 << 40)? as i64,
            retry: options.ms("retry-ms", 1, 60_000)?,
            retry_max: options.ms("retry-max-ms", 1, 60_000)?,
            patience: options.ms("patience-ms", 1, 60_000)?,
            breaker_failures: options.int("breaker-failures", 1, 1_000_000)?,
            breaker: options.ms("breaker-ms", 1, 60_000)?,
            max_open: options.int("max-open", 1, 1_000_000)? as usize,
            fsync: options.flag("fsync")?,
            bug: options.bug(&TABLE)?,
        };
        Ok((options, settings))
    }
}
