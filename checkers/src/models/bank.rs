//! Accounts and transfers between them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use danso_vocab::{Model, Ret, Unit, Value};

/// A bank: `transfer {from, to, amount}` moves money if there is enough, `read` answers the
/// balances of all accounts as a map, or the balance of the account it is given. A transfer that
/// answers `false` found too little money. An account nobody named has nothing.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    initial: Balances,
    negative: bool,
}

/// What accounts hold; those with nothing are not in it.
type Balances = BTreeMap<String, i64>;

impl Bank {
    /// Accounts with the balances of this map.
    pub fn new(initial: &Value) -> Self {
        Bank { initial: initial.map().and_then(balances).unwrap_or_default(), negative: false }
    }

    /// The same bank, in which accounts may be overdrawn.
    #[must_use]
    pub fn overdrawn(self) -> Self {
        Bank { negative: true, ..self }
    }

    /// The balances after a transfer; `None` if there is too little money.
    fn moved(&self, state: &Balances, transfer: &Transfer<'_>) -> Option<Balances> {
        let mut next = state.clone();
        let mut add = |account: &str, amount: i64| {
            let balance = next.get(account).copied().unwrap_or(0).checked_add(amount)?;
            next.insert(account.to_owned(), balance);
            Some(balance)
        };
        let left = add(&transfer.from, transfer.amount.checked_neg()?)?;
        if left < 0 && !self.negative {
            return None;
        }
        add(&transfer.to, transfer.amount)?;
        next.retain(|_, balance| *balance != 0);
        Some(next)
    }
}

struct Transfer<'a> {
    from: Cow<'a, str>,
    to: Cow<'a, str>,
    amount: i64,
}

impl Transfer<'_> {
    fn of(arg: &Value) -> Option<Transfer<'_>> {
        let amount = arg.get("amount")?.int().filter(|amount| *amount >= 0)?;
        let (from, to) = (account(arg.get("from")?)?, account(arg.get("to")?)?);
        Some(Transfer { from, to, amount })
    }
}

fn account(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Str(name) => Some(name.as_str().into()),
        Value::Int(name) => Some(name.to_string().into()),
        _ => None,
    }
}

/// The balances of a map, if they are numbers.
fn balances(map: &BTreeMap<String, Value>) -> Option<Balances> {
    let all = map.iter().map(|(name, balance)| Some((name.clone(), balance.int()?)));
    let all: Option<Balances> = all.collect();
    all.map(|mut all| {
        all.retain(|_, balance| *balance != 0);
        all
    })
}

impl Model for Bank {
    type State = Balances;

    fn name(&self) -> &'static str {
        "lin-bank"
    }

    fn init(&self) -> Balances {
        self.initial.clone()
    }

    fn step(&self, state: &Balances, f: &str, arg: &Value, ret: Ret<'_>) -> Option<Balances> {
        match (f, ret) {
            ("read", Ret::Unknown) => Some(state.clone()),
            ("read", Ret::Saw(saw)) => {
                let same = match (arg, saw) {
                    (Value::Nil, Value::Map(saw)) => balances(saw)? == *state,
                    (one, Value::Int(saw)) => {
                        state.get(&*account(one)?).copied().unwrap_or(0) == *saw
                    }
                    _ => false,
                };
                same.then(|| state.clone())
            }
            ("transfer", ret) => {
                let next = self.moved(state, &Transfer::of(arg)?);
                match ret {
                    Ret::Saw(Value::Bool(false)) => next.is_none().then(|| state.clone()),
                    Ret::Saw(_) => next,
                    Ret::Unknown => Some(next.unwrap_or_else(|| state.clone())),
                }
            }
            _ => None,
        }
    }

    fn is_read(&self, f: &str) -> bool {
        f == "read"
    }

    fn unit<'a>(&self, f: &str, _: &'a Value, ret: Ret<'a>) -> Unit<'a> {
        let refused = matches!(ret, Ret::Saw(Value::Bool(false)));
        if self.is_read(f) || refused { Unit::Observer } else { Unit::Fixed }
    }

    fn describe(&self, state: &Balances) -> String {
        let entries = state.iter().map(|(name, balance)| (name.clone(), Value::Int(*balance)));
        Value::Map(entries.collect()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_moves_and_does_not_appear() {
        let model = Bank::new(&Value::of([("0", 10.into()), ("1", 0.into())]));
        let (state, done) = (model.init(), Value::Nil);
        let transfer = |from: i64, to: i64, amount: i64| {
            Value::of([("from", from.into()), ("to", to.into()), ("amount", amount.into())])
        };
        let after = model.step(&state, "transfer", &transfer(0, 1, 4), Ret::Saw(&done)).unwrap();
        let saw = |a: i64, b: i64| Value::of([("0", a.into()), ("1", b.into())]);
        let read = |saw| model.step(&after, "read", &Value::Nil, Ret::Saw(&saw)).is_some();
        assert!(read(saw(6, 4)) && !read(saw(10, 4)));
        assert!(!read(Value::of([("0", 6.into())])), "an account is missing");
        assert!(model.step(&after, "read", &1.into(), Ret::Saw(&4.into())).is_some());
        let much = transfer(0, 1, 11);
        assert_eq!(model.step(&state, "transfer", &much, Ret::Saw(&done)), None);
        assert!(model.step(&state, "transfer", &much, Ret::Saw(&false.into())).is_some());
        assert_eq!(model.step(&state, "transfer", &much, Ret::Unknown), Some(state.clone()));
        let debt = model.clone().overdrawn();
        assert!(debt.step(&state, "transfer", &much, Ret::Saw(&done)).is_some());
        let same = debt.step(&state, "transfer", &transfer(0, 0, 3), Ret::Saw(&done));
        assert_eq!(same, Some(state.clone()));
        assert_eq!(model.step(&state, "transfer", &transfer(0, 1, -1), Ret::Unknown), None);
    }
}
