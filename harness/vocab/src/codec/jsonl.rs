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

mod read;
mod write;

pub use read::{Loaded, Tail, read};
pub use write::Writer;

#[cfg(test)]
mod tests;
