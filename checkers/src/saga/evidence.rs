//! What a history says of its sagas, in columns: orders, effects, decisions, final states.
//!
//! An effect takes 42 bytes and an entry of the table of idempotency keys, a decider's record 14.

use danso_vocab::{History, Op, Status, Value};
use rustc_hash::FxHashMap;

use super::definition::Definition;
use super::entry::{Entry, Kind};
use super::pages::{Page, Pages};

/// No position, row or saga.
pub(super) const NONE: u32 = u32::MAX;

/// What a journal's entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Act {
    /// T: the step was done.
    Apply,
    /// C: it was undone.
    Compensate,
    /// C came before any T: nothing to undo, and a T that comes later must be refused.
    Null,
    /// Neither: a refusal, a repetition that was recognized.
    Idle,
}

/// Effects of all services, one service after another, in journal order.
#[derive(Default)]
pub(super) struct Effects<'h> {
    pub(super) saga: Vec<u32>,
    pub(super) step: Vec<u8>,
    pub(super) act: Vec<Act>,
    /// How many of the decider's records had been written when this effect was asked for.
    pub(super) after: Vec<u32>,
    pub(super) object: Vec<u32>,
    pub(super) measure: Vec<i64>,
    pub(super) key: Vec<Option<&'h str>>,
    /// The read that showed it first.
    pub(super) row: Vec<u32>,
}

/// One service's part of the effects.
pub(super) struct Journal {
    pub(super) service: String,
    /// Positions in [`Effects`].
    pub(super) range: std::ops::Range<usize>,
    /// The read that saw its end.
    pub(super) end: Option<u32>,
}

/// The decider's records, in journal order.
#[derive(Default)]
pub(super) struct Decisions {
    pub(super) saga: Vec<u32>,
    pub(super) what: Vec<What>,
    pub(super) row: Vec<u32>,
    pub(super) end: Option<u32>,
    /// Somebody asked for them.
    pub(super) asked: bool,
}

/// A record of the decider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Begin,
    Commit,
    Abort,
    /// It heard that this step was applied or, if the flag says so, compensated.
    Done(u8, bool),
    Committed,
    Aborted,
    /// Nothing that matters here.
    Idle,
}

/// What clients know of a saga.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    /// The row of its first order; [`NONE`] if nobody ordered it.
    pub(super) row: u32,
    pub(super) committed: bool,
    /// It was aborted, or the client was told that nothing happened.
    pub(super) aborted: bool,
    /// How often it was ordered. One attempt that failed says nothing of another.
    attempts: u32,
    failed: bool,
}

/// A service's state as a client read it.
pub(super) struct State<'h> {
    pub(super) service: &'h str,
    pub(super) value: &'h Value,
    pub(super) row: u32,
}

/// Everything a history says.
#[derive(Default)]
pub(super) struct Evidence<'h> {
    pub(super) sagas: Vec<&'h str>,
    pub(super) orders: Vec<Order>,
    pub(super) objects: Vec<&'h str>,
    pub(super) effects: Effects<'h>,
    pub(super) journals: Vec<Journal>,
    pub(super) decisions: Decisions,
    pub(super) states: Vec<State<'h>>,
    /// What could not be read, in words.
    pub(super) missing: Vec<String>,
    /// Journals that changed under their readers: service, position and the two reads.
    pub(super) rewritten: Vec<(String, usize, u32, u32)>,
    saga_ids: FxHashMap<&'h str, u32>,
    object_ids: FxHashMap<&'h str, u32>,
}

