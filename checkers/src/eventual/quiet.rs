//! [`Quiet`]: when a key's updates are over; the final reads after that, and whether they agree.

use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::time::human;
use danso_vocab::{History, Op, OpId, Time};
use rustc_hash::FxHashMap;

use super::key::{Key, Read, lives};
use super::replicas::{Replica, Replicas};
use super::report::Report;
use super::words::Words;

/// When a key is quiet: all its updates are over and the closing phase, if there is one, began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    /// Final reads begin after this event of the history.
    index: Option<u32>,
    /// And after this one in the order that takes events of one stamp for concurrent.
    rank: Option<u32>,
    /// When that was.
    time: Time,
    /// An update that never ended.
    open: Option<OpId>,
}

impl Quiet {
    /// When the closing phase began, if the history tells; nothing is quiet before.
    pub(super) fn closing(history: &History) -> Quiet {
        let closing = history
            .notes()
            .find(|(_, _, n)| n.f == note::PHASE && n.value.str() == Some("closing"));
        match closing {
            Some((index, time, _)) => Quiet { index: Some(index), time, ..Quiet::default() },
            None => Quiet::default(),
        }
    }

    /// When that has begun and these updates are over.
    pub(super) fn after(self, updates: &[Op<'_>]) -> Quiet {
        let mut quiet = self;
        for op in updates.iter().filter(|op| lives(**op)) {
            let Some(index) = op.res_index() else {
                quiet.open = Some(op.id());
                continue;
            };
            quiet.index = quiet.index.max(Some(index));
            quiet.time = quiet.time.max(op.res_time().unwrap_or_default());
            if op.is_ok() {
                quiet.rank = quiet.rank.max(Some(op.res_rank()));
            }
        }
        quiet
    }

    /// Whether this operation began when the key was quiet.
    fn before(self, op: Op<'_>) -> bool {
        self.open.is_none()
            && self.index.is_none_or(|index| op.id().0 > index)
            && self.rank.is_none_or(|rank| op.inv_rank() > rank)
    }
}

/// The last read of each replica, by replica.
pub(super) type Finals<'k, 'h> = Vec<(Replica, &'k Read<'h>)>;

/// The final reads of a key; those that are missing are reported.
pub(super) fn finals<'k, 'h>(
    key: &'k Key<'h>,
    replicas: &Replicas,
    grace: Duration,
    report: &mut Report,
) -> Finals<'k, 'h> {
    let mut last = FxHashMap::<Replica, &Read<'h>>::default();
    let from = key.quiet.time + grace;
    for read in &key.reads {
        if let Some(who) = replicas.who(read.op)
            && key.quiet.before(read.op)
            && read.op.inv_time() >= from
        {
            last.insert(who, read);
        }
    }
    let mut finals: Finals<'k, 'h> = last.into_iter().collect();
    finals.sort_unstable_by_key(|(who, _)| *who);
    report.reads += key.reads.len() as u64;
    report.updates += key.updates.iter().filter(|op| op.is_ok()).count() as u64;
    if !key.updates.iter().any(|op| lives(*op)) {
        return finals;
    }
    let there: Vec<Replica> = finals.iter().map(|(who, _)| *who).collect();
    match replicas.missing(&there) {
        Some(missing) => report.gap(|| {
            let key_name = key.value.as_ref().map(|k| format!("{k}: ")).unwrap_or_default();
            match key.quiet.open {
                Some(open) => format!("{key_name}an update ({open}) is still open at the end"),
                None => {
                    let after = match grace.is_zero() {
                        true => String::new(),
                        false => format!("{} ", human(grace)),
                    };
                    format!(
                        "{key_name}no read of {missing} succeeded that began {after}after the \
                         last update was over ({})",
                        key.quiet.time
                    )
                }
            }
        }),
        None => report.keys += 1,
    }
    finals
}

/// Whether final reads are equal, and how long it took until they were.
pub(super) fn agreement(
    key: &Key<'_>,
    finals: &Finals<'_, '_>,
    replicas: &Replicas,
    words: &Words<'_>,
    report: &mut Report,
) {
    let mut groups: Vec<(&Read<'_>, Vec<Replica>)> = Vec::new();
    let mut places = FxHashMap::<i64, usize>::default();
    for (who, read) in finals {
        let place = *places.entry(read.state).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, members)) => members.push(*who),
            None => groups.push((read, vec![*who])),
        }
    }
    match &groups[..] {
        [] => {}
        [(agreed, _)] => {
            let behind = |read: &&Read<'_>| read.state != agreed.state && key.quiet.before(read.op);
            let took =
                key.reads.iter().rev().find(behind).map(|r| r.op.inv_time() - key.quiet.time);
            report.convergence.push(Time::from(took.unwrap_or_default()).0);
        }
        [(one, ones), (other, others), ..] => report.anomaly("divergence", key, || {
            let waited = human(one.op.inv_time().max(other.op.inv_time()) - key.quiet.time);
            let because = format!(
                "{waited} after the last update{} was over, {} read {} ({}) but {} read {} ({}){}",
                super::report::of_key(key),
                replicas.names(ones),
                words.state(one),
                one.op.id(),
                replicas.names(others),
                words.state(other),
                other.op.id(),
                words.difference(one, other),
            );
            let says = |(read, members): &(&Read<'_>, Vec<Replica>)| {
                format!(
                    "{} ended with {} ({})",
                    replicas.names(members),
                    words.state(read),
                    read.op
                )
            };
            let ops = groups.iter().map(|(read, _)| read.op.id()).collect();
            (ops, because, groups.iter().map(says).collect())
        }),
    }
}

/// Reads that had heard of the same updates must show the same state (strong eventual
/// consistency: Shapiro et al. 2011, definition 2.3).
pub(super) fn same_updates(key: &Key<'_>, report: &mut Report) {
    let mut known = FxHashMap::<u32, &Read<'_>>::default();
    for read in &key.reads {
        let Some(seen) = read.seen else { continue };
        let first = *known.entry(seen).or_insert(read);
        if first.state == read.state {
            continue;
        }
        report.anomaly("same-updates-different-state", key, || {
            let because = format!(
                "{} and {} had heard of the same updates ({}) but were in different states",
                first.op,
                read.op,
                read.op.ret().and_then(|ret| ret.get("seen").cloned()).unwrap_or_default()
            );
            (vec![first.op.id(), read.op.id()], because, Vec::new())
        });
    }
}
