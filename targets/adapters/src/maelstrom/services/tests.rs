use std::collections::BTreeSet;

use super::*;

fn ask(services: &mut Services, name: &str, src: &str, body: Json) -> Json {
    services.answer(name, src, body.as_object().unwrap(), 7)
}

fn code(answer: &Json) -> Option<i64> {
    answer["code"].as_i64()
}

#[test]
fn all_stores_know_the_same_words() {
    for name in &NAMES[..3] {
        let mut services = Services::default();
        let mut ask = |body| ask(&mut services, name, "n1", body);
        assert_eq!(code(&ask(json!({ "type": "read", "key": 1 }))), Some(20));
        assert_eq!(code(&ask(json!({ "type": "cas", "key": 1, "from": 1, "to": 2 }))), Some(20));
        assert_eq!(code(&ask(json!({ "type": "delete", "key": 1 }))), Some(10));
        assert_eq!(code(&ask(json!({ "type": "write", "key": 1 }))), Some(12));
        let create = json!({
            "type": "cas", "key": [1], "from": 0, "to": 5, "create_if_not_exists": true
        });
        assert_eq!(ask(create)["type"], "cas_ok");
        assert_eq!(ask(json!({ "type": "write", "key": "x", "value": null }))["type"], "write_ok");
    }
}

#[test]
fn a_linear_store_has_one_state() {
    let mut services = Services::default();
    let mut ask = |body| ask(&mut services, "lin-kv", "n1", body);
    for value in 0..50 {
        ask(json!({ "type": "write", "key": "x", "value": value }));
        assert_eq!(ask(json!({ "type": "read", "key": "x" }))["value"], value);
    }
    assert_eq!(code(&ask(json!({ "type": "cas", "key": "x", "from": 1, "to": 2 }))), Some(22));
    assert_eq!(ask(json!({ "type": "cas", "key": "x", "from": 49, "to": 2 }))["type"], "cas_ok");
    assert_eq!(ask(json!({ "type": "read", "key": "x" }))["value"], 2);
}

#[test]
fn a_sequential_store_answers_from_the_past_but_never_goes_back() {
    let mut services = Services::default();
    let mut stale = 0;
    let mut last = -1;
    for value in 0..500 {
        let write = json!({ "type": "write", "key": "x", "value": value });
        assert_eq!(ask(&mut services, "seq-kv", "n1", write)["type"], "write_ok");
        // Its own writes a node sees.
        let read = || json!({ "type": "read", "key": "x" });
        assert_eq!(ask(&mut services, "seq-kv", "n1", read())["value"], value);
        let answer = ask(&mut services, "seq-kv", "n2", read());
        let Some(seen) = answer["value"].as_i64() else { continue };
        assert!(seen >= last && seen <= value, "{seen} after {last}, of {value}");
        assert!(seen + 32 >= value, "only the last states are kept");
        stale += i64::from(seen < value);
        last = seen;
    }
    assert!(stale > 100, "{stale}");
    // Whoever changes something sees the newest state.
    let cas = json!({ "type": "cas", "key": "x", "from": 499, "to": 1_000 });
    let took = (0..40).any(|_| ask(&mut services, "seq-kv", "n2", cas.clone())["type"] == "cas_ok");
    assert!(took);
    assert!(services.sequential.kept("\"x\"") <= 33);
}

#[test]
fn where_the_last_write_wins_others_are_forgotten() {
    let mut services = Services::default();
    let mut seen = BTreeSet::new();
    for value in 0..200 {
        ask(&mut services, "lww-kv", "n1", json!({ "type": "write", "key": "x", "value": value }));
        let answer = ask(&mut services, "lww-kv", "n1", json!({ "type": "read", "key": "x" }));
        seen.insert(answer["value"] == value);
    }
    assert_eq!(seen.len(), 2, "some writes are seen at once, some are not");
    // With enough talk all replicas agree.
    for _ in 0..500 {
        ask(&mut services, "lww-kv", "n1", json!({ "type": "read", "key": "x" }));
    }
    let finals: BTreeSet<String> = (0..100)
        .map(|_| ask(&mut services, "lww-kv", "n1", json!({ "type": "read", "key": "x" })))
        .map(|answer| answer.to_string())
        .collect();
    assert_eq!(finals.len(), 1, "{finals:?}");
}

#[test]
fn times_are_given_out_once() {
    let mut services = Services::default();
    let times: Vec<_> = (0..5)
        .map(|_| ask(&mut services, "lin-tso", "n1", json!({ "type": "ts" }))["ts"].as_i64())
        .collect();
    assert_eq!(times, (0..5).map(Some).collect::<Vec<_>>());
    assert_eq!(code(&ask(&mut services, "lin-tso", "n1", json!({ "type": "read" }))), Some(10));
}
