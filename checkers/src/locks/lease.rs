//! [`LeaseLock`]: a lock that is leased, its fencing tokens, and the resource it guards.
//!
//! **Holding.** A client that acquired a lock holds it for certain from the end of its `acquire`
//! until it begins to release it, or its lease is over. Nobody can have granted a lease before it
//! was asked for, so it lasts at least that long from the beginning of the `acquire`; clocks that
//! run too fast or too slow by a thousandth are allowed for. Two clients that hold a lock for
//! certain at one time are a violation; that they might is none.
//!
//! **Tokens** (Kleppmann, *How to do distributed locking*, 2016; Burrows, OSDI 2006 §2.4:
//! sequencers). A lock acquired after another acquisition had ended has a greater token, and no
//! token is given out twice.
//!
//! **The resource** accepts no write with a smaller token than one it has accepted: none that
//! begins after a write with a greater token was acknowledged or read.

use std::collections::BTreeMap;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Process, Status, Time};
use rustc_hash::FxHashMap;

use crate::ledger::Ledger;
use crate::objects::{Object, Objects, SPELL};

#[cfg(test)]
mod tests;

/// Clocks may differ by one in so many.
const RATE: u64 = 1_000;

/// Holders remembered at a time: more than one is a violation already.
const HOLDERS: usize = 16;

/// `acquire -> {token}` (fails if held; may name its `owner`), `release token`, and on the guarded resource
/// `write {token, value}` and `read -> {token, value}`; the key is the lock. Anomalies:
/// `two-holders`, `token-regression`, `stale-holder-accepted`, `stale-read`. O(n log n), about
/// 40 bytes an operation.
#[derive(Clone, Copy, Debug)]
pub struct LeaseLock {
    lease: u64,
}

impl LeaseLock {
    /// Locks leased for so many ns; 0 for ever.
    pub fn new(lease: u64) -> LeaseLock {
        LeaseLock { lease }
    }
}

impl Checker for LeaseLock {
    fn name(&self) -> &'static str {
        "lock"
    }

    fn decides(&self) -> &'static str {
        "no two clients hold a lock at a time, tokens grow, and the resource refuses smaller ones"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["two-holders", "token-regression", "stale-holder-accepted", "stale-read"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        let objects = match Objects::of(history, &["acquire", "release", "write", "read"]) {
            Ok(objects) => objects,
            Err(reason) => return Finding::unknown(name, reason),
        };
        let mut ledger = Ledger::default();
        if objects.all.is_empty() {
            ledger.doubt(|| "nobody asked for a lock".to_owned());
        }
        for object in &objects.all {
            let book = Book { history, object, lease: self.lease };
            if book.judge(limits, &mut ledger).is_none() {
                ledger.doubt(|| "stopped before every operation was looked at".to_owned());
                break;
            }
        }
        let locks = objects.all.len();
        let mut finding = ledger.finding(name, |ledger| {
            let on = if locks > 1 { format!(" of {locks} locks") } else { String::new() };
            format!(
                "{} acquisitions{on} never had two holders, and {} accepted writes kept to the order of their tokens",
                ledger.figure("acquired"),
                ledger.figure("accepted")
            )
        });
        finding.reason += &objects.left_out();
        finding
    }
}

/// One acquisition.
#[derive(Clone, Copy)]
struct Hold<'h> {
    acquire: Op<'h>,
    token: Option<i64>,
    /// The rank of the first release of it, or never.
    released: u32,
    /// When its lease may be over.
    over: Time,
}

/// One lock and the resource it guards.
struct Book<'b, 'h> {
    history: &'h History,
    object: &'b Object,
    lease: u64,
}

/// The token of `{token: 7, …}`, or of a bare 7.
fn token(value: &danso_vocab::Value) -> Option<i64> {
    value.get("token").unwrap_or(value).int()
}

