//! [`Model`]: the sequential specification of one object.

use std::collections::BTreeSet;
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

/// Which parts of an object an operation touches, if the object is nothing but independent parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parts<'a> {
    /// The object has no parts, or the operation touches all of them.
    All,
    /// It touches these, one at least.
    Of(Vec<&'a Value>),
}

/// What may be taken out of a history without making a linearizable one non-linearizable.
/// Whatever is refuted without it is then refuted with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'a> {
    /// The operation cannot be taken out by itself, as far as anybody knows.
    Fixed,
    /// It can: where it is possible it changes no state.
    Observer,
    /// It can, together with all other operations of this unit (an element and all that happens
    /// to it), if every operation is of some unit.
    Of(&'a Value),
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

    /// The parts `f(arg)` with result `ret` touches, if the specification is the conjunction of
    /// one specification per part (maps by key, sets by element). Each part is then decided by
    /// itself; an operation on several ties them together. Horn and Kroening 2015 call this
    /// P-compositionality. Queues, stacks and whatever has a size or a scan have no parts.
    fn parts<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Parts<'a> {
        let _ = (f, arg, ret);
        Parts::All
    }

    /// What may be taken out together with `f(arg)` that answered `ret`, so that counterexamples
    /// can be shrunk. Saying too much makes them wrong.
    fn unit<'a>(&self, f: &str, arg: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        match self.access(f, arg, ret) {
            Some(Access::Reads(_) | Access::Misses(_)) => Unit::Observer,
            _ if self.is_read(f) => Unit::Observer,
            _ => Unit::Fixed,
        }
    }

    /// Whether `f` is none of this object's business: a lock does not care what its holder does.
    /// Such operations are left out, and the finding says so.
    fn ignores(&self, f: &str) -> bool {
        let _ = f;
        false
    }

    /// Whether it matters who calls. If so, `arg` reaches the model as `[process arg]`.
    fn by_process(&self) -> bool {
        false
    }

    /// The state in words, for counterexamples.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}

/// A sequential specification that leaves several answers open: the states that may follow.
/// Wrap it in [`AnyOf`] to check against it.
pub trait Nondeterministic: Send + Sync {
    /// A state of the object; small and cheap to clone.
    type State: Clone + Ord + Hash + Debug + Send + Sync;

    /// The name users give on the command line.
    fn name(&self) -> &'static str;

    /// The states possible before the first operation.
    fn init(&self) -> Vec<Self::State>;

    /// All states in which `f(arg)`, answering `ret` in `state`, may leave the object; none if
    /// that cannot happen.
    fn steps(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Vec<Self::State>;

    /// A state in words, for counterexamples.
    fn describe(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }
}

/// The deterministic [`Model`] of a [`Nondeterministic`] one: its state is the set of states
/// possible (the power-set construction).
#[derive(Clone, Debug)]
pub struct AnyOf<N>(pub N);

impl<N: Nondeterministic> Model for AnyOf<N> {
    type State = BTreeSet<N::State>;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn init(&self) -> Self::State {
        self.0.init().into_iter().collect()
    }

    fn step(&self, state: &Self::State, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Self::State> {
        let next: Self::State =
            state.iter().flat_map(|state| self.0.steps(state, f, arg, ret)).collect();
        (!next.is_empty()).then_some(next)
    }

    fn describe(&self, state: &Self::State) -> String {
        let words: Vec<String> = state.iter().map(|state| self.0.describe(state)).collect();
        words.join(" or ")
    }
}
