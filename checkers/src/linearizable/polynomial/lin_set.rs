//! Sets: elements that are in or out.
//!
//! Where nothing reads all elements at once, each element is an object by itself: a bit that some
//! operations flip and others see (`flags.rs`). Where something does, elements must not be taken
//! out: then what is read only grows (`growing.rs`).

mod flags;
mod growing;
mod parse;
#[cfg(test)]
mod tests;

use danso_vocab::Stop;

use super::{Decision, How, Part, Polynomial};

/// Decides [`LinSet`](crate::models::LinSet), unless elements are taken out and all are read, or
/// come and go by operations that do not tell whether they changed anything. Gives a
/// linearization. O(n c) with c operations open at once on an element.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinSet;

impl Polynomial for LinSet {
    fn name(&self) -> &'static str {
        "lin-set"
    }

    fn decide(&self, part: &Part<'_>, how: &How) -> Decision {
        match parse::parse(part) {
            Err(decision) => decision,
            Ok(parsed) if parsed.reads.is_empty() => flags::decide(part, &parsed, how),
            Ok(parsed) => growing::decide(part, &parsed, how),
        }
    }
}

/// Whether these operations are not linearizable.
fn refuted(part: &Part<'_>, stop: &Stop) -> bool {
    let how = How { witness: false, stop: stop.clone() };
    match parse::parse(part) {
        Err(decision) => matches!(decision, Decision::Refuted(_)),
        Ok(parsed) if parsed.reads.is_empty() => flags::refuted(&parsed, &how),
        Ok(parsed) => growing::refuted(part, &parsed, stop),
    }
}
