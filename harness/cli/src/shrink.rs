//! Making what is wrong small: histories, and tests that show it.

pub(crate) mod history;
