//! Several registers, read and written together.

use std::borrow::Cow;
use std::collections::BTreeMap;

use danso_vocab::{Model, Parts, Ret, Value};

/// Registers by name. `txn` reads and writes some of them at one instant, one step after the
/// other: `[[read x nil] [write y 2]]`, also with `r` and `w`; it answers the same with what it
/// read filled in, or nothing. `read` asks for the registers of a map, a list or, given nothing,
/// those of its answer, and answers a map; `write` takes a map. Reading `nil` is an observation.
/// A register is called by text or by number; 1 and "1" are the same.
#[derive(Clone, Debug, Default)]
pub struct MultiRegister {
    initial: Value,
}

impl MultiRegister {
    /// Registers that start with the values of this map; with nil if they are not in it. Anything
    /// else than a map is what every register starts with.
    pub fn new(initial: Value) -> Self {
        MultiRegister { initial }
    }

    fn initial(&self, register: &str) -> &Value {
        match &self.initial {
            Value::Map(map) => map.get(register).unwrap_or(&Value::Nil),
            other => other,
        }
    }

    fn holds(&self, state: &Registers, register: &str, value: &Value) -> bool {
        state.get(register).unwrap_or(self.initial(register)) == value
    }

    fn txn(&self, state: &Registers, arg: &Value, ret: Ret<'_>) -> Option<Registers> {
        let steps = arg.list()?;
        let answers = match ret {
            Ret::Saw(Value::List(answers)) if answers.len() == steps.len() => Some(answers),
            // It was done, and answered nothing.
            Ret::Saw(Value::Nil) | Ret::Unknown => None,
            Ret::Saw(_) => return None,
        };
        let mut next = state.clone();
        for (i, step) in steps.iter().enumerate() {
            let (f, register, value) = micro(step)?;
            let name = name(register)?;
            match f {
                "read" | "r" => {
                    let Some(answers) = answers else { continue };
                    let (f, register, saw) = micro(&answers[i])?;
                    let same = matches!(f, "read" | "r") && self::name(register)? == name;
                    if !same || !self.holds(&next, &name, saw) {
                        return None;
                    }
                }
                "write" | "w" => {
                    next.insert(name.into_owned(), value.clone());
                }
                _ => return None,
            }
        }
        Some(next)
    }

    fn read(&self, state: &Registers, arg: &Value, ret: Ret<'_>) -> Option<Registers> {
        let wanted: Vec<Cow<'_, str>> = match arg {
            Value::Nil => Vec::new(),
            Value::Map(map) => map.keys().map(|name| name.as_str().into()).collect(),
            Value::List(names) => names.iter().map(name).collect::<Option<_>>()?,
            _ => return None,
        };
        let Ret::Saw(ret) = ret else { return Some(state.clone()) };
        let saw = ret.map()?;
        let all = wanted.iter().all(|name| saw.contains_key(&**name));
        let right = saw.iter().all(|(name, value)| self.holds(state, name, value));
        (all && right).then(|| state.clone())
    }
}

/// The registers that were written.
type Registers = BTreeMap<String, Value>;

/// A step of a transaction: what, on which register, with which value.
fn micro(step: &Value) -> Option<(&str, &Value, &Value)> {
    match step.list()? {
        [f, register] => Some((f.str()?, register, &Value::Nil)),
        [f, register, value] => Some((f.str()?, register, value)),
        _ => None,
    }
}

/// A register's name.
fn name(register: &Value) -> Option<Cow<'_, str>> {
    match register {
        Value::Str(name) => Some(name.as_str().into()),
        Value::Int(name) => Some(name.to_string().into()),
        _ => None,
    }
}

/// The one value that stands for this register as a part; `None` if a number says the same.
fn part(register: &Value) -> Option<&Value> {
    match register {
        Value::Str(name) if name.parse::<i64>().is_ok() => None,
        Value::Str(_) | Value::Int(_) => Some(register),
        _ => None,
    }
}

impl Model for MultiRegister {
    type State = Registers;

