//! Operations in words, without a model.

use danso_vocab::time::human;
use danso_vocab::{Op, Value};

/// An operation and its answer: `p3's read -> 2 (#812)`, `p0's write of 5 to k1 (#3)`.
pub(super) fn who(op: Op<'_>) -> String {
    let mut told = format!("{}'s {}", op.process(), op.f());
    match (op.arg(), op.key()) {
        (arg, None) if arg.is_nil() => {}
        (arg, Some(key)) if arg.is_nil() => told += &format!(" of {key}"),
        (arg, None) => told += &format!(" {arg}"),
        (arg, Some(key)) => told += &format!(" {arg} on {key}"),
    }
    if let Some(ret) = op.ret().filter(|ret| says(ret) || !has_arg(op)) {
        told += &format!(" -> {ret}");
    }
    told + &format!(" ({})", op.id())
}

/// Whether a result is more than "done".
fn says(ret: &Value) -> bool {
    !ret.is_nil() && *ret != Value::Bool(true) && ret.str() != Some("ok")
}

fn has_arg(op: Op<'_>) -> bool {
    !op.arg().is_nil() || op.f() == "delete"
}

/// How long before `second` began `first` had ended: `1.204 s before`.
pub(super) fn before(first: Op<'_>, second: Op<'_>) -> String {
    let gap = first.res_time().map(|end| second.inv_time() - end);
    match gap.filter(|gap| !gap.is_zero()) {
        Some(gap) => format!("{} before", human(gap)),
        None => "before".to_owned(),
    }
}
