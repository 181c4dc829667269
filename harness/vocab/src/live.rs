//! [`LiveChecker`]: watches a history while it is being recorded.

use crate::{Event, OpId, Time, Value};

/// Watches a history while it is being recorded. It only ever sees that something is wrong: what
/// it says nothing about, and what it left out, is for the check after the run.
pub trait LiveChecker {
    /// Takes the event with this history index. At the first violation it says so; then it is
    /// done. Events with the same stamp count when the next stamp comes.
    fn event(&mut self, index: u32, time: Time, event: &Event) -> Option<LiveViolation>;

    /// No event will follow.
    fn finish(&mut self) -> Option<LiveViolation>;

    /// What it could not watch, and why; one sentence each.
    fn left_out(&self) -> Vec<String>;
}

/// A violation seen while the history is still growing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveViolation {
    /// The object.
    pub key: Option<Value>,
    /// The operation whose end made it impossible.
    pub op: OpId,
    /// When it ended.
    pub time: Time,
    /// The states possible just before, in words.
    pub states: Vec<String>,
    /// One plain sentence.
    pub because: String,
}