impl<'h> Book<'_, 'h> {
    fn ops(&self) -> impl Iterator<Item = Op<'h>> + '_ {
        self.object.rows.iter().map(|row| self.history.row(*row as usize))
    }

    /// `None` if it was stopped.
    fn judge(&self, limits: &Limits, ledger: &mut Ledger) -> Option<()> {
        let mut holds = self.holds(limits)?;
        ledger.count("acquired", holds.len() as u64);
        if holds.is_empty() {
            let of = self.object.of(self.history);
            ledger.doubt(|| format!("no acquire{of} ever succeeded"));
        }
        self.tokens(&holds, ledger);
        holds.sort_by_key(|hold| hold.acquire.res_rank());
        self.overlaps(&holds, ledger);
        self.resource(limits, ledger)
    }

    /// The acquisitions, by invocation, each with its release.
    fn holds(&self, limits: &Limits) -> Option<Vec<Hold<'h>>> {
        let mut holds: Vec<Hold<'h>> = Vec::new();
        let mut by_token = FxHashMap::<i64, usize>::default();
        let mut by_process = FxHashMap::<Process, usize>::default();
        for (i, op) in self.ops().enumerate() {
            if i % SPELL == 0 && limits.stop.is_tripped() {
                return None;
            }
            match (op.f(), op.ret()) {
                ("acquire", Some(ret)) => {
                    let (token, begun) = (token(&ret), op.inv_time());
                    let sure = self.lease - self.lease / RATE;
                    let over =
                        if self.lease == 0 { u64::MAX } else { begun.0.saturating_add(sure) };
                    by_process.insert(op.process(), holds.len());
                    if let Some(token) = token {
                        by_token.insert(token, holds.len());
                    }
                    let hold =
                        Hold { acquire: op, token, released: History::NEVER, over: Time(over) };
                    holds.push(hold);
                }
                // However it ended, its client had given the lock up.
                ("release", _) => {
                    let token = token(&op.arg());
                    let own = by_process.get(&op.process()).copied().filter(|own| {
                        token.is_none() || holds[*own].token.is_none() || holds[*own].token == token
                    });
                    let other = token.and_then(|token| by_token.get(&token).copied());
                    if let Some(place) = own.or(other) {
                        let hold = &mut holds[place];
                        hold.released = hold.released.min(op.inv_rank());
                    }
                }
                _ => {}
            }
        }
        Some(holds)
    }

    /// Tokens of acquisitions, which are given by invocation.
    fn tokens(&self, holds: &[Hold<'h>], ledger: &mut Ledger) {
        let mut given = FxHashMap::<i64, Op<'h>>::default();
        let mut ended: Vec<(Op<'h>, i64)> =
            holds.iter().filter_map(|hold| Some((hold.acquire, hold.token?))).collect();
        ended.sort_by_key(|(op, _)| op.res_rank());
        let mut ended = ended.into_iter().peekable();
        // The greatest token of those that had ended.
        let mut greatest: Option<(Op<'h>, i64)> = None;
        for hold in holds {
            let (acquire, Some(token)) = (hold.acquire, hold.token) else { continue };
            while let Some(before) = ended.next_if(|(op, _)| op.res_rank() < acquire.inv_rank()) {
                greatest = greatest.filter(|(_, most)| *most >= before.1).or(Some(before));
            }
            if let Some(first) = given.insert(token, acquire) {
                self.regression(ledger, [acquire, first], || {
                    format!(
                        "token {token} was given twice: to {} and to {}",
                        who(first),
                        who(acquire)
                    )
                });
            } else if let Some((before, most)) = greatest.filter(|(_, most)| *most >= token) {
                self.regression(ledger, [acquire, before], || {
                    format!(
                        "{} was given token {token}, although {} had been given {most} before it asked",
                        who(acquire),
                        who(before)
                    )
                });
            }
        }
    }

    fn regression(&self, ledger: &mut Ledger, ops: [Op<'h>; 2], because: impl FnOnce() -> String) {
        ledger.anomaly("token-regression", || self.anomaly("token-regression", &ops, because()));
    }

    fn anomaly(&self, name: &'static str, ops: &[Op<'h>], because: String) -> Anomaly {
        Anomaly {
            name: name.into(),
            key: self.object.named(self.history),
            ops: ops.iter().map(|op| op.id()).collect(),
            because,
            explain: ops.iter().map(|op| self.line(*op)).collect(),
            figure: None,
        }
    }

    /// When an operation was.
    fn line(&self, op: Op<'h>) -> String {
        let end = op.res_time().map_or_else(|| "?".to_owned(), |end| end.to_string());
        format!("{} was from {} to {end}", op.id(), op.inv_time())
    }

    /// Two that hold the lock at once, of acquisitions by their ends.
    fn overlaps(&self, holds: &[Hold<'h>], ledger: &mut Ledger) {
        let mut holders: Vec<Hold<'h>> = Vec::new();
        for hold in holds {
            let (since, rank) =
                (hold.acquire.res_time().unwrap_or_default(), hold.acquire.res_rank());
            holders.retain(|other| rank < other.released && since < other.over);
            if since >= hold.over {
                continue;
            }
            let other = holders.iter().find(|other| !one_client(other.acquire, hold.acquire));
            if let Some(other) = other {
                ledger.anomaly("two-holders", || {
                    let lease = match self.lease {
                        0 => String::new(),
                        _ => format!(", whose lease lasts until {} at least", other.over),
                    };
                    let lock = self.object.of(self.history);
                    let because = format!(
                        "{} acquired the lock{lock} at {since} while {} held it since {}{lease}",
                        who(hold.acquire),
                        who(other.acquire),
                        other.acquire.res_time().unwrap_or_default(),
                    );
                    self.anomaly("two-holders", &[hold.acquire, other.acquire], because)
                });
            }
            if holders.len() == HOLDERS {
                holders.remove(0);
            }
            holders.push(*hold);
        }
    }

    /// What the guarded resource accepted. `None` if it was stopped.
    fn resource(&self, limits: &Limits, ledger: &mut Ledger) -> Option<()> {
        // Accepted writes and reads that show a token, by their ends.
        let mut ended: Vec<(Op<'h>, i64)> = Vec::new();
        // By what was written: when the last write of it that may have happened ended.
        let mut written = BTreeMap::<u32, u32>::new();
        for (i, op) in self.ops().enumerate() {
            if i % SPELL == 0 && limits.stop.is_tripped() {
                return None;
            }
            let seen = match (op.f(), op.ret()) {
                ("write", ret) if op.status() != Status::Fail => {
                    let end = written.entry(op.arg_id()).or_default();
                    *end = (*end).max(op.res_rank());
                    ledger.count("accepted", u64::from(ret.is_some()));
                    ret.and_then(|_| token(&op.arg()))
                }
                ("write", _) => {
                    ledger.count("refused", 1);
                    None
                }
                ("read", Some(ret)) => token(&ret),
                _ => None,
            };
            ended.extend(seen.map(|token| (op, token)));
        }
        let mut begun = ended.clone();
        begun.sort_by_key(|(op, _)| op.inv_rank());
        ended.sort_by_key(|(op, _)| op.res_rank());
        let mut ended = ended.into_iter().peekable();
        let mut greatest: Option<(Op<'h>, i64)> = None;
        for (op, token) in begun {
            while let Some(before) = ended.next_if(|(end, _)| end.res_rank() < op.inv_rank()) {
                greatest = greatest.filter(|(_, most)| *most >= before.1).or(Some(before));
            }
            let Some((before, most)) = greatest.filter(|(_, most)| *most > token) else { continue };
            let shown = if before.f() == "read" { "read" } else { "accepted" };
            if op.f() == "write" {
                ledger.anomaly("stale-holder-accepted", || {
                    let because = format!(
                        "{} with token {token} was accepted, although token {most} had been {shown} ({}) before it began",
                        who(op),
                        before.id()
                    );
                    self.anomaly("stale-holder-accepted", &[op, before], because)
                });
                continue;
            }
            // What it shows may be old, or have been written since.
            let ended = op.ret_id().and_then(|id| written.get(&id).copied());
            let (name, why) = match ended.is_some_and(|ended| ended < before.inv_rank()) {
                true => ("stale-read", "what it shows had been written before that"),
                false => ("stale-holder-accepted", "a holder whose time was over wrote after that"),
            };
            ledger.anomaly(name, || {
                let because = format!(
                    "{} shows token {token}, although token {most} had been {shown} ({}) before it began: {why}",
                    who(op),
                    before.id()
                );
                self.anomaly(name, &[op, before], because)
            });
        }
        Some(())
    }
}

/// Whether two acquisitions are of one client: of one `owner`, if both name one, else of one
/// process. A client goes on under another process when an operation of it ended as `info`.
fn one_client(a: Op<'_>, b: Op<'_>) -> bool {
    match (a.arg().get("owner"), b.arg().get("owner")) {
        (Some(a), Some(b)) => a == b,
        _ => a.process() == b.process(),
    }
}

/// An operation as a colleague would say it: `p4's acquire (#812)`.
fn who(op: Op<'_>) -> String {
    format!("{}'s {} ({})", op.process(), op.f(), op.id())
}
