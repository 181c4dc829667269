//! What people are handed, looked at from outside: the failing run first.

#![expect(clippy::unwrap_used, reason = "the samples are tests as well")]

mod big;
mod browser;
mod figures;
mod hostile;
mod markup;
mod page;
mod sample;
mod text;
