//! [`Claims`]: which value is at which offset, who says so, and who appended it.

use std::borrow::Cow;

use danso_vocab::{History, Op, Status, Value};

use super::super::tell::who;
use super::super::{Decision, How, Part};
use super::{begins, ends, refuted};
use crate::models::append_log::offset;
use crate::numbering::Numbering;

pub(super) const NONE: u32 = u32::MAX;

/// One offset; rows and the number of its value, or [`NONE`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// Who appended it.
    pub(super) row: u32,
    value: u32,
    /// Who saw it first.
    pub(super) claimed: u32,
    /// Who saw it and ended first.
    pub(super) due: u32,
    /// Who saw that there was nothing and began last.
    pub(super) late: u32,
}

/// What a read saw.
#[derive(Clone, Copy, Debug)]
pub(super) enum Saw {
    /// Nothing at its offset.
    Nothing,
    /// A value at this offset.
    Value(u32),
    /// This many items.
    All(u32),
}

/// One value.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Who appended it, the first with an offset of its own unknown if there is one.
    row: u32,
    appends: u32,
    /// How many appends of it did not report their offset.
    open: u32,
    /// Which offset such a one was given.
    given: u32,
}

/// What the operations say.
pub(super) struct Claims {
    pub(super) spots: Vec<Spot>,
    /// Appends of unknown outcome that nobody saw, by beginning.
    pub(super) unknown: Vec<u32>,
    /// Reads and what they saw.
    pub(super) saw: Vec<(u32, Saw)>,
}

/// What is going on while reading the claims.
struct Reading<'p, 'h> {
    part: &'p Part<'h>,
    values: Numbering<'h>,
    items: Vec<Item>,
    claims: Claims,
}

impl Claims {
    /// The claims of these operations.
    ///
    /// # Errors
    /// With the decision, if they contradict each other or nobody can say.
    pub(super) fn of(part: &Part<'_>, how: &How) -> Result<Claims, Decision> {
        let mut reading = Reading {
            part,
            values: Numbering::new(part.rows.len()),
            items: Vec::new(),
            claims: Claims { spots: Vec::new(), unknown: Vec::new(), saw: Vec::new() },
        };
        let polled = |i: usize| match i & 0xfff == 0 && how.stop.is_tripped() {
            true => Err(Decision::Stopped),
            false => Ok(()),
        };
        let happened = |row: u32| {
            let op = part.history.row(row as usize);
            (op.status() != Status::Fail).then_some(op)
        };
        let fs: Vec<&str> = part.history.fs().collect();
        for (i, op) in part.rows.iter().filter_map(|row| happened(*row)).enumerate() {
            polled(i)?;
            match fs[usize::from(op.f_id())] {
                "append" => reading.append(op)?,
                "read" if op.arg().is_nil() || op.arg().int().is_some() => {}
                _ => return Err(Decision::Unfit(format!("a log does not know {op}"))),
            }
        }
        for (i, op) in part.rows.iter().filter_map(|row| happened(*row)).enumerate() {
            polled(i)?;
            if op.is_ok() && fs[usize::from(op.f_id())] == "read" {
                reading.read(op)?;
            }
        }
        reading.assign()?;
        reading.observers();
        Ok(reading.claims)
    }
}