impl<'h> Evidence<'h> {
    /// Reads a history. O(n) for n operations and entries, but for a sort of pages.
    ///
    /// # Errors
    /// If an order or an entry is none of this kind of saga; one line.
    pub(super) fn read(
        history: &'h History,
        definition: &'h Definition,
    ) -> Result<Evidence<'h>, String> {
        let mut all = Evidence::default();
        let mut pages: FxHashMap<&'h str, Vec<Page<'h>>> = FxHashMap::default();
        let mut asked: Vec<&'h str> = Vec::new();
        for op in history.ops() {
            if op.f() == definition.begin {
                all.order(history, op)?;
            } else if op.f() == "journal" || op.f() == "state" {
                let (service, from, whole) = asks(history, op)?;
                asked.extend((op.f() == "journal" && !asked.contains(&service)).then_some(service));
                let Some(ret) = op.ret_id() else { continue };
                let value = lent(history, ret);
                let row = op.row() as u32;
                if op.f() == "state" {
                    let Some(value) = value.filter(|v| v.map().is_some()) else {
                        return Err(format!("{op}: a state is a map"));
                    };
                    all.states.push(State { service, value, row });
                } else {
                    let Some(entries) = value.and_then(Value::list) else {
                        return Err(format!("{op}: a journal is a list of maps"));
                    };
                    pages.entry(service).or_default().push(Page { row, from, entries, whole });
                }
            }
        }
        for order in all.orders.iter_mut().filter(|o| o.attempts == 1 && o.failed) {
            order.aborted = true;
        }
        let known = |s: &&str| definition.services().contains(s) || *s == definition.decider;
        if let Some(stranger) = asked.iter().find(|s| !known(s)) {
            return Err(format!(
                "there is a journal of `{stranger}`, but the services are {} and the decider {}",
                definition.services().join(", "),
                definition.decider
            ));
        }
        for service in definition.services() {
            let pages = Pages::join(history, pages.remove(service).unwrap_or_default());
            all.journal(definition, service, pages)?;
        }
        all.decisions.asked = asked.contains(&&*definition.decider);
        let pages = pages.remove(&*definition.decider).unwrap_or_default();
        let pages = Pages::join(history, pages);
        all.decider(definition, pages)?;
        Ok(all)
    }

    /// Bytes of memory beside the history.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let e = &self.effects;
        let columns = (e.saga.capacity() + e.after.capacity() + e.object.capacity()) * 4
            + e.row.capacity() * 4
            + e.step.capacity()
            + e.act.capacity()
            + e.measure.capacity() * 8
            + e.key.capacity() * 16;
        let d = &self.decisions;
        let records = d.saga.capacity() * 4 + d.what.capacity() * 3 + d.row.capacity() * 4;
        // Groups and windows: three positions an effect and one a record, an offset a saga.
        let derived = e.saga.len() * 12 + d.saga.len() * 4 + self.sagas.len() * 8;
        let sagas = self.sagas.capacity() * 16
            + self.orders.capacity() * size_of::<Order>()
            + self.saga_ids.capacity() * 25;
        // The table of idempotency keys, while it lives: a reference and a position an effect.
        columns + records + derived + sagas + e.saga.len() * 25 * 8 / 7
    }

    /// The id of this saga.
    fn saga(&mut self, name: &'h str) -> u32 {
        let id = self.sagas.len() as u32;
        let id = *self.saga_ids.entry(name).or_insert(id);
        if id as usize == self.sagas.len() {
            self.sagas.push(name);
            self.orders.push(Order {
                row: NONE,
                committed: false,
                aborted: false,
                attempts: 0,
                failed: false,
            });
        }
        id
    }

    /// The id of this object, if any effect is on it.
    pub(super) fn find_object(&self, name: &str) -> Option<u32> {
        self.object_ids.get(name).copied()
    }

    /// The id of this object; the empty name stands for a service that has none.
    fn object(&mut self, name: &'h str) -> u32 {
        let id = self.objects.len() as u32;
        let id = *self.object_ids.entry(name).or_insert(id);
        if id as usize == self.objects.len() {
            self.objects.push(name);
        }
        id
    }

    fn order(&mut self, history: &'h History, op: Op<'h>) -> Result<(), String> {
        let saga = lent(history, op.arg_id()).and_then(|arg| arg.get("saga")?.str());
        let saga = saga.ok_or_else(|| format!("{op}: its argument is a map that names a saga"))?;
        let saga = self.saga(saga) as usize;
        let outcome = op.ret_id().and_then(|ret| lent(history, ret)?.get("outcome")?.str());
        let order = &mut self.orders[saga];
        if order.row == NONE {
            order.row = op.row() as u32;
        }
        order.attempts += 1;
        match (op.status(), outcome) {
            (Status::Ok, Some("committed")) => order.committed = true,
            (Status::Ok, Some("aborted")) => order.aborted = true,
            (Status::Ok, _) => {
                return Err(format!("{op}: its outcome is neither committed nor aborted"));
            }
            (Status::Fail, _) => order.failed = true,
            (Status::Info, _) => {}
        }
        Ok(())
    }

    fn journal(
        &mut self,
        definition: &Definition,
        service: &str,
        pages: Pages<'h>,
    ) -> Result<(), String> {
        self.note_defects(service, &pages);
        let start = self.effects.saga.len();
        for (at, (entry, row)) in pages.entries.iter().enumerate() {
            let place = |why: String| format!("journal of {service}, position {at}: {why}");
            let entry = Entry::of(entry).map_err(place)?;
            let act = match entry.kind {
                Kind::Apply => Act::Apply,
                Kind::Compensate => Act::Compensate,
                Kind::Null => Act::Null,
                Kind::Idle => Act::Idle,
                kind => return Err(place(format!("only the decider writes {kind:?}"))),
            };
            let step = definition.steps.iter().position(|s| Some(&*s.name) == entry.step);
            let Some(step) = step.filter(|i| definition.steps[*i].service == service) else {
                let name = entry.step.unwrap_or("none");
                return Err(place(format!("its step is {name}, which is none of this service")));
            };
            let ledger = definition.steps[step].ledger.as_ref();
            let object = ledger.and_then(|l| l.object.as_deref());
            let object = object.and_then(|field| entry.fields.get(field)?.str()).unwrap_or("");
            let measure = ledger.and_then(|l| l.measure.as_deref());
            let measure = measure.map_or(Some(1), |field| entry.fields.get(field)?.int());
            let saga = self.saga(entry.saga);
            let object = self.object(object);
            let effects = &mut self.effects;
            effects.saga.push(saga);
            effects.step.push(step as u8);
            effects.act.push(act);
            effects.after.push(entry.after);
            effects.object.push(object);
            effects.measure.push(measure.unwrap_or(0));
            effects.key.push(entry.key);
            effects.row.push(*row);
        }
        let range = start..self.effects.saga.len();
        self.journals.push(Journal { service: service.to_owned(), range, end: pages.end });
        Ok(())
    }

    fn decider(&mut self, definition: &Definition, pages: Pages<'h>) -> Result<(), String> {
        if !self.decisions.asked {
            return Ok(());
        }
        self.note_defects(&definition.decider, &pages);
        self.decisions.end = pages.end;
        for (at, (entry, row)) in pages.entries.iter().enumerate() {
            let place =
                |why: String| format!("journal of {}, position {at}: {why}", definition.decider);
            let entry = Entry::of(entry).map_err(place)?;
            let what = match entry.kind {
                Kind::Begin => What::Begin,
                Kind::Decide(true) => What::Commit,
                Kind::Decide(false) => What::Abort,
                Kind::End(true) => What::Committed,
                Kind::End(false) => What::Aborted,
                Kind::Done(undone) => {
                    let step = definition.steps.iter().position(|s| Some(&*s.name) == entry.step);
                    let step =
                        step.ok_or_else(|| place("its step is none of the saga's".into()))?;
                    What::Done(step as u8, undone)
                }
                Kind::Idle => What::Idle,
                kind => return Err(place(format!("a decider writes no {kind:?}"))),
            };
            let saga = self.saga(entry.saga);
            self.decisions.saga.push(saga);
            self.decisions.what.push(what);
            self.decisions.row.push(*row);
        }
        Ok(())
    }

    fn note_defects(&mut self, service: &str, pages: &Pages<'_>) {
        if let Some((at, one, other)) = pages.rewritten {
            self.rewritten.push((service.to_owned(), at, one, other));
        }
        if let Some(at) = pages.gap {
            self.missing.push(format!("nobody read position {at} of the journal of {service}"));
        } else if pages.entries.is_empty() && pages.end.is_none() {
            self.missing.push(format!("nobody read the journal of {service}"));
        } else if pages.end.is_none() {
            self.missing.push(format!("nobody read the journal of {service} to its end"));
        }
    }
}

/// A value that lives as long as the history; `None` of a small integer, which is made on the spot.
pub(super) fn lent(history: &History, id: u32) -> Option<&Value> {
    match history.value(id) {
        std::borrow::Cow::Borrowed(value) => Some(value),
        std::borrow::Cow::Owned(_) => None,
    }
}

/// Whose journal or state `op` asks for, from where, and whether all of it.
fn asks<'h>(history: &'h History, op: Op<'h>) -> Result<(&'h str, usize, bool), String> {
    let arg = lent(history, op.arg_id());
    if let Some(service) = arg.and_then(Value::str) {
        return Ok((service, 0, true));
    }
    let service = arg.and_then(|arg| arg.get("service")?.str());
    let from = arg.and_then(|arg| arg.get("from")?.int());
    match (service, from.and_then(|from| usize::try_from(from).ok())) {
        (Some(service), Some(from)) => Ok((service, from, false)),
        _ => Err(format!("{op}: it names no service, nor a service and a position")),
    }
}
