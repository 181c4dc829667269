//! [`ListAppend`]: what transactions that append to lists and read them say of themselves.
//!
//! An operation is `txn [[append key element] [r key nil] …]`; its answer is the same with the
//! lists that were read. No element is appended to a key twice. Of what may go wrong between
//! transactions only that is judged which no isolation level allows:
//!
//! | anomaly | it means |
//! | --- | --- |
//! | `internal` | a read does not show what its own transaction had appended or read before, where it must |
//! | `G1a` | a read shows what a transaction that failed appended |
//! | `invented-value` | a read shows what nobody had appended by then |
//! | `duplicate-element` | a read shows an element twice |
//! | `incompatible-order` | two reads of a list show its elements in different orders |
//!
//! Cycles of dependencies are not looked for, so what has none of these is `unknown`, never valid.
//!
//! Time: O(elements read). Memory beside the history: about 100 bytes an element appended, and one
//! list a key.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use danso_vocab::figure::{Edge, Graph, Vertex};
use danso_vocab::{Anomaly, Checker, Figure, Finding, History, Limits, Op, Status, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::brief::brief;
use crate::ledger::Ledger;
use crate::objects::SPELL;

/// Judges each transaction by itself and its reads by what was appended; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct ListAppend;

/// Bytes an operation may cost.
const OP_BYTES: u64 = 500;

impl Checker for ListAppend {
    fn name(&self) -> &'static str {
        "list-append"
    }

    fn decides(&self) -> &'static str {
        "reads show appends that were made, once, in one order, and a transaction's own; cycles \
         are not looked for, so this is never enough to be valid"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["internal", "G1a", "invented-value", "duplicate-element", "incompatible-order"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let needed = history.len() as u64 * OP_BYTES;
        if needed > limits.memory {
            let why = format!(
                "{} operations may need {} MiB, more than the limit; raise --memory",
                history.len(),
                needed >> 20
            );
            return Finding::unknown(self.name(), why);
        }
        let mut ledger = Ledger::default();
        if let Err(why) = judge(history, limits, &mut ledger) {
            return Finding::unknown(self.name(), why);
        }
        ledger.doubt(|| {
            "each transaction makes sense by itself, but nobody has looked for cycles between them"
                .to_owned()
        });
        ledger.finding(self.name(), |_| String::new())
    }
}

/// One step of a transaction.
enum Step<'a> {
    Append(&'a Value, &'a Value),
    /// With what it saw; nothing if it is not known.
    Read(&'a Value, Option<&'a [Value]>),
}

/// The steps of a transaction, as asked for or as answered.
fn steps(value: &Value, answered: bool) -> Option<Vec<Step<'_>>> {
    value.list()?.iter().map(|part| read_step(part, answered)).collect()
}

fn read_step(part: &Value, answered: bool) -> Option<Step<'_>> {
    let [f, key, value] = part.list()? else { return None };
    match (f.str()?, value) {
        ("append", element) if !element.is_nil() => Some(Step::Append(key, element)),
        ("r", _) if !answered => Some(Step::Read(key, None)),
        ("r", Value::Nil) => Some(Step::Read(key, Some(&[]))),
        ("r", list) => Some(Step::Read(key, Some(list.list()?))),
        _ => None,
    }
}

/// That an operation is none of a list's.
fn strange(op: Op<'_>) -> String {
    format!("{} is no transaction of appends and reads; say another --model", op.id())
}

/// Who appended what, and the longest list read of each key.
#[derive(Default)]
struct Book<'h> {
    appends: FxHashMap<(Value, Value), Op<'h>>,
    longest: FxHashMap<Value, (Vec<Value>, Op<'h>)>,
}

fn judge(history: &History, limits: &Limits, ledger: &mut Ledger) -> Result<(), String> {
    let mut book = Book::default();
    for op in history.ops().filter(|op| op.f() == "txn") {
        let arg = op.arg();
        for step in steps(&arg, false).ok_or_else(|| strange(op))? {
            let Step::Append(key, element) = step else { continue };
            if let Some(other) = book.appends.insert((key.clone(), element.clone()), op) {
                return Err(format!(
                    "{element} was appended to {key} twice ({} and {}), so nobody can tell one \
                     from the other",
                    other.id(),
                    op.id()
                ));
            }
        }
    }
    for (nth, op) in history.ops().filter(|op| op.f() == "txn" && op.is_ok()).enumerate() {
        if nth % SPELL == 0 && limits.stop.is_tripped() {
            return Err("out of time; raise --timeout".to_owned());
        }
        ledger.count("transactions", 1);
        let (arg, ret) = (op.arg(), op.ret().ok_or_else(|| strange(op))?);
        let asked = steps(&arg, false).ok_or_else(|| strange(op))?;
        let answered = steps(&ret, true).ok_or_else(|| strange(op))?;
        if !same(&asked, &answered) {
            return Err(format!("{} answers another transaction than was asked for", op.id()));
        }
        internal(op, &answered, ledger);
        for step in &answered {
            if let Step::Read(key, Some(list)) = step {
                book.explained(op, key, list, ledger);
                book.ordered(op, key, list, ledger);
            }
        }
    }
    Ok(())
}

/// Whether an answer is to these steps.
fn same(asked: &[Step<'_>], answered: &[Step<'_>]) -> bool {
    let fits = |pair: (&Step<'_>, &Step<'_>)| match pair {
        (Step::Append(k, v), Step::Append(l, w)) => k == l && v == w,
        (Step::Read(k, _), Step::Read(l, _)) => k == l,
        _ => false,
    };
    asked.len() == answered.len() && asked.iter().zip(answered).all(fits)
}

