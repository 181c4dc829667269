//! [`Machine`]: a model over small integers. States are interned and transitions remembered, so
//! that the search never touches a value.

use danso_vocab::Model;
use danso_vocab::history::Interner;
use rustc_hash::FxHashMap;

use super::object::Class;

/// The transition that does not exist.
const ILLEGAL: u32 = u32::MAX;

/// Remembered transitions beyond which the table starts afresh: it is only a cache.
const CACHE: usize = 1 << 20;

/// The model's side, behind a pointer so that the search is compiled once and not per model.
trait Stepper: Send {
    fn step(&mut self, state: u32, class: u32) -> u32;
    fn describe(&self, state: u32) -> String;
    fn bytes(&self) -> usize;
}

/// States and classes up to which transitions are kept in a plain table.
const SMALL: (u32, u32) = (64, 1024);

/// A transition nobody has asked for yet.
const UNASKED: u32 = u32::MAX - 1;

/// A model over interned states and operation classes.
pub(super) struct Machine<'a> {
    stepper: Box<dyn Stepper + 'a>,
    /// The transitions of the first states, state by state, if there are few classes.
    table: Vec<u32>,
    classes: u32,
    /// The other transitions.
    cache: FxHashMap<u64, u32>,
}

impl<'a> Machine<'a> {
    /// State 0 is the initial one.
    pub(super) const INIT: u32 = 0;

    pub(super) fn new<M: Model>(model: &'a M, classes: &'a [Class<'a>]) -> Machine<'a> {
        let mut states = Interner::default();
        states.intern(model.init());
        let small = classes.len() as u32 <= SMALL.1;
        Machine {
            table: Vec::new(),
            classes: if small { classes.len() as u32 } else { u32::MAX },
            stepper: Box::new(Typed { model, classes, states }),
            cache: FxHashMap::default(),
        }
    }

    /// The state after an operation of `class` in `state`, if that is possible.
    pub(super) fn step(&mut self, state: u32, class: u32) -> Option<u32> {
        if state < SMALL.0 && class < self.classes && self.classes != u32::MAX {
            let at = (state * self.classes + class) as usize;
            if at >= self.table.len() {
                self.table.resize((state as usize + 1) * self.classes as usize, UNASKED);
            }
            if self.table[at] == UNASKED {
                self.table[at] = self.stepper.step(state, class);
            }
            let next = self.table[at];
            return (next != ILLEGAL).then_some(next);
        }
        let key = u64::from(state) << 32 | u64::from(class);
        let next = match self.cache.get(&key) {
            Some(next) => *next,
            None => {
                let next = self.stepper.step(state, class);
                if self.cache.len() >= CACHE {
                    self.cache.clear();
                }
                self.cache.insert(key, next);
                next
            }
        };
        (next != ILLEGAL).then_some(next)
    }

    /// The state in words.
    pub(super) fn describe(&self, state: u32) -> String {
        self.stepper.describe(state)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.stepper.bytes() + self.cache.capacity() * 18 + self.table.capacity() * 4
    }
}

struct Typed<'a, M: Model> {
    model: &'a M,
    classes: &'a [Class<'a>],
    states: Interner<M::State>,
}

impl<M: Model> Stepper for Typed<'_, M> {
    fn step(&mut self, state: u32, class: u32) -> u32 {
        let class = &self.classes[class as usize];
        let next = self.model.step(self.states.get(state), class.f, &class.arg, class.ret());
        // An interner that is full would need 2³² states: memory limits end a search long before.
        next.and_then(|next| self.states.intern(next)).unwrap_or(ILLEGAL)
    }

    fn describe(&self, state: u32) -> String {
        self.model.describe(self.states.get(state))
    }

    fn bytes(&self) -> usize {
        self.states.len() * (size_of::<M::State>() + 24)
    }
}
