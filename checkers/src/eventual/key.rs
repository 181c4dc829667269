//! [`Key`]: the operations of one key, by what they do.

use danso_vocab::{History, Op, OpId, Status, Stop, Value};

use super::elements::Elements;
use super::quiet::Quiet;
use super::{Eventual, Object};
use crate::models::{counter, lin_set::LinSet, lin_set::SetWord, register};

/// What an operation of this name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Update,
    Read,
}

/// What the operations of a history do, by the id of their name.
pub(super) struct Alphabet(Vec<Word>);

impl Alphabet {
    /// The operations of `object`; the error names one it does not have.
    pub(super) fn of(object: Object, history: &History) -> Result<Alphabet, String> {
        let word = |f: &str| {
            word(object, f).ok_or_else(|| format!("`{f}` is no operation of a {}", object.name()))
        };
        history.fs().map(word).collect::<Result<_, _>>().map(Alphabet)
    }
}

fn word(object: Object, f: &str) -> Option<Word> {
    if f == "read" {
        return Some(Word::Read);
    }
    let updates = match object {
        Object::Register | Object::LastWriteRegister => matches!(f, "write" | "cas" | "delete"),
        Object::GCounter | Object::PnCounter => counter::added(f, &Value::Int(1)).is_some(),
        Object::GSet => f == "broadcast" || LinSet::word(f) == Some(SetWord::Add),
        Object::OrSet => matches!(LinSet::word(f), Some(SetWord::Add | SetWord::Remove)),
    };
    updates.then_some(Word::Update)
}

/// What is the same for all keys.
pub(super) struct Begin<'a> {
    pub(super) alphabet: Alphabet,
    /// Nothing is quiet before this.
    pub(super) closing: Quiet,
    pub(super) stop: &'a Stop,
}

/// After so many operations it is asked whether there is still time.
const GLANCE: usize = 1 << 16;

/// An answered read: what the replica held, comparable but otherwise up to the object, and the
/// updates it said it had heard of.
#[derive(Clone, Copy)]
pub(super) struct Read<'h> {
    pub(super) op: Op<'h>,
    pub(super) state: i64,
    pub(super) seen: Option<u32>,
}

/// One key: its updates of every outcome and its answered reads, both by invocation.
pub(super) struct Key<'h> {
    pub(super) history: &'h History,
    pub(super) value: Option<Value>,
    pub(super) updates: Vec<Op<'h>>,
    pub(super) reads: Vec<Read<'h>>,
    pub(super) quiet: Quiet,
    /// Reads that list an element twice.
    pub(super) doubled: Vec<OpId>,
}

/// The operations as key and row, by key and in it by row. An operation without a key has the
/// greatest.
pub(super) fn by_key(history: &History) -> Vec<(u32, u32)> {
    let key = |op: Op<'_>| op.key_id().unwrap_or(u32::MAX);
    let mut rows: Vec<(u32, u32)> = history.ops().map(|op| (key(op), op.row() as u32)).collect();
    rows.sort_unstable();
    rows
}

