//! Checking a [`Proof`]: short, slow, and with nothing of the searches that find proofs. It needs
//! the history, and the model's own word for what may be taken apart or away
//! ([`Model::parts`], [`Model::unit`], [`Model::access`]).
//!
//! **Valid.** Each order is replayed against the model and real time, and together they must have
//! all operations that happened.
//!
//! **Invalid.** The operations that are not in the core are taken away again, step by step, each
//! step being checked to leave a linearization if there was one before (`Part`). What remains
//! must be the core; all its orders are tried, breadth first. With *n* operations of which *c*
//! are open at once and *s* states a set of them can leave, that takes up to *n*·2^*c*·*s*·*c*
//! steps; it is given up after [`MOST`].

use std::borrow::Cow;

use danso_vocab::certificate::{Claim, Core, Proof, Refused, Step};
use danso_vocab::{Access, History, Model, Op, OpId, Parts, Ret, Status, Unit, Value, Verdict};
use rustc_hash::{FxHashMap, FxHashSet};

/// Steps after which a refutation is given up.
pub const MOST: u64 = 4_000_000;

/// Checks that a proof holds for this history.
///
/// # Errors
/// If it does not, or if checking it is too much work.
pub fn verify<M: Model>(model: &M, history: &History, proof: &Proof) -> Result<Claim, Refused> {
    let (keyed, bare): (Vec<Op<'_>>, Vec<Op<'_>>) =
        history.ops().filter(|op| counts(model, *op)).partition(|op| op.key_id().is_some());
    holds(keyed.is_empty() || bare.is_empty(), || "only some operations name a key".to_owned())?;
    match proof {
        Proof::Valid(orders) => valid(model, history, orders),
        Proof::Invalid(core) => {
            let part = Part::left(model, history, core)?;
            let same = part.ops.iter().map(|held| held.op.id()).eq(core.ops.iter().copied());
            holds(same, || "what is left in the end is not the core".to_owned())?;
            refute(&part)?;
            Ok(Claim { verdict: Verdict::Invalid, ops: core.ops.len(), objects: 1 })
        }
    }
}

fn holds(so: bool, why_not: impl FnOnce() -> String) -> Result<(), Refused> {
    if so { Ok(()) } else { Err(Refused::Wrong(why_not())) }
}

/// Whether an operation may have happened and is the model's business.
fn counts<M: Model>(model: &M, op: Op<'_>) -> bool {
    op.status() != Status::Fail && !model.ignores(op.f())
}

fn find<'h, M: Model>(model: &M, history: &'h History, id: OpId) -> Result<Op<'h>, Refused> {
    let op = history.op(id).filter(|op| counts(model, *op));
    op.ok_or_else(|| Refused::Wrong(format!("{id} is no operation that may have happened")))
}

/// Replays orders that together have everything that happened.
fn valid<M: Model>(model: &M, history: &History, orders: &[Vec<OpId>]) -> Result<Claim, Refused> {
    let mut orders_of = FxHashMap::default();
    for first in orders.iter().filter_map(|order| order.first()) {
        *orders_of.entry(find(model, history, *first)?.key_id()).or_insert(0) += 1;
    }
    let (mut placed, mut owners) = (vec![false; history.len()], FxHashMap::default());
    for (nth, order) in orders.iter().enumerate() {
        let (mut state, mut begun, mut key) = (model.init(), 0, None);
        for id in order {
            let held = Held::new(model, find(model, history, *id)?);
            let (op, key) = (held.op, *key.get_or_insert(held.op.key_id()));
            holds(op.key_id() == key, || format!("{op} is of another object than others there"))?;
            let twice = std::mem::replace(&mut placed[op.row()], true);
            holds(!twice, || format!("{op} is in it twice"))?;
            holds(held.end >= begun, || {
                format!("{op} had ended before one began that it follows")
            })?;
            begun = begun.max(held.inv);
            let next = held.step(model, &state);
            let why = || format!("{op} is not possible in the state {}", model.describe(&state));
            holds(next.is_some(), why)?;
            state = next.unwrap_or(state);
            // Several orders of one object must have nothing in common.
            let parts = if orders_of[&key] > 1 { held.parts(model) } else { Parts::Of(Vec::new()) };
            let Parts::Of(parts) = parts else {
                return Err(Refused::Wrong(format!("{op} leaves its object only one order")));
            };
            for part in parts {
                let owner = *owners.entry((key, part.clone())).or_insert(nth);
                holds(owner == nth, || format!("part {part} of {op} is in another order, too"))?;
            }
        }
    }
    let happened = || history.ops().filter(|op| op.is_ok() && counts(model, *op));
    for op in happened() {
        holds(placed[op.row()], || format!("{op} happened and is in no order"))?;
    }
    let any = history.ops().any(|op| !model.ignores(op.f()));
    holds(any, || "there is no operation, so there is nothing to prove".to_owned())?;
    Ok(Claim { verdict: Verdict::Valid, ops: happened().count(), objects: orders_of.len() })
}

