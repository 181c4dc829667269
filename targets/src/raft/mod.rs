//! Raft as a library: bring a state machine and its HTTP interface, get a replicated service.
//!
//! | file | what it is |
//! | --- | --- |
//! | `core/` | the protocol, without I/O; it does not look inside commands |
//! | `machine` | the traits a target implements |
//! | `replica` | a machine with client sessions: exactly-once |
//! | `time` | the log's time, for leases and timeouts |
//! | `node`, `traffic`, `waiters`, `answer` | protocol, machine and waiting requests together, still without I/O |
//! | `disk` | the records of the journal |
//! | `host` | the node in the [kit](crate::kit)'s shell |
//! | `settings`, `bug` | what every such target can be told |
//! | `client` | the engine's side: a client that retries in a session |
//!
//! # A target on Raft
//!
//! ```text
//! /// The state: all of it, since its JSON is the snapshot.
//! #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
//! struct Counters(BTreeMap<String, i64>);
//!
//! impl Machine for Counters {
//!     type Rules = ();               // what options tell it, its own bug for example
//!     type Command = (String, i64);  // serde types that say what is wanted and what came of it
//!     type Query = String;
//!     type Reply = i64;
//!
//!     fn apply(&mut self, (): &(), at: Moment, (name, more): &(String, i64)) -> i64 {
//!         // Deterministic. `at.index` is unique, `at.time` is ns that never run too fast: put
//!         // deadlines (`at.time + ttl`) into the state, and look at them here when they matter.
//!         let sum = self.0.entry(name.clone()).or_default();
//!         *sum += more;
//!         *sum
//!     }
//!
//!     fn query(&self, (): &(), time: u64, name: &String) -> i64 {
//!         self.0.get(name).copied().unwrap_or(0)
//!     }
//! }
//!
//! impl Service for Counters {
//!     const NAME: &'static str = "counters";
//!
//!     fn settings(given: &BTreeMap<String, Value>) -> Result<(Settings, ()), String> {
//!         let options = Options::new(OPTIONS, given)?;
//!         let bug = options.bug(BUGS)?;
//!         // If the target's bug is one of Raft's: say so in `bug`.
//!         Ok((Settings { bug: None, ..Settings::new(&options)? }, ()))
//!     }
//!
//!     fn understand(request: &Request) -> Result<Wish<(String, i64), String>, Response> {
//!         match (request.method, request.route().1.as_slice()) {
//!             (Method::Get, ["counters", name]) => Ok(Wish::Query((*name).to_owned())),
//!             (Method::Post, ["counters", name]) => { /* request.field("add")? … */ }
//!             _ => Err(Response::no_route()),
//!         }
//!     }
//!
//!     fn respond(sum: i64) -> Response {
//!         Response::ok(Value::of([("value", sum.into())]))
//!     }
//! }
//!
//! const OPTIONS: &[ParamSpec] = &settings::options::<{ settings::COUNT + 1 }>(&[ParamSpec { … }]);
//! pub(crate) const SPEC: TargetSpec = TargetSpec {
//!     name: Counters::NAME,
//!     options: OPTIONS,
//!     build: |options| kit::target::build(client::Recipe::<Counters, CountersClient>::new(options)?),
//!     node: Some(kit::shell::run::<Host<Counters>>),
//!     …
//! };
//! ```
//!
//! Any node takes any request: who does not lead forwards it, once. Whoever names a client and
//! counts its commands (`?client=…&seq=…`, or headers `x-client` and `x-seq`) may repeat one: it
//! takes effect once and every attempt gets the first one's reply. A refusal is the reply of a
//! command that changed nothing, so it is in the session as well.
//!
//! The engine's side is a [`client::Speech`]: calls to requests, responses to outcomes. The
//! client around it finds the leader, retries, and knows `fail` from `info`.

pub(crate) mod answer;
pub(crate) mod bug;
pub(crate) mod client;
pub(crate) mod core;
pub(crate) mod disk;
pub(crate) mod host;
pub(crate) mod machine;
pub(crate) mod node;
pub(crate) mod replica;
pub(crate) mod settings;
pub(crate) mod time;
pub(crate) mod traffic;
mod waiters;

#[cfg(test)]
pub(crate) mod toy;

pub(crate) use self::bug::Bug;
pub(crate) use self::host::Host;
pub(crate) use self::machine::{Machine, Moment, Service, Wish};
pub(crate) use self::settings::Settings;
