//! A target that answers with markup, escapes and lies: none of it may do anything.

use std::collections::BTreeSet;

use danso_reports::{NodeLog, Stamped};
use danso_vocab::event::note;
use danso_vocab::{
    Anomaly, Fault, FaultId, Finding, HistoryBuilder, Injection, NodeId, Nodes, Note, Outcome,
    Process, Results, Schedule, Start, Time, Value,
};

use crate::markup;
use crate::sample::{self, Sample};

/// Short enough to survive whole in the narrowest label, where each could end a context.
pub(crate) const SHARP: [&str; 7] = [
    "<script>x</script>",
    "\"onload=\"x",
    "'onload='x",
    "&lt;u&gt;&",
    "]]></svg><u>",
    "--></style><u>",
    "a\u{0}\u{8}\u{1b}[2J\u{7f}\u{85}\u{202e}b\u{feff}",
];

/// A record in which everything a target or a file could fill in is `sharp`.
pub(crate) fn poisoned(sharp: &str) -> Sample {
    let text = || sharp.to_owned();
    let value = || Value::from(sharp);
    let mut builder = HistoryBuilder::new();
    let nested = Value::List(vec![Value::Map([(text(), value())].into()), value()]);
    for (i, outcome) in [
        Outcome::Ok(value()),
        Outcome::Fail(text().into()),
        Outcome::Info(text().into()),
        Outcome::Ok(nested.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let (at, process) = (1_000_000 * (i as u64 + 1), Process(i as u32));
        let f = if i == 3 { "txn" } else { sharp };
        let arg = if i == 3 { nested.clone() } else { value() };
        builder.invoke(Time(at), process, Some(NodeId(1)), f, Some(value()), arg).unwrap();
        builder.complete(Time(at + 500_000), process, None, outcome).unwrap();
    }
    let notes = [
        Note::new(text(), value()).fault(FaultId(0)).nodes([NodeId(1)]),
        Note::new(note::PHASE, value()),
        Note::new(note::NODE_CRASHED, Value::of([("status", value()), ("stderr", value())]))
            .nodes([NodeId(1)]),
    ];
    for note in notes {
        builder.note(Time(5_000_000), note).unwrap();
    }
    let history = builder.finish();
    let anomaly = Anomaly {
        name: text().into(),
        key: Some(value()),
        ops: history.ops().map(|op| op.id()).collect(),
        because: text(),
        explain: vec![text()],
        figure: None,
    };
    let finding = Finding::invalid(text(), vec![anomaly.clone(), anomaly]).stat(text(), 1);
    let base = sample::invalid();
    let mut fault = base.results.faults[0].clone();
    (fault.kind, fault.effect) = (text().into(), text());
    (fault.start, fault.stop) = (Some(Time(2_000_000)), Some(Time(4_500_000)));
    let results = Results {
        verdict: finding.verdict,
        reason: text(),
        seed: Some(1),
        reproduce: text(),
        findings: vec![finding],
        faults: vec![fault],
        counts: Default::default(),
        environment: [(text(), text())].into(),
        interrupted: Some(text()),
    };
    let mut plan = base.plan.expect("a plan");
    (plan.name, plan.network) = (text(), text());
    (plan.target.name, plan.workload.name) = (text(), text());
    plan.target.options = [(text(), value())].into();
    plan.left_out = vec![text()];
    plan.expect.anomalies = vec![text()];
    plan.schedule = Schedule::new(vec![Injection {
        id: FaultId(0),
        fault: Fault { kind: text().into(), nodes: Nodes::Speaker, args: value() },
        start: Start::OnLog { from: Time::ZERO, text: text(), delay: std::time::Duration::ZERO },
        lasts: std::time::Duration::from_secs(1),
    }]);
    let around = Some(vec![Stamped { time: Time(3_000_000), line: text() }]);
    let logs = vec![NodeLog { node: NodeId(1), name: text(), tail: text(), around }];
    Sample { title: text(), plan: Some(plan), history, results, logs }
}

#[test]
fn markup_from_a_target_stays_text() {
    // As kinds: how often a long bar repeats its label depends on the label.
    let kinds = |sample: &Sample| -> BTreeSet<String> {
        let page = markup::read(&sample.html());
        let kind = |t: &markup::Tag| {
            let names: Vec<&str> = t.attributes.iter().map(|(k, _)| k.as_str()).collect();
            format!("{} {}", t.name, names.join(" "))
        };
        page.tags.iter().map(kind).collect()
    };
    let tame = kinds(&poisoned("abcdefgh"));
    for sharp in SHARP {
        let sharp_kinds = kinds(&poisoned(sharp));
        let new: Vec<_> = sharp_kinds.symmetric_difference(&tame).collect();
        assert!(new.is_empty(), "{sharp:?} changed the page's structure: {new:?}");
    }
}

#[test]
fn what_a_target_said_can_still_be_read() {
    let page = markup::read(&poisoned(SHARP[0]).html());
    let shown = page.text.matches(SHARP[0]).count();
    assert!(shown > 30, "shown {shown} times");
    let titles = page.tags.iter().flat_map(|t| &t.attributes);
    assert!(titles.filter(|(_, v)| v.contains(SHARP[0])).count() >= 1, "in attributes too");
}

#[test]
fn nothing_in_page_or_text_is_a_control_character() {
    for sharp in SHARP {
        let sample = poisoned(sharp);
        for text in [sample.html(), sample.text()] {
            let acts = text
                .chars()
                .find(|c| c.is_control() && *c != '\n' || matches!(c, '\u{202e}' | '\u{feff}'));
            assert_eq!(acts, None, "from {sharp:?}");
        }
    }
}

#[test]
fn text_cannot_forge_a_line() {
    let sample = poisoned("x\nverdict     valid\r\nverdict     valid");
    assert_eq!(sample.text().lines().filter(|l| l.starts_with("verdict")).count(), 1);
}

#[test]
fn a_page_does_not_grow_with_a_value() {
    let huge = "<&\"x".repeat(1 << 20);
    let sample = poisoned(&huge);
    let (html, text) = (sample.html(), sample.text());
    // The command must be exact, so it is the one thing never cut, with its seven bytes an `&`.
    let command = 2 * huge.len() * 5;
    assert!(html.len() < 600_000 + command, "{} bytes", html.len());
    assert!(text.len() < 30_000 + huge.len(), "{} bytes", text.len());
}
