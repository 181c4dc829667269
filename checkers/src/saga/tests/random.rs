//! Random small businesses, sound and mutilated, against the oracle.

use std::collections::BTreeSet;

use danso_vocab::{Rng, Value, Verdict};

use super::figures;
use super::oracle::{is_legal, is_possible};
use super::story::{Heard, STEPS, Story, entry, record};

/// What happens to one saga, in order: an effect of a step or a record of the decider.
enum Happens {
    Effect(usize, &'static str),
    Record(String),
}

fn script(rng: &mut Rng) -> (Vec<Happens>, Heard) {
    use Happens::{Effect, Record};
    let record = |what: &str| Record(what.to_owned());
    let mut all = vec![record("begin")];
    let done = if rng.chance(1, 3) { 3 } else { rng.below(4) as usize };
    let commits = done == 3 && rng.chance(2, 3);
    for (step, name) in STEPS.iter().enumerate().take(done) {
        all.push(Effect(step, "apply"));
        if rng.chance(3, 4) {
            all.push(record(name));
        }
    }
    if commits {
        all.extend([record("commit"), record("committed")]);
    } else {
        all.push(record("abort"));
        if done < 3 && rng.chance(1, 2) {
            all.push(Effect(done, "null-compensation"));
        }
        for step in (0..done).rev() {
            all.push(Effect(step, "compensate"));
            if rng.chance(3, 4) {
                all.push(Record(format!("-{}", STEPS[step])));
            }
        }
        all.push(record("aborted"));
    }
    let heard = match (rng.below(4), commits) {
        (0, _) => Heard::Nothing,
        (_, true) => Heard::Committed,
        (1, false) => Heard::Failed,
        (_, false) => Heard::Aborted,
    };
    (all, heard)
}

/// A sound business of a few sagas under way at once.
fn sound(rng: &mut Rng) -> Story {
    let mut story = Story::default();
    let mut scripts: Vec<(String, std::vec::IntoIter<Happens>)> = Vec::new();
    for i in 0..=rng.below(2) {
        let (script, heard) = script(rng);
        story = story.order(&format!("s{i}"), heard);
        scripts.push((format!("s{i}"), script.into_iter()));
    }
    while !scripts.is_empty() {
        let i = rng.below(scripts.len() as u64) as usize;
        let (saga, script) = &mut scripts[i];
        match script.next() {
            None => drop(scripts.swap_remove(i)),
            Some(Happens::Record(what)) => story.decider.push(record(saga, &what)),
            Some(Happens::Effect(step, kind)) => {
                // A service may know less than everything, but not of later records.
                let known = story.decider.len() as u64;
                let after = if rng.chance(2, 3) { known } else { rng.below(known + 1) };
                story.journals[step].push(entry(step, saga, kind, after as usize));
            }
        }
    }
    story
}

/// One thing goes wrong.
fn mutilate(rng: &mut Rng, story: &mut Story) {
    let journal = match rng.below(5) {
        j @ 0..3 => &mut story.journals[j as usize],
        _ => &mut story.decider,
    };
    let at = rng.below(journal.len() as u64) as usize;
    if journal.is_empty() {
        return;
    }
    match rng.below(6) {
        0 => drop(journal.remove(at)),
        1 => {
            let to = rng.below(journal.len() as u64 + 1) as usize;
            journal.insert(to, journal[at].clone());
        }
        2 => {
            let other = rng.below(journal.len() as u64) as usize;
            journal.swap(at, other);
        }
        3 => {
            let records = rng.below(14) as i64;
            if let Value::Map(map) = &mut journal[at]
                && map.contains_key("after")
            {
                map.insert("after".to_owned(), records.into());
            }
        }
        4 => {
            if let Value::Map(map) = &mut journal[at] {
                let saga = format!("s{}", rng.below(3));
                map.insert("saga".to_owned(), saga.into());
            }
        }
        _ => {
            let i = rng.below(story.orders.len() as u64) as usize;
            let heards = [Heard::Committed, Heard::Aborted, Heard::Failed, Heard::Nothing];
            story.orders[i].1 = heards[rng.below(4) as usize];
        }
    }
}

/// Names that speak of more than one saga, which the oracle does not know.
const BEYOND: [&str; 3] = ["conservation-violated", "idempotency-key-reused", "dirty-read"];

/// Compares checker and oracle; says whether the business was legal.
fn agree(story: &Story, what: &str) -> bool {
    let finding = story.finding();
    let sagas = |entries: &[Value]| -> BTreeSet<String> {
        let saga = |e: &Value| e.get("saga").and_then(Value::str).unwrap_or("").to_owned();
        entries.iter().map(saga).collect()
    };
    let mut all: BTreeSet<String> = story.orders.iter().map(|(s, _)| s.clone()).collect();
    all.extend(story.journals.iter().flat_map(|j| sagas(j)));
    all.extend(sagas(&story.decider));
    let counted: u64 = finding
        .stats
        .iter()
        .filter(|(name, _)| name.starts_with("anomalies-"))
        .map(|(_, count)| *count)
        .sum();
    assert!(finding.verdict != Verdict::Invalid || counted > 0);
    for anomaly in finding.anomalies.iter().filter(|a| !BEYOND.contains(&&*a.name)) {
        figures::graph(anomaly);
    }
    let accused: BTreeSet<String> = finding
        .anomalies
        .iter()
        .filter(|a| !BEYOND.contains(&&*a.name))
        .filter_map(|a| Some(a.key.as_ref()?.str()?.to_owned()))
        .collect();
    let guilty: BTreeSet<String> = all.into_iter().filter(|s| !is_legal(story, s)).collect();
    // Of many anomalies only some are shown.
    let all_shown = counted == finding.anomalies.len() as u64;
    let same = if all_shown { accused == guilty } else { accused.is_subset(&guilty) };
    assert!(same, "{what}: accused {accused:?}, guilty {guilty:?}\n{story:#?}\n{finding:#?}");
    guilty.is_empty()
}

#[test]
fn sound_businesses_are_legal() {
    let rng = Rng::new(17);
    for case in 0..1_000 {
        let story = sound(&mut rng.split(&case.to_string()));
        assert!(is_possible(&story), "case {case}: {story:#?}");
        assert!(agree(&story, &format!("case {case}")), "case {case}: {story:#?}");
    }
}

#[test]
fn mutilated_businesses_are_judged_as_the_oracle_judges_them() {
    let rng = Rng::new(18);
    let (mut legal, mut illegal) = (0, 0);
    for case in 0..4_000 {
        let mut rng = rng.split(&case.to_string());
        let mut story = sound(&mut rng);
        for _ in 0..=rng.below(3) {
            mutilate(&mut rng, &mut story);
        }
        if !is_possible(&story) {
            continue; // no journals of anything that can happen
        }
        if agree(&story, &format!("case {case}")) {
            legal += 1;
        } else {
            illegal += 1;
        }
    }
    assert!(legal > 200 && illegal > 1_000, "{legal} legal, {illegal} illegal");
}
