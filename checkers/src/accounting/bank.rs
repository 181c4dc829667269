//! [`Bank`]: does every snapshot of a bank have the same total?
//!
//! **Snapshots.** A `read` answers the balances of all accounts at one instant, as a map, or as
//! a list of which the places are the accounts. Transfers move money, so whatever happened, each
//! snapshot must have all accounts and the total that there was in the beginning, and no balance
//! below zero unless that is allowed. Which transfers a snapshot shows is not judged: that is what
//! `lin-bank` decides.
//!
//! **What is right** is given, or taken from the snapshots: the accounts and the total that most
//! of them show. Then money that was gone before the first read is not missed.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Status, Value};
use rustc_hash::FxHashMap;

use crate::ledger::Ledger;
use crate::objects::{Object, Objects, when};

/// `transfer {from, to, amount}` and `read -> {account: balance}`, as Jepsen's `bank`. Anomalies:
/// `wrong-total`, `negative-balance`, `unexpected-account`, `missing-account`. O(operations ×
/// accounts); nothing is kept of a read but its total.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    total: Option<i128>,
    accounts: Option<BTreeSet<String>>,
    overdrawn: bool,
}

impl Bank {
    /// A bank of which nothing is known but what its snapshots show.
    pub fn new() -> Bank {
        Bank::default()
    }

    /// A bank that begins with these balances: a map, or anything else for nothing known.
    pub fn starting(balances: &Value) -> Bank {
        let Some(map) = balances.map() else { return Bank::new() };
        let total = map.values().map(|balance| balance.int().map(i128::from)).sum();
        Bank { total, accounts: Some(map.keys().cloned().collect()), overdrawn: false }
    }

    /// The same bank, in which accounts may be overdrawn.
    #[must_use]
    pub fn overdrawn(self) -> Bank {
        Bank { overdrawn: true, ..self }
    }
}

impl Checker for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn decides(&self) -> &'static str {
        "every snapshot of the accounts has the same total, and no account is overdrawn"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["wrong-total", "negative-balance", "unexpected-account", "missing-account"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        let objects = match Objects::of(history, &["read", "transfer"]) {
            Ok(objects) => objects,
            Err(reason) => return Finding::unknown(name, reason),
        };
        let mut ledger = Ledger::default();
        if objects.all.is_empty() {
            ledger.doubt(|| "there is no transfer and no read".to_owned());
        }
        for object in &objects.all {
            if limits.stop.is_tripped() {
                ledger.doubt(|| "stopped before every read was looked at".to_owned());
                break;
            }
            self.judge(history, object, limits, &mut ledger);
        }
        let given = if self.total.is_some() {
            "that was there in the beginning"
        } else {
            "(nobody said what it should be)"
        };
        let mut finding = ledger.finding(name, |ledger| {
            format!(
                "{} snapshots have the same total {given} after {} transfers",
                ledger.figure("snapshots"),
                ledger.figure("transfers")
            )
        });
        finding.reason += &objects.left_out();
        finding
    }
}

/// The balances that a read shows, by account.
type Balances<'h> = Vec<(Cow<'h, str>, Option<i64>)>;

fn snapshot<'h>(read: Op<'h>) -> Option<Balances<'h>> {
    match read.ret()? {
        Cow::Borrowed(Value::Map(map)) => {
            Some(map.iter().map(|(name, balance)| (name.as_str().into(), balance.int())).collect())
        }
        Cow::Borrowed(Value::List(list)) => {
            let places = list.iter().enumerate();
            Some(places.map(|(i, balance)| (i.to_string().into(), balance.int())).collect())
        }
        _ => None,
    }
}

fn total(balances: &Balances<'_>) -> i128 {
    balances.iter().filter_map(|(_, balance)| *balance).map(i128::from).sum()
}

impl Bank {
    fn judge(&self, history: &History, object: &Object, limits: &Limits, ledger: &mut Ledger) {
        let ops = || object.rows.iter().map(|row| history.row(*row as usize));
        let reads = || ops().filter(|op| op.f() == "read" && op.is_ok());
        let of = object.of(history);
        let transfers = ops().filter(|op| op.f() == "transfer");
        // One that answers `false` found too little money.
        let moved = |ret: Cow<'_, Value>| ret.bool() != Some(false);
        let done = transfers.filter(|op| op.ret().is_some_and(moved)).count();
        ledger.count("transfers", done as u64);
        if done == 0 {
            ledger.doubt(|| {
                format!("no transfer{of} is known to have happened, so no total could change")
            });
        }
        let Some(right) = self.right(history, object) else {
            ledger
                .doubt(|| format!("no read{of} showed the accounts, so nobody knows what is left"));
            return;
        };
        for (i, read) in reads().enumerate() {
            if i % 1024 == 0 && limits.stop.is_tripped() {
                ledger.doubt(|| "stopped before every read was looked at".to_owned());
                return;
            }
            match snapshot(read) {
                Some(balances) => {
                    ledger.count("snapshots", 1);
                    right.judge(self, history, object, read, &balances, ledger);
                }
                // The balance of one account is no snapshot.
                None if !read.arg().is_nil() => ledger.count("partial-reads", 1),
                None => ledger.doubt(|| format!("read {read} shows no accounts")),
            }
        }
    }

