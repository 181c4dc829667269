//! Conservation: what services say they hold against what there was, what their journals did, and
//! what clients ordered.
//!
//! For every state a client read: free and held add up to what there was in the beginning, and
//! nothing free is negative; held is what the journal's first entries add up to, if the state says
//! how many of them it includes (`journal`). For every effect: it moved what its order said. For
//! each service's last state: held is the sum over committed sagas, give or take those that may
//! have been under way when it was read (interval arithmetic).

use std::collections::BTreeSet;

use danso_vocab::{Anomaly, History, OpId, Value};

use super::definition::{Definition, Ledger, Step};
use super::evidence::{Act, Evidence, Journal, NONE, State, lent};
use super::tally::Tally;
use super::windows::Groups;

const NAME: &str = "conservation-violated";

/// What a state says of `object` under `field`; nothing is 0.
fn amount(state: &Value, field: &str, object: &str) -> i64 {
    let value = state.get(field);
    match value.and_then(Value::map) {
        Some(map) => map.get(object).and_then(Value::int).unwrap_or(0),
        None => value.and_then(Value::int).filter(|_| object.is_empty()).unwrap_or(0),
    }
}

/// What a state holds of `object`.
fn held(state: &Value, ledger: &Ledger, object: &str) -> i64 {
    let part = |(field, off): &(danso_vocab::Name, bool)| {
        let n = amount(state, field, object);
        if *off { -n } else { n }
    };
    ledger.held.iter().map(part).sum()
}

/// The objects a state speaks of.
fn objects<'v>(state: &'v Value, ledger: &'v Ledger) -> BTreeSet<&'v str> {
    let fields = ledger.held.iter().map(|(f, _)| f).chain(ledger.free.iter().flatten());
    let names = fields.filter_map(|field| state.get(field)).flat_map(|value| {
        let keys = value.map().map(|m| m.keys().map(String::as_str));
        keys.into_iter().flatten().chain(value.int().map(|_| ""))
    });
    names.collect()
}

/// Checks all states and effects. O(n + s·o) for n effects and s states of o objects.
pub(super) fn conservation(
    history: &History,
    definition: &Definition,
    evidence: &Evidence<'_>,
    records: &Groups,
    tally: &mut Tally,
) {
    for (i, step) in definition.steps.iter().enumerate() {
        let Some(ledger) = &step.ledger else { continue };
        let ours = evidence.states.iter().filter(|s| s.service == step.service);
        let mut states: Vec<&State<'_>> = ours.collect();
        for state in &states {
            adds_up(history, step, ledger, state, tally);
        }
        if let Some(journal) = evidence.journals.iter().find(|j| j.service == step.service) {
            follows(history, i, step, evidence, journal, &mut states, tally);
            moved(history, i, step, evidence, journal, tally);
        }
        let last = states.iter().max_by_key(|s| history.row(s.row as usize).inv_rank());
        if let Some(last) = last {
            totals(history, step, evidence, records, last, tally);
        }
    }
}

fn anomaly(because: String, key: &str, ops: Vec<OpId>, explain: Vec<String>) -> Anomaly {
    let key = (!key.is_empty()).then(|| Value::from(key));
    Anomaly { name: NAME.into(), key, ops, because, explain, figure: None }
}

fn adds_up(history: &History, step: &Step, ledger: &Ledger, state: &State<'_>, tally: &mut Tally) {
    let Some([initial, free]) = &ledger.free else { return };
    let op = history.row(state.row as usize);
    for object in objects(state.value, ledger) {
        let had = amount(state.value, initial, object);
        let has = amount(state.value, free, object);
        let gone = held(state.value, ledger, object);
        let of = if object.is_empty() { String::new() } else { format!(" of {object}") };
        if had != has + gone {
            let t = format!(
                "{} had {had}{of} in the beginning, but {} read {has} free and {gone} held, which \
                 is {}",
                step.service,
                op.id(),
                has + gone
            );
            tally.add(NAME, || anomaly(t, object, vec![op.id()], vec![state.value.to_string()]));
        } else if has < 0 {
            let t = format!(
                "{} gave away more{of} than it had: {} read {has} free",
                step.service,
                op.id()
            );
            tally.add(NAME, || anomaly(t, object, vec![op.id()], vec![state.value.to_string()]));
        }
    }
}

