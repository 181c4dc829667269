//! What was acknowledged against what is read: sets, banks, writes seen in two orders.
//!
//! These checkers order nothing. They compare what clients were told with what the system shows,
//! in linear or nearly linear time, and so they decide less than linearizability, of histories of
//! any size: in the words of Jepsen's users, `set`, `set-full`, `bank` and `long-fork`; and Maelstrom's `echo`.
//!
//! **Objects.** If every operation has a key, each key is an object of its own; if none has, the
//! history is one object; if only some have, the answer is `unknown`.
//!
//! **Operations of other names** are left out: they cannot change what these checkers count. The
//! verdict says which they were.

mod bank;
mod echo;
mod elements;
mod long_fork;
mod set;
mod set_full;

pub use bank::Bank;
pub use echo::Echo;
pub use long_fork::LongFork;
pub use set::Set;
pub use set_full::SetFull;
