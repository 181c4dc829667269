//! [`Object`]: the operations of one object, as the search needs them.
//!
//! A history splits by key, because linearizability is local (Herlihy and Wing 1990): a history
//! is linearizable exactly if its restriction to each object is.

use std::borrow::Cow;
use std::collections::hash_map::Entry;

use danso_vocab::{Access, History, Model, Op, Ret, Status, Unit, Value};
use rustc_hash::FxHashMap;

/// Stamps are twice the event rank, so that a deadline fits between two events.
pub(super) const NEVER: u64 = u64::MAX;

/// An operation that may be or must be linearized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Its row in the history.
    pub(super) row: u32,
    /// Its class in [`Object::classes`].
    pub(super) class: u32,
    /// The stamp of its invocation.
    pub(super) inv: u64,
    /// The stamp by which it must have been linearized; [`NEVER`] if it need not be at all.
    pub(super) res: u64,
}

impl Item {
    /// Whether every linearization contains it.
    pub(super) fn must(&self) -> bool {
        self.res != NEVER
    }
}

/// [`Access`] with values as places in [`Object::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    Reads(u32),
    Misses(u32),
    Writes(u32),
    Swaps(u32, u32),
}

impl Touch {
    /// The value it leaves, if it may change the value.
    pub(super) fn leaves(self) -> Option<u32> {
        match self {
            Touch::Writes(v) | Touch::Swaps(_, v) => Some(v),
            Touch::Reads(_) | Touch::Misses(_) => None,
        }
    }

    /// The one value it needs.
    pub(super) fn needs(self) -> Option<u32> {
        match self {
            Touch::Reads(v) | Touch::Swaps(v, _) => Some(v),
            Touch::Writes(_) | Touch::Misses(_) => None,
        }
    }
}

/// [`Unit`] with units as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removable {
    No,
    Alone,
    With(u32),
}

/// All operations with the same `f`, argument and result: the model cannot tell them apart.
#[derive(Clone, Debug)]
pub(super) struct Class<'h> {
    pub(super) f: &'h str,
    pub(super) arg: Value,
    /// The result; `None` if nobody knows it.
    pub(super) ret: Option<Value>,
    /// It changes no state in which it is possible.
    pub(super) observer: bool,
    /// What it does to a register; `None` if the object is none.
    pub(super) touch: Option<Touch>,
    /// What may be taken away together with it.
    pub(super) removable: Removable,
}

impl Class<'_> {
    /// The result as a model takes it.
    pub(super) fn ret(&self) -> Ret<'_> {
        self.ret.as_ref().map_or(Ret::Unknown, Ret::Saw)
    }
}

/// The operations of one object.
pub(super) struct Object<'h> {
    pub(super) history: &'h History,
    pub(super) key: Option<Value>,
    pub(super) classes: Vec<Class<'h>>,
    /// The values the classes touch.
    pub(super) values: Vec<Value>,
    /// By invocation.
    pub(super) items: Vec<Item>,
    /// Every class has a `touch`.
    pub(super) register: bool,
    /// The value before the first operation, if any class touches it.
    pub(super) initial: Option<u32>,
}

