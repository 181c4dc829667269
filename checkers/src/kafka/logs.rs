//! [`Logs`]: which message stands where, as sends were told and polls show.

use std::collections::BTreeMap;

use danso_vocab::{History, Limits, Op, Process, Status, Value};
use rustc_hash::FxHashMap;

use super::{blame, offsets, strange};
use crate::ledger::Ledger;
use crate::objects::SPELL;

/// All logs, by key.
pub(super) struct Logs<'h> {
    pub(super) all: BTreeMap<String, Log<'h>>,
    /// The last end of a send, as a rank.
    pub(super) sent: u32,
}

/// One log.
#[derive(Default)]
pub(super) struct Log<'h> {
    /// Messages sent, each with the send that counts most: acknowledged, else unknown, else failed.
    pub(super) sends: FxHashMap<Value, Op<'h>>,
    /// What is known of offsets.
    pub(super) known: BTreeMap<i64, Entry<'h>>,
    /// Where each message was first said to stand.
    places: FxHashMap<Value, Place<'h>>,
}

/// What an offset holds.
pub(super) struct Entry<'h> {
    message: Value,
    /// Who says so.
    pub(super) by: Op<'h>,
    /// Some poll has shown it.
    pub(super) shown: bool,
    /// It was reported as lost.
    pub(super) lost: bool,
}

/// Where a message stands.
struct Place<'h> {
    offset: i64,
    by: Op<'h>,
    /// Some poll has shown it, there or elsewhere.
    shown: bool,
}

/// Messages, each with its offset.
pub(super) type Messages<'a> = Vec<(i64, &'a Value)>;

/// The messages a poll shows, by key.
pub(super) fn shown(answer: &Value) -> Option<Vec<(&str, Messages<'_>)>> {
    answer.map()?.iter().map(|(key, list)| Some((key.as_str(), messages(list)?))).collect()
}

fn messages(list: &Value) -> Option<Messages<'_>> {
    let pairs = list.list()?.iter().map(Value::pair);
    pairs.map(|pair| pair.and_then(|(offset, message)| Some((offset.int()?, message)))).collect()
}

/// A key's name.
fn named(op: Op<'_>) -> Option<String> {
    op.key().map(|key| key.str().map_or_else(|| key.to_string(), str::to_owned))
}

impl<'h> Logs<'h> {
    /// What the operations of a history say.
    ///
    /// # Errors
    /// If one makes no sense, or time is up.
    pub(super) fn of(
        history: &'h History,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<Logs<'h>, String> {
        let mut logs = Logs { all: BTreeMap::new(), sent: 0 };
        // Sends first: a poll may show a message before its send is done.
        for (nth, op) in history.ops().enumerate().filter(|(_, op)| op.f() == "send") {
            if nth % SPELL == 0 && limits.stop.is_tripped() {
                return Err("out of time; raise --timeout".to_owned());
            }
            logs.send(op, ledger)?;
        }
        for op in history.ops().filter(|op| op.f() == "poll" && op.is_ok()) {
            let answer = op.ret().ok_or_else(|| strange(op))?;
            for (key, messages) in shown(&answer).ok_or_else(|| strange(op))? {
                let log = logs.all.entry(key.to_owned()).or_default();
                for (offset, message) in messages {
                    log.stands(key, offset, message, op, ledger);
                }
            }
        }
        Ok(logs)
    }

    fn send(&mut self, op: Op<'h>, ledger: &mut Ledger) -> Result<(), String> {
        let key = named(op).ok_or_else(|| strange(op))?;
        let message = op.arg().into_owned();
        let log = self.all.entry(key.clone()).or_default();
        if op.status() != Status::Fail {
            // One that nobody heard of again may come at any time: it keeps nothing from ending.
            self.sent = self.sent.max(if op.is_ok() { op.res_rank() } else { 0 });
        }
        let weight = |op: &Op<'_>| match op.status() {
            Status::Ok => 2,
            Status::Fail => 0,
            _ => 1,
        };
        match log.sends.get(&message) {
            Some(other) if weight(other) > 0 && weight(&op) > 0 => {
                return Err(format!(
                    "{message} was sent to {key} twice ({} and {}), so nobody can tell one from \
                     the other",
                    other.id(),
                    op.id()
                ));
            }
            Some(other) if weight(other) >= weight(&op) => {}
            _ => drop(log.sends.insert(message.clone(), op)),
        }
        if op.is_ok() {
            let offset = op.ret().and_then(|ret| ret.int()).ok_or_else(|| strange(op))?;
            ledger.count("acknowledged", 1);
            log.stands(&key, offset, &message, op, ledger);
        }
        Ok(())
    }

    /// Processes that were told a later offset first.
    pub(super) fn orders(history: &History, ledger: &mut Ledger) {
        let mut last = FxHashMap::<(Process, String), Op<'_>>::default();
        for op in history.ops().filter(|op| op.f() == "send" && op.is_ok()) {
            let Some(key) = named(op) else { continue };
            let offset = |op: Op<'_>| op.ret().and_then(|ret| ret.int()).unwrap_or(0);
            let before = last.insert((op.process(), key.clone()), op);
            if let Some(before) = before.filter(|before| offset(*before) >= offset(op)) {
                blame(ledger, "nonmonotonic-send", &key, [op, before], || {
                    format!(
                        "{} sent {} to {key} and was told offset {}, although what it had sent \
                         before stands at {}",
                        op.process(),
                        op.arg(),
                        offset(op),
                        offset(before)
                    )
                });
            }
        }
    }
}

impl<'h> Log<'h> {
    /// `op` says that this message stands there.
    fn stands(&mut self, key: &str, offset: i64, message: &Value, op: Op<'h>, ledger: &mut Ledger) {
        let polled = op.f() == "poll";
        match self.known.get_mut(&offset) {
            None => {
                let entry = Entry { message: message.clone(), by: op, shown: polled, lost: false };
                self.known.insert(offset, entry);
            }
            Some(entry) => {
                entry.shown |= polled;
                if entry.message != *message {
                    let by = entry.by;
                    blame(ledger, "inconsistent-offsets", key, [op, by], || {
                        format!(
                            "offset {offset} of {key} holds {message} ({}) and {} ({})",
                            op.id(),
                            entry.message,
                            by.id()
                        )
                    });
                }
            }
        }
        let Some(place) = self.places.get_mut(message) else {
            let place = Place { offset, by: op, shown: polled };
            self.places.insert(message.clone(), place);
            return;
        };
        place.shown |= polled;
        if place.offset != offset {
            let (other, by) = (place.offset, place.by);
            blame(ledger, "duplicate", key, [op, by], || {
                format!(
                    "{message} stands at offset {offset} of {key} ({}) and at {other} ({})",
                    op.id(),
                    by.id()
                )
            });
        }
    }

    /// Whether some poll has shown this message.
    pub(super) fn is_shown(&self, message: &Value) -> bool {
        self.places.get(message).is_some_and(|place| place.shown)
    }
}

/// Where polls were to begin.
pub(super) fn asked(op: Op<'_>) -> Result<BTreeMap<String, i64>, String> {
    let arg = op.arg();
    let asked = offsets(&arg).ok_or_else(|| strange(op))?;
    Ok(asked.map(|(key, offset)| (key.to_owned(), offset)).collect())
}
