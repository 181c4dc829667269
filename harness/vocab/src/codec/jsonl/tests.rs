use proptest::prelude::*;

use super::*;
use crate::{Call, Event, FaultId, NodeId, Note, Outcome, Process, Time, Value};

fn written(events: &[(Time, Event)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    for (time, event) in events {
        writer.write(*time, event).unwrap();
    }
    std::mem::take(writer.sink())
}

fn sample() -> Vec<(Time, Event)> {
    let invoke = |process, node, call| Event::Invoke { process: Process(process), node, call };
    let complete = |process, outcome| Event::Complete { process: Process(process), outcome };
    let note = Note::new("partition", Value::of([("cut", Value::from([[1, 2], [2, 1]]))]))
        .nodes([NodeId(1), NodeId(2)])
        .fault(FaultId(0));
    vec![
        (Time(5), invoke(0, Some(NodeId(1)), Call::new("write", 3).on("k\"1"))),
        (Time(7), Event::Note(note)),
        (Time(9), complete(0, Outcome::Ok(Value::Nil))),
        (Time(10), invoke(1, None, Call::new("read", ()))),
        (Time(12), complete(1, Outcome::Info("timeout".into()))),
    ]
}

#[test]
fn a_history_reads_as_it_was_written() {
    let loaded = read(&written(&sample()), Tail::Strict).unwrap();
    assert_eq!(loaded.torn_bytes, 0);
    let shown: Vec<String> = loaded.history.ops().map(|op| op.to_string()).collect();
    assert_eq!(shown, ["#1 p0 write \"k\\\"1\" 3 -> ok", "#4 p1 read -> info (timeout)"]);
    let (index, time, note) = loaded.history.notes().next().unwrap();
    assert_eq!((index, time), (2, Time(7)));
    assert_eq!(note.fault, Some(FaultId(0)));
    assert_eq!(note.nodes, [NodeId(1), NodeId(2)]);
}

#[test]
fn lines_look_like_jepsens() {
    let text = String::from_utf8(written(&sample())).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        r#"{"index":1,"time":5,"process":0,"type":"invoke","f":"write","key":"k\"1","value":3,"node":"n1"}"#
    );
    assert_eq!(
        lines[3],
        r#"{"index":3,"time":9,"process":0,"type":"ok","f":"write","key":"k\"1","value":null}"#
    );
}

#[test]
fn every_cut_of_a_recording_is_readable() {
    let bytes = written(&sample());
    for cut in 0..=bytes.len() {
        let loaded = read(&bytes[..cut], Tail::Torn).unwrap();
        let complete = bytes[..cut].iter().filter(|b| **b == b'\n').count();
        let read = loaded.history.len();
        assert!(read >= usize::from(complete >= 2), "cut at {cut}");
        if loaded.torn_bytes > 0 {
            super::read(&bytes[..cut], Tail::Strict).unwrap_err();
        }
    }
}

#[test]
fn errors_name_line_column_and_mend() {
    let cases = [
        ("{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":1}", 1, "without having invoked"),
        ("\n{\"process\":0", 2, "EOF"),
        ("{\"process\":0,\"type\":\"begin\",\"f\":\"read\"}", 14, "invoke, ok, fail or info"),
        ("{\"process\":\"me\",\"type\":\"ok\",\"f\":\"read\"}", 2, "number the clients"),
        ("{\"process\":0,\"type\":\"invoke\",\"f\":\"w\",\"value\":1.5}", 1, "no integer"),
        (
            "{\"format\":9,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"history\"}",
            1,
            "format 9",
        ),
    ];
    for (text, place, say) in cases {
        let error = read(text.as_bytes(), Tail::Strict).unwrap_err();
        assert!(error.to_string().contains(say), "{text}: {error}");
        assert!(error.line == place || error.column >= place, "{text}: {error}");
    }
    let two = "{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"}\n{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"}\n";
    assert_eq!(read(two.as_bytes(), Tail::Strict).unwrap_err().line, 2);
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, Tail::Strict);
    }

    #[test]
    fn no_edit_of_a_history_makes_the_reader_panic(at in 0usize..400, byte in any::<u8>()) {
        let mut bytes = written(&sample());
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes, Tail::Strict);
    }
}
