//! The streaming builder against what it replaced, and what it costs.

use proptest::prelude::*;

use super::*;

/// The ranks by the definition: all events at hand, neighbours with equal stamps sorted.
fn ranks(events: &[(u64, usize, bool)]) -> Vec<(usize, bool)> {
    let mut events = events.to_vec();
    if events.windows(2).any(|w| w[0].0 != w[1].0) {
        let mut from = 0;
        while from < events.len() {
            let run = events[from..].iter().take_while(|e| e.0 == events[from].0).count();
            events[from..from + run].sort_by_key(|e| e.2);
            from += run;
        }
    }
    events.into_iter().map(|(_, row, end)| (row, end)).collect()
}

proptest! {
    #[test]
    fn ranks_are_those_of_the_definition(
        steps in proptest::collection::vec((0u32..4, 0u64..3, 0u8..4), 0..40),
        untimed in any::<bool>(),
    ) {
        let mut builder = HistoryBuilder::new();
        let (mut open, mut next) = ([None; 4], 4u32);
        let mut processes = [0, 1, 2, 3];
        let (mut time, mut rows) = (0, 0);
        let mut events = Vec::new();
        for (seat, passes, how) in steps {
            time += passes / 2;
            let at = seat as usize;
            let process = Process(processes[at]);
            match open[at].take() {
                None => {
                    let arg = Value::Int(rows as i64);
                    builder.invoke(Time(time), process, None, "write", None, arg).unwrap();
                    events.push((time, rows, false));
                    open[at] = Some(rows);
                    rows += 1;
                }
                Some(row) if how > 0 => {
                    builder.complete(Time(time), process, None, Outcome::Ok(Value::Nil)).unwrap();
                    events.push((time, row, true));
                }
                Some(_) => {
                    builder.complete(Time(time), process, None, Outcome::Info("?".into())).unwrap();
                    processes[at] = next;
                    next += 1;
                }
            }
        }
        if untimed {
            builder.untimed();
            events.iter_mut().for_each(|e| e.0 = 0);
        }
        let history = builder.finish();
        let mut wanted = vec![(History::NEVER, History::NEVER); rows];
        for (rank, (row, end)) in (0..).zip(ranks(&events)) {
            if end { wanted[row].1 = rank } else { wanted[row].0 = rank }
        }
        let got: Vec<_> = history.ops().map(|op| (op.inv_rank(), op.res_rank())).collect();
        prop_assert_eq!(got, wanted);
    }
}

#[test]
fn a_long_history_takes_little_memory() {
    const OPS: u32 = 200_000;
    let mut builder = HistoryBuilder::new();
    for i in 0..OPS {
        let process = Process(i % 10);
        let key = Some(Value::from(format!("k{}", i % 8)));
        let time = Time(u64::from(i) * 1000);
        builder.invoke(time, process, None, "write", key, Value::Int(i64::from(i))).unwrap();
        builder.complete(time, process, Some("write"), Outcome::Ok(Value::Nil)).unwrap();
    }
    let history = builder.finish();
    let per_op = history.bytes() as f64 / f64::from(OPS);
    assert!(history.bytes() >= History::ROW_BYTES * OPS as usize, "{per_op} bytes cannot be true");
    assert!(per_op <= 64.0, "{per_op} bytes an operation");
}

#[test]
fn bytes_count_what_values_own() {
    let of = |text: &str| history([(1, invoke(0, "write", text)), (2, ok(0, ()))]).unwrap().bytes();
    assert!(of(&"x".repeat(10_000)) >= of("x") + 9_999);
}
