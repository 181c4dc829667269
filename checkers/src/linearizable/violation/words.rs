//! Operations in words.

use danso_vocab::time::human;

use super::super::object::{Item, Object, Touch};

/// An operation as a colleague would say it: `p4's read of k3 (#812)`.
pub(super) fn who(object: &Object<'_>, item: &Item) -> String {
    say(object, item, true)
}

/// The same where the key was already said.
pub(super) fn whose(object: &Object<'_>, item: &Item) -> String {
    say(object, item, false)
}

fn say(object: &Object<'_>, item: &Item, keyed: bool) -> String {
    let op = object.op(item);
    let (process, f, id) = (op.process(), op.f(), op.id());
    let of = |word: &str| match object.key.as_ref().filter(|_| keyed) {
        Some(key) => format!(" {word} {key}"),
        None => String::new(),
    };
    match object.touch(item) {
        Some(Touch::Writes(_)) if op.arg().is_nil() && f != "write" => {
            format!("{process}'s {f}{} ({id})", of("of"))
        }
        Some(Touch::Writes(value)) => {
            let value = &object.values[value as usize];
            format!("{process}'s {f} of {value}{} ({id})", of("to"))
        }
        Some(Touch::Swaps(old, new)) => {
            let (old, new) = (&object.values[old as usize], &object.values[new as usize]);
            format!("{process}'s {f}{} from {old} to {new} ({id})", of("of"))
        }
        _ if op.arg().is_nil() => format!("{process}'s {f}{} ({id})", of("of")),
        _ => format!("{process}'s {f} {}{} ({id})", op.arg(), of("on")),
    }
}

/// How an operation answered: `returned 2`, `succeeded`.
pub(super) fn answered(object: &Object<'_>, item: &Item) -> String {
    match (object.touch(item), object.op(item).ret()) {
        (Some(Touch::Misses(_)), _) => "was refused".to_owned(),
        (Some(Touch::Reads(value)), _) => format!("returned {}", object.values[value as usize]),
        (Some(_), _) | (None, None) => "succeeded".to_owned(),
        (None, Some(ret)) => format!("returned {ret}"),
    }
}

/// How long before the second operation began the first had ended: `1.204 s before`.
pub(super) fn before(object: &Object<'_>, first: &Item, second: &Item) -> String {
    let (first, second) = (object.op(first), object.op(second));
    let gap = first.res_time().map(|end| second.inv_time() - end);
    match gap.filter(|gap| !gap.is_zero()) {
        Some(gap) => format!("{} before", human(gap)),
        None => "before".to_owned(),
    }
}
