//! The words of the business: orders, steps, what is written down and what is said.

use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use crate::kit::{Ready, Response};

/// What a customer wants: a saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Its name, chosen by the client; a repeated order is the same saga.
    pub(super) saga: String,
    pub(super) item: String,
    pub(super) quantity: i64,
    pub(super) customer: String,
    pub(super) amount: i64,
    pub(super) address: String,
}

/// A step T; its compensation is C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Step {
    /// T1; C1 releases.
    Reserve,
    /// T2; C2 refunds.
    Charge,
    /// T3; C3 cancels.
    Arrange,
}

impl Step {
    pub(super) const ALL: [Step; 3] = [Step::Reserve, Step::Charge, Step::Arrange];

    /// Its place in the saga, from 0.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The step after it.
    pub(super) fn next(self) -> Option<Step> {
        Step::ALL.get(self.index() + 1).copied()
    }

    /// The step before it.
    pub(super) fn previous(self) -> Option<Step> {
        self.index().checked_sub(1).map(|i| Step::ALL[i])
    }

    /// The node of its service: n1 decides, the services follow.
    pub(super) fn node(self) -> NodeId {
        NodeId(self.index() as u16 + 2)
    }

    /// The step whose service this node is; `None` of the decider.
    pub(super) fn of_node(node: NodeId) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.node() == node)
    }

    pub(super) fn name(self) -> &'static str {
        ["reserve", "charge", "arrange"][self.index()]
    }

    /// Its service.
    pub(super) fn service(self) -> &'static str {
        ["inventory", "payment", "shipping"][self.index()]
    }
}

/// Who decides.
pub(super) const DECIDER: &str = "coordinator";

/// T or C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Action {
    Apply,
    Compensate,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Apply => "apply",
            Action::Compensate => "compensate",
        }
    }
}

/// What an entry of a service's journal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Apply,
    Compensate,
    /// The compensation of a step that was not done: from now on it never will be.
    NullCompensation,
    /// The step cannot be done, now or later.
    Refuse,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Apply => "apply",
            Kind::Compensate => "compensate",
            Kind::NullCompensation => "null-compensation",
            Kind::Refuse => "refuse",
        }
    }
}

/// An entry of a service's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) order: Order,
    /// How many records the decider had written when it was asked for.
    pub(super) after: u64,
    /// The service's wall clock, ns.
    pub(super) at: u64,
}

impl Entry {
    /// As the API shows it.
    pub(super) fn value(&self, step: Step) -> Value {
        let Order { saga, item, quantity, customer, amount, address } = &self.order;
        let action = if matches!(self.kind, Kind::Apply | Kind::Refuse) { "T" } else { "C" };
        let mut value = Value::of([
            ("saga", saga.as_str().into()),
            ("step", step.name().into()),
            ("kind", self.kind.name().into()),
            ("key", format!("{saga}/{action}{}", step.index() + 1).into()),
            ("after", int(self.after)),
            ("at", int(self.at)),
        ]);
        if let Value::Map(map) = &mut value {
            let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
            match step {
                Step::Reserve => {
                    put("item", item.as_str().into());
                    put("quantity", (*quantity).into());
                }
                Step::Charge => {
                    put("customer", customer.as_str().into());
                    put("amount", (*amount).into());
                }
                Step::Arrange => put("address", address.as_str().into()),
            }
        }
        value
    }
}

/// A record of the decider: the saga log of an orchestrator, or the event log of a bus with what
/// follows from its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Record {
    /// A saga begins; on a bus, the event that it was ordered.
    Begin(Order),
    /// A service did a step or undid it.
    Done { saga: String, step: Step, action: Action },
    /// A service said that a step cannot be done.
    Refused { saga: String, step: Step },
    /// Commit or abort; the first so many steps are to be undone.
    Decide { saga: String, commit: bool, undo: usize },
    /// It is over.
    End { saga: String, committed: bool },
}

impl Record {
    pub(super) fn saga(&self) -> &str {
        match self {
            Record::Begin(order) => &order.saga,
            Record::Done { saga, .. }
            | Record::Refused { saga, .. }
            | Record::Decide { saga, .. }
            | Record::End { saga, .. } => saga,
        }
    }

    /// As the API shows it.
    pub(super) fn value(&self) -> Value {
        let of = |kind: &str, more: &[(&str, &str)]| {
            let fields = [("saga", self.saga()), ("kind", kind)];
            let fields = fields.iter().chain(more);
            Value::Map(fields.map(|(k, v)| ((*k).to_owned(), (*v).into())).collect())
        };
        match self {
            Record::Begin(_) => of("begin", &[]),
            Record::Done { step, action, .. } => {
                of("done", &[("step", step.name()), ("action", action.name())])
            }
            Record::Refused { step, .. } => of("refuse", &[("step", step.name())]),
            Record::Decide { commit, .. } => {
                of("decide", &[("outcome", if *commit { "commit" } else { "abort" })])
            }
            Record::End { committed, .. } => {
                of("end", &[("outcome", if *committed { "committed" } else { "aborted" })])
            }
        }
    }
}

/// What a decider asks of a service. Repeated until answered: a service may get it twice, late, or
/// after something that was asked for later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) step: Step,
    pub(super) action: Action,
    pub(super) order: Order,
    /// How many records the decider has written.
    pub(super) after: u64,
}

/// What became of a step: the content of an answer, and of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    Applied,
    Refused,
    Compensated,
}

/// Something that happened to a saga, on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// `None`: it was ordered.
    pub(super) what: Option<(Step, Outcome)>,
    pub(super) order: Order,
}

/// What nodes tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Message {
    /// Orchestrated: do this.
    Do(Command),
    /// This is what became of it.
    Did { saga: String, step: Step, outcome: Outcome },
    /// Choreographed: a service's events, numbered from `from`, in order.
    Publish { from: u64, events: Vec<Event> },
    /// The bus has all before `next` of this service.
    Published { next: u64 },
    /// What of the bus's log before `next` concerns a service, each event with its position.
    Deliver { events: Vec<(u64, Event)>, next: u64 },
    /// The service has worked off all before `next`.
    Consumed { next: u64 },
}

/// A line of a node's disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    /// Of a decider.
    Record(Record),
    /// Of a service.
    Entry(Entry),
    /// Of a bus: the service of this step has worked off all before `next`.
    Position { step: Step, next: u64 },
}

/// What a node wants done.
pub(super) type Work = Ready<Message, Line>;

/// How a saga stands with its decider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Open,
    Ended { committed: bool },
}

/// The answer to an order that has ended.
pub(super) fn ended(saga: &str, committed: bool) -> Response {
    let outcome = if committed { "committed" } else { "aborted" };
    Response::ok(Value::of([("saga", saga.into()), ("outcome", outcome.into())]))
}

/// A count as a value.
pub(super) fn int(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}
