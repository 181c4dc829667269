//! Changes to a whole [`History`] that keep it well formed.

use super::token::Datum;
use super::values::Values;
use super::{History, NONE};
use rustc_hash::FxHashMap;

impl History {
    /// Moves these rows (ascending) before all others: their operations began first.
    pub(super) fn lead_with(&mut self, rows: &[u32]) {
        if rows.is_empty() {
            return;
        }
        self.early = rows.len();
        lead(&mut self.inv_index, rows);
        lead(&mut self.res_index, rows);
        lead(&mut self.inv_rank, rows);
        lead(&mut self.res_rank, rows);
        lead(&mut self.inv_time, rows);
        lead(&mut self.res_time, rows);
        lead(&mut self.process, rows);
        lead(&mut self.node, rows);
        lead(&mut self.f, rows);
        lead(&mut self.status, rows);
        lead(&mut self.key, rows);
        lead(&mut self.arg, rows);
        lead(&mut self.ret, rows);
        let by = rows.len() as u32;
        for rank in self.inv_rank[rows.len()..].iter_mut().chain(&mut self.res_rank) {
            if *rank != History::NEVER {
                *rank += by;
            }
        }
        for (rank, at) in (0..by).zip(&mut self.inv_rank) {
            *at = rank;
        }
    }

    /// Takes failed operations called `f` whose reason is `observed` for operations that happened
    /// and answered `answer`: a compare-and-set that was refused has seen another value. Only
    /// right where the target vouches for it. Says how many there were.
    pub fn vouch(&mut self, f: &str, answer: &str, observed: impl Fn(&str) -> bool) -> usize {
        let Some(f) = self.fs().position(|name| name == f) else { return 0 };
        let failed = |row: &usize| {
            usize::from(self.f[*row]) == f && self.status[*row] == super::Status::Fail
        };
        let rows: Vec<usize> = (0..self.len())
            .filter(failed)
            .filter(|row| observed(self.row(*row).reason().unwrap_or_default()))
            .collect();
        let answer = crate::Value::from(answer);
        let Some(answer) = self.values.intern(Datum::Given(answer)) else { return 0 };
        for row in &rows {
            (self.status[*row], self.ret[*row]) = (super::Status::Ok, answer);
        }
        rows.len()
    }

    /// Gives back what growth left over.
    pub(super) fn shrink(&mut self) {
        self.inv_index.shrink_to_fit();
        self.res_index.shrink_to_fit();
        self.inv_rank.shrink_to_fit();
        self.res_rank.shrink_to_fit();
        self.inv_time.shrink_to_fit();
        self.res_time.shrink_to_fit();
        self.process.shrink_to_fit();
        self.node.shrink_to_fit();
        self.f.shrink_to_fit();
        self.status.shrink_to_fit();
        self.key.shrink_to_fit();
        self.arg.shrink_to_fit();
        self.ret.shrink_to_fit();
        self.notes.shrink_to_fit();
        self.values.shrink();
        self.reasons.shrink();
        self.fs.shrink();
    }

    /// Reads every argument and result `[key value]` as a key and a value. An operation whose
    /// argument is no pair stays as it is, so does a result.
    pub(crate) fn split_keys(&mut self) {
        let mut values = Values::default();
        let mut split = FxHashMap::<u32, (u32, u32)>::default();
        let old = &self.values;
        let mut of = |id: u32| {
            *split.entry(id).or_insert_with(|| {
                let value = old.get(id);
                // Fewer values than before: there are ids for all.
                let mut intern = |v| values.intern(Datum::Given(v)).unwrap_or(NONE - 1);
                match value.pair() {
                    Some((key, inner)) => (intern(key.clone()), intern(inner.clone())),
                    None => (NONE, intern(value.into_owned())),
                }
            })
        };
        for row in 0..self.inv_index.len() {
            let (key, arg) = of(self.arg[row]);
            (self.key[row], self.arg[row]) = (key, arg);
            if self.status[row] == super::Status::Ok {
                self.ret[row] = of(self.ret[row]).1;
            }
        }
        self.values = values;
        self.values.shrink();
    }
}

fn lead<T: Copy>(column: &mut Vec<T>, rows: &[u32]) {
    let mut moved: Vec<T> = rows.iter().map(|row| column[*row as usize]).collect();
    let mut next = rows.iter().copied().peekable();
    let rest = column.iter().enumerate();
    moved.extend(rest.filter(|(at, _)| next.next_if_eq(&(*at as u32)).is_none()).map(|(_, v)| *v));
    *column = moved;
}
