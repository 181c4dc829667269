//! Queues: what goes in comes out, as often as promised and in the order promised.
//!
//! Accounting, not search: every message has an account of who sent it, who got it and
//! who acknowledged it, and each anomaly is a sum that does not come out or a pair of intervals
//! the wrong way round. See the delivery accounting of Jepsen's `total-queue`, which this agrees
//! with where that one is right.
//!
//! | operation | meaning |
//! | --- | --- |
//! | `enqueue v` (`enq`) | puts `v` in; `ok` (but not `false`) promises it, `fail` says it is not in |
//! | `dequeue -> v` (`deq`) | takes one; `nil` or `empty` if there was none |
//! | `dequeue -> {value, delivery, offset, attempt}` | the same of a broker: `delivery` names this delivery, the others are optional; `offset` tells copies of a message apart, `attempt` counts its deliveries from 1 |
//! | `ack d`, `nack d` | the delivery `d` is done with, or is to be delivered again |
//! | `ack d -> "sent"` | the same where nobody confirms it: the message may come again |
//! | `drain -> [v …]` | takes and acknowledges all there is; `ok` says that nothing was left |
//! | `drain -> {values, left}` | the same, with what the queue still has but does not hand out |
//! | `dead-letters -> [v …]` | what was given up; it stays there |
//!
//! The key, if operations have one, is the partition. A list's elements may be maps with `value`
//! and `offset`. Values that repeat are counted as multisets.

mod accounts;
mod loss;
mod order;
mod reading;
mod surplus;
#[cfg(test)]
mod tests;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op};

use accounts::Accounts;

use crate::ledger::Ledger;

/// How often an acknowledged message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Never twice; it may be lost.
    AtMostOnce,
    /// Never lost; it may be delivered again until it is acknowledged.
    AtLeastOnce,
    /// Never lost and never consumed twice.
    ExactlyOnce,
}

/// Which messages of a partition are first delivered in the order in which they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// None need be.
    Any,
    /// Those of the same process.
    PerProducer,
    /// All of which one was acknowledged before the other was sent.
    PerPartition,
}

/// When a message is gone from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// When it is handed out, so that a dequeue nobody knows about may have taken one.
    OnDelivery,
    /// When its consumer acknowledges it; until then it is delivered again and again, or ends
    /// among the dead letters.
    OnAck,
}

/// What a queue promises: a checker of histories of one.
///
/// Linear but for sorting the messages by rank, which [`Order`] takes. Up to 92 bytes an
/// operation beside the history.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    guarantee: Guarantee,
    order: Order,
    removal: Removal,
    idempotent: bool,
}

/// A checker of queues with this guarantee: in any order, messages gone on delivery, producers
/// that may send a message twice.
pub fn delivery(guarantee: Guarantee) -> Delivery {
    Delivery { guarantee, order: Order::Any, removal: Removal::OnDelivery, idempotent: false }
}

impl Delivery {
    /// The same, in order.
    #[must_use]
    pub fn order(self, order: Order) -> Self {
        Delivery { order, ..self }
    }

    /// The same, with messages that stay until acknowledged.
    #[must_use]
    pub fn acknowledged(self) -> Self {
        Delivery { removal: Removal::OnAck, ..self }
    }

    /// The same, with producers whose retries never put a message in twice.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Delivery { idempotent: true, ..self }
    }

    fn may_lose(&self) -> bool {
        self.guarantee == Guarantee::AtMostOnce
    }

    fn may_repeat(&self) -> bool {
        self.guarantee == Guarantee::AtLeastOnce
    }
}

impl Checker for Delivery {
    fn name(&self) -> &'static str {
        "delivery"
    }

    fn decides(&self) -> &'static str {
        match self.guarantee {
            Guarantee::AtMostOnce => {
                "every message delivered was sent, and none is delivered twice"
            }
            Guarantee::AtLeastOnce => {
                "every message acknowledged is delivered, and every message delivered was sent"
            }
            Guarantee::ExactlyOnce => {
                "every message acknowledged is consumed exactly once, and no other message is"
            }
        }
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &[
            "lost-message",
            "stuck-message",
            "duplicate-delivery",
            "delivered-after-ack",
            "unexpected-message",
            "aborted-delivered",
            "reordered",
        ]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let accounts = match Accounts::new(history, self.removal, limits) {
            Ok(accounts) => accounts,
            Err(reason) => return Finding::unknown(self.name(), reason),
        };
        let mut ledger = Ledger::default();
        ledger.count("attempted", accounts.sends.len() as u64);
        ledger.count("acknowledged", accounts.acknowledged);
        let decided = surplus::check(self, &accounts, limits, &mut ledger)
            .and_then(|()| order::check(self.order, &accounts, limits, &mut ledger))
            .and_then(|()| loss::check(self, &accounts, limits, &mut ledger));
        if let Err(reason) = decided {
            ledger.doubt(|| reason);
        }
        if accounts.acknowledged == 0 {
            ledger.doubt(|| "no message was ever acknowledged".to_owned());
        } else if accounts.takes.is_empty() {
            ledger.doubt(|| "no message was ever delivered".to_owned());
        }
        ledger.finding(self.name(), |_| self.praise(&accounts))
    }
}

impl Delivery {
    /// What was decided of a history without anomalies.
    fn praise(&self, accounts: &Accounts<'_>) -> String {
        let sent = match (accounts.acknowledged, accounts.partitions.len()) {
            (sent, 1) => format!("{sent} acknowledged messages"),
            (sent, partitions) => {
                format!("{sent} acknowledged messages of {partitions} partitions")
            }
        };
        let what = match self.guarantee {
            Guarantee::AtMostOnce => format!("none of {sent} came twice"),
            Guarantee::AtLeastOnce => format!("all {sent} came out"),
            Guarantee::ExactlyOnce => format!("all {sent} came out exactly once"),
        };
        let order = match self.order {
            Order::Any => "",
            Order::PerProducer => ", those of each producer in order",
            Order::PerPartition => ", in order",
        };
        what + order
    }
}

/// Enters an anomaly: a sentence, and the rows of the operations that contradict each other.
fn enter(
    name: &'static str,
    accounts: &Accounts<'_>,
    ledger: &mut Ledger,
    make: impl FnOnce() -> (String, Vec<u32>),
) {
    ledger.anomaly(name, || {
        let (because, rows) = make();
        let key = rows.first().and_then(|row| accounts.op(*row).key());
        let mut ops = Vec::new();
        for id in rows.iter().map(|row| accounts.op(*row).id()) {
            if !ops.contains(&id) {
                ops.push(id);
            }
        }
        let key = key.map(std::borrow::Cow::into_owned);
        Anomaly { name: name.into(), key, ops, because, explain: Vec::new(), figure: None }
    });
}

/// An operation and when it began: `#12 at 1.204 s`.
fn at(op: Op<'_>) -> String {
    format!("{} at {}", op.id(), op.inv_time())
}

/// Looks at the stop flag every so often.
fn keep_going(step: usize, limits: &Limits) -> Result<(), String> {
    if step.is_multiple_of(4096) && limits.stop.is_tripped() {
        return Err("stopped before all messages were accounted for".to_owned());
    }
    Ok(())
}
