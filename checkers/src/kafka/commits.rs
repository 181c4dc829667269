//! Offsets that were committed.

use danso_vocab::{History, Status};
use rustc_hash::FxHashMap;

use super::{blame, offsets, strange};
use crate::ledger::Ledger;

/// No offset may be listed that is greater than all that anybody had tried to commit by then:
/// whoever begins there would miss messages.
///
/// # Errors
/// If an operation makes no sense.
pub(super) fn judge(history: &History, ledger: &mut Ledger) -> Result<(), String> {
    // What was tried, by key: when, and the greatest until then.
    let mut tried = FxHashMap::<String, Vec<(u32, i64)>>::default();
    let commits = history.ops().filter(|op| op.f() == "commit-offsets");
    let mut commits: Vec<_> = commits.filter(|op| op.status() != Status::Fail).collect();
    commits.sort_unstable_by_key(|op| op.inv_rank());
    for op in commits {
        let arg = op.arg();
        for (key, offset) in offsets(&arg).ok_or_else(|| strange(op))? {
            let all = tried.entry(key.to_owned()).or_default();
            let most = all.last().map_or(offset, |(_, most)| offset.max(*most));
            all.push((op.inv_rank(), most));
        }
    }
    for op in history.ops().filter(|op| op.f() == "list-committed-offsets" && op.is_ok()) {
        let answer = op.ret().ok_or_else(|| strange(op))?;
        for (key, offset) in offsets(&answer).ok_or_else(|| strange(op))? {
            let before = tried.get(key).map_or(&[][..], Vec::as_slice);
            let count = before.partition_point(|(rank, _)| *rank < op.res_rank());
            let most = count.checked_sub(1).map(|last| before[last].1);
            if most.is_none_or(|most| offset > most) {
                blame(ledger, "invented-commit", key, [op], || {
                    let most = match most {
                        Some(most) => format!("nobody had committed more than {most}"),
                        None => "nobody had committed any".to_owned(),
                    };
                    format!("offset {offset} of {key} is listed as committed, but {most}")
                });
            }
        }
    }
    Ok(())
}