/// An operation that is not taken away.
#[derive(Clone)]
pub(crate) struct Held<'h> {
    pub(crate) op: Op<'h>,
    arg: Cow<'h, Value>,
    ret: Option<Cow<'h, Value>>,
    pub(crate) inv: u32,
    /// [`History::NEVER`] if it need not happen.
    pub(crate) end: u32,
}

impl<'h> Held<'h> {
    fn new<M: Model>(model: &M, op: Op<'h>) -> Self {
        let mut arg = op.arg();
        if model.by_process() {
            let process = Value::Int(i64::from(op.process().0));
            arg = Cow::Owned(Value::List(vec![process, arg.into_owned()]));
        }
        Held { op, arg, ret: op.ret(), inv: op.inv_rank(), end: op.res_rank() }
    }

    pub(crate) fn must(&self) -> bool {
        self.end != History::NEVER
    }

    fn saw(&self) -> Ret<'_> {
        self.ret.as_deref().map_or(Ret::Unknown, Ret::Saw)
    }

    fn step<M: Model>(&self, model: &M, state: &M::State) -> Option<M::State> {
        model.step(state, self.op.f(), &self.arg, self.saw())
    }

    pub(crate) fn access<M: Model>(&self, model: &M) -> Option<Access<'_>> {
        model.access(self.op.f(), &self.arg, self.saw())
    }

    pub(crate) fn parts<M: Model>(&self, model: &M) -> Parts<'_> {
        model.parts(self.op.f(), &self.arg, self.saw())
    }

    pub(crate) fn unit<M: Model>(&self, model: &M) -> Option<Value> {
        match model.unit(self.op.f(), &self.arg, self.saw()) {
            Unit::Of(unit) => Some(unit.clone()),
            Unit::Fixed | Unit::Observer => None,
        }
    }

    /// Whether it changes no state wherever it is possible.
    pub(crate) fn observes<M: Model>(&self, model: &M) -> bool {
        let swap = self.access(model);
        model.is_read(self.op.f())
            || model.unit(self.op.f(), &self.arg, self.saw()) == Unit::Observer
            || matches!(swap, Some(Access::Swaps { old, new }) if old == new)
    }

    /// Whether the model cannot tell the two apart.
    fn twin(&self, other: &Held<'_>) -> bool {
        (self.op.f_id(), &self.arg, &self.ret) == (other.op.f_id(), &other.arg, &other.ret)
    }
}

/// What is left of one object, by invocation. Every method takes something away such that a
/// linearization of what was there leaves one of what is there then.
pub(crate) struct Part<'h, 'm, M> {
    model: &'m M,
    pub(crate) ops: Vec<Held<'h>>,
}

impl<M> Clone for Part<'_, '_, M> {
    fn clone(&self) -> Self {
        Part { model: self.model, ops: self.ops.clone() }
    }
}

