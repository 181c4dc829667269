//! The state machine: all partitions of all topics.

use std::collections::BTreeMap;

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::partition::{Message, Partition, Verdict};
use super::settings::Rules;
use crate::kit::json;
use crate::raft::{Machine, Moment};

/// A change of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) topic: String,
    pub(crate) partition: String,
    pub(crate) action: Action,
}

/// What is done to a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Send {
        #[serde(with = "json")]
        value: Value,
    },
    /// Hands a message to a consumer of the group: for good if `auto`.
    Receive {
        group: String,
        auto: bool,
    },
    Settle {
        group: String,
        delivery: u64,
        verdict: Verdict,
    },
    Drain {
        group: String,
    },
}

/// What can be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Query {
    Dead { group: String, topic: String, partition: String },
    Topic { topic: String },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    Sent {
        offset: u64,
    },
    /// There was no room; nothing was changed.
    Full,
    /// A message; without a `delivery` it is acknowledged already.
    Delivered {
        message: Message,
        delivery: Option<u64>,
    },
    /// There was nothing to hand out.
    Empty,
    Settled,
    /// The lease was over; nothing was changed.
    Expired,
    Drained {
        values: Vec<Message>,
        left: Vec<Message>,
    },
    Listed {
        values: Vec<Message>,
    },
    Described {
        #[serde(with = "json")]
        topic: Value,
    },
}

/// The state machine: partitions by topic and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Broker {
    topics: BTreeMap<String, BTreeMap<String, Partition>>,
}

impl Machine for Broker {
    type Rules = Rules;
    type Command = Command;
    type Query = Query;
    type Reply = Reply;

    fn apply(&mut self, rules: &Rules, at: Moment, command: &Command) -> Reply {
        let topic = self.topics.entry(command.topic.clone()).or_default();
        let partition = topic.entry(command.partition.clone()).or_default();
        match &command.action {
            Action::Send { value } => match partition.send(rules, value.clone()) {
                Some(offset) => Reply::Sent { offset },
                None => Reply::Full,
            },
            Action::Receive { group, auto: true } => match partition.take(rules, at.time, group) {
                Some(message) => Reply::Delivered { message, delivery: None },
                None => Reply::Empty,
            },
            Action::Receive { group, auto: false } => {
                match partition.receive(rules, at.time, group) {
                    Some((message, delivery)) => {
                        Reply::Delivered { message, delivery: Some(delivery) }
                    }
                    None => Reply::Empty,
                }
            }
            Action::Settle { group, delivery, verdict } => {
                if partition.settle(rules, at.time, group, *delivery, *verdict) {
                    Reply::Settled
                } else {
                    Reply::Expired
                }
            }
            Action::Drain { group } => {
                let (values, left) = partition.drain(rules, at.time, group);
                Reply::Drained { values, left }
            }
        }
    }

    fn query(&self, _: &Rules, _: u64, query: &Query) -> Reply {
        match query {
            Query::Dead { group, topic, partition } => {
                let partition = self.topics.get(topic).and_then(|t| t.get(partition));
                let values = partition.map_or_else(Vec::new, |p| p.dead(group).to_vec());
                Reply::Listed { values }
            }
            Query::Topic { topic } => {
                let partitions = self.topics.get(topic).into_iter().flatten();
                let described = partitions.map(|(name, p)| (name.clone(), p.describe())).collect();
                let topic = Value::of([("partitions", Value::Map(described))]);
                Reply::Described { topic }
            }
        }
    }
}
