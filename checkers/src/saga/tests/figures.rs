//! What is drawn of a saga is what is said of it, and what is wrong in it is marked.

use danso_vocab::figure::{Figure, Graph};
use danso_vocab::{Anomaly, Value};

use super::story::{Heard, Story, entry, shown};

/// The graph of an anomaly, if it has one, after it was compared with the explanation.
pub(super) fn graph(anomaly: &Anomaly) -> Option<&Graph> {
    let Figure::Graph(graph) = anomaly.figure.as_ref()? else { panic!("{anomaly:#?}") };
    let saga = anomaly.key.as_ref().and_then(Value::str).unwrap();
    let word = |at: u32| &graph.vertices[at as usize].words;
    let mut said = anomaly.explain.iter().filter(|l| l.starts_with("edge ")).collect::<Vec<_>>();
    for edge in &graph.edges {
        let (a, b) = (word(edge.from), word(edge.to));
        let line = format!("edge {a}({saga}) -> {b}({saga}): {} ({})", edge.words, edge.kind);
        match said.iter().position(|l| **l == line) {
            Some(at) => drop(said.remove(at)),
            // Only what never happened is drawn and not told.
            None => assert!(edge.guilty && (line.contains(": never")), "{line}: {anomaly:#?}"),
        }
    }
    assert!(said.is_empty(), "not drawn: {said:?}");
    for vertex in &graph.vertices {
        let place = vertex.place.as_ref().unwrap();
        let Some(op) = vertex.op else { continue };
        let line = format!("node {}({saga}): {place}[", vertex.words);
        let told = |l: &String| l.starts_with(&line) && l.ends_with(&format!("read by {op}"));
        assert!(anomaly.explain.iter().any(told), "{line} {anomaly:#?}");
        assert!(anomaly.ops.contains(&op), "{anomaly:#?}");
    }
    Some(graph)
}

/// What is wrong in the picture of an anomaly: `a -> b (kind)`.
fn guilty(story: &Story, name: &str) -> Vec<String> {
    let finding = story.finding();
    let graph = graph(shown(&finding, name)).unwrap().clone();
    let word = |at: u32| &graph.vertices[at as usize].words;
    let wrong = graph.edges.iter().filter(|e| e.guilty);
    let mut wrong: Vec<_> =
        wrong.map(|e| format!("{} -> {} ({})", word(e.from), word(e.to), e.kind)).collect();
    wrong.sort();
    wrong
}

#[test]
fn an_order_against_the_rules_is_the_rule_and_what_was_seen() {
    let story = Story::default().undone("s1", 2, 0..2);
    let wrong = ["refund -> release (required)", "release -> refund (observed)"];
    assert_eq!(guilty(&story, "wrong-compensation-order"), wrong);
}

#[test]
fn a_step_asked_for_after_the_abort_is_the_way_there() {
    let story = Story::default()
        .order("s1", Heard::Aborted)
        .record("s1", "begin")
        .effect(0, "s1", "apply")
        .record("s1", "reserve")
        .record("s1", "abort")
        .effect(1, "s1", "apply")
        .effect(1, "s1", "compensate")
        .record("s1", "-charge")
        .effect(0, "s1", "compensate")
        .record("s1", "-reserve")
        .record("s1", "aborted");
    assert_eq!(guilty(&story, "orphan-step"), ["decide abort -> charge (observed)"]);
}

#[test]
fn what_was_done_twice_is_drawn_twice() {
    let story = Story::default().committed("s1").effect(1, "s1", "apply");
    assert_eq!(guilty(&story, "double-effect"), ["charge -> charge again (observed)"]);
    let story = Story::default().aborted("s1", 2).effect(1, "s1", "compensate");
    assert_eq!(guilty(&story, "double-effect"), ["refund -> refund again (observed)"]);
    let story = Story::default().aborted("s1", 2).effect(1, "s1", "apply");
    assert_eq!(guilty(&story, "orphan-step"), ["refund -> charge again (observed)"]);
}

#[test]
fn each_repetition_is_told_with_its_own_place() {
    // Done twice, then undone twice.
    let mut story =
        Story::default().aborted("s1", 2).effect(1, "s1", "apply").effect(1, "s1", "compensate");
    story.journals[1].swap(1, 2);
    let finding = story.finding();
    let told = finding.anomalies.iter().filter(|a| a.name == "double-effect");
    let told: Vec<_> = told.map(|a| a.because.as_str()).collect();
    assert_eq!(told.len(), 2, "{finding:#?}");
    assert!(told[0].contains("done twice") && told[0].contains("positions 0 and 1"), "{told:?}");
    assert!(told[1].contains("undone twice") && told[1].contains("positions 2 and 3"), "{told:?}");
}

#[test]
fn what_never_happened_is_drawn_where_it_is_missing() {
    let mut story = Story::default().aborted("s1", 2).committed("s2");
    story.journals[1].retain(|e| e != &entry(1, "s1", "compensate", 4));
    assert_eq!(
        guilty(&story, "missing-compensation"),
        ["decide abort -> refund: never (required)"]
    );
    let mut story = Story::default().committed("s1").committed("s2");
    story.journals[2].retain(|e| e.get("saga").and_then(Value::str) != Some("s1"));
    assert_eq!(guilty(&story, "lost-step"), ["arrange: never -> decide commit (required)"]);
}

#[test]
fn a_cycle_is_marked_all_around() {
    // Nothing says when the steps were done; but they come after the beginning and before the
    // commit, and the decider wrote those the other way round.
    let mut story = Story::default().order("s1", Heard::Committed);
    story = story.record("s1", "commit").record("s1", "begin");
    for step in 0..3 {
        story.journals[step].push(entry(step, "s1", "apply", 0));
    }
    story = story.record("s1", "committed");
    let finding = story.finding();
    let cycle = finding.anomalies.iter().find(|a| a.because.contains("in any legal order"));
    let cycle = cycle.unwrap_or_else(|| panic!("{finding:#?}"));
    let wrong: Vec<_> = graph(cycle).unwrap().edges.iter().filter(|e| e.guilty).collect();
    assert_eq!(wrong.len(), 3, "{cycle:#?}");
    for edge in &wrong {
        assert_eq!(wrong.iter().filter(|e| e.from == edge.to).count(), 1, "{cycle:#?}");
    }
    let kinds: Vec<_> = wrong.iter().filter(|e| e.kind == "observed").collect();
    assert_eq!(kinds.len(), 1, "{cycle:#?}");
}
