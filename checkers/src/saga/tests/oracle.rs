//! The obvious judge: tries every order in which everything may have happened.
//!
//! It knows the definition of a legal saga as a machine that reads events one at a time, and
//! nothing of windows, masks or cycles. A saga is legal if some interleaving of all journals, with
//! every effect after the decider's records it names and before the first record that confirms it,
//! takes the machine to a legal end.

use std::collections::BTreeSet;

use danso_vocab::Value;

use super::story::{Heard, STEPS, Story};

fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry.get(field).and_then(Value::str).unwrap_or("")
}

/// How many entries of each service's journal, and of the decider's, have happened.
type Cut = [usize; 4];

/// Whether `story` has any possible order of events at all.
pub(super) fn is_possible(story: &Story) -> bool {
    search(story, &|_, _| true)
}

/// Whether `saga` is legal: all of its reads came long after everything.
pub(super) fn is_legal(story: &Story, saga: &str) -> bool {
    legal_end(story, saga) && search(story, &|cut, next| legal_event(story, saga, cut, next))
}

/// Whether some path leads from nothing to everything, each step of it allowed.
fn search(story: &Story, allowed: &dyn Fn(&Cut, usize) -> bool) -> bool {
    let end: Cut =
        [0, 1, 2, 3].map(|j| story.journals.get(j).map_or(story.decider.len(), Vec::len));
    let (mut todo, mut seen) = (vec![[0; 4]], BTreeSet::new());
    while let Some(cut) = todo.pop() {
        if cut == end {
            return true;
        }
        for journal in (0..4).filter(|j| cut[*j] < end[*j]) {
            let mut next = cut;
            next[journal] += 1;
            if can_happen(story, &cut, journal) && allowed(&cut, journal) && seen.insert(next) {
                todo.push(next);
            }
        }
    }
    false
}

/// Whether the next entry of `journal` may happen now, as far as messages tell.
fn can_happen(story: &Story, cut: &Cut, journal: usize) -> bool {
    if journal < 3 {
        let after = story.journals[journal][cut[journal]].get("after").and_then(Value::int);
        return after.unwrap_or(0) as usize <= cut[3];
    }
    let record = &story.decider[cut[3]];
    if text(record, "kind") != "done" {
        return true;
    }
    let Some(step) = STEPS.iter().position(|s| *s == text(record, "step")) else { return false };
    let undone = text(record, "action") == "compensate";
    let confirmed = |entry: &Value| {
        let kind = text(entry, "kind");
        let fits = if undone {
            matches!(kind, "compensate" | "null-compensation")
        } else {
            kind == "apply"
        };
        fits && text(entry, "saga") == text(record, "saga")
    };
    let all = &story.journals[step];
    !all.iter().any(confirmed) || all[..cut[step]].iter().any(confirmed)
}

/// What has happened to `saga` by `cut`: steps applied, undone, undone in vain.
fn masks(story: &Story, saga: &str, cut: &Cut) -> [BTreeSet<usize>; 3] {
    let of = |kind: &str| {
        let did = |j: &usize| {
            let entries = &story.journals[*j][..cut[*j]];
            entries.iter().any(|e| text(e, "saga") == saga && text(e, "kind") == kind)
        };
        (0..3).filter(did).collect()
    };
    ["apply", "compensate", "null-compensation"].map(of)
}

fn records(story: &Story, saga: &str, cut: usize, kind: &str, outcome: &str) -> bool {
    story.decider[..cut].iter().any(|r| {
        text(r, "saga") == saga && text(r, "kind") == kind && text(r, "outcome") == outcome
    })
}

/// Whether the next entry of `journal` is legal for `saga` in this place.
fn legal_event(story: &Story, saga: &str, cut: &Cut, journal: usize) -> bool {
    let [applied, undone, vain] = masks(story, saga, cut);
    let whole: Cut = [0, 1, 2, 3].map(|j| story.journals.get(j).map_or(0, Vec::len));
    let [ever, ..] = masks(story, saga, &whole);
    let all = story.decider.len();
    if journal == 3 {
        let record = &story.decider[cut[3]];
        if text(record, "saga") != saga {
            return true;
        }
        return match (text(record, "kind"), text(record, "outcome")) {
            ("begin", _) => applied.is_empty() || records(story, saga, cut[3], "begin", ""),
            ("decide", "commit") => applied == ever,
            _ => true,
        };
    }
    let entry = &story.journals[journal][cut[journal]];
    if text(entry, "saga") != saga {
        return true;
    }
    let i = journal;
    match text(entry, "kind") {
        "apply" => {
            let asked_too_late = entry.get("after").and_then(Value::int).is_some_and(|after| {
                let abort = |r: &Value| {
                    text(r, "saga") == saga
                        && text(r, "kind") == "decide"
                        && text(r, "outcome") == "abort"
                };
                story.decider.iter().take(after as usize).any(abort)
            });
            !applied.contains(&i)
                && !undone.contains(&i)
                && !vain.contains(&i)
                && (0..i).all(|before| applied.contains(&before) || !ever.contains(&before))
                && (0..i).all(|before| !undone.contains(&before))
                && !asked_too_late
        }
        "compensate" => {
            let abort_is_later = records(story, saga, all, "decide", "abort")
                && !records(story, saga, cut[3], "decide", "abort");
            let [_, ever_undone, _] = masks(story, saga, &whole);
            applied.contains(&i)
                && !undone.contains(&i)
                && (i + 1..3).all(|after| !ever_undone.contains(&after) || undone.contains(&after))
                && !abort_is_later
        }
        _ => true,
    }
}

/// Whether what there is of `saga` in the end is legal in any order.
fn legal_end(story: &Story, saga: &str) -> bool {
    let whole: Cut = [0, 1, 2, 3].map(|j| story.journals.get(j).map_or(0, Vec::len));
    let [applied, undone, _] = masks(story, saga, &whole);
    let all = story.decider.len();
    let record = |kind, outcome| records(story, saga, all, kind, outcome);
    let heard = |what| story.orders.iter().any(|(s, h)| s == saga && *h == what);
    let committed =
        record("decide", "commit") || record("end", "committed") || heard(Heard::Committed);
    let aborted = record("decide", "abort")
        || record("end", "aborted")
        || heard(Heard::Aborted)
        || heard(Heard::Failed);
    let known = story
        .decider
        .iter()
        .any(|r| text(r, "saga") == saga && matches!(text(r, "kind"), "begin" | "decide" | "end"));
    let ended = record("end", "committed") || record("end", "aborted");
    if committed && aborted {
        return false;
    }
    if known && !ended {
        return false; // begun and never ended
    }
    if committed {
        return applied.len() == 3 && undone.is_empty() && known;
    }
    if aborted {
        // What was done is a prefix of the steps, and all of it was undone.
        return applied == undone && applied == (0..applied.len()).collect();
    }
    // Nobody decided: only what left nothing behind is fine.
    applied.is_empty() && undone.is_empty()
}
