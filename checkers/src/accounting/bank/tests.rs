//! Banks by hand, and against the definition read aloud.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Call, Checker, Finding, History, Limits, Rng, Status, Value, Verdict};

use super::Bank;
use crate::testing::{self, Script, Shape};

fn check(bank: &Bank, history: &History) -> Finding {
    bank.check(history, &Limits::default())
}

fn read() -> Call {
    Call::new("read", ())
}

fn transfer(from: i64, to: i64, amount: i64) -> Call {
    let arg = [("from", from.into()), ("to", to.into()), ("amount", amount.into())];
    Call::new("transfer", Value::of(arg))
}

fn balances(all: &[i64]) -> Value {
    Value::Map(all.iter().enumerate().map(|(n, b)| (n.to_string(), Value::Int(*b))).collect())
}

/// The anomalies of a bank of three accounts that begins with 10 on each.
fn oracle(history: &History) -> BTreeSet<(String, u32)> {
    let mut wrong = BTreeSet::new();
    for read in history.ops().filter(|op| op.f() == "read" && op.is_ok()) {
        let ret = read.ret().unwrap();
        let shown: BTreeMap<&str, i64> =
            ret.map().unwrap().iter().filter_map(|(k, v)| Some((k.as_str(), v.int()?))).collect();
        let all = ["0", "1", "2"];
        let mut name = |name: &str| {
            wrong.insert((name.to_owned(), read.id().0));
        };
        if shown.values().sum::<i64>() != 30 {
            name("wrong-total");
        }
        if shown.values().any(|balance| *balance < 0) {
            name("negative-balance");
        }
        if shown.keys().any(|account| !all.contains(account)) {
            name("unexpected-account");
        }
        if all.iter().any(|account| !shown.contains_key(account)) {
            name("missing-account");
        }
    }
    wrong
}

#[test]
fn anomalies_are_those_of_the_definition() {
    let mut rng = Rng::new(1).split("bank");
    let mut tally = BTreeMap::<String, u32>::new();
    for case in 0..testing::cases(20_000) {
        let shape = Shape::small(&mut rng);
        let mut state = [10; 3];
        let call = |rng: &mut Rng| match rng.chance(1, 2) {
            true => read(),
            false => transfer(rng.below(3) as i64, rng.below(3) as i64, rng.between(1, 9) as i64),
        };
        let mut events = testing::events(&mut rng, shape, call, |_, call, _| {
            if call.f == "read" {
                return Some(balances(&state));
            }
            let get = |name| call.arg.get(name).unwrap().int().unwrap();
            let (from, to, amount) = (get("from"), get("to"), get("amount"));
            if state[from as usize] < amount {
                return Some(Value::Bool(false));
            }
            state[from as usize] -= amount;
            state[to as usize] += amount;
            Some(Value::Nil)
        });
        for _ in 0..rng.below(3) {
            testing::mutate(&mut rng, &mut events, |rng, value| {
                let Value::Map(map) = value else { return false };
                let account = rng.below(4).to_string();
                let balance = rng.below(40) as i64 - 8;
                match rng.below(3) {
                    0 => drop(map.remove(&account)),
                    1 => drop(map.insert(account, balance.into())),
                    // Money moves, but too much of it.
                    _ => {
                        let n = |map: &BTreeMap<String, Value>, k: &str| map.get(k)?.int();
                        let (Some(a), Some(b)) = (n(map, "0"), n(map, "1")) else { return false };
                        map.insert("0".into(), (a - 25).into());
                        map.insert("1".into(), (b + 25).into());
                    }
                }
                true
            });
        }
        let history = testing::history(events);
        let told = testing::show(&history);
        let wanted = oracle(&history);
        let finding = check(&Bank::starting(&balances(&[10, 10, 10])), &history);
        let found: BTreeSet<(String, u32)> =
            finding.anomalies.iter().map(|a| (a.name.to_string(), a.ops[0].0)).collect();
        assert_eq!(found, wanted, "case {case}:  {told}");
        let refused = Some(&Value::Bool(false));
        let ok = |f: &str| {
            history.ops().any(|op| op.f() == f && op.is_ok() && op.ret().as_deref() != refused)
        };
        let seen = ok("read") && ok("transfer");
        let verdict = match (wanted.is_empty(), seen) {
            (false, _) => Verdict::Invalid,
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Valid,
        };
        assert_eq!(finding.verdict, verdict, "case {case}: {}\n{told}", finding.reason);
        *tally.entry(verdict.to_string()).or_default() += 1;
        for (name, _) in found {
            *tally.entry(name).or_default() += 1;
        }
    }
    println!("{tally:?}");
    assert!(tally.len() == 7 && tally.values().all(|count| *count > 20), "{tally:?}");
}

#[test]
fn what_is_right_is_what_most_snapshots_show() {
    let mut script = Script::default();
    script.op(0, 0, transfer(0, 1, 3), Status::Ok, ());
    for _ in 0..3 {
        script.op(0, 0, read(), Status::Ok, balances(&[7, 13]));
    }
    let valid = check(&Bank::new(), &script.history());
    assert_eq!(valid.verdict, Verdict::Valid);
    assert!(valid.reason.contains("nobody said what it should be"), "{}", valid.reason);
    let mut script = Script::default();
    script.op(0, 0, transfer(0, 1, 3), Status::Ok, ());
    for _ in 0..3 {
        script.op(0, 0, read(), Status::Ok, balances(&[7, 13]));
    }
    script.op(0, 0, read(), Status::Ok, balances(&[7, 10]));
    script.op(0, 0, read(), Status::Ok, balances(&[7, 12, 1]));
    script.op(0, 0, read(), Status::Ok, balances(&[20]));
    let finding = check(&Bank::new(), &script.history());
    let names: Vec<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["wrong-total", "unexpected-account", "missing-account"]);
    assert_eq!(
        finding.anomalies[0].because,
        "p0's read (#8) at 0.000 s shows balances that add up to 17, but 5 of 6 snapshots show 20"
    );
}

#[test]
fn overdrafts_may_be_allowed_and_lists_are_balances_too() {
    let history = || {
        let mut script = Script::default();
        script.op(0, 0, transfer(0, 1, 30), Status::Ok, ());
        script.op(0, 0, read(), Status::Ok, [-20, 40]);
        script.history()
    };
    let bank = Bank::starting(&balances(&[10, 10]));
    assert_eq!(check(&bank, &history()).anomalies[0].name, "negative-balance");
    assert_eq!(check(&bank.overdrawn(), &history()).verdict, Verdict::Valid);
}

#[test]
fn without_snapshots_or_transfers_nothing_is_known() {
    let says = |script: &mut Script, what: &str| {
        let finding = check(&Bank::new(), &script.history());
        assert_eq!(finding.verdict, Verdict::Unknown);
        assert!(finding.reason.contains(what), "{}", finding.reason);
    };
    says(&mut Script::default(), "no transfer and no read");
    says(Script::default().op(0, 0, read(), Status::Ok, balances(&[1])), "no total could change");
    says(Script::default().op(0, 0, transfer(0, 1, 1), Status::Ok, ()), "showed the accounts");
    let mut script = Script::default();
    script.op(0, 0, transfer(0, 1, 1), Status::Ok, ()).op(0, 0, read(), Status::Ok, balances(&[1]));
    says(script.op(0, 0, read(), Status::Ok, 7), "shows no accounts");
}
