//! The words of danso: what a history, a model, a fault, a plan and a verdict are.
//!
//! Everything a user would say aloud lives here and nothing else: no async, no clock, no
//! network, no global state. The only I/O is [`codec`], which reads from bytes and writes to
//! any [`std::io::Write`].
//!
//! | module | words |
//! | --- | --- |
//! | [`value`], [`call`], [`event`] | what a client asks for and what came back |
//! | [`history`] | every operation of a run, in columns, well formed by construction |
//! | [`model`], [`checker`], [`live`], [`verdict`], [`figure`] | how a history is judged |
//! | [`certificate`] | a verdict with its proof |
//! | [`generator`], [`workload`] | what clients will ask for |
//! | [`fault`], [`plan`] | everything decided before a run |
//! | [`results`] | everything known after it |
//! | [`rng`], [`time`] | chance from one seed, nanoseconds from one clock |

pub mod call;
pub mod certificate;
pub mod checker;
pub mod codec;
pub mod event;
pub mod fault;
pub mod figure;
pub mod generator;
pub mod history;
pub mod live;
pub mod model;
pub mod plan;
pub mod results;
pub mod rng;
pub mod time;
pub mod traffic;
pub mod value;
pub mod verdict;
pub mod workload;

pub use call::{Call, Name};
pub use certificate::Certificate;
pub use checker::{Checker, Limits, Progress, Stop};
pub use event::{Event, NodeId, Note, Outcome, Process};
pub use fault::{Fault, FaultId, Injection, Nodes, Schedule, Start};
pub use figure::Figure;
pub use generator::{Generator, Seat, Step};
pub use history::{History, HistoryBuilder, IllFormed, Op, OpId, Status};
pub use live::{LiveChecker, LiveViolation};
pub use model::{Access, AnyOf, Model, Nondeterministic, Parts, Ret, Unit};
pub use plan::Plan;
pub use results::Results;
pub use rng::Rng;
pub use time::Time;
pub use value::Value;
pub use verdict::{Anomaly, Finding, Verdict};
pub use workload::{OpSpec, ParamError, ParamSpec, Params, Workload};
