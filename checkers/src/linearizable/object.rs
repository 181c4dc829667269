//! [`Object`]: the operations of one object, as the search needs them.
//!
//! A history splits by key, because linearizability is local (Herlihy and Wing 1990): a history
//! is linearizable exactly if its restriction to each object is.

use std::borrow::Cow;

use danso_vocab::{Access, History, Model, Op, Ret, Status, Value};
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
        let init = model.init();
        let mut known = FxHashMap::default();
        let mut ids = FxHashMap::default();
        for &row in rows {
            let op = history.row(row as usize);
            if op.status() == Status::Fail || op.status() == Status::Info && model.is_read(op.f()) {
                continue;
            }
            let class = match known.get(&(op.f_id(), op.arg_id(), op.ret_id())) {
                Some(class) => *class,
                None => {
                    if model.step(&init, op.f(), &op.arg(), Ret::Unknown).is_none() {
                        return Err(op);
                    }
                    let class = object.classes.len() as u32;
                    object.classes.push(classify(op, model, &mut ids, &mut object.values));
                    known.insert((op.f_id(), op.arg_id(), op.ret_id()), class);
                    class
                }
            };
            // What changes nothing and answered nothing says nothing.
            if op.is_ok() || !object.classes[class as usize].observer {
                object.items.push(item(op, class));
            }
        }
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

fn classify<'h, M: Model>(
    op: Op<'h>,
    model: &M,
    ids: &mut FxHashMap<Value, u32>,
    values: &mut Vec<Value>,
) -> Class<'h> {
    let (arg, ret) = (op.arg().into_owned(), op.ret().map(Cow::into_owned));
    let mut id = |value: &Value| match ids.get(value) {
        Some(id) => *id,
        None => {
            values.push(value.clone());
            ids.insert(value.clone(), values.len() as u32 - 1);
            values.len() as u32 - 1
        }
    };
    let saw = ret.as_ref().map_or(Ret::Unknown, Ret::Saw);
    let touch = model.access(op.f(), &arg, saw).map(|access| match access {
        Access::Reads(v) => Touch::Reads(id(v)),
        Access::Misses(v) => Touch::Misses(id(v)),
        Access::Writes(v) => Touch::Writes(id(v)),
        Access::Swaps { old, new } if old == new => Touch::Reads(id(old)),
        Access::Swaps { old, new } => Touch::Swaps(id(old), id(new)),
    });
    let observer =
        model.is_read(op.f()) || matches!(touch, Some(Touch::Reads(_) | Touch::Misses(_)));
    Class { f: op.f(), arg, ret, observer, touch }
}
