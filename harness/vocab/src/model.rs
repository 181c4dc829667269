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

    /// The state in words, for counterexamples.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}