    /// What snapshots of this object should show; `None` if there are none.
    fn right(&self, history: &History, object: &Object) -> Option<Right> {
        let mut totals = FxHashMap::<i128, (u32, u32)>::default();
        let mut sightings = BTreeMap::<String, u32>::new();
        let mut snapshots = 0_u32;
        let mut named = BTreeSet::new();
        for row in &object.rows {
            let op = history.row(*row as usize);
            if op.f() == "transfer" && op.status() != Status::Fail {
                for account in ["from", "to"] {
                    if let Some(account) = op.arg().get(account)
                        && !named.contains(&name(account))
                    {
                        named.insert(name(account));
                    }
                }
            }
            let Some(balances) = Some(op).filter(|op| op.f() == "read").and_then(snapshot) else {
                continue;
            };
            totals.entry(total(&balances)).or_insert((0, snapshots)).0 += 1;
            snapshots += 1;
            for (account, _) in &balances {
                match sightings.get_mut(&**account) {
                    Some(count) => *count += 1,
                    None => drop(sightings.insert(account.clone().into_owned(), 1)),
                }
            }
        }
        // Of totals seen equally often the one that was seen first.
        let usual = totals
            .into_iter()
            .max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(*first)))
            .map(|(total, (count, _))| (total, count))?;
        let most = sightings.iter().filter(|(_, count)| **count > snapshots / 2);
        let accounts = match &self.accounts {
            Some(accounts) => accounts.clone(),
            None => most.map(|(account, _)| account.clone()).collect(),
        };
        // An account that transfers name may come to be.
        let known = if self.accounts.is_some() { BTreeSet::new() } else { named };
        let (total, shown) = match self.total {
            Some(total) => (total, None),
            None => (usual.0, Some((usual.1, snapshots))),
        };
        Some(Right { total, shown, accounts, known })
    }
}

/// An account's name.
fn name(value: &Value) -> String {
    value.str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What every snapshot should show.
struct Right {
    total: i128,
    /// How many of how many snapshots show that total, if it was taken from them.
    shown: Option<(u32, u32)>,
    accounts: BTreeSet<String>,
    /// Accounts that may be there.
    known: BTreeSet<String>,
}

impl Right {
    fn judge(
        &self,
        bank: &Bank,
        history: &History,
        object: &Object,
        read: Op<'_>,
        balances: &Balances<'_>,
        ledger: &mut Ledger,
    ) {
        let who = || format!("{}'s read{} ({})", read.process(), object.of(history), read.id());
        let anomaly = |name: &'static str, because: String| Anomaly {
            name: name.into(),
            key: object.named(history),
            ops: vec![read.id()],
            because,
            explain: Vec::new(),
            figure: None,
        };
        let sum = total(balances);
        if sum != self.total {
            ledger.anomaly("wrong-total", || {
                let expected = match self.shown {
                    None => format!("there were {} in the beginning", self.total),
                    Some((count, all)) => {
                        format!("{count} of {all} snapshots show {}", self.total)
                    }
                };
                anomaly(
                    "wrong-total",
                    format!(
                        "{}{} shows balances that add up to {sum}, but {expected}",
                        who(),
                        when(history, "at", read.inv_time())
                    ),
                )
            });
        }
        let negative = balances.iter().filter_map(|(a, b)| Some((a, (*b)?))).find(|(_, b)| *b < 0);
        if let Some((account, balance)) = negative.filter(|_| !bank.overdrawn) {
            ledger.anomaly("negative-balance", || {
                anomaly(
                    "negative-balance",
                    format!("{} shows {balance} on account {account}: it was overdrawn", who()),
                )
            });
        }
        let (mut present, mut strange) = (0, None);
        for (account, balance) in balances {
            if self.accounts.contains(&**account) {
                present += usize::from(balance.is_some());
            } else if !self.known.contains(&**account) {
                strange = strange.or(Some(account));
            }
        }
        if let Some(account) = strange {
            ledger.anomaly("unexpected-account", || {
                anomaly(
                    "unexpected-account",
                    format!("{} shows account {account}, which the bank does not have", who()),
                )
            });
        }
        if present < self.accounts.len() {
            ledger.anomaly("missing-account", || {
                let has = |account: &str| balances.iter().any(|(a, b)| a == account && b.is_some());
                let missing: Vec<&str> =
                    self.accounts.iter().map(String::as_str).filter(|a| !has(a)).collect();
                anomaly(
                    "missing-account",
                    format!("{} shows no balance of account {}", who(), missing.join(", ")),
                )
            });
        }
    }
}
