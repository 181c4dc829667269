//! Deciding without search: procedures for single kinds of objects, in polynomial time.
//!
//! The general problem is NP-complete, but many objects are easy where values are unique or the
//! order of changes is known. Each procedure here says itself whether a history qualifies; if
//! not, the search decides. Each is compared with an oracle on millions of small histories; on
//! request it gives a linearization, which is then replayed, and what it refutes is a handful of
//! operations that the plain search refutes again.

mod bag;
mod container;
mod counting;
mod distinct;
mod events;
mod fifo_queue;
mod known_order;
mod lin_set;
pub(crate) mod lock;
mod offsets;
mod priority_queue;
mod register_acts;
mod register_zones;
mod stack;
mod tell;
#[cfg(test)]
mod testing;
mod tickets;

pub use bag::Bag;
pub use counting::Counting;
pub use distinct::Distinct;
pub use fifo_queue::FifoQueue;
pub use known_order::KnownOrder;
pub use lin_set::LinSet;
pub use lock::Lock;
pub use offsets::Offsets;
pub use priority_queue::PriorityQueue;
pub use register_zones::RegisterZones;
pub use stack::Stack;
pub use tickets::Tickets;

use danso_vocab::{History, Name, Stop};

/// Decides whether one object is linearizable, without search.
pub trait Polynomial: Send + Sync {
    /// Its name in results, kebab-case.
    fn name(&self) -> &'static str;

    /// Decides the object made of the operations `part`.
    fn decide(&self, part: &Part<'_>, how: &How) -> Decision;
}

/// The operations of one object.
#[derive(Clone, Copy, Debug)]
pub struct Part<'h> {
    /// The history they are of.
    pub history: &'h History,
    /// Their rows, by invocation. Failed operations are among them: they did not happen, but
    /// whoever saw their effect is worth a name.
    pub rows: &'h [u32],
}

/// What is wanted of a decision.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// A linearization is wanted, not only the word that there is one.
    pub witness: bool,
    /// Give up when this is tripped; poll it at least every few milliseconds.
    pub stop: Stop,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The object is linearizable: with all that happened and some of unknown outcome, as rows,
    /// in this order, if that was asked for.
    Linearizable(Option<Vec<u32>>),
    /// It is not.
    Refuted(Refutation),
    /// This procedure cannot decide such a history, for this reason: `value 3 is written twice`.
    Unfit(String),
    /// It was told to stop.
    Stopped,
}

/// Why an object is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refutation {
    /// Operations that are not linearizable by themselves, the one to blame first. No failed ones.
    pub rows: Vec<u32>,
    /// The anomaly's name in the field: `stale-read`, `duplicate-delivery`…
    pub name: Name,
    /// One plain sentence that names them by `#index`.
    pub because: String,
}
