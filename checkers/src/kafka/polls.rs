//! What polls show, and what they leave out.

use danso_vocab::{History, Limits, Op, Status, Time, Value};
use rustc_hash::FxHashMap;

use super::logs::{Log, Logs, asked, shown};
use super::{blame, strange};
use crate::ledger::Ledger;
use crate::objects::SPELL;

/// Judges all polls. Those that begin at `end` or later, when all sends are over, are final.
///
/// # Errors
/// If one makes no sense, or time is up.
pub(super) fn judge(
    history: &History,
    logs: &mut Logs<'_>,
    end: Time,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Result<(), String> {
    Logs::orders(history, ledger);
    // The final poll of each key that shows nothing from the least offset on.
    let mut nothing = FxHashMap::<String, (i64, Op<'_>)>::default();
    let polls = history.ops().filter(|op| op.f() == "poll" && op.is_ok());
    for (nth, op) in polls.enumerate() {
        if nth % SPELL == 0 && limits.stop.is_tripped() {
            return Err("out of time; raise --timeout".to_owned());
        }
        ledger.count("polls", 1);
        let answer = op.ret().ok_or_else(|| strange(op))?;
        let mut asked = asked(op)?;
        for (key, messages) in shown(&answer).ok_or_else(|| strange(op))? {
            let Some(log) = logs.all.get_mut(key) else { continue };
            explained(key, log, &messages, op, ledger);
            let from = asked.get(key).copied();
            in_order(key, from, &messages, op, ledger);
            whole(key, log, from, &messages, op, ledger);
            if !messages.is_empty() {
                asked.remove(key);
            }
        }
        if op.inv_time() >= end && op.inv_rank() > logs.sent {
            for (key, from) in asked {
                let least = nothing.entry(key).or_insert((from, op));
                if from < least.0 {
                    *least = (from, op);
                }
            }
        }
    }
    for (key, log) in &logs.all {
        unseen(key, log, nothing.get(key).copied(), ledger);
    }
    Ok(())
}

/// Messages shown must have been sent.
fn explained(
    key: &str,
    log: &Log<'_>,
    messages: &[(i64, &Value)],
    op: Op<'_>,
    ledger: &mut Ledger,
) {
    for (offset, message) in messages {
        match log.sends.get(*message) {
            Some(send) if send.status() == Status::Fail => {
                blame(ledger, "aborted-read", key, [op, *send], || {
                    format!("{message} is shown at offset {offset} of {key}, but to send it failed")
                });
            }
            Some(send) if send.inv_rank() < op.res_rank() => {}
            Some(send) => blame(ledger, "invented-value", key, [op, *send], || {
                format!("{message} is shown at offset {offset} of {key} before it was sent")
            }),
            None => blame(ledger, "invented-value", key, [op], || {
                format!("{message} is shown at offset {offset} of {key}, but nobody sent it")
            }),
        }
    }
}

/// Offsets must grow, from where the poll was to begin.
fn in_order(
    key: &str,
    from: Option<i64>,
    messages: &[(i64, &Value)],
    op: Op<'_>,
    ledger: &mut Ledger,
) {
    if let (Some(from), Some((first, _))) = (from, messages.first())
        && *first < from
    {
        blame(ledger, "nonmonotonic-poll", key, [op], || {
            format!("a poll of {key} from offset {from} on begins with {first}")
        });
    }
    if let Some(pair) = messages.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
        blame(ledger, "nonmonotonic-poll", key, [op], || {
            format!("a poll of {key} shows offset {} after {}", pair[1].0, pair[0].0)
        });
    }
}

/// Nothing that is known may be left out, up to the last that is shown.
fn whole(
    key: &str,
    log: &mut Log<'_>,
    from: Option<i64>,
    messages: &[(i64, &Value)],
    op: Op<'_>,
    ledger: &mut Ledger,
) {
    let mut there: Vec<i64> = messages.iter().map(|(offset, _)| *offset).collect();
    there.sort_unstable();
    let (Some(first), Some(last)) = (there.first().copied(), there.last().copied()) else { return };
    let from = from.unwrap_or(first).min(last);
    for (offset, entry) in log.known.range_mut(from..=last) {
        // What is lost is told once.
        if entry.lost || there.binary_search(offset).is_ok() {
            continue;
        }
        entry.lost = !entry.shown;
        let name = if entry.shown { "poll-skip" } else { "lost-write" };
        blame(ledger, name, key, [op, entry.by], || {
            let never = if entry.shown { "" } else { "; no poll ever showed it" };
            format!(
                "a poll of {key} from offset {from} on goes to {last} and leaves out {offset}, \
                 where {} put a message{never}",
                entry.by.id()
            )
        });
    }
}

/// Acknowledged messages that no poll showed.
fn unseen(key: &str, log: &Log<'_>, nothing: Option<(i64, Op<'_>)>, ledger: &mut Ledger) {
    let mut unseen: Vec<(i64, Op<'_>)> = log
        .sends
        .iter()
        .filter(|(message, send)| send.is_ok() && !log.is_shown(message))
        .filter_map(|(_, send)| Some((send.ret()?.int()?, *send)))
        .filter(|(offset, _)| log.known.get(offset).is_none_or(|entry| !entry.lost))
        .collect();
    unseen.sort_unstable_by_key(|(offset, send)| (*offset, send.row()));
    let mut open = 0;
    for (offset, send) in unseen {
        match nothing {
            Some((from, poll)) if from <= offset => {
                blame(ledger, "lost-write", key, [poll, send], || {
                    format!(
                        "{} was acknowledged at offset {offset} of {key}, but no poll ever showed \
                         it, and in the end there was nothing from offset {from} on ({})",
                        send.arg(),
                        poll.id()
                    )
                });
            }
            _ => open += 1,
        }
    }
    if open > 0 {
        ledger.doubt(|| {
            format!("{open} acknowledged messages of {key} are in no poll, and nobody looked for them in the end")
        });
    }
}