impl<'h> Key<'h> {
    /// The operations in these rows; the error names one that is none of the object.
    pub(super) fn of(
        eventual: &Eventual,
        history: &'h History,
        rows: &[(u32, u32)],
        begin: &Begin<'_>,
        elements: &mut Elements,
    ) -> Result<Key<'h>, String> {
        let mut key = Key {
            history,
            value: None,
            updates: Vec::new(),
            reads: Vec::new(),
            quiet: begin.closing,
            doubled: Vec::new(),
        };
        for (nth, (_, row)) in rows.iter().enumerate() {
            if nth % GLANCE == 0 && begin.stop.is_tripped() {
                return Err("out of time; raise --timeout".to_owned());
            }
            let op = history.row(*row as usize);
            key.value = key.value.or_else(|| op.key().map(std::borrow::Cow::into_owned));
            match begin.alphabet.0[usize::from(op.f_id())] {
                Word::Update => {
                    if updates(eventual.object, op)? {
                        key.updates.push(op);
                    }
                }
                Word::Read => {
                    if let Some(id) = op.ret_id() {
                        let (state, seen) = key.state(eventual, op, id, elements)?;
                        key.reads.push(Read { op, state, seen });
                    }
                }
            }
        }
        key.updates.sort_by_key(|op| op.inv_rank());
        key.reads.sort_by_key(|read| read.op.inv_rank());
        key.quiet = key.quiet.after(&key.updates);
        Ok(key)
    }

    /// What a read answered.
    fn state(
        &mut self,
        eventual: &Eventual,
        op: Op<'h>,
        id: u32,
        elements: &mut Elements,
    ) -> Result<(i64, Option<u32>), String> {
        if let Some(known) = elements.answer(id) {
            return Ok(known);
        }
        let answer = self.history.value(id);
        let (value, seen) = match &*answer {
            Value::Map(map) if map.len() == 2 && map.contains_key("seen") => {
                (map.get("value").unwrap_or(&Value::Nil), map.get("seen"))
            }
            plain => (register::plain(plain), None),
        };
        let seen = seen.map(|seen| elements.heard(seen));
        Ok(match eventual.object {
            Object::Register | Object::LastWriteRegister if std::ptr::eq(value, &*answer) => {
                (i64::from(id), seen)
            }
            Object::Register | Object::LastWriteRegister => {
                (value_id(self.history, value, elements), seen)
            }
            Object::GCounter | Object::PnCounter => match value {
                Value::Nil => (super::counter::initial(&eventual.initial), seen),
                value => (value.int().ok_or_else(|| strange(op, "a number"))?, seen),
            },
            Object::GSet | Object::OrSet => {
                let list = match value {
                    Value::Nil => &[],
                    value => value.list().ok_or_else(|| strange(op, "a list"))?,
                };
                let (set, doubled) = elements.set(list);
                self.doubled.extend(doubled.then(|| op.id()));
                elements.remember(id, (set, seen));
                (set, seen)
            }
        })
    }
}

fn strange(op: Op<'_>, want: &str) -> String {
    format!("{op} does not answer {want}, so this is another kind of object; say another --model")
}

/// Whether this operation, if it happened, changed something; the error says why it is none of
/// the object.
fn updates(object: Object, op: Op<'_>) -> Result<bool, String> {
    let wrong = |why: &str| Err(format!("{op}: {why}"));
    match object {
        Object::Register | Object::LastWriteRegister if op.f() == "cas" => {
            if register::swap(&op.arg()).is_none() {
                return wrong("a compare-and-set is of a list [old new]");
            }
            Ok(!op.ret().is_some_and(|ret| register::refused(&ret)))
        }
        Object::Register | Object::LastWriteRegister => Ok(true),
        Object::GCounter | Object::PnCounter => match counter::added(op.f(), &op.arg()) {
            None => wrong("what is added must be an integer"),
            Some(n) if n < 0 && object == Object::GCounter => {
                wrong("a g-counter only grows; say --model pn-counter")
            }
            Some(_) => Ok(true),
        },
        Object::GSet | Object::OrSet if op.arg().is_nil() => wrong("an element cannot be nil"),
        Object::GSet | Object::OrSet => Ok(true),
    }
}

/// The value that an update of a register writes.
pub(super) fn written(history: &History, op: Op<'_>, elements: &mut Elements) -> i64 {
    match (op.f(), register::swap(&op.arg())) {
        ("write", _) => i64::from(op.arg_id()),
        ("cas", Some((_, new))) => value_id(history, new, elements),
        _ => value_id(history, &Value::Nil, elements),
    }
}

/// A number for a value of a register: its id, or one beyond all ids if it has none.
pub(super) fn value_id(history: &History, value: &Value, elements: &mut Elements) -> i64 {
    match history.value_id(value) {
        Some(id) => i64::from(id),
        None => (1 << 32) + i64::from(elements.id(value)),
    }
}

/// Whether an update may have happened.
pub(super) fn lives(op: Op<'_>) -> bool {
    op.status() != Status::Fail
}
