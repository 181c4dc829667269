//! Client `rust`: written in Rust by whoever runs the test with danso as a library, and given to
//! `danso::Test::client`. Nothing else can make one.

use std::sync::Arc;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome};

use super::{Dialect, RUST, Row};
use crate::place::Place;

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: RUST,
    about: "written in Rust and given to danso::Test::client, by a program with danso as a library",
    build: |_, _| Ok(Arc::new(Elsewhere)),
};

/// A dialect that only the test's own program speaks.
struct Elsewhere;

impl Dialect for Elsewhere {
    fn speaks(&self) -> Option<Vec<String>> {
        None
    }

    fn client(&self, _: Place) -> Box<dyn Client> {
        Box::new(Elsewhere)
    }
}

impl Client for Elsewhere {
    fn invoke<'a>(&'a mut self, _: &'a Call) -> Fut<'a, Outcome> {
        let why = "the client of this test is written in Rust: run the program that has it";
        Box::pin(async move { Outcome::Fail(why.into()) })
    }
}