impl<'h> Reading<'_, 'h> {
    fn op(&self, row: u32) -> Op<'h> {
        self.part.history.row(row as usize)
    }

    /// The spot at `offset`; `None` if there are fewer appends than that.
    fn spot(&mut self, offset: usize) -> Option<&mut Spot> {
        if offset >= self.part.rows.len() {
            return None;
        }
        let spots = &mut self.claims.spots;
        if offset >= spots.len() {
            let none = Spot { row: NONE, value: NONE, claimed: NONE, due: NONE, late: NONE };
            spots.resize(offset + 1, none);
        }
        spots.get_mut(offset)
    }

    /// The item with this number.
    fn item(&mut self, value: u32) -> &mut Item {
        let value = value as usize;
        if value >= self.items.len() {
            let none = Item { row: NONE, appends: 0, open: 0, given: NONE };
            self.items.resize(value + 1, none);
        }
        &mut self.items[value]
    }

    fn append(&mut self, op: Op<'h>) -> Result<(), Decision> {
        if op.arg().is_nil() {
            return Err(Decision::Unfit(format!("{op} appends what reads as nothing")));
        }
        let row = op.row() as u32;
        let value = self.values.id(self.part.history, op.arg_id());
        let at = op.ret().as_deref().and_then(offset);
        let item = self.item(value);
        item.appends += 1;
        if at.is_none() || item.row == NONE {
            item.row = row;
        }
        let Some(at) = at else {
            item.open += 1;
            return Ok(());
        };
        let spot = usize::try_from(at).ok().and_then(|at| self.spot(at));
        let Some(spot) = spot else {
            let because = format!("{} although there were not that many appends", who(op));
            return Err(refuted("thin-air", vec![row], because));
        };
        if spot.row != NONE {
            let first = spot.row;
            let because = format!("{} and {} got the same offset", who(op), who(self.op(first)));
            return Err(refuted("divergent-offset", vec![row, first], because));
        }
        (spot.row, spot.value) = (row, value);
        Ok(())
    }

    fn read(&mut self, op: Op<'h>) -> Result<(), Decision> {
        let (row, history) = (op.row() as u32, self.part.history);
        let Some(ret) = op.ret_id() else { return Ok(()) };
        let seen = history.value(ret);
        let saw = match (op.arg().int(), &seen) {
            (Some(_), value) if value.is_nil() => Saw::Nothing,
            (Some(at), _) => {
                let value = self.values.id(history, ret);
                let Ok(at) = usize::try_from(at) else { return Err(beyond(op)) };
                self.claim(at, value, op)?;
                Saw::Value(at as u32)
            }
            (None, value) if value.is_nil() => Saw::All(0),
            (None, Cow::Borrowed(Value::List(items))) => {
                for (at, item) in items.iter().enumerate() {
                    if item.is_nil() {
                        return Err(Decision::Unfit(format!("{op} has a nil in it")));
                    }
                    let value = self.values.value(item);
                    self.claim(at, value, op)?;
                }
                Saw::All(items.len() as u32)
            }
            _ => return Err(Decision::Unfit(format!("{op} is no list"))),
        };
        self.claims.saw.push((row, saw));
        Ok(())
    }

    /// `op` saw `value` at `at`.
    fn claim(&mut self, at: usize, value: u32, op: Op<'h>) -> Result<(), Decision> {
        let row = op.row() as u32;
        let spot = self.spot(at).ok_or_else(|| beyond(op))?;
        if spot.claimed == NONE {
            spot.claimed = row;
        }
        match spot.value {
            NONE => spot.value = value,
            other if other == value => {}
            _ => {
                let other = if spot.row == NONE { spot.claimed } else { spot.row };
                let did = if spot.row == NONE { "saw" } else { "put" };
                let because = format!(
                    "{} although {} {did} another value at {at}",
                    who(op),
                    who(self.op(other))
                );
                return Err(refuted("divergent-offset", vec![row, other], because));
            }
        }
        Ok(())
    }

    /// Gives offsets whose append is not known to appends whose offset is not known.
    fn assign(&mut self) -> Result<(), Decision> {
        for at in 0..self.claims.spots.len() {
            let spot = self.claims.spots[at];
            if spot.row != NONE || spot.value == NONE {
                continue;
            }
            let item = *self.item(spot.value);
            if item.open > 0 && item.appends > 1 {
                let op = self.op(item.row);
                return Err(Decision::Unfit(format!("the value of {op} is appended again")));
            }
            if item.open == 0 {
                return Err(self.nowhere(at, item.row));
            }
            if item.given != NONE {
                let first = self.claims.spots[item.given as usize].claimed;
                let because = format!(
                    "{} saw the same value at {at} that {} saw at {}, but only {} appended it",
                    who(self.op(spot.claimed)),
                    who(self.op(first)),
                    item.given,
                    who(self.op(item.row))
                );
                let rows = match spot.claimed == first {
                    true => vec![first, item.row],
                    false => vec![spot.claimed, first, item.row],
                };
                return Err(refuted("duplicate-delivery", rows, because));
            }
            self.item(spot.value).given = at as u32;
            self.claims.spots[at].row = item.row;
        }
        for &row in self.part.rows {
            let op = self.part.history.row(row as usize);
            let open = op.f() == "append" && op.ret().as_deref().and_then(offset).is_none();
            if op.status() == Status::Fail || !open {
                continue;
            }
            let value = self.values.id(self.part.history, op.arg_id());
            match self.item(value).given {
                // Given to this one, since there is no other.
                given if given != NONE => {}
                _ if op.is_ok() => {
                    return Err(Decision::Unfit(format!("nobody says where {op} went")));
                }
                _ => self.claims.unknown.push(row),
            }
        }
        Ok(())
    }

    /// Refutes: what was seen at `at` was never appended, or only (`row`) elsewhere.
    fn nowhere(&self, at: usize, row: u32) -> Decision {
        let claimed = self.op(self.claims.spots[at].claimed);
        let blamed = claimed.row() as u32;
        if row != NONE {
            let because =
                format!("{} saw at {at} what {} put elsewhere", who(claimed), who(self.op(row)));
            return refuted("duplicate-delivery", vec![blamed, row], because);
        }
        let value = seen_at(claimed, at);
        let failed = self.part.rows.iter().map(|row| self.op(*row)).find(|op| {
            op.status() == Status::Fail && op.f() == "append" && value.as_ref() == Some(&*op.arg())
        });
        if let Some(failed) = failed {
            let because = format!(
                "{}, but only {} would have appended that, and it failed",
                who(claimed),
                who(failed)
            );
            return refuted("aborted-read", vec![blamed], because);
        }
        let because = format!("{}, but nobody ever appended what is at {at}", who(claimed));
        refuted("thin-air", vec![blamed], because)
    }

    /// Notes for each offset who saw it first and who missed it last.
    fn observers(&mut self) {
        let history: &History = self.part.history;
        let spots = &mut self.claims.spots;
        let due = |spots: &mut Vec<Spot>, at: usize, row: u32| {
            let end = |row: u32| ends(history.row(row as usize));
            if spots[at].due == NONE || end(row) < end(spots[at].due) {
                spots[at].due = row;
            }
        };
        let late = |spots: &mut Vec<Spot>, at: usize, row: u32| {
            let begin = |row: u32| begins(history.row(row as usize));
            // What nobody ever put there is missed by everybody.
            if at < spots.len() && (spots[at].late == NONE || begin(row) > begin(spots[at].late)) {
                spots[at].late = row;
            }
        };
        for &(row, saw) in &self.claims.saw {
            match saw {
                Saw::Nothing => {
                    let at = history.row(row as usize).arg().int();
                    if let Some(at) = at.and_then(|at| usize::try_from(at).ok()) {
                        late(spots, at, row);
                    }
                }
                Saw::Value(at) => due(spots, at as usize, row),
                Saw::All(len) => {
                    if let Some(last) = (len as usize).checked_sub(1) {
                        due(spots, last, row);
                    }
                    late(spots, len as usize, row);
                }
            }
        }
    }
}

/// The value a read saw at `at`.
fn seen_at(op: Op<'_>, at: usize) -> Option<Value> {
    let ret = op.ret()?;
    match op.arg().int() {
        Some(_) => Some(ret.into_owned()),
        None => ret.list()?.get(at).cloned(),
    }
}

fn beyond(op: Op<'_>) -> Decision {
    let because = format!("{} although there were not that many appends", who(op));
    refuted("thin-air", vec![op.row() as u32], because)
}
