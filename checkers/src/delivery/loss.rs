//! Messages that were acknowledged and never came.

use danso_vocab::{Limits, Status};

use super::accounts::{Accounts, How, Partition, paired};
use super::reading::fate;
use super::{Delivery, Removal, at, enter, keep_going};
use crate::ledger::Ledger;

/// The messages missing from one partition.
#[derive(Default)]
struct Missing {
    /// Those that a drain should have got, and how many of each.
    lost: Vec<(usize, usize)>,
    /// How many were acknowledged too late for any drain.
    late: usize,
}

/// Looks for what is lost or stuck.
///
/// A message is missing if it was acknowledged and nothing settles it: no delivery (or, where
/// messages stay until acknowledged, no acknowledged one), drain or dead letter. That makes it
/// lost only if the partition was drained to the end afterwards, and only if there are more of
/// them than crashed dequeues that may have taken one each; a crashed drain may have taken all.
pub(super) fn check(
    promise: &Delivery,
    accounts: &Accounts<'_>,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    if promise.may_lose() {
        return Ok(());
    }
    let mut missing = Vec::new();
    missing.resize_with(accounts.partitions.len(), Missing::default);
    for message in 0..accounts.messages() {
        keep_going(message, limits)?;
        let home = accounts.home[message] as usize;
        look(message, &accounts.partitions[home], accounts, &mut missing[home], ledger);
    }
    for (partition, missing) in accounts.partitions.iter().zip(missing) {
        judge(partition, &missing, accounts, ledger);
    }
    Ok(())
}

/// Whether this message is missing.
fn look(
    message: usize,
    partition: &Partition,
    accounts: &Accounts<'_>,
    missing: &mut Missing,
    ledger: &mut Ledger,
) {
    let (sends, takes) = accounts.account(message);
    let sends = sends.iter().map(|send| accounts.op(send.row));
    let sent = sends.filter(|op| fate(*op) == Status::Ok);
    let settled = || {
        let settling = takes.iter().filter(|take| accounts.settles(take));
        settling.map(|take| accounts.op(take.row).res_rank())
    };
    let count = |drained: u32| {
        let due = sent.clone().filter(|op| op.res_rank() < drained);
        due.clone().count() - paired(due.map(|op| op.inv_rank()), settled())
    };
    let all = count(u32::MAX);
    if all == 0 {
        return;
    }
    let Some(cover) = partition.cover else {
        missing.late += all;
        return;
    };
    let due = count(accounts.op(cover).inv_rank());
    missing.late += all - due;
    // What an earlier drain left may have gone since.
    let stuck = || takes.iter().filter(|take| take.how == How::Left && take.row == cover);
    match stuck().next_back() {
        Some(take) if due > 0 && stuck().count() >= due => {
            enter("stuck-message", accounts, ledger, || {
                let mut rows = vec![take.row];
                let sent = sent.clone().next();
                rows.extend(sent.map(|op| op.row() as u32));
                rows.extend(takes.iter().filter(|t| t.is_delivery()).map(|t| t.row));
                let because = format!(
                    "{} was sent by {} and is still in the queue, but is not delivered: the drain {} came to an end without it",
                    accounts.value(message),
                    sent.map(at).unwrap_or_default(),
                    at(accounts.op(take.row)),
                );
                (because, rows)
            });
        }
        _ if due > 0 => missing.lost.push((message, due)),
        _ => {}
    }
}

/// What the missing messages of a partition mean.
fn judge(partition: &Partition, missing: &Missing, accounts: &Accounts<'_>, ledger: &mut Ledger) {
    let name = |row: u32| match accounts.op(row).key() {
        Some(key) => format!(" of {key}"),
        None => String::new(),
    };
    if missing.late > 0 {
        let (late, cover) = (missing.late, partition.cover);
        ledger.count("undecided", late as u64);
        ledger.doubt(|| match (cover, accounts.removal) {
            (Some(row), _) => format!(
                "{late} messages{} were acknowledged after the last drain had begun, and never came",
                name(row)
            ),
            (None, Removal::OnDelivery) => format!(
                "{late} acknowledged messages never came, but the queue was never drained to the end: whether they are lost cannot be known"
            ),
            (None, Removal::OnAck) => format!(
                "{late} acknowledged messages were never done with, but no drain came to the end with the dead letters listed after it: whether they are lost cannot be known"
            ),
        });
    }
    let lost: usize = missing.lost.iter().map(|(_, count)| count).sum();
    let Some(cover) = partition.cover.filter(|_| lost > 0) else { return };
    let during = |row: &&u32| accounts.op(**row).inv_rank() < accounts.op(cover).res_rank();
    if let Some(greedy) = partition.greedy.filter(|row| during(&row)) {
        ledger.count("possibly-lost", lost as u64);
        ledger.doubt(|| {
            format!(
                "{lost} acknowledged messages{} never came, but {} may have taken them",
                name(cover),
                at(accounts.op(greedy)),
            )
        });
        return;
    }
    let crashed = match accounts.removal {
        Removal::OnDelivery => partition.crashed.iter().filter(during).count(),
        // What a crashed consumer was given is delivered again.
        Removal::OnAck => 0,
    };
    if lost <= crashed {
        ledger.count("possibly-lost", lost as u64);
        ledger.doubt(|| format!(
            "{lost} acknowledged messages{} never came, but {crashed} dequeues of unknown outcome may have taken them",
            name(cover),
        ));
        return;
    }
    for (message, count) in &missing.lost {
        enter("lost-message", accounts, ledger, || {
            lost_message(*message, *count, cover, (lost, crashed), accounts)
        });
    }
}

fn lost_message(
    message: usize,
    count: usize,
    cover: u32,
    (lost, crashed): (usize, usize),
    accounts: &Accounts<'_>,
) -> (String, Vec<u32>) {
    let (sends, takes) = accounts.account(message);
    let mut sent = sends.iter().filter(|send| fate(accounts.op(send.row)) == Status::Ok);
    let mut rows: Vec<u32> = sent.next().map(|send| send.row).into_iter().collect();
    let sent = rows.first().map(|row| at(accounts.op(*row))).unwrap_or_default();
    rows.push(cover);
    let got: Vec<u32> = takes.iter().filter(|t| t.is_delivery()).map(|t| t.row).collect();
    let value = accounts.value(message);
    let times = if count > 1 { format!(" ({count} times)") } else { String::new() };
    let drain = at(accounts.op(cover));
    let mut because = match got.last() {
        Some(last) if accounts.removal == Removal::OnAck => format!(
            "{value}, sent by {sent}, was delivered by {} and never acknowledged, yet it did not come again{times}: the drain {drain} came to an end without it",
            at(accounts.op(*last)),
        ),
        _ => format!(
            "{value} was acknowledged to {sent} and never came{times}: the drain {drain} came to an end without it"
        ),
    };
    if crashed > 0 {
        because += &format!(
            "; {lost} messages are missing, and only {crashed} dequeues of unknown outcome may have taken one each"
        );
    }
    rows.extend(got);
    (because, rows)
}