/// What a transaction has read or appended it must read again: the list it read with what it
/// appended since behind it, or a list that ends with what it appended.
fn internal(op: Op<'_>, steps: &[Step<'_>], ledger: &mut Ledger) {
    // The list read last, if any, and what was appended since.
    let mut known = FxHashMap::<&Value, (Option<&[Value]>, Vec<&Value>)>::default();
    for step in steps {
        match step {
            Step::Append(key, element) => known.entry(key).or_default().1.push(element),
            Step::Read(key, Some(list)) => {
                let (read, own) = known.entry(key).or_default();
                let head = list.len().checked_sub(own.len());
                let tail_fits = head.is_some_and(|at| list[at..].iter().eq(own.iter().copied()));
                let head_fits = read.is_none_or(|read| head.is_some_and(|at| list[..at] == *read));
                if !tail_fits || !head_fits {
                    blame(ledger, "internal", key, &[op], || {
                        format!(
                            "{} reads {} of {key}, but had {}appended {} itself before",
                            op.id(),
                            few(list),
                            read.map_or_else(String::new, |r| format!("read {} and ", few(r))),
                            few(&own.iter().map(|v| (*v).clone()).collect::<Vec<_>>())
                        )
                    });
                }
                (*read, *own) = (Some(*list), Vec::new());
            }
            Step::Read(_, None) => {}
        }
    }
}

impl<'h> Book<'h> {
    /// Every element read must have been appended, and is there once.
    fn explained(&self, op: Op<'h>, key: &Value, list: &[Value], ledger: &mut Ledger) {
        let mut seen = FxHashSet::default();
        for element in list {
            if !seen.insert(element) {
                blame(ledger, "duplicate-element", key, &[op], || {
                    format!("{} reads {element} of {key} twice", op.id())
                });
                continue;
            }
            match self.appends.get(&(key.clone(), element.clone())) {
                Some(append) if append.status() == Status::Fail => {
                    blame(ledger, "G1a", key, &[op, *append], || {
                        let (by, append) = (op.id(), append.id());
                        format!(
                            "{by} reads {element} of {key}, which {append} appended, but that failed"
                        )
                    });
                }
                Some(append) if append.inv_rank() < op.res_rank() => {}
                _ => blame(ledger, "invented-value", key, &[op], || {
                    format!("{} reads {element} of {key}, which nobody had appended", op.id())
                }),
            }
        }
    }

    /// Of two reads of a list, one begins with the other.
    fn ordered(&mut self, op: Op<'h>, key: &Value, list: &[Value], ledger: &mut Ledger) {
        let Some((longest, by)) = self.longest.get(key) else {
            self.longest.insert(key.clone(), (list.to_vec(), op));
            return;
        };
        if let Some(at) = (0..list.len().min(longest.len())).find(|at| list[*at] != longest[*at]) {
            let because = || {
                format!(
                    "element {} of {key} is {} to {} and {} to {}",
                    at + 1,
                    list[at],
                    op.id(),
                    longest[at],
                    by.id()
                )
            };
            let figure = || self.cycle(key, (op, list), (*by, longest), at);
            draw(ledger, "incompatible-order", key, &[op, *by], because, figure);
        } else if list.len() > longest.len() {
            self.longest.insert(key.clone(), (list.to_vec(), op));
        }
    }

    /// The appends of the first two elements that differ, each before the other to one of two
    /// reads; `None` unless both reads show both.
    fn cycle(
        &self,
        key: &Value,
        (one, list): (Op<'h>, &[Value]),
        (two, other): (Op<'h>, &[Value]),
        at: usize,
    ) -> Option<Figure> {
        let (first, second) = (&list[at], &other[at]);
        if !list[at..].contains(second) || !other[at..].contains(first) {
            return None;
        }
        let appended = |element: &Value| self.appends.get(&(key.clone(), element.clone()));
        let (a, b) = (appended(first)?, appended(second)?);
        if a.id() == b.id() {
            return None;
        }
        let vertex = |element: &Value, op: &Op<'_>| Vertex {
            words: brief(format_args!("append {element} to {key}")),
            place: Some(op.process().to_string()),
            op: Some(op.id()),
        };
        let edge = |from, to, by: Op<'_>, earlier: &Value, later: &Value| Edge {
            from,
            to,
            kind: "ww".into(),
            words: brief(format_args!("{} reads {earlier} before {later}", by.id())),
            guilty: true,
        };
        Some(Figure::Graph(Graph {
            vertices: vec![vertex(first, a), vertex(second, b)],
            edges: vec![edge(0, 1, one, first, second), edge(1, 0, two, second, first)],
        }))
    }
}

fn blame(
    ledger: &mut Ledger,
    name: &'static str,
    key: &Value,
    ops: &[Op<'_>],
    because: impl FnOnce() -> String,
) {
    draw(ledger, name, key, ops, because, || None);
}

/// The same with a figure.
fn draw(
    ledger: &mut Ledger,
    name: &'static str,
    key: &Value,
    ops: &[Op<'_>],
    because: impl FnOnce() -> String,
    figure: impl FnOnce() -> Option<Figure>,
) {
    ledger.anomaly(name, || Anomaly {
        name: name.into(),
        key: Some(key.clone()),
        ops: ops.iter().map(|op| op.id()).collect(),
        because: because(),
        explain: ops.iter().map(ToString::to_string).collect(),
        figure: figure(),
    });
}

/// A list in a few words.
fn few(list: &[Value]) -> Cow<'static, str> {
    const SHOWN: usize = 12;
    if list.is_empty() {
        return "nothing".into();
    }
    let words: Vec<String> = list.iter().rev().take(SHOWN).rev().map(ToString::to_string).collect();
    let more = if list.len() > SHOWN { "… " } else { "" };
    format!("[{more}{}]", words.join(" ")).into()
}
