//! `queue`: a broker of messages, replicated by [Raft](crate::raft), over HTTP and JSON.
//!
//! Topics have partitions, partitions hold messages in order. Consumers come in groups; each
//! group gets every message of a partition, oldest first. A message handed out is leased: its
//! consumer acknowledges it before the visibility timeout ends, or it is handed out again, and
//! after so many attempts it ends among the group's dead letters. That is at-least-once delivery;
//! `{"ack":"auto"}` acknowledges as it hands out, which is at-most-once.
//!
//! | request | response |
//! | --- | --- |
//! | `POST /topics/{topic}/{partition}` with `{"value":v}` | 200 `{"offset":n}`; 429 `full` |
//! | `POST /groups/{group}/{topic}/{partition}/receive` | 200 `{"value":v,"delivery":d,"offset":n,"attempt":a}`; 204 if there is nothing |
//! | the same with `{"ack":"auto"}` | 200 `{"value":v,"offset":n,"attempt":a}`; 204 |
//! | `POST /groups/{group}/{topic}/{partition}/ack` with `{"delivery":d}` | 200 `{}`; 409 `expired` |
//! | `POST /groups/{group}/{topic}/{partition}/nack` with `{"delivery":d}` | 200 `{}`; 409 `expired` |
//! | `POST /groups/{group}/{topic}/{partition}/drain` | 200 `{"values":[…],"left":[…]}` |
//! | `GET /groups/{group}/{topic}/{partition}/dead` | 200 `{"values":[…]}` |
//! | `GET /topics/{topic}` | 200 `{"partitions":{…}}` |
//!
//! Topics, partitions and groups are made by being named; a new group begins with the oldest
//! message still there. A message is dropped when every group is done with it. A drain takes and
//! acknowledges all that is ready, and lists what is leased to others as `left`. Values are JSON
//! without fractions, but not null.
//!
//! **Idempotent producers.** Any POST may carry `?client=NAME&seq=N` (or headers `x-client`,
//! `x-seq`): a producer that counts its messages up and repeats one with its number has it in the
//! queue once, and is told the first attempt's offset. Without them a retry is another message.
//! The same makes a consumer's `receive` repeatable: it gets the same delivery again.
//!
//! One node is a cluster too:
//! `danso node queue --id 1 --listen 127.0.0.1:7400 --peers '' --data DIR --seed 1`.
//!
//! | file | what it is |
//! | --- | --- |
//! | `partition` | messages, groups, leases: what is delivered when |
//! | `broker` | all partitions: the state machine |
//! | `http` | requests and responses |
//! | `settings` | what it can be told, bugs among it |
//! | `speech` | the engine's side: calls as requests |

mod broker;
mod http;
mod partition;
mod settings;
mod speech;

#[cfg(test)]
mod node_tests;

use self::broker::Broker;
use self::speech::QueueSpeech;
use crate::raft::client::Recipe;
use crate::raft::{Host, Service};
use crate::{TargetSpec, kit};

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: Broker::NAME,
    about: "a message broker replicated by Raft; at-least-once, in order within a partition",
    nodes: &[3, 1, 5],
    workloads: &["queue"],
    params: &[],
    options: settings::OPTIONS,
    bugs: settings::BUGS,
    build: |options| {
        let (options, ..) = settings::checked(options)?;
        kit::target::build(Recipe::<Broker, QueueSpeech>::new(&options, QueueSpeech::default)?)
    },
    node: Some(kit::shell::run::<Host<Broker>>),
};
