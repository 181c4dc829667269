//! junit.xml keeps to the schema that Jenkins reads it by (`junit-10.xsd`): which elements there
//! are, what is in them, which attributes they have.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_reports::suite::{Outcome, State, Suite, Test, Try};
use danso_vocab::Verdict;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::Event;

/// Element, attributes it must have, attributes it may have, elements in it, whether text.
type Rule =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str], bool);

const RULES: &[Rule] = &[
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"], false),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
        &["properties", "testcase", "system-out", "system-err"],
        false,
    ),
    ("properties", &[], &[], &["property"], false),
    ("property", &["name", "value"], &[], &[], false),
    (
        "testcase",
        &["name"],
        &["time", "classname", "group"],
        &["skipped", "error", "failure", "system-out", "system-err"],
        false,
    ),
    ("failure", &[], &["type", "message"], &[], true),
    ("error", &[], &["type", "message"], &[], true),
    ("skipped", &[], &["type", "message"], &[], true),
    ("system-out", &[], &[], &[], true),
    ("system-err", &[], &[], &[], true),
];

/// What XML 1.0 may contain.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// How many elements of each name there are, and the attributes of the suite. Fails where the
/// text is not what the schema wants.
fn parsed(text: &str) -> (BTreeMap<String, usize>, BTreeMap<String, String>) {
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), "{text}");
    assert!(text.chars().all(is_xml), "{text:?}");
    let mut reader = Reader::from_str(text);
    let (mut open, mut counts, mut suite) =
        (Vec::<String>::new(), BTreeMap::new(), BTreeMap::new());
    loop {
        let event = reader.read_event().unwrap();
        let (element, closed) = match &event {
            Event::Start(element) => (element, false),
            Event::Empty(element) => (element, true),
            Event::End(_) => {
                open.pop().unwrap();
                continue;
            }
            Event::Text(words) => {
                let words = words.decode().unwrap();
                let may = open.last().is_some_and(|last| rule(last).4);
                assert!(may || words.trim().is_empty(), "{words} in {open:?}");
                continue;
            }
            Event::Decl(_) => continue,
            Event::GeneralRef(_) => {
                assert!(open.last().is_some_and(|last| rule(last).4), "{open:?}");
                continue;
            }
            Event::Eof => break,
            other => panic!("{other:?}"),
        };
        let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
        let rule = rule(&name);
        match open.last() {
            None => assert!(counts.is_empty() && name == "testsuites", "{name}"),
            Some(outer) => assert!(self::rule(outer).3.contains(&&*name), "{name} in {outer}"),
        }
        let attributes: BTreeMap<String, String> = element
            .attributes()
            .map(|a| {
                let a = a.unwrap();
                let key = String::from_utf8(a.key.as_ref().to_vec()).unwrap();
                (key, a.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned())
            })
            .collect();
        for must in rule.1 {
            assert!(attributes.contains_key(*must), "{name} has no {must}");
        }
        for key in attributes.keys() {
            let known = rule.1.contains(&&**key) || rule.2.contains(&&**key);
            assert!(known, "{name} must not have {key}");
        }
        if let Some(time) = attributes.get("time") {
            let (whole, part) = time.split_once('.').unwrap();
            assert!(whole.chars().chain(part.chars()).all(|c| c.is_ascii_digit()), "{time}");
        }
        if name == "testsuite" {
            suite = attributes;
        }
        *counts.entry(name.clone()).or_default() += 1;
        if !closed {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    (counts, suite)
}

fn rule(name: &str) -> &'static Rule {
    RULES.iter().find(|rule| rule.0 == name).unwrap_or_else(|| panic!("there is no <{name}>"))
}

fn tried(outcome: Outcome, reason: &str) -> Try {
    Try {
        outcome,
        reason: reason.to_owned(),
        verdict: Some(Verdict::Invalid),
        anomalies: vec![reason.to_owned()],
        took: Duration::from_micros(1_234_567),
        folder: Some("tests/001".to_owned()),
    }
}

/// One test of each outcome.
fn suite(words: &str) -> Suite {
    let test = |outcome: Outcome| Test {
        name: format!("{words}/{}", outcome.word()),
        target: words.to_owned(),
        reproduce: words.to_owned(),
        outcome,
        reason: words.to_owned(),
        tries: match outcome.is_over() {
            true => vec![tried(outcome, words), tried(Outcome::Passed, words)],
            false => Vec::new(),
        },
        ..Test::default()
    };
    Suite {
        name: words.to_owned(),
        reproduce: words.to_owned(),
        took: Duration::from_secs(1_234_567),
        tests: Outcome::ALL.into_iter().map(test).collect(),
        ..Suite::default()
    }
}

#[test]
fn every_outcome_has_its_element() {
    let mut suite = suite("raft-kv");
    let (counts, attributes) = parsed(&danso_reports::junit(&suite));
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    // Failed; error and unknown; not run, skipped and running; only the passed has none.
    assert_eq!([count("failure"), count("error"), count("skipped")], [1, 2, 3]);
    assert_eq!(count("testcase"), 7);
    for (name, n) in [("tests", "7"), ("failures", "1"), ("errors", "2"), ("skipped", "3")] {
        assert_eq!(attributes[name], n, "{name}");
    }
    suite.unknown_passes = true;
    let (counts, _) = parsed(&danso_reports::junit(&suite));
    assert_eq!((counts["error"], counts["skipped"]), (1, 4), "an unknown never counts as passed");
}

#[test]
fn an_empty_or_cut_suite_is_a_report_too() {
    parsed(&danso_reports::junit(&Suite::default()));
    let state = State::CutShort("SIGINT".to_owned());
    parsed(&danso_reports::junit(&Suite { state, ..suite("x") }));
}

#[test]
fn nothing_a_target_sent_breaks_it() {
    let long = "é".repeat(1 << 20);
    for words in [
        "]]></failure><testcase name='forged'/>",
        "\" onload=\"x\" skipped=\"1\" '<&>",
        "\u{0}\u{1}\u{b}\u{1b}[31m\u{7f}\u{85}\u{fffe}\u{ffff}\u{202e}",
        "::error::x\n::set-output name=y::z\r\n",
        &long,
    ] {
        let text = danso_reports::junit(&suite(words));
        let (counts, _) = parsed(&text);
        assert_eq!(counts["testcase"], 7, "{words:.80}");
        assert!(text.len() < 1 << 20, "{}", text.len());
    }
}

#[test]
fn github_takes_no_command_from_a_target() {
    let evil = "x\n::add-mask::y\r::error::z%0A::warning::w ##[add-mask]v @everyone <b> | `code`";
    let suite = suite(evil);
    let said = danso_reports::github::annotations(&suite);
    for line in said.lines() {
        assert!(line.starts_with("::error file=") || line.starts_with("::error title="), "{line}");
        let (_, message) = line[2..].split_once("::").unwrap();
        assert!(!message.contains('\r'), "{line}");
    }
    assert_eq!(said.lines().count(), suite.bad().len());
    assert!(said.contains("%250A"), "what stood there as an escape stays what it was: {said}");
    let summary = danso_reports::github::summary(&suite);
    // What is in code stands for nothing.
    let coded = |line: &&str| line.starts_with("x␊") || line.contains("All of it again");
    for line in summary.lines().filter(|line| !(coded(line) && line.contains("@everyone"))) {
        assert!(!line.contains("@everyone") && !line.contains("<b>"), "{line}");
    }
    assert!(!summary.lines().any(|line| line.trim_start().starts_with("::")), "{summary}");
}
