//! The least state machine there is, for tests: it adds up numbers.

use serde::{Deserialize, Serialize};

use super::machine::{Machine, Moment};

/// The sum so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum(pub(crate) i64);

impl Machine for Sum {
    type Rules = ();
    type Command = i64;
    type Query = ();
    type Reply = i64;

    fn apply(&mut self, (): &(), _: Moment, more: &i64) -> i64 {
        self.0 += more;
        self.0
    }

    fn query(&self, (): &(), _: u64, (): &()) -> i64 {
        self.0
    }
}
