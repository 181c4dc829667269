//! [`Leader`]: at most one leader a term.
//!
//! An *observation* is an answer that names a leader and its term: of a `campaign` that succeeded,
//! or of a `leader` that knew one. Two observations of a term must name one leader (Ongaro and
//! Ousterhout, *In Search of an Understandable Consensus Algorithm*, §5.2: election safety). What
//! one client observes never goes back to a smaller term; where reads are promised to be
//! linearizable, nor does what any two observe one after the other.

use std::borrow::Cow;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Process, Value};
use rustc_hash::FxHashMap;

use crate::ledger::Ledger;
use crate::objects::{Object, Objects, SPELL};

#[cfg(test)]
mod tests;

/// `campaign -> {term, leader}` and `leader -> {term, leader}` or nil; the key is the election.
/// Anomalies: `two-leaders`, `term-regression`. O(n log n), about 40 bytes an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leader {
    linearizable: bool,
}

impl Leader {
    /// Each client sees terms grow; one may be behind another.
    pub fn new() -> Leader {
        Leader::default()
    }

    /// All clients together see terms grow.
    #[must_use]
    pub fn linearizable(self) -> Leader {
        Leader { linearizable: true }
    }
}

impl Checker for Leader {
    fn name(&self) -> &'static str {
        "leader"
    }

    fn decides(&self) -> &'static str {
        match self.linearizable {
            true => "a term has one leader, and terms that clients observe never go back",
            false => "a term has one leader, and the terms that a client observes never go back",
        }
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["two-leaders", "term-regression"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let name = self.name();
        let objects = match Objects::of(history, &["campaign", "leader"]) {
            Ok(objects) => objects,
            Err(reason) => return Finding::unknown(name, reason),
        };
        let mut ledger = Ledger::default();
        if objects.all.is_empty() {
            ledger.doubt(|| "nobody asked for a leader".to_owned());
        }
        for object in &objects.all {
            if self.judge(history, object, limits, &mut ledger).is_none() {
                ledger.doubt(|| "stopped before every operation was looked at".to_owned());
                break;
            }
        }
        let mut finding = ledger.finding(name, |ledger| {
            format!(
                "{} observations of {} terms name one leader each",
                ledger.figure("observations"),
                ledger.figure("terms")
            )
        });
        finding.reason += &objects.left_out();
        finding
    }
}

/// Somebody is the leader of a term.
#[derive(Clone, Copy)]
struct Observation<'h> {
    op: Op<'h>,
    term: i64,
    leader: &'h Value,
}

impl<'h> Observation<'h> {
    fn of(op: Op<'h>) -> Option<Observation<'h>> {
        // A map, and so never copied.
        let Cow::Borrowed(ret) = op.ret()? else { return None };
        let (term, leader) = (ret.get("term")?.int()?, ret.get("leader")?);
        (!leader.is_nil()).then_some(Observation { op, term, leader })
    }

    /// `p3's leader (#17) names n2 in term 4`.
    fn says(&self) -> String {
        let (process, f, id) = (self.op.process(), self.op.f(), self.op.id());
        format!("{process}'s {f} ({id}) names {} in term {}", self.leader, self.term)
    }
}

impl Leader {
    /// `None` if it was stopped.
    fn judge(
        self,
        history: &History,
        object: &Object,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Option<()> {
        let ops = object.rows.iter().map(|row| history.row(*row as usize));
        let seen: Vec<Observation<'_>> = ops.filter_map(Observation::of).collect();
        let of = object.of(history);
        ledger.count("observations", seen.len() as u64);
        if seen.is_empty() {
            ledger.doubt(|| format!("nobody ever observed a leader{of}"));
        }
        let anomaly =
            |name: &'static str, now: Observation<'_>, before: Observation<'_>, why| Anomaly {
                name: name.into(),
                key: object.named(history),
                ops: vec![now.op.id(), before.op.id()],
                because: format!("{}, but {}{of}{why}", now.says(), before.says()),
                explain: Vec::new(),
                figure: None,
            };
        let mut leaders = FxHashMap::<i64, Observation<'_>>::default();
        let mut latest = FxHashMap::<Process, Observation<'_>>::default();
        let mut ended = seen.clone();
        ended.sort_by_key(|observation| observation.op.res_rank());
        let mut ended = ended.into_iter().peekable();
        // Of those that had ended, one of the greatest term.
        let mut greatest: Option<Observation<'_>> = None;
        for (i, now) in seen.iter().copied().enumerate() {
            if i % SPELL == 0 && limits.stop.is_tripped() {
                return None;
            }
            let first = *leaders.entry(now.term).or_insert(now);
            if first.leader != now.leader {
                ledger.anomaly("two-leaders", || anomaly("two-leaders", now, first, ""));
            }
            while let Some(before) = ended.next_if(|o| o.op.res_rank() < now.op.inv_rank()) {
                greatest = greatest.filter(|most| most.term >= before.term).or(Some(before));
            }
            // A client's own observations never overlap.
            let own = latest.get(&now.op.process()).copied();
            let mut promised = own.into_iter().chain(greatest.filter(|_| self.linearizable));
            if let Some(before) = promised.find(|before| before.term > now.term) {
                let why = " before that began";
                ledger.anomaly("term-regression", || anomaly("term-regression", now, before, why));
            }
            if own.is_none_or(|own| own.term <= now.term) {
                latest.insert(now.op.process(), now);
            }
        }
        ledger.count("terms", leaders.len() as u64);
        Some(())
    }
}
