//! Histories as text.

use std::fmt::Write as _;

use danso_vocab::codec::jsonl::Writer;
use danso_vocab::{Call, Event, History, Outcome, Rng, Status, Time};

/// Clients at work.
const PROCESSES: u64 = 10;
/// Registers they work on.
const KEYS: u64 = 8;

/// The events of a history of `ops` operations on registers: index, process, type, f, key, value.
fn events(ops: u64, mut each: impl FnMut(u64, u64, &str, &str, u64, Option<u64>)) {
    let mut rng = Rng::new(7);
    let mut index = 0;
    let mut written = 0;
    let mut open: Vec<(u64, &str, u64)> = Vec::new();
    let mut begun = 0;
    while begun < ops || !open.is_empty() {
        let finish = open.len() as u64 == PROCESSES || begun == ops || rng.below(2) == 0;
        if finish && !open.is_empty() {
            let (process, f, key) = open.swap_remove(rng.below(open.len() as u64) as usize);
            let value = (f == "read").then(|| rng.below(written.max(1)));
            each(index, process, "ok", f, key, value);
        } else if begun < ops {
            let process = (0..PROCESSES).find(|p| open.iter().all(|o| o.0 != *p)).unwrap();
            let (f, key) = (if rng.below(2) == 0 { "read" } else { "write" }, rng.below(KEYS));
            let value = (f == "write").then(|| {
                written += 1;
                written
            });
            each(index, process, "invoke", f, key, value);
            open.push((process, f, key));
            begun += 1;
        }
        index += 1;
    }
}

/// A history in danso's own format.
pub(crate) fn jsonl(ops: u64) -> String {
    let mut out = String::new();
    events(ops, |index, process, kind, f, key, value| {
        let value = value.map_or("null".to_owned(), |v| v.to_string());
        let node = if kind == "invoke" {
            format!(",\"node\":\"n{}\"", process % 5 + 1)
        } else {
            String::new()
        };
        let time = index * 104_729;
        writeln!(
            out,
            "{{\"index\":{index},\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"k{key}\",\"value\":{value}{node}}}"
        )
        .unwrap();
    });
    out
}

/// The same as Jepsen writes it, of one register.
pub(crate) fn edn(ops: u64) -> String {
    let mut out = String::new();
    events(ops, |index, process, kind, f, _, value| {
        let value = value.map_or("nil".to_owned(), |v| v.to_string());
        let time = index * 104_729;
        writeln!(
            out,
            "{{:type :{kind}, :f :{f}, :value {value}, :process {process}, :time {time}, :index {index}}}"
        )
        .unwrap();
    });
    out
}

/// A recorded history in danso's own format.
pub(crate) fn of(history: &History) -> Vec<u8> {
    let mut events: Vec<(u32, Time, Event)> = Vec::with_capacity(2 * history.len());
    for op in history.ops() {
        let process = op.process();
        let call = Call::new(op.f().to_owned(), op.arg().into_owned());
        let invoke = Event::Invoke { process, node: None, call };
        events.push((op.id().0, op.inv_time(), invoke));
        let outcome = match (op.status(), op.ret()) {
            (_, Some(ret)) => Outcome::Ok(ret.into_owned()),
            (Status::Fail, _) => Outcome::Fail("refused".into()),
            _ => Outcome::Info("timeout".into()),
        };
        if let (Some(index), Some(time)) = (op.res_index(), op.res_time()) {
            events.push((index, time, Event::Complete { process, outcome }));
        }
    }
    events.sort_by_key(|(index, ..)| *index);
    let mut writer = Writer::new(Vec::new()).expect("memory can be written to");
    for (_, time, event) in events {
        writer.write(time, &event).expect("memory can be written to");
    }
    std::mem::take(writer.sink())
}
