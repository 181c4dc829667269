//! Messages that overtook each other.
//!
//! With unique values, `b` overtook `a` if `a` was in before `b` came, and `b` was out before
//! `a`'s removal began (the pair of Gibbons and Korach, and of Henzinger, Sezgin and Vafeiadis).
//! One sweep over the enqueues in order of rank finds such a pair: of all messages that were in
//! by then, only the one whose delivery began last matters.

use danso_vocab::{Limits, Status};

use super::accounts::{Accounts, How, Take};
use super::reading::fate;
use super::{Order, Removal, at, enter, keep_going};
use crate::ledger::Ledger;

/// A message with one enqueue and a delivery.
#[derive(Clone, Copy)]
struct Passage {
    /// The partition, and the producer where each has an order of its own.
    lane: (u32, u32),
    message: u32,
    send: u32,
    /// Ranks of the enqueue.
    sent: [u32; 2],
    /// The delivery that ended first.
    take: Take,
    /// The rank by which it surely had come once.
    out: u32,
    /// The rank before which it surely had not; 0 if that is not known.
    not_out: u32,
}

/// Looks for messages delivered for the first time after one that was sent later.
pub(super) fn check(
    order: Order,
    accounts: &Accounts<'_>,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    if order == Order::Any {
        return Ok(());
    }
    let mut passages = Vec::new();
    for message in 0..accounts.messages() {
        keep_going(message, limits)?;
        passages.extend(passage(order, message, accounts));
    }
    across(&mut passages, accounts, limits, ledger)?;
    within(&mut passages, accounts, limits, ledger)
}

fn passage(order: Order, message: usize, accounts: &Accounts<'_>) -> Option<Passage> {
    let (sends, takes) = accounts.account(message);
    let mut sent = sends.iter().filter(|send| fate(accounts.op(send.row)) != Status::Fail);
    // A value sent twice has no order.
    let (send, None) = (sent.next()?.row, sent.next()) else { return None };
    let op = accounts.op(send);
    let took = || takes.iter().filter(|take| take.is_delivery());
    let take = *took().min_by_key(|take| (accounts.op(take.row).res_rank(), take.place))?;
    let begins = took().map(|take| accounts.op(take.row).inv_rank()).min()?;
    let home = accounts.home[message];
    let unseen = accounts.removal == Removal::OnAck && !took().any(|take| take.attempt == 1) && {
        let said = took().all(|take| take.attempt > 1);
        let crashed = &accounts.partitions[home as usize].crashed;
        said || crashed.iter().any(|row| accounts.op(*row).inv_rank() < begins)
    };
    let producer = if order == Order::PerProducer { op.process().0 } else { 0 };
    Some(Passage {
        lane: (home, producer),
        message: message as u32,
        send,
        sent: [op.inv_rank(), op.res_rank()],
        take,
        out: accounts.op(take.row).res_rank(),
        not_out: if unseen { 0 } else { begins },
    })
}

/// Pairs whose deliveries are operations of their own.
fn across(
    passages: &mut [Passage],
    accounts: &Accounts<'_>,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let mut ended: Vec<Passage> = passages.to_vec();
    ended.sort_unstable_by_key(|p| (p.lane, p.sent[1]));
    passages.sort_unstable_by_key(|p| (p.lane, p.sent[0]));
    let mut ended = ended.into_iter().peekable();
    // Of the messages of this lane that were in by now, the one whose delivery began last.
    let mut last: Option<Passage> = None;
    for (step, later) in passages.iter().enumerate() {
        keep_going(step, limits)?;
        last = last.filter(|last| last.lane == later.lane);
        while let Some(in_by_now) = ended
            .next_if(|p| p.lane < later.lane || p.lane == later.lane && p.sent[1] < later.sent[0])
        {
            if in_by_now.lane == later.lane
                && last.is_none_or(|last| last.not_out < in_by_now.not_out)
            {
                last = Some(in_by_now);
            }
        }
        if let Some(earlier) = last.filter(|earlier| later.out < earlier.not_out) {
            overtaken(&earlier, later, accounts, ledger);
        }
    }
    Ok(())
}

/// Pairs that one drain delivered, in the order of its list.
fn within(
    passages: &mut Vec<Passage>,
    accounts: &Accounts<'_>,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    passages.retain(|p| p.take.how == How::Drained);
    passages.sort_unstable_by_key(|p| (p.lane, p.take.row, p.take.place));
    // Of the messages earlier in this list, the one that was sent last.
    let mut last: Option<Passage> = None;
    for (step, next) in passages.iter().enumerate() {
        keep_going(step, limits)?;
        last = last.filter(|last| (last.lane, last.take.row) == (next.lane, next.take.row));
        // It may have come before the drain as well.
        let first_here = next.not_out == accounts.op(next.take.row).inv_rank();
        if let Some(later) = last.filter(|later| first_here && next.sent[1] < later.sent[0]) {
            overtaken(next, &later, accounts, ledger);
        }
        if last.is_none_or(|last| last.sent[0] < next.sent[0]) {
            last = Some(*next);
        }
    }
    Ok(())
}

fn overtaken(earlier: &Passage, later: &Passage, accounts: &Accounts<'_>, ledger: &mut Ledger) {
    enter("reordered", accounts, ledger, || {
        let value = |p: &Passage| accounts.value(p.message as usize);
        let time = |row: u32| at(accounts.op(row));
        let (a, b) = (value(earlier), value(later));
        let how = if later.take.row == earlier.take.row {
            format!("{} lists {b} before {a}", time(later.take.row))
        } else {
            format!(
                "{b} came out of {} before {a} did, of {}",
                time(later.take.row),
                time(earlier.take.row)
            )
        };
        let because = format!(
            "{how}, although {a} had been sent by {} before {b} was by {}",
            time(earlier.send),
            time(later.send),
        );
        (because, vec![earlier.take.row, later.take.row, earlier.send, later.send])
    });
}
