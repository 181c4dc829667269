//! Logs with offsets, as Kafka's and Maelstrom's workload of that name: clients append messages
//! and are told at which offset, read on from an offset, and note how far they came.
//!
//! | operation | answer |
//! | --- | --- |
//! | `send message` of a key | its offset |
//! | `poll {key: offset …}` | `{key: [[offset message] …]}`: what follows, as much as the server likes |
//! | `commit-offsets {key: offset …}` | nothing |
//! | `list-committed-offsets [key …]` | `{key: offset …}`, of those that have one |
//!
//! What is judged, for each key. An offset is *known* if a send was told it, or a poll showed it;
//! not every offset need hold a message.
//!
//! | anomaly | it means |
//! | --- | --- |
//! | `lost-write` | a message was acknowledged and no poll ever showed it, although one showed what stands before and behind it, or was told in the end that nothing follows |
//! | `poll-skip` | a poll leaves out a known offset, from where it was to begin to the last that it shows |
//! | `nonmonotonic-poll` | the offsets of a poll do not grow, or begin before the one asked for |
//! | `nonmonotonic-send` | a process was told a later offset first |
//! | `inconsistent-offsets` | one offset holds two messages |
//! | `duplicate` | one message stands at two offsets |
//! | `invented-value`, `aborted-read` | a poll shows what nobody had sent by then, or what only a send that failed did |
//! | `invented-commit` | an offset is listed as committed that is greater than all that anybody committed |
//!
//! A server may keep a message back for as long as it likes, so one that is in no poll is lost
//! only if a poll in the end was told that nothing is there: one that began when all sends were
//! over and, if the history tells of its closing phase, `settle` after that had begun. A message
//! that nobody looked for makes the verdict unknown.
//!
//! Time: O(n log n + messages shown). Memory beside the history: about 200 bytes for each message.

mod commits;
mod logs;
mod polls;
#[cfg(test)]
mod tests;

use std::time::Duration;

use danso_vocab::event::note;
use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Time, Value};

use crate::ledger::Ledger;
use logs::Logs;

/// Checks logs with offsets; see the [module](self).
#[derive(Clone, Copy, Debug, Default)]
pub struct Kafka {
    settle: Duration,
}

/// Bytes an operation may cost.
const OP_BYTES: u64 = 300;

impl Kafka {
    /// In the end, servers have this long to show what they have.
    #[must_use]
    pub fn settle(settle: Duration) -> Kafka {
        Kafka { settle }
    }

    /// From when on a poll is final, by the history's own words.
    fn end(self, history: &History) -> Time {
        let closing = |(_, time, note): (u32, Time, &danso_vocab::Note)| {
            (note.f == note::PHASE && note.value.str() == Some("closing")).then_some(time)
        };
        history.notes().find_map(closing).map_or(Time::ZERO, |time| time + self.settle)
    }
}

impl Checker for Kafka {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn decides(&self) -> &'static str {
        "messages keep their offsets, and polls show all of them, in order, to whoever reads on"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &[
            "lost-write",
            "poll-skip",
            "nonmonotonic-poll",
            "nonmonotonic-send",
            "inconsistent-offsets",
            "duplicate",
            "invented-value",
            "aborted-read",
            "invented-commit",
        ]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        let needed = history.len() as u64 * OP_BYTES;
        if needed > limits.memory {
            let why = format!(
                "{} operations may need {} MiB, more than the limit; raise --memory",
                history.len(),
                needed >> 20
            );
            return Finding::unknown(self.name(), why);
        }
        let mut ledger = Ledger::default();
        let judged = Logs::of(history, limits, &mut ledger).and_then(|mut logs| {
            polls::judge(history, &mut logs, self.end(history), limits, &mut ledger)?;
            commits::judge(history, &mut ledger)
        });
        if let Err(why) = judged {
            return Finding::unknown(self.name(), why);
        }
        ledger.finding(self.name(), |ledger| {
            format!(
                "{} acknowledged messages kept their offsets in {} polls",
                ledger.figure("acknowledged"),
                ledger.figure("polls")
            )
        })
    }
}

/// Notes an anomaly of this name.
fn blame<const N: usize>(
    ledger: &mut Ledger,
    name: &'static str,
    key: &str,
    ops: [Op<'_>; N],
    because: impl FnOnce() -> String,
) {
    ledger.anomaly(name, || Anomaly {
        name: name.into(),
        key: Some(key.into()),
        ops: ops.iter().map(|op| op.id()).collect(),
        because: because(),
        explain: ops.iter().map(brief).collect(),
        figure: None,
    });
}

/// An operation in a line: polls are long.
fn brief(op: &Op<'_>) -> String {
    const SHOWN: usize = 200;
    let mut text = op.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text += " …";
    }
    text
}

/// Keys and offsets: what a poll or commit asks for, or a list of committed ones answers.
fn offsets(value: &Value) -> Option<impl Iterator<Item = (&str, i64)>> {
    let map = value.map()?;
    map.values()
        .all(|offset| offset.int().is_some())
        .then(|| map.iter().filter_map(|(key, offset)| Some((key.as_str(), offset.int()?))))
}

/// That an operation is none of a log's.
fn strange(op: Op<'_>) -> String {
    format!("{} is no operation of a log with offsets; say another --model", brief(&op))
}
