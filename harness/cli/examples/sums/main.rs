//! A system of somebody's own, tested from Rust. In your own project the functions but `main` are
//! `#[test]`s.

mod client;
mod model;
mod target;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use danso::prelude::*;

use client::Lines;
use workload::SUMS;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sums/sums.toml");

pub(crate) fn survives_pauses() -> Result<(), danso::Error> {
    // The file says how it is started; who speaks to it is said here.
    let test =
        Test::new(FILE, &SUMS).client(|all, node, _| Lines(target::reached(all, node), None));
    test.rate(200).time(Duration::from_secs(5)).faults("pause").run()?.assert_valid();
    Ok(())
}

/// It keeps its sum in memory only.
pub(crate) fn forgets_when_killed() -> Result<(), danso::Error> {
    let test = Test::new(Arc::new(target::Sumd), &SUMS).nodes(1).faults("kill");
    test.rate(200).time(Duration::from_secs(5)).run()?.assert_finds("non-linearizable");
    Ok(())
}

fn main() -> Result<(), danso::Error> {
    survives_pauses()?;
    forgets_when_killed()
}