/// States are what their journals say: folds the journal once for all of them.
fn follows(
    history: &History,
    number: usize,
    step: &Step,
    evidence: &Evidence<'_>,
    journal: &Journal,
    states: &mut [&State<'_>],
    tally: &mut Tally,
) {
    let Some(ledger) = &step.ledger else { return };
    let includes = |s: &&State<'_>| s.value.get("journal").and_then(Value::int).unwrap_or(-1);
    states.sort_by_key(includes);
    let mut net = vec![0_i64; evidence.objects.len()];
    let (mut at, effects) = (journal.range.start, &evidence.effects);
    for state in states.iter() {
        let Ok(count) = usize::try_from(includes(state)) else { continue };
        if journal.range.start + count > journal.range.end {
            continue; // it includes what nobody read
        }
        while at < journal.range.start + count {
            let sign = match effects.act[at] {
                Act::Apply => 1,
                Act::Compensate => -1,
                Act::Null | Act::Idle => 0,
            };
            if usize::from(effects.step[at]) == number {
                net[effects.object[at] as usize] += sign * effects.measure[at];
            }
            at += 1;
        }
        let op = history.row(state.row as usize);
        let mut seen = objects(state.value, ledger);
        seen.extend(net.iter().zip(&evidence.objects).filter(|(n, _)| **n != 0).map(|(_, o)| *o));
        for object in seen {
            let says = held(state.value, ledger, object);
            let did = evidence.find_object(object).map_or(0, |id| net[id as usize]);
            if says == did {
                continue;
            }
            let of = if object.is_empty() { String::new() } else { format!(" of {object}") };
            let t = format!(
                "{} holds {says}{of} as {} read, but the first {count} entries of its journal add \
                 up to {did}",
                step.service,
                op.id()
            );
            tally.add(NAME, || anomaly(t, object, vec![op.id()], vec![state.value.to_string()]));
        }
    }
}

/// Every effect moved what its order said, and on what.
fn moved(
    history: &History,
    number: usize,
    step: &Step,
    evidence: &Evidence<'_>,
    journal: &Journal,
    tally: &mut Tally,
) {
    let Some(ledger) = &step.ledger else { return };
    let effects = &evidence.effects;
    for at in journal.range.clone() {
        let row = evidence.orders[effects.saga[at] as usize].row;
        let acts = matches!(effects.act[at], Act::Apply | Act::Compensate);
        if row == NONE || !acts || usize::from(effects.step[at]) != number {
            continue;
        }
        let order = history.row(row as usize);
        let Some(arg) = lent(history, order.arg_id()) else { continue };
        let wanted = ledger.measure.as_deref().map(|field| arg.get(field).and_then(Value::int));
        let on = ledger.object.as_deref().and_then(|field| arg.get(field)?.str()).unwrap_or("");
        let (did, object) = (effects.measure[at], evidence.objects[effects.object[at] as usize]);
        if wanted.is_none_or(|w| w.is_none_or(|w| w == did)) && on == object {
            continue;
        }
        let saga = evidence.sagas[effects.saga[at] as usize];
        let wanted = wanted.flatten().map_or(String::new(), |w| format!("{w} "));
        let t = format!(
            "{} of saga {saga} moved {did} {object} (position {} of the journal of {}), but {} \
             ordered {wanted}{on}",
            if effects.act[at] == Act::Apply { &step.name } else { &step.undo },
            at - journal.range.start,
            step.service,
            order.id()
        );
        let read = history.row(effects.row[at] as usize).id();
        let explain = vec![format!("ordered by {order}")];
        tally.add(NAME, || anomaly(t, saga, vec![order.id(), read], explain));
    }
}

/// The last state holds what committed sagas ordered.
fn totals(
    history: &History,
    step: &Step,
    evidence: &Evidence<'_>,
    records: &Groups,
    state: &State<'_>,
    tally: &mut Tally,
) {
    let Some(ledger) = &step.ledger else { return };
    let op = history.row(state.row as usize);
    let known = |row: u32| history.row(row as usize).res_rank() < op.inv_rank();
    let (mut least, mut most, mut under_way) = (0_i64, 0_i64, 0_u64);
    for (saga, order) in evidence.orders.iter().enumerate() {
        let records = records.of(saga);
        if order.row == NONE {
            if !records.is_empty() {
                return; // nobody knows what it moves
            }
            continue;
        }
        let arg = lent(history, history.row(order.row as usize).arg_id());
        let moves = match &ledger.measure {
            None => Some(1),
            Some(field) => arg.and_then(|arg| arg.get(field)?.int()),
        };
        let Some(moves) = moves.filter(|m| *m >= 0) else { return };
        use super::evidence::What;
        let ended = |what: What| {
            let at = records.iter().find(|r| evidence.decisions.what[**r as usize] == what);
            at.is_some_and(|at| known(evidence.decisions.row[*at as usize]))
        };
        if (order.committed && known(order.row)) || ended(What::Committed) {
            least += moves;
            most += moves;
        } else if !ended(What::Aborted)
            && history.row(order.row as usize).inv_rank() < op.res_rank()
        {
            most += moves;
            under_way += 1;
        }
    }
    let holds: i64 =
        objects(state.value, ledger).iter().map(|o| held(state.value, ledger, o)).sum();
    if (least..=most).contains(&holds) {
        return;
    }
    let t = format!(
        "{} holds {holds} in all as {} read, but sagas that had committed ordered {least}, and the \
         {under_way} others that may have been under way explain at most {} more",
        step.service,
        op.id(),
        most - least
    );
    tally.add(NAME, || anomaly(t, "", vec![op.id()], vec![state.value.to_string()]));
}