impl<'h> Object<'h> {
    /// The object made of these rows. Operations that failed and reads nobody knows the result
    /// of constrain nothing and are left out.
    ///
    /// # Errors
    /// With an operation the model does not know in any way. Calling the history invalid for it
    /// would blame the database for a wrong choice of model.
    pub(super) fn new<M: Model>(
        history: &'h History,
        rows: &[u32],
        model: &M,
    ) -> Result<Object<'h>, Op<'h>> {
        let mut object = Object {
            history,
            key: rows.first().and_then(|row| history.row(*row as usize).key()?.into_owned().into()),
            classes: Vec::new(),
            values: Vec::new(),
            items: Vec::with_capacity(rows.len()),
            register: true,
            initial: None,
        };
        let (init, by_process) = (model.init(), model.by_process());
        let mut known = FxHashMap::default();
        let mut ids = Ids::default();
        for &row in rows {
            let op = history.row(row as usize);
            if op.status() == Status::Fail || op.status() == Status::Info && model.is_read(op.f()) {
                continue;
            }
            let process = by_process.then(|| op.process());
            let class = *match known.entry((op.f_id(), op.arg_id(), op.ret_id(), process)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let arg = argument(op, model);
                    if model.step(&init, op.f(), &arg, Ret::Unknown).is_none() {
                        return Err(op);
                    }
                    object.classes.push(classify(op, arg, model, &mut ids));
                    new.insert(object.classes.len() as u32 - 1)
                }
            };
            // What changes nothing and answered nothing says nothing.
            if op.is_ok() || !object.classes[class as usize].observer {
                object.items.push(item(op, class));
            }
        }
        object.values = ids.values;
        object.initial = object.classes.iter().find_map(|class| initial(class, model, &init));
        object.register = object.classes.iter().all(|class| class.touch.is_some());
        Ok(object)
    }

    /// The operation behind an item.
    pub(super) fn op(&self, item: &Item) -> Op<'h> {
        self.history.row(item.row as usize)
    }

    /// The class of an item.
    pub(super) fn class(&self, item: &Item) -> &Class<'h> {
        &self.classes[item.class as usize]
    }

    /// What an item does to the register.
    pub(super) fn touch(&self, item: &Item) -> Option<Touch> {
        self.class(item).touch
    }
}

fn item(op: Op<'_>, class: u32) -> Item {
    let stamp = |rank: u32| if rank == History::NEVER { NEVER } else { u64::from(rank) * 2 };
    Item { row: op.row() as u32, class, inv: stamp(op.inv_rank()), res: stamp(op.res_rank()) }
}

/// The initial value, if `class` gives it away.
fn initial<M: Model>(class: &Class<'_>, model: &M, init: &M::State) -> Option<u32> {
    let next = model.step(init, class.f, &class.arg, class.ret())?;
    match class.touch? {
        Touch::Reads(value) if class.ret.is_some() => Some(value),
        // In any other state it is impossible or, with an unknown result, changes nothing.
        Touch::Swaps(old, _) if next != *init => Some(old),
        _ => None,
    }
}

/// The argument as the model takes it.
pub(super) fn argument<M: Model>(op: Op<'_>, model: &M) -> Value {
    let arg = op.arg().into_owned();
    if model.by_process() {
        Value::List(vec![Value::Int(i64::from(op.process().0)), arg])
    } else {
        arg
    }
}

/// Values and units by number.
#[derive(Default)]
struct Ids {
    values: Vec<Value>,
    known: FxHashMap<Value, u32>,
    units: FxHashMap<Value, u32>,
}

impl Ids {
    fn value(&mut self, value: &Value) -> u32 {
        if let Some(id) = self.known.get(value) {
            return *id;
        }
        let id = self.values.len() as u32;
        self.values.push(value.clone());
        self.known.insert(value.clone(), id);
        id
    }

    fn unit(&mut self, unit: &Value) -> u32 {
        let next = self.units.len() as u32;
        *self.units.entry(unit.clone()).or_insert(next)
    }
}

fn classify<'h, M: Model>(op: Op<'h>, arg: Value, model: &M, ids: &mut Ids) -> Class<'h> {
    let ret = op.ret().map(Cow::into_owned);
    let saw = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
    let touch = model.access(op.f(), &arg, saw).map(|access| match access {
        Access::Reads(v) => Touch::Reads(ids.value(v)),
        Access::Misses(v) => Touch::Misses(ids.value(v)),
        Access::Writes(v) => Touch::Writes(ids.value(v)),
        Access::Swaps { old, new } if old == new => Touch::Reads(ids.value(old)),
        Access::Swaps { old, new } => Touch::Swaps(ids.value(old), ids.value(new)),
    });
    let seen = matches!(touch, Some(Touch::Reads(_) | Touch::Misses(_)));
    let removable = match model.unit(op.f(), &arg, saw) {
        _ if seen || model.is_read(op.f()) => Removable::Alone,
        Unit::Observer => Removable::Alone,
        Unit::Of(unit) => Removable::With(ids.unit(unit)),
        Unit::Fixed => Removable::No,
    };
    let observer = removable == Removable::Alone;
    Class { f: op.f(), arg, ret, observer, touch, removable }
}
