//! Idempotency keys that were used for more than one thing.

use danso_vocab::{Anomaly, History, Value};
use rustc_hash::FxHashMap;

use super::evidence::{Act, Evidence};
use super::tally::Tally;

/// Keys that two different effects share, so that one of them may have been taken for a repetition
/// of the other. O(n) expected, 24 bytes an effect.
pub(super) fn reused_keys(history: &History, evidence: &Evidence<'_>, tally: &mut Tally) {
    let effects = &evidence.effects;
    let mut seen: FxHashMap<&str, u32> = FxHashMap::default();
    let what = |at: usize| (effects.saga[at], effects.step[at], effects.act[at]);
    for (at, key) in effects.key.iter().enumerate() {
        let Some(key) = *key else { continue };
        if effects.act[at] == Act::Idle {
            continue;
        }
        let first = *seen.entry(key).or_insert(at as u32) as usize;
        if what(first) == what(at) {
            continue;
        }
        // A compensation that found nothing has the key of the one that would have found it.
        let same = (what(first).0, what(first).1) == (what(at).0, what(at).1);
        let undoes = |at: usize| matches!(effects.act[at], Act::Compensate | Act::Null);
        if same && undoes(first) && undoes(at) {
            continue;
        }
        let saga = |at: usize| evidence.sagas[effects.saga[at] as usize];
        tally.add("idempotency-key-reused", || Anomaly {
            name: "idempotency-key-reused".into(),
            key: Some(Value::from(key)),
            ops: [first, at].map(|at| history.row(effects.row[at] as usize).id()).into(),
            because: format!(
                "the idempotency key {key} was used for two different effects, of sagas {} and {}",
                saga(first),
                saga(at)
            ),
            explain: Vec::new(),
            figure: None,
        });
    }
}
