//! The house rules that a machine can check are tests of this crate: who may import whom, what
//! must never be reachable, how long a file may be. See `tests/tidy.rs`.
