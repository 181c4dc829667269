//! [`Watched`]: one object while its history grows.
//!
//! An operation whose outcome nobody knows *yet* is no different from one whose outcome nobody
//! will ever know, until it ends: it may be linearized at any time after its invocation, or
//! never. When it ends, everything since its invocation is gone through once more with what is
//! known now, from the frontier there, which is kept as long as it is open. All operations
//! together are open at each event as often as operations overlap there, so an event is gone
//! through about *c* times in all, for concurrency *c*.
//!
//! So after each event the frontier is that of the history so far, exactly as the check after the
//! run would see it: empty if and only if that is not linearizable.

use std::collections::VecDeque;
use std::rc::Rc;

use danso_vocab::{Model, Ret};
use rustc_hash::FxHashMap;

use super::super::search::{Config, Place, Used};
use super::closure::{Closure, Front, Known, MAY, Open, Pool, TooWide};
use super::kinds::{Call, Kinds};

/// Operations of one object open at once beyond which it is left to the check after the run.
const SLOTS: u32 = MAY;

/// How an operation ended.
pub(super) enum End {
    Ok(Call),
    Fail,
    Info,
}

/// What an event did to an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The history so far is linearizable.
    Fine,
    /// It is not any more. Just before, these states were possible, in words.
    Violated { states: Vec<String> },
}

/// Why an object cannot be watched further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// There are too many configurations.
    Wide,
    /// There are too many operations open at once.
    Crowded,
    /// The model does not know an operation.
    Foreign,
}

impl From<TooWide> for Lost {
    fn from(TooWide: TooWide) -> Lost {
        Lost::Wide
    }
}

/// An operation that is open, or that ended with a result while an older one is open.
struct Op {
    /// Its kind, once its result is known.
    kind: Option<u32>,
    /// The pool it is in until then; `None` if it is a read.
    pool: Option<u32>,
    slot: u32,
    begin: u64,
    end: u64,
    /// The frontier before its invocation, and the operations open there; while it is open.
    before: Rc<Front>,
    beside: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Mark {
    Begin(u32),
    End(u32),
}

/// One object while its history grows.
pub(super) struct Watched<'m, M: Model> {
    model: &'m M,
    kinds: Kinds<'m, M>,
    used: Used,
    pools: Vec<Pool>,
    pool_of: FxHashMap<u32, u32>,
    /// The pools that have any operation.
    filled: Vec<u32>,
    ops: FxHashMap<u32, Op>,
    /// Those that have not ended, by invocation.
    open: VecDeque<u32>,
    /// The invocations and responses since the oldest open operation's invocation.
    tail: VecDeque<Mark>,
    /// The number of the first of them.
    first: u64,
    now: Rc<Front>,
    /// Things remembered below which nothing is forgotten, ever and now.
    worth_forgetting: usize,
    forget_at: usize,
}

