//! What is written reads back.

use proptest::prelude::*;

use super::*;
use crate::codec::edn::print;
use crate::codec::jsonl::Writer;
use crate::history::token::values;
use crate::{Call, Event, FaultId, NodeId, Note, Outcome, Process, Time, Value};

/// Any well-formed sequence of events.
pub(super) fn events() -> impl Strategy<Value = Vec<(Time, Event)>> {
    let step = (0usize..4, 0u64..1000, 0u8..12, values(), values(), any::<bool>());
    proptest::collection::vec(step, 0..24).prop_map(|steps| {
        let mut seats: [(u32, bool); 4] = [(0, false), (1, false), (2, false), (3, false)];
        let (mut next, mut time) = (4, 0);
        let mut events = Vec::new();
        for (seat, passes, how, a, b, keyed) in steps {
            time += passes;
            let (process, open) = seats[seat];
            let process = Process(process);
            let event = if how == 0 {
                let note = Note::new("partition", a).nodes([NodeId(2)]).fault(FaultId(3));
                Event::Note(note)
            } else if open {
                seats[seat].1 = false;
                let outcome = match how {
                    1 => {
                        seats[seat].0 = next;
                        next += 1;
                        Outcome::Info("time \"out\"".into())
                    }
                    2 => Outcome::Fail("no".into()),
                    _ => Outcome::Ok(a),
                };
                Event::Complete { process, outcome }
            } else {
                seats[seat].1 = true;
                let f = if how % 2 == 0 { "read" } else { "write" };
                let call =
                    Call { f: f.into(), key: keyed.then_some(b).filter(|b| !b.is_nil()), arg: a };
                Event::Invoke { process, node: keyed.then_some(NodeId(1)), call }
            };
            events.push((Time(time), event));
        }
        events
    })
}

/// The events as EDN, in the order and with the trimmings that `style` asks for.
fn edn(events: &[(Time, Event)], style: u8) -> String {
    let mut open = rustc_hash::FxHashMap::default();
    let mut out = String::new();
    for (index, (time, event)) in (0..).zip(events) {
        let mut fields = vec![(":index", Value::Int(index)), (":time", Value::Int(time.0 as i64))];
        let mut word = |name, word: &str| fields.push((name, Value::from(word)));
        match event {
            Event::Invoke { process, node, call } => {
                word(":type", "invoke");
                word(":f", &call.f);
                open.insert(*process, call.clone());
                fields.push((":process", Value::Int(i64::from(process.0))));
                fields.push((":value", call.arg.clone()));
                fields.extend(call.key.clone().map(|key| (":key", key)));
                fields.extend(node.map(|node| (":node", Value::from(node.to_string()))));
            }
            Event::Complete { process, outcome } => {
                word(":f", &open[process].f);
                match outcome {
                    Outcome::Ok(_) => word(":type", "ok"),
                    Outcome::Fail(reason) => {
                        word(":type", "fail");
                        word(":error", reason);
                    }
                    Outcome::Info(reason) => {
                        word(":type", "info");
                        word(":error", reason);
                    }
                }
                fields.push((":process", Value::Int(i64::from(process.0))));
                if let Outcome::Ok(value) = outcome {
                    fields.push((":value", value.clone()));
                }
            }
            Event::Note(note) => {
                word(":process", "nemesis");
                word(":type", "info");
                word(":f", &note.f);
                fields.push((":value", note.value.clone()));
                let nodes: Vec<_> = note.nodes.iter().map(|n| Value::from(n.to_string())).collect();
                fields.push((":nodes", Value::List(nodes)));
                fields.extend(note.fault.map(|id| (":fault", Value::Int(i64::from(id.0)))));
            }
        }
        if style & 1 == 1 {
            fields.reverse();
        }
        out.push_str(if style & 2 == 2 { "#a/b {:other #{1 [2]} " } else { "{" });
        for (name, value) in fields {
            out.push_str(name);
            out.push(' ');
            print(&value, &mut out);
            out.push_str(if style & 4 == 4 { ",\n; note }\n " } else { ", " });
        }
        out.push_str(if style & 4 == 4 { "#_ [{] \n".trim_end_matches("[{] \n") } else { "" });
        out.push_str(if style & 4 == 4 { "skipped}\n" } else { "}\n" });
    }
    if style & 8 == 8 { format!("[{out}]") } else { out }
}

proptest! {
    #[test]
    fn every_history_reads_as_it_was_written(events in events(), style in 0u8..16) {
        let want = seen(&History::of(events.clone()).unwrap());
        let mut writer = Writer::new(Vec::new()).unwrap();
        for (time, event) in &events {
            writer.write(*time, event).unwrap();
        }
        let bytes = std::mem::take(writer.sink());
        let options =
            Options { format: Some(Format::Jsonl), independent: Some(false), ..Options::default() };
        let loaded = read(bytes.as_slice(), &options).unwrap();
        // The first line counts too.
        let indices = |line: &String| line.contains('#') || line.starts_with('(');
        prop_assert!(want.iter().all(indices));
        prop_assert_eq!(loaded.history.len() + loaded.history.notes().count(), want.len());
        let text = edn(&events, style);
        let options = Options { format: Some(Format::Edn), ..options };
        let from_edn = read(text.as_bytes(), &options).unwrap_or_else(|e| panic!("{text}\n{e}"));
        prop_assert_eq!(seen(&from_edn.history), want);
        // In danso's own file everything is one line further down.
        let shift = |h: &History, by: u32| -> Vec<String> {
            h.ops().map(|op| {
                let res = op.res_index().map(|i| i - by);
                format!("{} {:?} {:?} {:?} {} {:?} {} {}", op.id().0 - by, res, op.key(), op.arg(), op.f(), op.ret(), op.inv_rank(), op.res_rank())
            }).collect()
        };
        prop_assert_eq!(shift(&loaded.history, 1), shift(&from_edn.history, 0));
        prop_assert!(from_edn.notices.iter().all(|n| n.contains("no operations")));
    }
}
