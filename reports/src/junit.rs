//! junit.xml, as continuous integration reads it: the elements and attributes of Jenkins' schema,
//! which is the narrowest in use.

use std::fmt::Write as _;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::inert;
use crate::suite::{Outcome, State, Suite, Test};

/// Characters of a sentence that are shown.
const LONGEST: usize = 2000;

/// The text of junit.xml. What was not run is skipped, with the reason: it is no success.
pub fn junit(suite: &Suite) -> String {
    let mut cases = TestSuite::new(inert::clip(&suite.name, LONGEST));
    cases.set_time(rounded(suite.took));
    let said = |words: &str| inert::clip(words, LONGEST);
    cases.add_property(Property::new("seed", suite.seed.to_string()));
    cases.add_property(Property::new("started", said(&suite.started)));
    cases.add_property(Property::new("reproduce", said(&suite.reproduce)));
    if let State::CutShort(why) = &suite.state {
        cases.add_property(Property::new("cut short", said(why)));
    }
    cases.add_test_cases(suite.tests.iter().map(|test| case(suite, test)));
    let mut report = Report::new(inert::clip(&suite.name, LONGEST));
    report.set_time(rounded(suite.took));
    let skipped = format!(" skipped=\"{}\"", cases.skipped);
    report.add_test_suite(cases);
    // Serializing into memory fails for no text there is; an empty file would be no report.
    let text = report.to_string().unwrap_or_else(|error| failure(&error.to_string()));
    // The schema has this count at suites only. The first one is the root's: quotes in a name are
    // escaped.
    text.replacen(&skipped, "", 1)
}

/// What is written should the library ever refuse: a report that says so.
fn failure(why: &str) -> String {
    let why: String = why.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"danso\" \
         tests=\"1\" failures=\"0\" errors=\"1\"><testcase name=\"junit.xml\"><error \
         message=\"{why}\"/></testcase></testsuite></testsuites>\n"
    )
}

fn case(suite: &Suite, test: &Test) -> TestCase {
    let reason = inert::clip(&test.reason, LONGEST);
    let mut status = match test.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Outcome::Unknown if !suite.unknown_passes => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
        Outcome::Unknown | Outcome::Skipped | Outcome::Running | Outcome::NotRun => {
            TestCaseStatus::skipped()
        }
    };
    if test.outcome != Outcome::Passed {
        let anomaly = test.decisive().and_then(|t| t.anomalies.first());
        let kind = anomaly.map_or(test.outcome.word(), String::as_str);
        status.set_type(inert::clip(kind, 80));
        let message = match test.outcome {
            Outcome::Failed => reason.clone(),
            other if reason.is_empty() => other.word().to_owned(),
            other => format!("{}: {reason}", other.word()),
        };
        status.set_message(message);
        if test.outcome.is_over() {
            status.set_description(story(test));
        }
    }
    let mut case = TestCase::new(inert::clip(&test.name, LONGEST), status);
    case.set_classname(inert::clip(format!("{}.{}", suite.name, test.target), LONGEST));
    case.set_time(rounded(test.took()));
    if test.outcome == Outcome::Passed {
        case.set_system_out(format!("{reason}\n{}", story(test)));
    }
    case
}

/// What to do with it.
fn story(test: &Test) -> String {
    let mut out = String::new();
    let mut say = |name: &str, words: &str| {
        if !words.is_empty() {
            let _ = writeln!(out, "{name:<12}{}", inert::clip(words, LONGEST));
        }
    };
    say("expected", &test.expected);
    say("seed", &test.seed.to_string());
    say("reproduce", &test.reproduce);
    say("report", test.report().as_deref().unwrap_or_default());
    say("flakiness", test.flakiness().as_deref().unwrap_or_default());
    if test.tries.len() > 1 {
        for (i, tried) in test.tries.iter().enumerate() {
            let words = format!(
                "{}, {:.1} s: {}",
                tried.outcome.word(),
                tried.took.as_secs_f64(),
                tried.reason
            );
            say(&format!("run {}", i + 1), &words);
        }
    }
    out
}

/// Milliseconds: what the format shows.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