impl<'m, M: Model> Watched<'m, M> {
    /// Below `worth_forgetting` states, kinds and multisets nothing is forgotten.
    pub(super) fn new(model: &'m M, worth_forgetting: usize) -> Watched<'m, M> {
        let place = Place { event: 0, state: 0, mask: 0 };
        Watched {
            model,
            kinds: Kinds::new(model),
            used: Used::new(),
            pools: Vec::new(),
            pool_of: FxHashMap::default(),
            filled: Vec::new(),
            ops: FxHashMap::default(),
            open: VecDeque::new(),
            tail: VecDeque::new(),
            first: 0,
            now: Rc::new(vec![Config { place, used: Used::NONE }]),
            worth_forgetting,
            forget_at: worth_forgetting,
        }
    }

    /// An operation begins. Its `id` is that of no other one.
    pub(super) fn begin(&mut self, id: u32, call: Call) -> Result<(), Lost> {
        if self.model.step(&self.model.init(), &call.f, &call.arg, Ret::Unknown).is_none() {
            return Err(Lost::Foreign);
        }
        let busy: Vec<u32> = self.open.iter().filter_map(|o| Some(self.ops.get(o)?.slot)).collect();
        let slot = (0..SLOTS).find(|s| !busy.contains(s)).ok_or(Lost::Crowded)?;
        let begin = self.clock();
        let pool = if self.model.is_read(&call.f) { None } else { self.enter_pool(call, begin)? };
        let (before, beside) = (self.now.clone(), self.open.iter().copied().collect());
        let op = Op { kind: None, pool, slot, begin, end: u64::MAX, before, beside };
        self.ops.insert(id, op);
        self.open.push_back(id);
        self.tail.push_back(Mark::Begin(id));
        Ok(())
    }

    /// An operation ends.
    pub(super) fn end(&mut self, id: u32, end: End) -> Result<Effect, Lost> {
        self.open.retain(|open| *open != id);
        let Some(mut op) = self.ops.remove(&id) else { return Ok(Effect::Fine) };
        if let End::Info = end {
            // It stays in its pool for ever.
            self.trim();
            return Ok(Effect::Fine);
        }
        let pool = op.pool.take();
        if let Some(pool) = pool {
            let since = &mut self.pools[pool as usize].since;
            since.retain(|since| *since != op.begin);
            if since.is_empty() {
                self.filled.retain(|filled| *filled != pool);
            }
        }
        let (from, before, beside) = (op.begin, op.before.clone(), std::mem::take(&mut op.beside));
        if let End::Ok(call) = end {
            op.kind = Some(self.kind(call)?);
            op.before = Rc::default();
            op.end = self.clock();
            self.ops.insert(id, op);
            self.tail.push_back(Mark::End(id));
        } else if pool.is_none() {
            // A read that failed says nothing.
            self.trim();
            return Ok(Effect::Fine);
        }
        let last = self.now.clone();
        self.go_through(from, before, &beside)?;
        if self.now.is_empty() {
            return Ok(Effect::Violated { states: self.describe(&last) });
        }
        self.trim();
        if self.kinds.len() + self.used.len() > self.forget_at {
            self.forget();
            self.forget_at = self.worth_forgetting.max(2 * (self.kinds.len() + self.used.len()));
        }
        Ok(Effect::Fine)
    }

    /// The states of a frontier, in words.
    fn describe(&self, front: &Front) -> Vec<String> {
        let mut states: Vec<u32> = front.iter().map(|config| config.place.state).collect();
        states.sort_unstable();
        states.dedup();
        states.iter().map(|state| self.kinds.describe(*state)).collect()
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        let fronts = self.open.iter().filter_map(|id| self.ops.get(id)).map(|op| op.before.len());
        let configs = self.now.len() + fronts.sum::<usize>();
        configs * size_of::<Config<Open>>()
            + self.kinds.bytes()
            + self.used.bytes()
            + self.pools.iter().map(|pool| 64 + pool.since.len() * 8).sum::<usize>()
            + self.tail.len() * size_of::<Mark>()
            + self.ops.len() * (size_of::<Op>() + 64)
    }

    /// The number of the next event.
    fn clock(&self) -> u64 {
        self.first + self.tail.len() as u64
    }

    fn kind(&mut self, call: Call) -> Result<u32, Lost> {
        let kind = self.kinds.of(call);
        // What was left out because the object is a register might have mattered.
        if self.kinds.relied && !self.kinds.register { Err(Lost::Foreign) } else { Ok(kind) }
    }

    fn enter_pool(&mut self, call: Call, begin: u64) -> Result<Option<u32>, Lost> {
        let kind = self.kind(call)?;
        if self.kinds.get(kind).observer {
            return Ok(None);
        }
        let next = self.pools.len() as u32;
        let pool = *self.pool_of.entry(kind).or_insert(next);
        if pool == next {
            self.pools.push(Pool { kind, since: Vec::new() });
        }
        let since = &mut self.pools[pool as usize].since;
        if since.is_empty() {
            self.filled.push(pool);
        }
        since.push(begin);
        Ok(Some(pool))
    }

    /// Goes through the events from number `from` on, with `front` before them and `beside` open
    /// there, and brings all frontiers up to date.
    fn go_through(&mut self, from: u64, front: Rc<Front>, beside: &[u32]) -> Result<(), Lost> {
        let mut front = front;
        let mut open: Vec<Known> = Vec::new();
        beside.iter().for_each(|id| open.extend(self.known(*id)));
        open.sort_unstable_by_key(|known| known.end);
        for at in from..self.clock() {
            match self.tail[(at - self.first) as usize] {
                Mark::Begin(id) => match self.known(id) {
                    Some(known) => {
                        let place = open.partition_point(|o| o.end < known.end);
                        open.insert(place, known);
                        self.enter(&mut front, known);
                    }
                    None => {
                        if let Some(op) = self.ops.get_mut(&id) {
                            op.before = front.clone();
                        }
                    }
                },
                Mark::End(id) if open.first().is_some_and(|first| first.id == id) => {
                    let (kinds, used) = (&mut self.kinds, &mut self.used);
                    let (pools, filled) = (&self.pools, &self.filled);
                    let mut closure = Closure { kinds, used, pools, filled, open: &open, at };
                    front = Rc::new(closure.respond(&front)?);
                    open.remove(0);
                }
                Mark::End(_) => {}
            }
        }
        self.now = front;
        Ok(())
    }

    /// An operation is invoked: an observer is linearized at once wherever it is possible, and a
    /// write may take effect from now on.
    fn enter(&mut self, front: &mut Rc<Front>, known: Known) {
        if self.kinds.is_write(known.kind) {
            self.kinds.relied = true;
            for config in Rc::make_mut(front) {
                config.place.mask |= 1 << (known.slot + MAY);
            }
        } else if self.kinds.get(known.kind).observer {
            for config in Rc::make_mut(front) {
                if self.kinds.step(config.place.state, known.kind).is_some() {
                    config.place.mask |= 1 << known.slot;
                }
            }
        }
    }

    fn known(&self, id: u32) -> Option<Known> {
        let op = self.ops.get(&id)?;
        Some(Known { id, kind: op.kind?, slot: op.slot, end: op.end })
    }

    /// Forgets the events before the oldest open operation.
    fn trim(&mut self) {
        let oldest = self.open.front().and_then(|id| self.ops.get(id));
        let from = oldest.map_or(self.clock(), |op| op.begin);
        while self.first < from {
            self.first += 1;
            if let Some(Mark::End(id)) = self.tail.pop_front() {
                self.ops.remove(&id);
            }
        }
    }

    /// Forgets states, kinds and multisets that nothing refers to any more.
    fn forget(&mut self) {
        let mut fronts: Vec<&mut Rc<Front>> = vec![&mut self.now];
        fronts.extend(self.ops.values_mut().map(|op| &mut op.before));
        let configs = || fronts.iter().flat_map(|front| front.iter());
        let mut states: Vec<u32> = configs().map(|config| config.place.state).collect();
        states.sort_unstable();
        states.dedup();
        let in_use = |pool: u32| configs().any(|c| self.used.pools(c.used).contains(&pool));
        let mut pools = Vec::new();
        let mut pool_at = vec![u32::MAX; self.pools.len()];
        for (number, pool) in (0..).zip(std::mem::take(&mut self.pools)) {
            if !pool.since.is_empty() || in_use(number) {
                pool_at[number as usize] = pools.len() as u32;
                pools.push(pool);
            }
        }
        // Each frontier once: those of operations that began together are shared.
        let (mut used, mut done) = (Used::new(), FxHashMap::default());
        for front in fronts {
            let moved = done.entry(Rc::as_ptr(front)).or_insert_with(|| {
                let mut moved = Front::clone(front);
                for config in &mut moved {
                    let state = states.binary_search(&config.place.state);
                    config.place.state = state.unwrap_or_default() as u32;
                    let uses = self.used.pools(config.used).iter();
                    let place = |pool: &u32| pool_at[*pool as usize];
                    config.used = uses.fold(Used::NONE, |all, p| used.one_more(all, place(p)));
                }
                (front.clone(), Rc::new(moved))
            });
            *front = moved.1.clone();
        }
        self.used = used;
        let mut kinds: Vec<u32> = self.ops.values().filter_map(|op| op.kind).collect();
        kinds.extend(pools.iter().map(|pool| pool.kind));
        kinds.sort_unstable();
        kinds.dedup();
        let kind_at = |kind: u32| kinds.binary_search(&kind).unwrap_or_default() as u32;
        for op in self.ops.values_mut() {
            op.kind = op.kind.map(kind_at);
            op.pool = op.pool.map(|pool| pool_at[pool as usize]);
        }
        for pool in &mut pools {
            pool.kind = kind_at(pool.kind);
        }
        self.filled.retain(|pool| pool_at[*pool as usize] != u32::MAX);
        self.filled.iter_mut().for_each(|pool| *pool = pool_at[*pool as usize]);
        self.pool_of = (0..).zip(&pools).map(|(number, pool)| (pool.kind, number)).collect();
        self.pools = pools;
        self.kinds.keep(&states, &kinds);
    }
}
