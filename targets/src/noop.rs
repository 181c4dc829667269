//! `noop`: no processes, and a client that answers at once from memory. What remains when a run
//! uses it is the harness itself: this is how the controller's own speed is measured.
//!
//! The objects are registers and lists in one map behind one lock, so its histories are
//! linearizable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_vocab::{Call, NodeId, Outcome, Params, Process, Value};

use crate::TargetSpec;

/// The registry's row.
pub(crate) const SPEC: TargetSpec = TargetSpec {
    name: "noop",
    about: "no processes; registers and lists in the harness's own memory, to measure the harness itself",
    nodes: &[1, 2, 3, 5, 7],
    workloads: &["register", "append"],
    params: &[],
    options: &[],
    bugs: &[],
    build: |options| {
        Params::complete(&[], options)
            .map_err(|_| "target `noop` has no options: leave them out".to_owned())?;
        Ok(Arc::new(Noop::default()))
    },
    node: None,
};

type Registers = Arc<Mutex<BTreeMap<Option<Value>, Value>>>;

#[derive(Default)]
struct Noop {
    registers: Registers,
}

impl Target for Noop {
    fn name(&self) -> &str {
        SPEC.name
    }

    fn ports(&self) -> &[u16] {
        &[]
    }

    fn starts(&self) -> bool {
        false
    }

    fn command(&self, _: &Member) -> Result<Option<NodeCommand>, String> {
        Ok(None)
    }

    fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { nodes.iter().take(1).map(|n| n.id).collect() })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(NoopClient(self.registers.clone()))
    }
}

struct NoopClient(Registers);

impl Client for NoopClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async { answer(&self.0, call) })
    }
}

fn answer(registers: &Registers, call: &Call) -> Outcome {
    let mut registers = registers.lock().unwrap_or_else(PoisonError::into_inner);
    let register = registers.entry(call.key.clone()).or_default();
    match (call.f.as_ref(), call.arg.pair()) {
        ("read", _) => return Outcome::Ok(register.clone()),
        ("write", _) => *register = call.arg.clone(),
        ("append", _) => match register {
            Value::List(list) => list.push(call.arg.clone()),
            nothing => *nothing = Value::List(vec![call.arg.clone()]),
        },
        ("delete", _) => *register = Value::Nil,
        ("cas", Some((old, _))) if old != register => return Outcome::Fail("mismatch".into()),
        ("cas", Some((_, new))) => *register = new.clone(),
        _ => return Outcome::Fail("unsupported".into()),
    }
    Outcome::Ok(Value::Nil)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_behave() {
        let r = Registers::default();
        let ok = |v: i64| Outcome::Ok(v.into());
        let done = Outcome::Ok(Value::Nil);
        assert_eq!(answer(&r, &Call::new("read", ()).on("k")), done);
        assert_eq!(answer(&r, &Call::new("write", 1).on("k")), done);
        assert_eq!(answer(&r, &Call::new("cas", [1, 2]).on("k")), done);
        assert_eq!(answer(&r, &Call::new("cas", [1, 2]).on("k")), Outcome::Fail("mismatch".into()));
        assert_eq!(answer(&r, &Call::new("read", ()).on("k")), ok(2));
        assert_eq!(answer(&r, &Call::new("read", ()).on("other")), done);
        assert_eq!(answer(&r, &Call::new("append", 1).on("list")), done);
        assert_eq!(answer(&r, &Call::new("append", 2).on("list")), done);
        let list = Outcome::Ok([1, 2].into());
        assert_eq!(answer(&r, &Call::new("read", ()).on("list")), list);
        assert_eq!(answer(&r, &Call::new("push", 1)), Outcome::Fail("unsupported".into()));
    }
}