impl<'h, 'm, M: Model> Part<'h, 'm, M> {
    /// What a core says is left.
    fn left(model: &'m M, history: &'h History, core: &Core) -> Result<Self, Refused> {
        let mut part = Part::upto(model, find(model, history, core.upto)?, history)?;
        let kept: FxHashSet<OpId> = core.ops.iter().copied().collect();
        part.forget_observers(|op| kept.contains(&op.id()));
        if !core.parts.is_empty() {
            part.only(&core.parts)?;
        }
        part.forget_units(|op| kept.contains(&op.id()))?;
        core.steps.iter().try_for_each(|step| part.take(*step))?;
        Ok(part)
    }

    /// The object of `last` up to the end of that. A linearization of the whole has one of this as
    /// its beginning. What ends later need not be in it; if it is, then with its own result.
    pub(crate) fn upto(model: &'m M, last: Op<'h>, history: &'h History) -> Result<Self, Refused> {
        holds(last.is_ok(), || format!("nobody knows when {last} ended"))?;
        let end = last.res_rank();
        let before = |op: &Op<'_>| op.key_id() == last.key_id() && op.inv_rank() < end;
        let ops = history.ops().filter(|op| before(op) && counts(model, *op));
        let cut = |held: Held<'h>| Held {
            end: if held.end > end { History::NEVER } else { held.end },
            ..held
        };
        Ok(Part { model, ops: ops.map(|op| cut(Held::new(model, op))).collect() })
    }

    /// What changes no state wherever it is possible is missed by nobody.
    pub(crate) fn forget_observers(&mut self, stays: impl Fn(Op<'h>) -> bool) {
        let model = self.model;
        self.ops.retain(|held| stays(held.op) || !held.observes(model));
    }

    /// Keeps what touches some of these parts; nothing may touch others as well.
    pub(crate) fn only(&mut self, chosen: &[Value]) -> Result<(), Refused> {
        let (model, chosen) = (self.model, chosen.iter().collect::<FxHashSet<&Value>>());
        // How many parts it touches, of those and of others.
        let touches = |held: &Held<'_>| match held.parts(model) {
            Parts::Of(parts) => {
                let some = parts.iter().filter(|part| chosen.contains(*part)).count();
                (some, parts.len() - some)
            }
            Parts::All => (1, 1),
        };
        let both = self.ops.iter().find(|held| matches!(touches(held), (1.., 1..)));
        holds(both.is_none(), || "the parts chosen are not independent of others".to_owned())?;
        self.ops.retain(|held| touches(held).0 > 0);
        Ok(())
    }

    /// Takes away the units nothing of which stays, if everything is of one: what is of none may
    /// concern any, such as a peek, or a dequeue of nobody knows what.
    pub(crate) fn forget_units(&mut self, stays: impl Fn(Op<'h>) -> bool) -> Result<(), Refused> {
        let unit = |held: &Held<'_>| held.unit(self.model);
        let kept: FxHashSet<Value> =
            self.ops.iter().filter(|held| stays(held.op)).filter_map(unit).collect();
        let gone: Vec<bool> =
            self.ops.iter().map(|held| unit(held).is_some_and(|u| !kept.contains(&u))).collect();
        let all = || self.ops.iter().all(|held| unit(held).is_some());
        holds(!gone.contains(&true) || all(), || {
            "what is left may concern what is not".to_owned()
        })?;
        let mut gone = gone.into_iter();
        self.ops.retain(|_| gone.next() == Some(false));
        Ok(())
    }

    pub(crate) fn is_register(&self) -> bool {
        self.ops.iter().all(|held| held.access(self.model).is_some())
    }

    /// Takes a register's operations away; see [`Step`].
    pub(crate) fn take(&mut self, step: Step) -> Result<(), Refused> {
        let (model, why) = (self.model, || format!("{step:?} may change the verdict"));
        let (Step::Cut(op) | Step::Unseen(op) | Step::Hidden { op, .. }) = step;
        let find = |id| self.ops.iter().find(|held| held.op.id() == id);
        let Some(it) = find(op).filter(|_| self.is_register()) else {
            return Err(Refused::Wrong(why()));
        };
        let writes = |held: &Held<'_>| matches!(held.access(model), Some(Access::Writes(_)));
        if let Step::Cut(_) = step {
            let (inv, end) = (it.inv, it.end);
            let swaps = |held: &&Held<'_>| {
                matches!(held.access(model), Some(Access::Swaps { .. })) && !held.observes(model)
            };
            let mut swaps = self.ops.iter().filter(swaps).filter(|swap| swap.must());
            let alone = swaps.all(|swap| swap.end < inv || swap.inv > end);
            holds(it.must() && writes(it) && alone, why)?;
            self.ops
                .retain(|held| if held.observes(model) { held.inv > end } else { held.end > inv });
            return Ok(());
        }
        // With nobody to observe the value, what follows is a write, or nothing that happened.
        let Some(Access::Writes(value) | Access::Swaps { new: value, .. }) = it.access(model)
        else {
            return Err(Refused::Wrong(why()));
        };
        let observes = |held: &&Held<'_>| match held.access(model) {
            _ if held.op.id() == op || held.end < it.inv => false,
            Some(Access::Reads(v) | Access::Swaps { old: v, .. }) => v == value,
            Some(Access::Misses(v)) => v != value,
            Some(Access::Writes(_)) | None => false,
        };
        let first = self.ops.iter().filter(observes).map(|held| held.inv).min();
        // What happens in between does not observe it: by then a write has replaced it.
        let hides = |by: &Held<'_>| it.end < by.inv && first.is_some_and(|first| by.end < first);
        let hidden = matches!(step, Step::Hidden { by, .. } if find(by).is_some_and(hides));
        holds(first.is_none() || hidden, why)?;
        self.ops.retain(|held| held.op.id() != op);
        Ok(())
    }
}

