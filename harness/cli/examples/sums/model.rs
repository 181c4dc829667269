//! What a sum is: the state is all that was added so far.
use danso::prelude::*;

pub(crate) struct Sum;

impl Model for Sum {
    type State = i64;

    fn name(&self) -> &'static str {
        "sum"
    }

    fn init(&self) -> i64 {
        0
    }

    fn step(&self, sum: &i64, f: &str, arg: &Value, ret: Ret<'_>) -> Option<i64> {
        match (f, ret) {
            ("add", _) => Some(sum + arg.int()?),
            ("read", Ret::Saw(seen)) => (seen.int()? == *sum).then_some(*sum),
            ("read", Ret::Unknown) => Some(*sum),
            _ => None,
        }
    }
}
