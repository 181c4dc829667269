//! [`Model`]: the sequential specification of one object.

use std::fmt::Debug;
use std::hash::Hash;

use crate::Value;

/// What is known of an operation's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret<'a> {
    /// The client saw this.
    Saw(&'a Value),
    /// The operation is `info`: if it happened, nobody knows with which result.
    Unknown,
}

/// What an operation does to an object whose state is nothing but one value: a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access<'a> {
    /// Possible exactly while this is the value; changes nothing.
    Reads(&'a Value),
    /// Possible exactly while this is *not* the value; changes nothing.
    Misses(&'a Value),
    /// Always possible; leaves this value.
    Writes(&'a Value),
    /// Possible exactly while the value is `old`; leaves `new`. With [`Ret::Unknown`] it may
    /// instead have changed nothing, whatever the value.
    Swaps {
        /// The value it needs.
        old: &'a Value,
        /// The value it leaves.
        new: &'a Value,
    },
}

/// A sequential specification: how one object answers when operations come one after another.
///
/// Pure: the same state and step give the same answer. Operations of different keys go to
/// different objects, so a model never sees a key. Every `f` of the alphabet must accept
/// [`Ret::Unknown`], or correct systems would be called invalid whenever a client times out.
pub trait Model: Send + Sync {
    /// A state of the object; small and cheap to clone.
    type State: Clone + Eq + Hash + Debug + Send + Sync;

    /// The name users give on the command line.
    fn name(&self) -> &'static str;

    /// The state before the first operation.
    fn init(&self) -> Self::State;

    /// The state after `f(arg)` answered `ret` in `state`; `None` if that cannot happen.
    fn step(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Self::State>;

    /// Whether `f` never changes any state, whatever it answers. Saying so makes checking much
    /// faster; saying so wrongly makes it wrong.
    fn is_read(&self, f: &str) -> bool {
        let _ = f;
        false
    }

    /// The value an *unconditional* write of `f(arg)` leaves behind, if a state is nothing but
    /// the last such value and `f` is such a write. Lets a checker drop writes nobody saw.
    fn overwrites<'a>(&self, f: &str, arg: &'a Value) -> Option<&'a Value> {
        let _ = (f, arg);
        None
    }

    /// What `f(arg)` with result `ret` does, if a state is nothing but one value and every
    /// operation is one of the four kinds of [`Access`]. It must agree with [`Model::step`].
    /// Lets a checker reason about values: it searches less and explains better.
    fn access<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Option<Access<'a>> {
        let _ = ret;
        self.overwrites(f, arg).map(Access::Writes)
    }

    /// The state in words, for counterexamples.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}
