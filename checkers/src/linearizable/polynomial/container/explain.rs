//! Containers in words.

use danso_vocab::History;

use super::{Blame, Container, NONE};

/// An operation as a colleague would say it: `p3's dequeue -> 2 (#812)`.
pub(in super::super) fn say(history: &History, row: u32) -> String {
    let op = history.row(row as usize);
    let (process, f, id, arg) = (op.process(), op.f(), op.id(), op.arg());
    match op.ret() {
        _ if !arg.is_nil() => format!("{process}'s {f} {arg} ({id})"),
        Some(ret) => format!("{process}'s {f} -> {ret} ({id})"),
        None => format!("{process}'s {f} of unknown result ({id})"),
    }
}

/// Some things, the last one after `and`, at most five.
pub(in super::super) fn list(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] if some.len() < 5 => format!("{} and {last}", some.join(", ")),
        [some @ ..] => format!("{} and {} more", some[..4].join(", "), things.len() - 4),
    }
}

impl Container {
    /// From when to when an element is inside: `4 (put in by p1's enqueue 4 (#3), never taken)`.
    pub(in super::super) fn life(&self, history: &History, v: usize) -> String {
        let (value, put) = (history.value(self.id[v]), say(history, self.put[v]));
        match self.taken[v] {
            NONE => format!("{value} ({put}, never taken out)"),
            taken => format!("{value} ({put}, {})", say(history, taken)),
        }
    }

    /// The lives of all elements but one.
    pub(in super::super) fn lives(&self, history: &History, but: Option<usize>) -> String {
        let others = (0..self.len()).filter(|v| Some(*v) != but);
        list(&others.map(|v| self.life(history, v)).collect::<Vec<_>>())
    }

    /// Why an answer that there was nothing cannot be.
    pub(in super::super) fn non_empty(&self, history: &History) -> Blame {
        let row = self.empties.first().map_or(NONE, |empty| empty.row);
        let (empty, lives) = (say(history, row), self.lives(history, None));
        let crashed = self.and_crashed();
        let because = match self.len() {
            1 => format!("{empty} found nothing, but all the time there was {lives}{crashed}"),
            _ => format!(
                "{empty} found nothing, but at every moment of it there was one of {lives}{crashed}"
            ),
        };
        Blame { row, name: "non-empty", because }
    }

    /// Why elements cannot have gone through in any order that obeys this rule.
    pub(in super::super) fn out_of_order(&self, history: &History, rule: &str) -> Blame {
        let lost = (0..self.len()).find(|v| self.taken[*v] == NONE);
        let peeks: Vec<String> = self.peeks.iter().map(|peek| say(history, peek.row)).collect();
        let saw = if peeks.is_empty() { "" } else { ", seen by " };
        let (name, row) = match (self.peeks.first(), lost) {
            (Some(peek), _) => ("stale-read", peek.row),
            (None, Some(v)) => ("lost-element", self.put[v]),
            (None, None) => ("reordered", self.taken[0]),
        };
        let (lives, peeks, crashed) = (self.lives(history, None), list(&peeks), self.and_crashed());
        let because = format!("no order of these is {rule}: {lives}{saw}{peeks}{crashed}");
        Blame { row, name, because }
    }

    /// What the removals of unknown result add to a sentence.
    pub(in super::super) fn and_crashed(&self) -> String {
        match self.crashed.len() {
            0 => String::new(),
            1 => ", and the one removal of unknown result cannot have taken enough".to_owned(),
            n => format!(", and the {n} removals of unknown result cannot have taken enough"),
        }
    }
}
