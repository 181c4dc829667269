//! The fast way and the slow way say the same.

use proptest::prelude::*;

use super::*;

const FIELDS: [Field; 12] = [
    Field::Format,
    Field::Index,
    Field::Time,
    Field::Process,
    Field::Type,
    Field::F,
    Field::Key,
    Field::Value,
    Field::Error,
    Field::Node,
    Field::Fault,
    Field::Nodes,
];

fn fields(row: &Row<'_>) -> Vec<Value> {
    FIELDS.iter().map(|field| row.value(*field).value()).collect()
}

/// If the fast way understands it, the slow way says the same of it. Whether it did, whatever the
/// row before looked like.
fn agree(object: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(object) else { return false };
    let before = [
        "",
        r#"{"index":1,"time":5,"process":0,"type":"ok","f":"r","key":"k","value":3,"node":"n1"}"#,
        r#"{"value":1,"process":2,"value":3}"#,
    ];
    let understood = before.map(|before| {
        let mut row = Row::default();
        scan::object(before, &mut row);
        if !scan::object(text, &mut row) {
            return false;
        }
        let slowly =
            slow(object).unwrap_or_else(|error| panic!("only the fast way takes {text}: {error}"));
        assert_eq!(fields(&row), fields(&slowly), "{text}");
        true
    });
    assert!(understood.iter().all(|one| *one == understood[0]), "{text}");
    understood[0]
}

#[test]
fn what_danso_writes_goes_the_fast_way() {
    for line in [
        r#"{"index":1,"time":5,"process":0,"type":"invoke","f":"write","key":"k1","value":3,"node":"n1"}"#,
        r#"{"index":3,"time":9,"process":0,"type":"ok","f":"cas","key":"k1","value":[1,[2,"é"]]}"#,
        r#" { "process" : 0 , "type" : "ok" , "other" : [ true , -4 , null ] } "#,
    ] {
        assert!(agree(line.as_bytes()), "{line}");
    }
}

#[test]
fn odd_lines_go_the_slow_way() {
    for line in [
        r#"{"value":01}"#,
        r#"{"value":-0}"#,
        r#"{"value":1.0}"#,
        r#"{"value":1e3}"#,
        r#"{"value":9223372036854775807}"#,
        r#"{"value":"a\n"}"#,
        r#"{"value":{}}"#,
        r#"{"value":1,"value":1}"#,
        r#"{"value":1,}"#,
        r#"{}"#,
        r#"{"value":nul}"#,
        "{\"value\":1}\u{c}",
        "{\"value\":\"\t\"}",
        r#"{"value":1}{"#,
        r#"[1]"#,
    ] {
        assert!(!agree(line.as_bytes()), "{line}");
    }
    assert!(!agree(b"{\"value\":\"\xff\"}"));
    assert!(!agree(b"{\"\xff\":1}"));
}

/// JSON and things near it.
fn objects() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-7",
        "12",
        "007",
        "1.0",
        "1e2",
        "999999999999999999",
        "9999999999999999999",
        "\"\"",
        "\"nemesis\"",
        "\"k\\u0041\"",
        "\"é\"",
        "\"a\\\"b\"",
        "[]",
        "[1,[2,\"x\"]]",
        "[1,]",
        "{\"a\":[1]}",
        "\"n3\"",
        "nul",
        "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
    ]);
    let name = proptest::sample::select(vec![
        "index", "time", "process", "type", "f", "value", "key", "error", "node", "x", "nodes",
        "é", "fault", "format", "\\u0066",
    ]);
    let space = proptest::sample::select(vec!["", "", "", " ", "\t", "\r", "\u{c}"]);
    let entry = (name, word, space.clone(), space.clone())
        .prop_map(|(name, word, a, b)| format!("\"{name}\"{a}:{b}{word}"));
    (proptest::collection::vec(entry, 0..6), space)
        .prop_map(|(entries, space)| format!("{space}{{{}{space}}}{space}", entries.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_fast_way_agrees_with_the_slow_one(
        text in objects(),
        edits in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..3),
    ) {
        agree(text.as_bytes());
        let mut bytes = text.into_bytes();
        for (at, byte) in edits {
            let at = at % bytes.len();
            bytes[at] = if byte < 128 { b"{}[]:,\"\\ 01-en"[usize::from(byte) % 14] } else { byte };
        }
        agree(&bytes);
    }
}
