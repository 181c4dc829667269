//! The operations that prove a violation, as a history of their own.

use danso_checkers::linearizable::Linearizability;
use danso_checkers::shrink::{Refusal, Restricted, Shrunk, Without, restrict, shrink};
use danso_vocab::codec::jsonl::{self, Tail, Writer};
use danso_vocab::{Anomaly, Finding, History, Op, Time, Verdict};

use crate::check::{Budget, within};
use crate::exit::usage;

/// A witness and its file.
pub(crate) struct Small {
    pub(crate) shrunk: Shrunk,
    /// What is in the file.
    pub(crate) history: History,
    pub(crate) file: Vec<u8>,
    /// What the checker finds in that.
    pub(crate) finding: Finding,
    /// How much higher its numbers are than those of the whole.
    pub(crate) shift: u32,
    /// Whether it has times; without, those in the file only keep the order.
    pub(crate) timed: bool,
}

/// Shrinks a history.
///
/// # Errors
/// A refusal, or an internal failure: the file would not show what was found.
pub(crate) fn small(
    history: &History,
    checker: &dyn Linearizability,
    budget: &Budget,
) -> anyhow::Result<Result<Small, Refusal>> {
    let shrunk = match within(budget, |limits| shrink(history, checker, limits)) {
        Ok(shrunk) => shrunk,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let part = restrict(history, &shrunk.rows, shrunk.upto);
    let part = part.ok_or_else(|| anyhow::anyhow!("what is left is no history: please report"))?;
    let (file, shift) = written(&part)?;
    let timed = history.end() != Time::ZERO;
    let history = jsonl::read(&file, Tail::Strict).map_err(|e| usage(e.to_string()))?.history;
    let finding = within(budget, |limits| checker.check(&history, limits));
    let small = Small { shrunk, history, file, finding, shift, timed };
    anyhow::ensure!(
        small.anomaly().is_some(),
        "what is left does not show its {} when it is read back: please report this",
        small.shrunk.anomaly.name
    );
    Ok(Ok(small))
}

impl Small {
    /// The anomaly, as found in the file.
    pub(crate) fn anomaly(&self) -> Option<&Anomaly> {
        let wanted = &self.shrunk.anomaly;
        let same = |a: &&Anomaly| a.name == wanted.name && a.key == wanted.key;
        let invalid = self.finding.verdict == Verdict::Invalid;
        self.finding.anomalies.iter().find(same).filter(|_| invalid)
    }

    /// Its operations, one a line, with when they began and how long they took, where that is
    /// known.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |op: Op<'_>| {
            let node = op.node().map_or_else(String::new, |node| format!(" at {node}"));
            let took = match (op.latency(), op.is_ok()) {
                (Some(latency), true) => format!(" for {latency:.1?}"),
                _ => String::new(),
            };
            let when = if self.timed { format!("  {}{took}{node}", op.inv_time()) } else { node };
            format!("{op}{when}")
        };
        self.history.ops().map(line).collect()
    }

    /// Whether anything could still go, in a sentence.
    pub(crate) fn claim(&self) -> String {
        let each = &self.shrunk.each;
        if each.is_empty() {
            return "time ran out: it may not be the smallest there is".to_owned();
        }
        let named = |which: &dyn Fn(&Without) -> bool| {
            let ids = each.iter().filter(|(_, without)| which(without));
            ids.map(|(id, _)| format!("#{}", id.0 + self.shift)).collect::<Vec<_>>()
        };
        let mut claims = Vec::new();
        let valid = named(&|without| *without == Without::Valid);
        match valid.len() {
            n if n == each.len() => return "leaving out any one of them makes it valid".to_owned(),
            0 => {}
            _ => claims.push(format!("leaving out {} makes it valid", one_of(&valid))),
        }
        let needed = named(&|without| *without == Without::Unfounded);
        if !needed.is_empty() {
            let all = one_of(&needed);
            claims
                .push(format!("without {all} the rest proves nothing, for it needs what is gone"));
        }
        let other = named(&|without| matches!(without, Without::Other(_)));
        if !other.is_empty() {
            claims.push(format!("without {} it would be wrong in another way", one_of(&other)));
        }
        let unknown = named(&|without| matches!(without, Without::Unknown(_)));
        if !unknown.is_empty() {
            claims.push(format!("without {} nobody knows", one_of(&unknown)));
        }
        claims.join("; ")
    }
}

/// `#1`, `#1 or #2`, `any of 12 others`.
fn one_of(ids: &[String]) -> String {
    match ids {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [start @ .., last] if start.len() < 6 => format!("{} or {last}", start.join(", ")),
        all => format!("any of {} ({}, …)", all.len(), all[..3].join(", ")),
    }
}

/// The file of a part; and by how much its numbers are higher, since its first line is its format.
fn written(part: &Restricted) -> std::io::Result<(Vec<u8>, u32)> {
    let first = part.events.first().map_or(0, |(index, ..)| *index);
    let numbered = part.events.last().is_some_and(|(index, ..)| *index > 0);
    let shift = u32::from(numbered && first == 0);
    let timed = part.history.end() != Time::ZERO;
    let mut writer = Writer::new(Vec::new())?;
    for (at, (index, time, event)) in part.events.iter().enumerate() {
        if numbered {
            writer.skip_to(index + shift);
        }
        // Where nothing has a time, the order of lines is all there is, and equal times would
        // make everything concurrent.
        let time = if timed { *time } else { Time(at as u64 + 1) };
        writer.write(time, event)?;
    }
    Ok((std::mem::take(writer.sink()), shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_operations_stay_readable() {
        let ids = |n: u32| (1..=n).map(|i| format!("#{i}")).collect::<Vec<_>>();
        assert_eq!(one_of(&ids(1)), "#1");
        assert_eq!(one_of(&ids(3)), "#1, #2 or #3");
        assert_eq!(one_of(&ids(9)), "any of 9 (#1, #2, #3, …)");
    }
}
