//! Messages that came although they should not have: never sent, too often, or done with.

use danso_vocab::{Limits, Status};

use super::accounts::{Accounts, How, NONE, Send, Take, paired};
use super::reading::{fate, only_sent};
use super::{Delivery, Guarantee, Removal, at, enter, keep_going};
use crate::ledger::Ledger;

/// Looks at each message in turn, and counts what is no anomaly.
pub(super) fn check(
    promise: &Delivery,
    accounts: &Accounts<'_>,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    for name in ["delivered", "duplicated", "recovered", "dead"] {
        ledger.count(name, 0);
    }
    for message in 0..accounts.messages() {
        keep_going(message, limits)?;
        let (sends, takes) = accounts.account(message);
        if takes.is_empty() {
            continue;
        }
        let message = Message { message, sends, takes, accounts };
        message.count(ledger);
        if !message.unsent(ledger) && !message.after_ack(ledger) {
            message.repeated(promise, ledger);
        }
    }
    Ok(())
}

struct Message<'l, 'h> {
    message: usize,
    sends: &'l [Send],
    takes: &'l [Take],
    accounts: &'l Accounts<'h>,
}

impl Message<'_, '_> {
    /// The rows of enqueues that did, or may have, put it in.
    fn sent(&self) -> impl Iterator<Item = u32> + Clone {
        let sent = |send: &&Send| fate(self.accounts.op(send.row)) != Status::Fail;
        self.sends.iter().filter(sent).map(|send| send.row)
    }

    fn deliveries(&self) -> impl Iterator<Item = &Take> + Clone {
        self.takes.iter().filter(|take| take.is_delivery())
    }

    fn begin(&self, row: u32) -> u32 {
        self.accounts.op(row).inv_rank()
    }

    fn end(&self, row: u32) -> u32 {
        self.accounts.op(row).res_rank()
    }

    fn value(&self) -> String {
        self.accounts.value(self.message)
    }

    fn at(&self, row: u32) -> String {
        at(self.accounts.op(row))
    }

    fn count(&self, ledger: &mut Ledger) {
        let delivered = self.deliveries().count();
        let sent = self.sent().count();
        let sure = |row: &u32| fate(self.accounts.op(*row)) == Status::Ok;
        let recovered = delivered.min(sent).saturating_sub(self.sent().filter(sure).count());
        ledger.count("delivered", delivered as u64);
        ledger.count("duplicated", delivered.saturating_sub(sent.max(1)) as u64);
        ledger.count("recovered", recovered as u64);
        let dead = self.takes.iter().filter(|take| take.how == How::Dead).count();
        ledger.count("dead", dead as u64);
    }

    /// Seen although nobody had sent it.
    fn unsent(&self, ledger: &mut Ledger) -> bool {
        let first = self.takes.iter().min_by_key(|take| self.end(take.row));
        let Some(seen) = first.map(|take| take.row) else { return false };
        let early = |row: &u32| self.begin(*row) < self.end(seen);
        if self.sent().any(|row| early(&row)) {
            return false;
        }
        let mut failed = self.sends.iter().map(|send| send.row).filter(early);
        let (value, seen_at) = (self.value(), self.at(seen));
        if let Some(failed) = failed.next() {
            enter("aborted-delivered", self.accounts, ledger, || {
                let sent = self.at(failed);
                let because = format!(
                    "{value} came out of {seen_at}, although {sent}, which sent it, failed"
                );
                (because, vec![seen, failed])
            });
            return true;
        }
        enter("unexpected-message", self.accounts, ledger, || match self.sent().next() {
            Some(sent) => {
                let because = format!(
                    "{value} came out of {seen_at} before it was sent: {} is the first to send it",
                    self.at(sent)
                );
                (because, vec![seen, sent])
            }
            None => (format!("{value} came out of {seen_at}, and nobody ever sent it"), vec![seen]),
        });
        true
    }

    /// The row of the operation that certainly ended a delivery, where messages stay until then.
    fn done(&self, take: &Take) -> Option<u32> {
        let row = match take.how {
            How::Dequeued if take.ack != NONE => take.ack,
            How::Drained if self.accounts.removal == Removal::OnAck => take.row,
            _ => return None,
        };
        Some(row).filter(|row| self.end(*row) != u32::MAX && !only_sent(self.accounts.op(*row)))
    }

    /// Delivered although it had been acknowledged.
    fn after_ack(&self, ledger: &mut Ledger) -> bool {
        for take in self.takes {
            let Some(done) = self.done(take) else { continue };
            // Without offsets, two copies of a message cannot be told apart.
            if take.offset == i64::MIN && self.sent().count() > 1 {
                return false;
            }
            let again = |other: &&Take| {
                other.offset == take.offset && self.begin(other.row) > self.end(done)
            };
            let Some(again) = self.deliveries().find(again) else { continue };
            enter("delivered-after-ack", self.accounts, ledger, || {
                let because = format!(
                    "{} was delivered by {} although {} had acknowledged it",
                    self.value(),
                    self.at(again.row),
                    self.at(done)
                );
                (because, vec![again.row, done, take.row])
            });
            return true;
        }
        false
    }

    /// Consumed, or standing in the queue, more often than it was sent.
    fn repeated(&self, promise: &Delivery, ledger: &mut Ledger) {
        let consumed = |take: &&Take| match (promise.guarantee, self.accounts.removal) {
            (Guarantee::ExactlyOnce, Removal::OnAck) => self.done(take).is_some(),
            _ => true,
        };
        let consumed = || self.deliveries().filter(consumed);
        if !promise.may_repeat() {
            let explained = paired(
                self.sent().map(|row| self.begin(row)),
                consumed().map(|take| self.end(take.row)),
            );
            if consumed().count() > explained {
                self.duplicate(consumed(), "", ledger);
                return;
            }
        }
        let placed = || self.deliveries().filter(|take| take.offset != i64::MIN);
        if (promise.idempotent || promise.guarantee == Guarantee::ExactlyOnce)
            && placed().nth(self.sent().count()).is_some()
        {
            let mut copies: Vec<&Take> = placed().collect();
            copies.sort_by_key(|take| take.offset);
            copies.dedup_by_key(|take| take.offset);
            if copies.len() > self.sent().count() {
                let offsets: Vec<String> = copies.iter().map(|t| t.offset.to_string()).collect();
                let why = format!(": it stands in the queue at offsets {}", offsets.join(" and "));
                self.duplicate(copies.into_iter(), &why, ledger);
            }
        }
    }

    fn duplicate<'t>(&self, takes: impl Iterator<Item = &'t Take>, why: &str, ledger: &mut Ledger) {
        enter("duplicate-delivery", self.accounts, ledger, || {
            let mut rows: Vec<u32> = takes.map(|take| take.row).collect();
            rows.sort_by_key(|row| std::cmp::Reverse(self.end(*row)));
            let sent: Vec<u32> = self.sent().collect();
            let got: Vec<String> = rows.iter().rev().map(|row| self.at(*row)).collect();
            let because = format!(
                "{} was sent {} and came {}, by {}{why}",
                self.value(),
                times(sent.len()),
                times(rows.len()),
                got.join(" and "),
            );
            rows.extend(sent);
            (because, rows)
        });
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}
