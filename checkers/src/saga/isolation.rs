//! Dirty reads: a saga that used what another had changed and later took back.
//!
//! Sagas do not promise isolation (Garcia-Molina and Salem 1987, section 3), so this is a figure,
//! and an anomaly only if the definition declares a countermeasure.

use danso_vocab::{Anomaly, History, Value};
use rustc_hash::FxHashSet;

use super::definition::Definition;
use super::evidence::{Act, Evidence, NONE};
use super::tally::Tally;

/// Counts dirty reads in all journals: one scan of each. O(n·c) for n effects, c of them open on
/// one object at once and later undone.
pub(super) fn dirty_reads(
    history: &History,
    definition: &Definition,
    evidence: &Evidence<'_>,
    tally: &mut Tally,
) -> u64 {
    let effects = &evidence.effects;
    let mut count = 0;
    for journal in &evidence.journals {
        let compensated = |at: &usize| effects.act[*at] == Act::Compensate;
        let what = |at: usize| (effects.saga[at], effects.step[at]);
        let undone: FxHashSet<(u32, u8)> =
            journal.range.clone().filter(compensated).map(what).collect();
        // By object: effects in force that will be undone.
        let mut open: Vec<Vec<u32>> = vec![Vec::new(); evidence.objects.len()];
        for at in journal.range.clone() {
            let step = &definition.steps[usize::from(effects.step[at])];
            if step.ledger.as_ref().is_none_or(|l| l.object.is_none()) {
                continue;
            }
            let open = &mut open[effects.object[at] as usize];
            match effects.act[at] {
                Act::Compensate => open.retain(|other| what(*other as usize) != what(at)),
                Act::Null => {}
                Act::Apply | Act::Idle => {
                    let saga = effects.saga[at];
                    let dirty = open.iter().find(|o| effects.saga[**o as usize] != saga);
                    if let Some(dirty) = dirty {
                        count += 1;
                        if definition.isolated {
                            tell(history, evidence, &step.name, at, *dirty as usize, tally);
                        }
                    }
                    if effects.act[at] == Act::Apply && undone.contains(&what(at)) {
                        open.push(at as u32);
                    }
                }
            }
        }
    }
    count
}

fn tell(
    history: &History,
    evidence: &Evidence<'_>,
    step: &str,
    reader: usize,
    writer: usize,
    tally: &mut Tally,
) {
    let effects = &evidence.effects;
    let saga = |at: usize| evidence.sagas[effects.saga[at] as usize];
    let object = evidence.objects[effects.object[reader] as usize];
    tally.add("dirty-read", || {
        let orders = [reader, writer].map(|at| evidence.orders[effects.saga[at] as usize].row);
        let reads = [reader, writer].map(|at| effects.row[at]);
        let mut rows: Vec<u32> = orders.into_iter().filter(|r| *r != NONE).chain(reads).collect();
        rows.dedup();
        Anomaly {
            name: "dirty-read".into(),
            key: Some(Value::from(object)),
            ops: rows.into_iter().map(|row| history.row(row as usize).id()).collect(),
            because: format!(
                "{step} of saga {} used {object} while saga {} had changed it, and that change was \
                 taken back later",
                saga(reader),
                saga(writer)
            ),
            explain: Vec::new(),
            figure: None,
        }
    });
}
