//! From a history to a finding: every checker, and the models they check against.
//!
//! Pure: no files, no clock, no threads but scoped ones, no global state, no randomness. A
//! checker can fail in one way only, by being wrong; so the fast algorithms here are compared
//! with slow and obvious ones on millions of random histories, and a verdict that can be checked
//! again cheaply is checked again before it is returned.
//!
//! | module | decides |
//! | --- | --- |
//! | [`mod@linearizable`] | whether single objects look atomic, for any [`Model`]: without search where that is possible |
//! | [`mod@delivery`] | whether a queue delivers what was sent: often enough, not too often, in order |
//! | [`kafka`] | logs with offsets: whether messages keep theirs, and polls leave nothing out |
//! | [`mod@eventual`] | whether replicas come to agree once updates have stopped, and on what follows from them |
//! | [`mod@shrink`] | nothing: the smallest part of a refuted history that is refuted as well |
//! | [`verify`] | whether a [`Proof`] of the former's verdict holds, without trusting it |
//! | [`accounting`] | sets, banks, and writes in two orders: what was acknowledged against what is read |
//! | [`list_append`] | transactions of appends and reads, each by itself; no cycles yet |
//! | [`mod@saga`] | whether sagas are done or undone as a whole, from journals, states and what clients heard |
//! | [`locks`] | leases with fencing tokens, and leaders with terms |
//! | [`models`] | nothing: the sequential specifications, by name |
//! | [`checks`] | nothing: what accounts for operations instead of ordering them, by name |
//!
//! [`Model`]: danso_vocab::Model
//! [`Proof`]: danso_vocab::certificate::Proof

pub mod accounting;
mod brief;
pub mod checks;
pub mod delivery;
pub mod eventual;
pub mod kafka;
mod ledger;
pub mod linearizable;
pub mod list_append;
pub mod locks;
pub mod models;
mod numbering;
mod objects;
pub mod saga;
pub mod shrink;
#[cfg(test)]
mod testing;
pub mod verify;

pub use delivery::delivery;
pub use eventual::eventual;
pub use linearizable::linearizable;
