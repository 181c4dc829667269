//! What the operations of a set do.

use std::borrow::Cow;

use danso_vocab::{Op, Status, Value};
use rustc_hash::FxHashMap;

use super::super::container::ranks::{Numbers, Ranks};
use super::super::container::{NONE, Seen};
use super::super::{Decision, Part};
use crate::models::LinSet;
use crate::models::lin_set::SetWord;

/// What an operation does to its element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// It made the element be in or out, which it was not.
    Flips,
    /// It made it so, whether it was or not.
    Sets,
    /// It may have made it so, at any time.
    MaySet,
    /// The element was so.
    Sees,
}

/// An operation on one element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    pub(super) row: u32,
    pub(super) element: u32,
    pub(super) does: Does,
    /// In or out.
    pub(super) to: bool,
    pub(super) inv: u32,
    pub(super) res: u32,
}

/// The operations of a set.
pub(super) struct Parsed {
    /// By invocation.
    pub(super) touches: Vec<Touch>,
    /// Reads of all elements, by invocation; as the element, the value id of the result.
    pub(super) reads: Vec<Seen>,
    pub(super) elements: usize,
    numbers: Numbers,
    /// Of elements that are no small integers.
    others: FxHashMap<Value, u32>,
    /// By element: it comes and goes, and some operation on it does not tell whether it changed
    /// anything.
    pub(super) mixed: Vec<bool>,
    /// Ranks are below this.
    pub(super) events: u32,
}

impl Parsed {
    /// The number of an element, if any operation names it.
    pub(super) fn element(&self, value: &Value) -> Option<u32> {
        // Ids of small integers are the integers, in the upper half.
        const INTEGERS: u32 = 1 << 31;
        let small = value.int().and_then(|int| u32::try_from(int).ok());
        match small.filter(|int| *int < INTEGERS - 1) {
            Some(int) => self.numbers.get(INTEGERS | int),
            None => self.others.get(value).copied(),
        }
    }
}

/// Reads the operations of a set.
///
/// # Errors
/// With the decision, if there is none to be made.
pub(super) fn parse(part: &Part<'_>) -> Result<Parsed, Decision> {
    let words: Vec<Option<SetWord>> = part.history.fs().map(LinSet::word).collect();
    let word = |op: Op<'_>| words[usize::from(op.f_id())];
    let ops = || part.rows.iter().map(|row| part.history.row(*row as usize));
    let happened = || ops().filter(|op| op.status() != Status::Fail);
    let touching =
        || happened().filter(|op| word(*op) != Some(SetWord::Read)).map(|op| op.arg_id());
    let ranks = Ranks::new(part.history, part.rows);
    let mut parsed = Parsed {
        touches: Vec::new(),
        reads: Vec::new(),
        elements: 0,
        numbers: Numbers::new(touching()),
        others: FxHashMap::default(),
        mixed: Vec::new(),
        events: ranks.end(),
    };
    parsed.touches.reserve_exact(touching().count());
    for op in happened() {
        let unfit = |what: &str| Decision::Unfit(format!("{op} {what}"));
        let word = word(op).ok_or_else(|| unfit("is not an operation of a set"))?;
        if word == SetWord::Read {
            let Some(element) = op.ret_id() else { continue };
            if !op.arg().is_nil() || op.ret().is_none_or(|r| !r.is_nil() && r.list().is_none()) {
                return Err(unfit("is no read of all elements"));
            }
            let (inv, res) = (ranks.of(op.inv_rank()), ranks.of(op.res_rank()));
            parsed.reads.push(Seen { row: op.row() as u32, element, inv, res });
            continue;
        }
        if op.arg().is_nil() {
            return Err(unfit("names no element"));
        }
        let saw = op.ret().as_deref().and_then(Value::bool);
        let (does, to) = match (word, saw) {
            (SetWord::Read | SetWord::Contains, _) if !op.is_ok() => continue,
            (SetWord::Read | SetWord::Contains, None) => {
                return Err(unfit("does not tell whether it is in"));
            }
            (SetWord::Read | SetWord::Contains, Some(is)) => (Does::Sees, is),
            (word, Some(false)) => (Does::Sees, word == SetWord::Add),
            (word, Some(true)) => (Does::Flips, word == SetWord::Add),
            (word, None) if op.is_ok() => (Does::Sets, word == SetWord::Add),
            (word, None) => (Does::MaySet, word == SetWord::Add),
        };
        let (element, new) = parsed.numbers.number(op.arg_id());
        parsed.elements += usize::from(new);
        let (inv, res) = (ranks.of(op.inv_rank()), ranks.of(op.res_rank()));
        let touch = Touch { row: op.row() as u32, element, does, to, inv, res };
        debug_assert_eq!(does == Does::MaySet, res == NONE);
        parsed.touches.push(touch);
    }
    if !parsed.reads.is_empty() {
        for touch in &parsed.touches {
            let element = part.history.row(touch.row as usize).arg();
            if let Cow::Borrowed(element) = element {
                parsed.others.entry(element.clone()).or_insert(touch.element);
            }
        }
    }
    // Whether something may bring the element, take it away, or does either and does not tell.
    let mut kinds = vec![[false; 3]; parsed.elements];
    for touch in parsed.touches.iter().filter(|touch| touch.does != Does::Sees) {
        let kinds = &mut kinds[touch.element as usize];
        kinds[usize::from(touch.to)] = true;
        kinds[2] |= touch.does == Does::Sets;
    }
    parsed.mixed = kinds.into_iter().map(|kinds| kinds == [true; 3]).collect();
    Ok(parsed)
}
