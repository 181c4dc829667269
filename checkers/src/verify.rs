//! Checking a [`Proof`]: short, slow, and with nothing of the searches that find proofs. It needs
//! the history, and the model's own word for what may be taken apart or away
//! ([`Model::parts`], [`Model::unit`], [`Model::access`]).
//!
//! **Valid.** Each order is replayed against the model and real time, and together they must have
//! all operations that happened.
//!
//! **Invalid.** The operations that are not in the core are taken away again, step by step, each
//! step being checked to leave a linearization if there was one before ([`Part`]). What remains
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
    let mine = || history.ops().filter(|op| counts(model, *op));
    let (keyed, bare) =
        (mine().find(|op| op.key_id().is_some()), mine().find(|op| op.key_id().is_none()));
    if let (Some(keyed), Some(bare)) = (keyed, bare) {
        return wrong(format!("{bare} names no key although {keyed} does"));
    }
    match proof {
        Proof::Valid(orders) => valid(model, history, orders),
        Proof::Invalid(core) => {
            let part = Part::left(model, history, core)?;
            if part.ops.iter().map(|held| held.op.id()).ne(core.ops.iter().copied()) {
                return wrong("what remains after taking the rest away is not the core");
            }
            refute(&part)?;
            Ok(Claim { verdict: Verdict::Invalid, ops: core.ops.len(), objects: 1 })
        }
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Wrong(why.into()))
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
    let mut placed = vec![false; history.len()];
    let mut orders_of = FxHashMap::default();
    for order in orders {
        let Some(first) = order.first() else { return wrong("an order is empty") };
        *orders_of.entry(find(model, history, *first)?.key_id()).or_insert(0) += 1;
    }
    let (mut owners, mut happened) = (FxHashMap::default(), 0);
    for (nth, order) in orders.iter().enumerate() {
        let (mut state, mut begun, mut key) = (model.init(), 0, None);
        for id in order {
            let held = Held::new(model, find(model, history, *id)?);
            let op = held.op;
            if *key.get_or_insert(op.key_id()) != op.key_id() {
                return wrong(format!("{op} is of another object than the rest of its order"));
            }
            if std::mem::replace(&mut placed[op.row()], true) {
                return wrong(format!("{op} is in it twice"));
            }
            if held.end < begun {
                return wrong(format!("{op} comes after one that began when it had ended"));
            }
            begun = begun.max(held.inv);
            let Some(next) = held.step(model, &state) else {
                let state = model.describe(&state);
                return wrong(format!("{op} is not possible in the state {state}"));
            };
            state = next;
            // Several orders of one object must have nothing in common.
            if orders_of[&op.key_id()] > 1 {
                let Parts::Of(parts) = held.parts(model) else {
                    return wrong(format!(
                        "{op} is not of one part only, so its object needs one order"
                    ));
                };
                for part in parts {
                    if *owners.entry((op.key_id(), part.clone())).or_insert(nth) != nth {
                        return wrong(format!("part {part} of {op} is in two orders"));
                    }
                }
            }
        }
    }
    for op in history.ops().filter(|op| op.is_ok() && counts(model, *op)) {
        if !placed[op.row()] {
            return wrong(format!("{op} happened and is in no order"));
        }
        happened += 1;
    }
    if happened == 0 {
        return wrong("no operation succeeded, so there is nothing to prove");
    }
    Ok(Claim { verdict: Verdict::Valid, ops: happened, objects: orders_of.len() })
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

    fn saw(&self) -> Ret<'_> {
        self.ret.as_deref().map_or(Ret::Unknown, Ret::Saw)
    }

    pub(crate) fn access<M: Model>(&self, model: &M) -> Option<Access<'_>> {
        model.access(self.op.f(), &self.arg, self.saw())
    }

    pub(crate) fn parts<M: Model>(&self, model: &M) -> Parts<'_> {
        model.parts(self.op.f(), &self.arg, self.saw())
    }

    /// Whether it changes no state wherever it is possible.
    pub(crate) fn observes<M: Model>(&self, model: &M) -> bool {
        let unit = model.unit(self.op.f(), &self.arg, self.saw());
        let swap = self.access(model);
        unit == Unit::Observer || matches!(swap, Some(Access::Swaps { old, new }) if old == new)
    }

    pub(crate) fn unit<M: Model>(&self, model: &M) -> Option<Value> {
        match model.unit(self.op.f(), &self.arg, self.saw()) {
            Unit::Of(unit) => Some(unit.clone()),
            Unit::Fixed | Unit::Observer => None,
        }
    }

    pub(crate) fn must(&self) -> bool {
        self.end != History::NEVER
    }

    fn step<M: Model>(&self, model: &M, state: &M::State) -> Option<M::State> {
        model.step(state, self.op.f(), &self.arg, self.saw())
    }

    /// Whether the model cannot tell the two apart.
    fn twin(&self, other: &Held<'_>) -> bool {
        let same = self.op.f_id() == other.op.f_id() && self.op.ret_id() == other.op.ret_id();
        same && self.arg == other.arg
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
        let end = last.res_rank();
        if !last.is_ok() {
            return wrong(format!("nobody knows when {last} ended"));
        }
        let before = |op: &Op<'_>| op.key_id() == last.key_id() && op.inv_rank() < end;
        let ops = history.ops().filter(|op| before(op) && counts(model, *op));
        let cut = |held: Held<'h>| match held.end > end {
            true => Held { end: History::NEVER, ..held },
            false => held,
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
        let chosen: FxHashSet<&Value> = chosen.iter().collect();
        let mut stays = Vec::with_capacity(self.ops.len());
        for held in &self.ops {
            let Parts::Of(parts) = held.parts(self.model) else {
                return wrong(format!("{} is not of certain parts", held.op));
            };
            let some = parts.iter().any(|part| chosen.contains(part));
            if some && !parts.iter().all(|part| chosen.contains(part)) {
                return wrong(format!("{} is of other parts as well", held.op));
            }
            stays.push(some);
        }
        let mut stays = stays.into_iter();
        self.ops.retain(|_| stays.next() == Some(true));
        Ok(())
    }

    /// Takes away the units nothing of which stays.
    pub(crate) fn forget_units(&mut self, stays: impl Fn(Op<'h>) -> bool) -> Result<(), Refused> {
        let units: Vec<_> = self.ops.iter().map(|held| held.unit(self.model)).collect();
        let with = self.ops.iter().zip(&units).filter(|(held, _)| stays(held.op));
        let kept: FxHashSet<&Value> = with.filter_map(|(_, unit)| unit.as_ref()).collect();
        let gone = |unit: &Option<Value>| unit.as_ref().is_some_and(|unit| !kept.contains(unit));
        if !units.iter().any(gone) {
            return Ok(());
        }
        // One of no unit may concern any of them: a peek, or a dequeue of nobody knows what.
        if let Some((held, _)) = self.ops.iter().zip(&units).find(|(_, unit)| unit.is_none()) {
            return wrong(format!("{} may concern units that were taken away", held.op));
        }
        let mut stays = units.iter().map(|unit| !gone(unit));
        self.ops.retain(|_| stays.next() == Some(true));
        Ok(())
    }

    pub(crate) fn is_register(&self) -> bool {
        self.ops.iter().all(|held| held.access(self.model).is_some())
    }

    /// Takes a register's operations away, if that leaves a linearization; see [`Step`].
    pub(crate) fn take(&mut self, step: Step) -> Result<(), Refused> {
        let not = || Refused::Wrong(format!("{step:?} may change the verdict"));
        let model = self.model;
        if !self.is_register() {
            return Err(not());
        }
        let find = |id| self.ops.iter().find(|held| held.op.id() == id).ok_or_else(not);
        let write = |id| {
            find(id).and_then(|held| match held.access(model) {
                Some(Access::Writes(_)) if held.must() => Ok((held.inv, held.end)),
                _ => Err(not()),
            })
        };
        let gone = match step {
            Step::Cut(op) => {
                let (inv, end) = write(op)?;
                let overlaps = |held: &Held<'_>| {
                    let swap = matches!(held.access(model), Some(Access::Swaps { .. }));
                    swap && held.must() && held.inv < end && held.end > inv
                };
                if self.ops.iter().any(|held| overlaps(held) && !held.observes(self.model)) {
                    return Err(not());
                }
                self.ops.retain(|held| match held.observes(model) {
                    true => held.inv > end,
                    false => held.end > inv,
                });
                return Ok(());
            }
            Step::Unseen(op) | Step::Hidden { op, .. } => find(op)?,
        };
        let Some(Access::Writes(value) | Access::Swaps { new: value, .. }) = gone.access(model)
        else {
            return Err(not());
        };
        let observes = |held: &&Held<'_>| match held.access(model) {
            _ if held.op.id() == gone.op.id() || held.end < gone.inv => false,
            Some(Access::Reads(v) | Access::Swaps { old: v, .. }) => v == value,
            Some(Access::Misses(v)) => v != value,
            Some(Access::Writes(_)) | None => false,
        };
        // With nobody to observe the value, what follows is a write, or nothing that happened.
        let first = self.ops.iter().filter(observes).map(|held| held.inv).min();
        if let Some(first) = first {
            let Step::Hidden { by, .. } = step else { return Err(not()) };
            let (inv, end) = write(by)?;
            if gone.end >= inv || end >= first {
                return Err(not());
            }
        }
        let id = gone.op.id();
        self.ops.retain(|held| held.op.id() != id);
        Ok(())
    }
}

