//! All small histories of three processes. `DANSO_EXHAUSTIVE_OPS` says how small.

use danso_vocab::{HistoryBuilder, Model};

use super::*;
use crate::linearizable::tests::fuzz::env;

/// Whose event it is; what is called or, if something is open, how it ends.
type Step = (usize, usize);

/// Calls `each` with every sequence of events of at most three processes.
fn all(ops: usize, ends: &[(&'static str, Value)], each: &mut dyn FnMut(&[Step])) {
    fn go(
        ops: usize,
        ends: &[(&'static str, Value)],
        open: &mut [Option<usize>; 3],
        events: &mut Vec<Step>,
        begun: usize,
        each: &mut dyn FnMut(&[Step]),
    ) {
        each(events);
        let known = events.iter().map(|(p, _)| p + 1).max().unwrap_or(0);
        for p in 0..3.min(known + 1) {
            match open[p] {
                None if begun < ops => {
                    for f in 0..2 {
                        open[p] = Some(f);
                        events.push((p, f));
                        go(ops, ends, open, events, begun + 1, each);
                        events.pop();
                        open[p] = None;
                    }
                }
                Some(f) => {
                    let fits = |end: &usize| ends[*end].0 == ["acquire", "release"][f];
                    for end in (0..ends.len()).filter(fits) {
                        open[p] = None;
                        events.push((p, end));
                        go(ops, ends, open, events, begun, each);
                        events.pop();
                        open[p] = Some(f);
                    }
                }
                None => {}
            }
        }
    }
    go(ops, ends, &mut [None; 3], &mut Vec::new(), 0, each);
}

fn exhaust<M: Model + Clone>(model: &M, lock: Lock, ends: &[(&'static str, Value)], ops: usize) {
    let (mut tally, mut count) = (Tally::default(), 0_u64);
    all(ops, ends, &mut |events| {
        let mut builder = HistoryBuilder::new();
        builder.untimed();
        let mut open = [false; 3];
        for &(p, what) in events {
            let process = Process(p as u32);
            if open[p] {
                let outcome = Outcome::Ok(ends[what].1.clone());
                builder.complete(Time::ZERO, process, None, outcome).unwrap();
            } else {
                let call = Call::new(["acquire", "release"][what], ());
                let event = Event::Invoke { process, node: None, call };
                builder.push(Time::ZERO, event).unwrap();
            }
            open[p] = !open[p];
        }
        count += 1;
        compare(model, lock, &builder.finish(), &mut tally);
    });
    println!("{} {ops} operations, {count} histories: {tally:?}", model.name());
    assert!(tally.valid > 0 && !tally.refuted.is_empty());
}

#[test]
fn every_small_history() {
    let ops = env("DANSO_EXHAUSTIVE_OPS", 3) as usize;
    let no = || ("acquire", Value::Bool(false));
    let ends = [("acquire", NIL), no(), ("release", NIL)];
    exhaust(&Mutex, Lock::mutex(), &ends, ops);
    exhaust(&ReentrantMutex, Lock::reentrant(), &ends, ops);
    exhaust(&Semaphore::new(1), Lock::semaphore(1), &ends, ops);
    exhaust(&Semaphore::new(2), Lock::semaphore(2), &ends, ops);
    let tokens = [("acquire", 1.into()), ("acquire", 2.into()), no(), ("release", NIL)];
    exhaust(&FencedMutex, Lock::fenced(), &tokens, ops);
}
