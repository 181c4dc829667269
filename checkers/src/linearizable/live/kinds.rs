//! [`Kinds`]: a model over small integers, like [`Machine`](super::super::machine::Machine), but
//! for operations that become known one by one and states that are forgotten.

use danso_vocab::history::Interner;
use danso_vocab::{Access, Model, Name, Ret, Value};
use rustc_hash::FxHashMap;

/// All operations with the same `f`, argument and result; the result is `None` while nobody
/// knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub(super) f: Name,
    pub(super) arg: Value,
    pub(super) ret: Option<Value>,
}

/// What is known of a kind of operation.
pub(super) struct Kind {
    call: Call,
    /// It changes no state in which it is possible.
    pub(super) observer: bool,
    /// What it does to a register.
    pub(super) touch: Option<Touch>,
}

/// [`Access`] that owns its values.
pub(super) enum Touch {
    Reads(Value),
    Misses(Value),
    Writes(Value),
    Swaps(Value, Value),
}

impl Touch {
    /// Whether it may observe that the register holds `value`.
    pub(super) fn awaits(&self, value: &Value) -> bool {
        match self {
            Touch::Reads(v) | Touch::Swaps(v, _) => v == value,
            Touch::Misses(v) => v != value,
            Touch::Writes(_) => false,
        }
    }

    /// The value it leaves, if it may change the value.
    pub(super) fn leaves(&self) -> Option<&Value> {
        match self {
            Touch::Writes(v) | Touch::Swaps(_, v) => Some(v),
            Touch::Reads(_) | Touch::Misses(_) => None,
        }
    }
}

/// The kinds of operations and the states of one object that anything still refers to.
pub(super) struct Kinds<'m, M: Model> {
    model: &'m M,
    kinds: Vec<Kind>,
    ids: FxHashMap<Call, u32>,
    states: Interner<M::State>,
    next: FxHashMap<(u32, u32), Option<u32>>,
    /// All kinds so far have a `touch`.
    pub(super) register: bool,
    /// Something was left out because of that.
    pub(super) relied: bool,
}

impl<'m, M: Model> Kinds<'m, M> {
    /// The initial state is number 0.
    pub(super) fn new(model: &'m M) -> Kinds<'m, M> {
        let mut states = Interner::default();
        states.intern(model.init());
        Kinds {
            model,
            kinds: Vec::new(),
            ids: FxHashMap::default(),
            states,
            next: FxHashMap::default(),
            register: true,
            relied: false,
        }
    }

    /// The number of the kind of these operations.
    pub(super) fn of(&mut self, call: Call) -> u32 {
        if let Some(id) = self.ids.get(&call) {
            return *id;
        }
        let saw = call.ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
        let touch = self.model.access(&call.f, &call.arg, saw).map(|access| match access {
            Access::Reads(v) => Touch::Reads(v.clone()),
            Access::Misses(v) => Touch::Misses(v.clone()),
            Access::Writes(v) => Touch::Writes(v.clone()),
            Access::Swaps { old, new } if old == new => Touch::Reads(old.clone()),
            Access::Swaps { old, new } => Touch::Swaps(old.clone(), new.clone()),
        });
        let observer = self.model.is_read(&call.f)
            || matches!(touch, Some(Touch::Reads(_) | Touch::Misses(_)));
        self.register &= touch.is_some();
        let id = self.kinds.len() as u32;
        self.ids.insert(call.clone(), id);
        self.kinds.push(Kind { call, observer, touch });
        id
    }

    pub(super) fn get(&self, kind: u32) -> &Kind {
        &self.kinds[kind as usize]
    }

    /// Whether these are unconditional writes of a register.
    pub(super) fn is_write(&self, kind: u32) -> bool {
        self.register && matches!(self.get(kind).touch, Some(Touch::Writes(_)))
    }

    /// The state after an operation of `kind` in `state`, if that is possible.
    pub(super) fn step(&mut self, state: u32, kind: u32) -> Option<u32> {
        if let Some(next) = self.next.get(&(state, kind)) {
            return *next;
        }
        let Call { f, arg, ret } = &self.kinds[kind as usize].call;
        let saw = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
        let next = self.model.step(self.states.get(state), f, arg, saw);
        let next = next.and_then(|next| self.states.intern(next));
        self.next.insert((state, kind), next);
        next
    }

    /// The state in words.
    pub(super) fn describe(&self, state: u32) -> String {
        self.model.describe(self.states.get(state))
    }

    /// How much there is to forget.
    pub(super) fn len(&self) -> usize {
        self.states.len() + self.kinds.len() + self.next.len()
    }

    /// Forgets all but these states and kinds; both ascend. Each gets its place there as number.
    pub(super) fn keep(&mut self, states: &[u32], kinds: &[u32]) {
        let mut kept = Interner::default();
        for state in states {
            kept.intern(self.states.get(*state).clone());
        }
        self.states = kept;
        let mut at = 0..;
        self.kinds.retain(|_| at.next().is_some_and(|id| kinds.binary_search(&id).is_ok()));
        self.ids = (0..).zip(&self.kinds).map(|(id, kind)| (kind.call.clone(), id)).collect();
        self.next = FxHashMap::default();
    }

    /// Bytes held, without what values hold outside of themselves.
    pub(super) fn bytes(&self) -> usize {
        let states = self.states.len() * (size_of::<M::State>() + 24);
        states + self.next.capacity() * 17 + self.kinds.len() * 2 * size_of::<Kind>()
    }
}
