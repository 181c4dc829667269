//! [`restrict`]: some operations of a history, as a history.

use std::borrow::Cow;

use danso_vocab::{Anomaly, Call, Event, History, HistoryBuilder, OpId, Outcome, Status, Time};

/// Some operations of a history.
#[derive(Clone, Debug)]
pub struct Restricted {
    /// They alone, with their own times, processes, nodes and, where that is possible, numbers.
    pub history: History,
    /// Its events, with their indices in the whole; 0 if they have none of their own.
    pub events: Vec<(u32, Time, Event)>,
    /// Their names in the whole, by row.
    ids: Vec<OpId>,
}

impl Restricted {
    /// An anomaly of the part with the names that its operations have in the whole.
    pub fn original(&self, anomaly: &Anomaly) -> Anomaly {
        let name = |id: &OpId| self.history.op(*id).map_or(*id, |op| self.ids[op.row()]);
        Anomaly { ops: anomaly.ops.iter().map(name).collect(), ..anomaly.clone() }
    }
}

/// The operations in `rows` as a history in which the same precede the same. An operation goes
/// with its completion, unless that comes after the event of rank `upto`: then it stays open.
/// `None` if that is impossible, which only a history of more than 32 bits can make it.
pub fn restrict(history: &History, rows: &[u32], upto: u32) -> Option<Restricted> {
    let timed = history.end() != Time::ZERO;
    let part = build(history, rows, upto, timed)?;
    // Without stamps the order of lines counts; with equal ones it does not.
    if same_order(history, rows, upto, &part.history) {
        return Some(part);
    }
    let part = build(history, rows, upto, !timed)?;
    same_order(history, rows, upto, &part.history).then_some(part)
}

fn build(history: &History, rows: &[u32], upto: u32, timed: bool) -> Option<Restricted> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut events = Vec::with_capacity(2 * rows.len());
    let mut numbered = true;
    for row in &rows {
        let op = history.row(*row as usize);
        // One whose invocation is not in the file bears the number of its end.
        let early = op.res_index() == Some(op.id().0);
        numbered &= !early;
        let call = Call {
            f: Cow::Owned(op.f().to_owned()),
            key: op.key().map(Cow::into_owned),
            arg: op.arg().into_owned(),
        };
        let invoke = Event::Invoke { process: op.process(), node: op.node(), call };
        let begun = if early { (0, op.id().0) } else { (1, op.id().0) };
        events.push((begun, op.inv_time(), invoke));
        let ended = op.res_rank() <= upto || op.res_rank() == History::NEVER;
        let (Some(index), Some(time), true) = (op.res_index(), op.res_time(), ended) else {
            continue;
        };
        let reason = || Cow::Owned(op.reason().unwrap_or_default().to_owned());
        let outcome = match op.status() {
            Status::Ok => Outcome::Ok(op.ret()?.into_owned()),
            Status::Fail => Outcome::Fail(reason()),
            Status::Info => Outcome::Info(reason()),
        };
        events.push(((1, index), time, Event::Complete { process: op.process(), outcome }));
    }
    events.sort_by_key(|(at, _, _)| *at);
    let mut builder = HistoryBuilder::new();
    if !timed {
        builder.untimed();
    }
    let number = |((_, index), time, event)| (if numbered { index } else { 0 }, time, event);
    let events: Vec<(u32, Time, Event)> = events.into_iter().map(number).collect();
    for (index, time, event) in &events {
        if numbered {
            builder.index(*index).ok()?;
        }
        builder.push(*time, event.clone()).ok()?;
    }
    let ids = rows.iter().map(|row| history.row(*row as usize).id()).collect();
    Some(Restricted { history: builder.finish(), events, ids })
}

/// Whether the same events precede the same.
fn same_order(whole: &History, rows: &[u32], upto: u32, part: &History) -> bool {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let order = |history: &History, row: &dyn Fn(usize) -> usize| {
        let mut ranks = Vec::with_capacity(2 * rows.len());
        for at in 0..rows.len() {
            let op = history.row(row(at));
            ranks.push((op.inv_rank(), at, false));
            ranks.push((op.res_rank(), at, true));
        }
        ranks.retain(|(rank, _, end)| *rank != History::NEVER && !(*end && *rank > upto));
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, at, end)| (at, end)).collect::<Vec<_>>()
    };
    let of_part = {
        let mut ranks = Vec::with_capacity(2 * rows.len());
        for op in part.ops() {
            ranks.push((op.inv_rank(), op.row(), false));
            ranks.push((op.res_rank(), op.row(), true));
        }
        ranks.retain(|(rank, _, _)| *rank != History::NEVER);
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, at, end)| (at, end)).collect::<Vec<_>>()
    };
    order(whole, &|at| rows[at] as usize) == of_part
}
