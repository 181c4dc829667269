//! What people are handed, looked at from outside: the failing run first.

#![expect(clippy::unwrap_used, reason = "the samples are tests as well")]

mod big;
mod browser;
mod explorer;
mod figures;
mod hostile;
mod junit;
mod layout;
mod markup;
mod page;
mod palette;
mod sample;
mod sections;
mod text;
