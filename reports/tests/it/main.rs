//! What people are handed, looked at from outside: the failing run first.

mod big;
mod browser;
mod hostile;
mod markup;
mod page;
mod sample;
mod text;