    fn name(&self) -> &'static str {
        "multi-register"
    }

    fn init(&self) -> Registers {
        Registers::new()
    }

    fn step(&self, state: &Registers, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Registers> {
        let mut next = match f {
            "txn" => self.txn(state, arg, ret)?,
            "read" => return self.read(state, arg, ret),
            "write" => {
                let mut next = state.clone();
                next.extend(arg.map()?.iter().map(|(name, value)| (name.clone(), value.clone())));
                next
            }
            _ => return None,
        };
        // So that equal states look equal.
        next.retain(|name, value| value != self.initial(name));
        Some(next)
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn parts<'a>(&self, f: &str, arg: &'a Value, _: Ret<'a>) -> Parts<'a> {
        let Some(steps) = arg.list().filter(|steps| f == "txn" && !steps.is_empty()) else {
            return Parts::All;
        };
        let parts = steps.iter().map(|step| part(micro(step)?.1));
        parts.collect::<Option<Vec<_>>>().map_or(Parts::All, Parts::Of)
    }

    fn unit<'a>(&self, f: &str, arg: &'a Value, _: Ret<'a>) -> danso_vocab::Unit<'a> {
        let reads = |step: &Value| matches!(micro(step), Some(("read" | "r", ..)));
        let only_reads = f == "txn" && arg.list().is_some_and(|steps| steps.iter().all(reads));
        if only_reads || self.is_read(f) {
            danso_vocab::Unit::Observer
        } else {
            danso_vocab::Unit::Fixed
        }
    }

    fn describe(&self, state: &Registers) -> String {
        Value::Map(state.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(steps: &[(&str, &str, Option<i64>)]) -> Value {
        let step = |(f, name, value): &(&str, &str, Option<i64>)| {
            Value::List(vec![(*f).into(), (*name).into(), value.map_or(Value::Nil, Value::Int)])
        };
        Value::List(steps.iter().map(step).collect())
    }

    #[test]
    fn a_transaction_reads_what_it_wrote() {
        let model = MultiRegister::new(Value::of([("x", 0.into())]));
        let asks = txn(&[("read", "x", None), ("write", "x", Some(2)), ("r", "x", None)]);
        let saw = |a, b| txn(&[("read", "x", Some(a)), ("write", "x", Some(2)), ("r", "x", b)]);
        let step = |ret: &Value| model.step(&model.init(), "txn", &asks, Ret::Saw(ret));
        assert_eq!(step(&saw(0, Some(2))), Some([("x".to_owned(), 2.into())].into()));
        assert_eq!(step(&saw(1, Some(2))), None);
        assert_eq!(step(&saw(0, Some(0))), None);
        assert_eq!(step(&saw(0, None)), None);
        assert_eq!(step(&txn(&[])), None);
        assert!(step(&Value::Nil).is_some());
        assert!(model.step(&model.init(), "txn", &asks, Ret::Unknown).is_some());
        assert_eq!(model.step(&model.init(), "txn", &Value::Nil, Ret::Unknown), None);
    }

    #[test]
    fn maps_read_and_write_too() {
        let model = MultiRegister::default();
        let x = |value: i64| Value::of([("x", value.into())]);
        let one = model.step(&model.init(), "write", &x(1), Ret::Saw(&Value::Nil)).unwrap();
        let read =
            |arg: Value, ret: &Value| model.step(&one, "read", &arg, Ret::Saw(ret)).is_some();
        assert!(read(Value::Nil, &x(1)) && !read(Value::Nil, &x(2)));
        assert!(read(Value::of([("x", ().into())]), &x(1)));
        assert!(!read(Value::of([("y", ().into())]), &x(1)));
        assert!(read(Value::from(["x", "y"]), &Value::of([("x", 1.into()), ("y", ().into())])));
        let back = model.step(&one, "write", &Value::of([("x", ().into())]), Ret::Unknown);
        assert_eq!(back, Some(model.init()));
    }

    #[test]
    fn one_register_has_one_name() {
        let model = MultiRegister::default();
        let write = |name: Value| Value::List(vec![Value::List(vec!["w".into(), name, 1.into()])]);
        let (number, text, word) = (write(7.into()), write("7".into()), write("x".into()));
        let step = |arg| model.step(&model.init(), "txn", arg, Ret::Unknown);
        assert_eq!(step(&number), step(&text));
        let parts = |arg| model.parts("txn", arg, Ret::Unknown);
        assert_eq!(parts(&number), Parts::Of(vec![&Value::Int(7)]));
        assert_eq!(parts(&text), Parts::All);
        assert_eq!(parts(&word), Parts::Of(vec![&Value::from("x")]));
    }
}