/// Tries all orders. Before each completion every order so far is extended just until it has the
/// operation that completes; what counts of an order then is which of the open operations it has,
/// and the state it leaves.
pub(crate) fn refute<M: Model>(part: &Part<'_, '_, M>) -> Result<(), Refused> {
    let (model, ops) = (part.model, &part.ops);
    for Held { op, arg, .. } in ops {
        let known = model.step(&model.init(), op.f(), arg, Ret::Unknown).is_some();
        holds(known, || format!("the model does not know {op}"))?;
    }
    let mut ends: Vec<usize> = (0..ops.len()).filter(|i| ops[*i].must()).collect();
    ends.sort_by_key(|i| ops[*i].end);
    let (mut open, mut next, mut left) = (Vec::new(), 0, MOST);
    let mut reached = FxHashSet::from_iter([(Vec::<usize>::new(), model.init())]);
    for ending in ends {
        let begun = ops.partition_point(|held| held.inv < ops[ending].end);
        open.extend(next..begun);
        next = next.max(begun);
        let mut todo: Vec<_> = reached.iter().cloned().collect();
        let mut past = FxHashSet::default();
        while let Some((mut has, state)) = todo.pop() {
            if let Ok(at) = has.binary_search(&ending) {
                has.remove(at);
                past.insert((has, state));
                continue;
            }
            let lacks = |i: &usize| has.binary_search(i).is_err();
            for &i in open.iter().filter(|i| lacks(i)) {
                left -= 1;
                if left == 0 {
                    let why = format!("there are too many orders of {} operations", ops.len());
                    return Err(Refused::TooLarge(why));
                }
                // Of two that cannot be told apart, the one that ends first may as well go first.
                let sooner = |j: &usize| (ops[*j].end, *j) < (ops[i].end, i) && lacks(j);
                if open.iter().any(|j| sooner(j) && ops[*j].twin(&ops[i])) {
                    continue;
                }
                let Some(then) = ops[i].step(model, &state) else { continue };
                if then == state && !ops[i].must() {
                    continue; // What need not happen need not be where it changes nothing.
                }
                let mut with = has.clone();
                with.insert(with.partition_point(|j| *j < i), i);
                if reached.insert((with.clone(), then.clone())) {
                    todo.push((with, then));
                }
            }
        }
        if past.is_empty() {
            return Ok(());
        }
        open.retain(|i| *i != ending);
        reached = past;
    }
    Err(Refused::Wrong("the core has a linearization".to_owned()))
}