/// Tries all orders. Before each completion every order so far is extended just until it has the
/// operation that completes; what counts of an order then is which of the open operations it has,
/// and the state it leaves.
pub(crate) fn refute<M: Model>(part: &Part<'_, '_, M>) -> Result<(), Refused> {
    let (model, ops) = (part.model, &part.ops);
    let foreign = |held: &&Held<'_>| {
        model.step(&model.init(), held.op.f(), &held.arg, Ret::Unknown).is_none()
    };
    if let Some(held) = ops.iter().find(foreign) {
        return wrong(format!("the model does not know {}", held.op));
    }
    let mut ends: Vec<usize> = (0..ops.len()).filter(|i| ops[*i].must()).collect();
    ends.sort_by_key(|i| ops[*i].end);
    let (mut open, mut next, mut left) = (Vec::new(), 0, MOST);
    let mut reached = FxHashSet::from_iter([(Vec::<usize>::new(), model.init())]);
    for ending in ends {
        while next < ops.len() && ops[next].inv < ops[ending].end {
            open.push(next);
            next += 1;
        }
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
                left = left.saturating_sub(1);
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
            if left == 0 {
                return Err(Refused::TooLarge(format!(
                    "{} operations have too many orders to try",
                    ops.len()
                )));
            }
        }
        if past.is_empty() {
            return Ok(());
        }
        open.retain(|i| *i != ending);
        reached = past;
    }
    wrong("the core has a linearization")
}
