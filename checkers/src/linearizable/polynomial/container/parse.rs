//! From rows to a [`Container`], and what is wrong with an element already by itself.

use std::borrow::Cow;

use danso_vocab::{History, Op, Ret, Status, Value};

use super::explain::say;
use super::ranks::{Numbers, Ranks};
use super::{Container, Discipline, NONE, Seen};
use crate::linearizable::polynomial::{Decision, Refutation};
use crate::models::words::{Word, inserted, nothing};

/// Reads the operations of a container.
///
/// # Errors
/// With the decision, if there is none to be made: an operation that does not belong here, an
/// element put in twice, an answer that nothing can explain.
pub(in super::super) fn parse<D: Discipline>(
    kind: &D,
    history: &History,
    rows: &[u32],
) -> Result<Container, Decision> {
    let words: Vec<Option<Word>> = history.fs().map(|f| kind.word(f)).collect();
    let word = |op: Op<'_>| words[usize::from(op.f_id())];
    let ops = || rows.iter().map(|row| history.row(*row as usize));
    let happened = || ops().filter(|op| op.status() != Status::Fail);
    let inserts = || happened().filter(|op| word(*op) == Some(Word::Insert)).map(|op| op.arg_id());

    let mut numbers = Numbers::new(inserts());
    let ranks = Ranks::new(history, rows);
    let mut read = Container::with_room(inserts().count(), ranks.end());
    for op in happened() {
        fits(op, word(op)).map_err(Decision::Unfit)?;
        if word(op) != Some(Word::Insert) {
            continue;
        }
        let (number, new) = numbers.number(op.arg_id());
        if !new {
            return Err(Decision::Unfit(format!(
                "{} is put in twice ({} and {})",
                op.arg(),
                history.row(read.put[number as usize] as usize).id(),
                op.id()
            )));
        }
        read.id.push(op.arg_id());
        read.put.push(op.row() as u32);
        read.a.push(ranks.of(op.inv_rank()));
        read.b.push(ranks.of(op.res_rank()));
    }
    for op in happened() {
        let Some(word) = word(op).filter(|word| *word != Word::Insert) else { continue };
        let (inv, res) = (ranks.of(op.inv_rank()), ranks.of(op.res_rank()));
        let seen = |element| Seen { row: op.row() as u32, element, inv, res };
        match (op.ret_id(), word) {
            (None, Word::Remove) => read.crashed.push(seen(NONE)),
            (None, _) => {}
            (Some(_), _) if op.ret().is_some_and(|ret| nothing(&ret)) => {
                read.empties.push(seen(NONE));
            }
            (Some(ret), _) => {
                let Some(element) = numbers.get(ret) else {
                    return Err(Decision::Refuted(thin_air(history, rows, op, &words)));
                };
                if res < read.a[element as usize] {
                    let put = read.put[element as usize];
                    return Err(Decision::Refuted(from_the_future(history, op, put)));
                }
                match word {
                    Word::Peek => read.peeks.push(seen(element)),
                    _ => read.take(history, seen(element)).map_err(Decision::Refuted)?,
                }
            }
        }
    }
    read.tighten(history).map_err(Decision::Refuted)?;
    Ok(read)
}

/// Why an operation does not belong here.
fn fits(op: Op<'_>, word: Option<Word>) -> Result<(), String> {
    let odd = |what: &str| Err(format!("{op} {what}"));
    match word {
        None => odd("is not an operation of this object"),
        Some(Word::Insert) if nothing(&op.arg()) => odd("puts in what means nothing"),
        Some(Word::Insert) => match inserted(op.ret().as_deref().map_or(Ret::Unknown, Ret::Saw)) {
            true => Ok(()),
            false => odd("was refused, which belongs recorded as a failure"),
        },
        Some(_) if !op.arg().is_nil() => odd("has an argument"),
        Some(_) => Ok(()),
    }
}

impl Container {
    fn with_room(elements: usize, events: u32) -> Container {
        let column = || Vec::with_capacity(elements);
        Container {
            id: column(),
            put: column(),
            a: column(),
            b: column(),
            taken: vec![NONE; elements],
            c: vec![NONE; elements],
            d: vec![NONE; elements],
            events,
            ..Container::default()
        }
    }

