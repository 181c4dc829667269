//! Making what is wrong small: histories, and tests that show it.

pub(crate) mod history;
pub(crate) mod rerun;
pub(crate) mod schedule;
pub(crate) mod test_file;
