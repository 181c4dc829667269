//! Live checking of the same histories: it sees the first violation at the event that makes the
//! history so far impossible, as the check of what was recorded until then confirms.

use danso_checkers::linearizable;
use danso_checkers::models::CasRegister;
use danso_vocab::{Call, Event, History, Limits, Outcome, Time, Value, Verdict};

/// The invocations and responses by rank, one tick apart.
fn events(history: &History) -> Vec<(Time, Event)> {
    let mut events = Vec::new();
    for op in history.ops() {
        let (process, arg) = (op.process(), op.arg().into_owned());
        let call = Call { f: op.f().to_owned().into(), key: None, arg };
        events.push((op.inv_rank(), Event::Invoke { process, node: None, call }));
        if op.res_rank() != History::NEVER {
            let ret = op.ret().map(|ret| ret.into_owned());
            let outcome = ret.map_or(Outcome::Fail("refused".into()), Outcome::Ok);
            events.push((op.res_rank(), Event::Complete { process, outcome }));
        }
    }
    events.sort_by_key(|(rank, _)| *rank);
    events.into_iter().map(|(rank, event)| (Time(rank.into()), event)).collect()
}

/// Live checking agrees with `verdict`, and on when it came to light.
pub(crate) fn agrees(history: &History, verdict: Verdict) {
    let checker = linearizable(CasRegister::new(Value::Nil));
    let check = |events: &[(Time, Event)]| {
        let prefix = History::of(events.to_vec()).unwrap();
        checker.check(&prefix, &Limits::default()).verdict
    };
    let events = events(history);
    let mut live = checker.live(&Limits::default()).unwrap();
    let mut at = 0;
    let mut seen = events.iter().zip(0..).find_map(|((time, event), index)| {
        at = index as usize;
        live.event(index, *time, event)
    });
    if seen.is_none() {
        at += 1;
        seen = live.finish();
    }
    assert_eq!(seen.is_some(), verdict == Verdict::Invalid);
    assert_eq!(live.left_out(), Vec::<String>::new());
    if let Some(violation) = seen {
        // Each event counts when the next one comes.
        assert_eq!(check(&events[..at]), Verdict::Invalid, "{}", violation.because);
        assert_ne!(check(&events[..at - 1]), Verdict::Invalid, "{}", violation.because);
    }
}