    fn take(&mut self, history: &History, by: Seen) -> Result<(), Refutation> {
        let element = by.element as usize;
        if self.taken[element] == NONE {
            (self.taken[element], self.c[element], self.d[element]) = (by.row, by.inv, by.res);
            return Ok(());
        }
        let (first, put) = (self.taken[element], self.put[element]);
        Err(Refutation {
            rows: vec![by.row, first, put],
            name: Cow::Borrowed("duplicate-delivery"),
            because: format!(
                "{} took {}, which {} took as well, although only {} put it in",
                say(history, by.row),
                history.value(self.id[element]),
                say(history, first),
                say(history, put),
            ),
        })
    }

    /// Draws conclusions from what was seen of each element, and drops those that nobody saw and
    /// that need not be there.
    fn tighten(&mut self, history: &History) -> Result<(), Refutation> {
        for v in 0..self.len() {
            self.b[v] = self.b[v].min(self.d[v]);
            if self.taken[v] != NONE {
                self.c[v] = self.c[v].max(self.a[v]);
            }
        }
        for peek in &self.peeks {
            let v = peek.element as usize;
            self.b[v] = self.b[v].min(peek.res);
            if self.taken[v] == NONE {
                continue;
            }
            if peek.inv > self.d[v] {
                return Err(Refutation {
                    rows: vec![peek.row, self.taken[v], self.put[v]],
                    name: Cow::Borrowed("stale-read"),
                    because: format!(
                        "{} saw {}, which {} had taken before it began",
                        say(history, peek.row),
                        history.value(self.id[v]),
                        say(history, self.taken[v]),
                    ),
                });
            }
            self.c[v] = self.c[v].max(peek.inv);
        }
        if self.b.contains(&NONE) {
            let seen: Vec<bool> = self.b.iter().map(|b| *b != NONE).collect();
            self.keep(&seen);
        }
        Ok(())
    }

    /// Without what was never taken out: whether that was there is not known for certain if there
    /// are removals of unknown result, and they are left out as well.
    pub(super) fn without_left(mut self) -> Container {
        let taken: Vec<bool> = self.taken.iter().map(|row| *row != NONE).collect();
        self.keep(&taken);
        self.crashed.clear();
        self
    }

    /// Keeps these elements, with what was seen of them.
    fn keep(&mut self, which: &[bool]) {
        for column in [
            &mut self.id,
            &mut self.put,
            &mut self.taken,
            &mut self.a,
            &mut self.b,
            &mut self.c,
            &mut self.d,
        ] {
            let mut kept = which.iter();
            column.retain(|_| kept.next() == Some(&true));
        }
        let mut next = 0;
        let number = |kept: &bool| {
            next += u32::from(*kept);
            next.wrapping_sub(1)
        };
        let numbers: Vec<u32> = which.iter().map(number).collect();
        self.peeks.retain(|peek| which[peek.element as usize]);
        self.peeks.iter_mut().for_each(|peek| peek.element = numbers[peek.element as usize]);
    }
}

fn thin_air(history: &History, rows: &[u32], op: Op<'_>, words: &[Option<Word>]) -> Refutation {
    let mut ops = rows.iter().map(|row| history.row(*row as usize));
    let failed = ops.find(|put| {
        let puts = words[usize::from(put.f_id())] == Some(Word::Insert);
        put.status() == Status::Fail && puts && Some(put.arg_id()) == op.ret_id()
    });
    let ret = op.ret().unwrap_or(Cow::Borrowed(&Value::Nil));
    let saw = format!("{} saw {ret}", say(history, op.row() as u32));
    let (name, because) = match failed {
        Some(put) => {
            let put = say(history, put.row() as u32);
            ("aborted-read", format!("{saw}, although {put}, which would have put it in, failed"))
        }
        None => ("thin-air-read", format!("{saw}, which nothing ever put in")),
    };
    Refutation { rows: vec![op.row() as u32], name: Cow::Borrowed(name), because }
}

fn from_the_future(history: &History, op: Op<'_>, put: u32) -> Refutation {
    let saw = op.row() as u32;
    Refutation {
        rows: vec![saw, put],
        name: Cow::Borrowed("from-the-future"),
        because: format!(
            "{} had ended before {}, which put it in, began",
            say(history, saw),
            say(history, put)
        ),
    }
}
