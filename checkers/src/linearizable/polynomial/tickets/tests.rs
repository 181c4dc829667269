//! Against the oracle, at random and exhaustively, and the traps one by one.

use danso_vocab::{Call, Event, History, Op, Outcome, Process, Time, Value};

use super::super::testing::{Tally, Trial, every};
use super::super::{Decision, How, Part, Polynomial};
use super::Tickets;
use crate::linearizable::tests::fuzz::env;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::FetchAndIncrement;

fn trial(procedure: &Tickets, initial: i64) -> Trial<'_, FetchAndIncrement> {
    // Who got the most can be taken out, but no core has more than it needs of the others.
    let units = |_: &[Op<'_>]| Vec::new();
    Trial { model: FetchAndIncrement::new(initial), procedure, units }
}

#[expect(clippy::ptr_arg, reason = "all behaviours have one type")]
fn behave(state: &mut Vec<i64>, _: &Call) -> Option<Value> {
    state[0] += 1;
    Some((state[0] - 1).into())
}

#[test]
fn agrees_with_the_oracle() {
    let procedure = Tickets::new(3);
    let tally = trial(&procedure, 3).fuzz("tickets", 8_000, |rng| {
        let shape = Shape {
            behaviour: behave,
            init: vec![3],
            draw: |_, _, _| Call::new("fai", ()),
            domain: 9,
            unique: false,
            processes: rng.between(2, 6) as usize,
            ops: rng.between(2, 12) as usize,
            crash: *rng.pick(&[0, 10, 30, 50]).unwrap(),
            keys: 0,
            touch: *rng.pick(&[0, 20, 60]).unwrap(),
            lies: rng.below(4),
        };
        simulate::history(rng, &shape)
    });
    tally.shows_both();
    assert_eq!(tally.unfit, 0);
}

/// All small histories; `DANSO_EXHAUSTIVE_OPS` says how small.
#[test]
fn every_small_history() {
    let mut kinds = vec![(Call::new("next", ()), None)];
    kinds.extend((0..5).map(|v| (Call::new("next", ()), Some(Value::from(v)))));
    let (procedure, mut tally) = (Tickets::new(1), Tally::default());
    every(env("DANSO_EXHAUSTIVE_OPS", 4) as usize, &kinds, |history| {
        trial(&procedure, 1).one(history, &mut tally);
    });
    tally.shows_both();
    assert_eq!(tally.unfit, 0);
}

fn refuted(answers: &[Option<i64>]) -> (String, Vec<u32>, String) {
    let events = (0..).zip(answers).flat_map(|(i, answer)| {
        let process = Process(i);
        let begin = Event::Invoke { process, node: None, call: Call::new("inc", ()) };
        let outcome = match answer {
            Some(value) => Outcome::Ok((*value).into()),
            None => Outcome::Info("timeout".into()),
        };
        [begin, Event::Complete { process, outcome }]
    });
    let history = History::of((1..).map(Time).zip(events)).unwrap();
    let rows: Vec<u32> = (0..history.len() as u32).collect();
    let part = Part { history: &history, rows: &rows };
    match Tickets::new(0).decide(&part, &How::default()) {
        Decision::Refuted(refuted) => (refuted.name.into_owned(), refuted.rows, refuted.because),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_way_to_be_wrong_has_its_words() {
    let same = refuted(&[Some(0), Some(0)]);
    assert_eq!((same.0.as_str(), same.1), ("lost-update", vec![1, 0]));
    assert_eq!(same.2, "p1's inc -> 0 (#2) and p0's inc -> 0 (#0) got the same number");
    let order = refuted(&[Some(1), Some(0)]);
    assert_eq!((order.0.as_str(), order.1), ("reordered", vec![1, 0]));
    assert_eq!(
        order.2,
        "p1's inc -> 0 (#2) although p0's inc -> 1 (#0), which got more, had finished 1 ns before it began"
    );
    let skipped = refuted(&[None, Some(2), None]);
    assert_eq!((skipped.0.as_str(), skipped.1), ("skipped", vec![1, 0]));
    assert_eq!(
        skipped.2,
        "p1's inc -> 2 (#2) although nobody got 2 of the numbers before, and only 1 call of unknown outcome began before it ended"
    );
    assert_eq!(refuted(&[Some(-1)]).0, "thin-air");
    assert_eq!(refuted(&[Some(9)]).0, "thin-air");
}
