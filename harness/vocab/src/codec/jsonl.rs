//! The history file: one event a line, in Jepsen's words.
//!
//! ```text
//! {"format":1,"index":0,"time":0,"process":"nemesis","type":"info","f":"history","value":null}
//! {"index":1,"time":1200,"process":0,"type":"invoke","f":"write","key":"k1","value":3,"node":"n1"}
//! {"index":2,"time":9100,"process":0,"type":"ok","f":"write","key":"k1","value":null}
//! ```
//!
//! Whatever is not a client's operation has the process `nemesis`, as other readers expect.
//! A completion repeats `f` and `key`; its `value` is the result, its `error` the reason.

mod write;

pub use super::history::Tail;
pub use write::Writer;

use super::ReadError;
use super::history::{self, Format, Options};
use crate::History;

/// A history and what was noticed while reading it.
#[derive(Debug)]
pub struct Loaded {
    /// The history.
    pub history: History,
    /// Bytes of a torn last line that were dropped.
    pub torn_bytes: usize,
}

/// Reads a history of danso's own; [`history::read`] reads any.
///
/// # Errors
/// The first line that is no event or does not fit what came before, with the mend.
pub fn read(bytes: &[u8], tail: Tail) -> Result<Loaded, ReadError> {
    let (format, independent) = (Some(Format::Jsonl), Some(false));
    let loaded = history::read(bytes, &Options { format, independent, tail, lenient: false })?;
    Ok(Loaded { history: loaded.history, torn_bytes: loaded.torn_bytes })
}

#[cfg(test)]
mod tests;
