//! What each part of the page says, word for word: the golden data behind the looks.

use danso_reports::Stamped;
use danso_vocab::{Finding, Time, Verdict};

use crate::sample::{self, Sample};

/// The words of an element, from `<open` to `close`, piece by piece.
fn words(html: &str, open: &str, close: &str) -> Vec<String> {
    let from = html.find(open).unwrap_or_else(|| panic!("no {open}"));
    let to = from + html[from..].find(close).unwrap();
    let mut words = Vec::new();
    for piece in html[from..to].split('<').skip(1) {
        let (_, text) = piece.split_once('>').unwrap();
        let text = text.trim().replace('\u{202f}', " ").replace("&quot;", "\"");
        if !text.is_empty() {
            words.push(text);
        }
    }
    words
}

fn section(sample: &Sample, id: &str) -> Vec<String> {
    words(&sample.html(), &format!("<section id=\"{id}\""), "</section>")
}

fn banner(sample: &Sample) -> Vec<String> {
    words(&sample.html(), "<header", "</header>")
}

/// `wanted` has the pieces with bars between them.
#[track_caller]
fn says(words: &[String], wanted: &str) {
    let wanted: Vec<&str> = wanted.split(" | ").collect();
    assert_eq!(words, wanted);
}

/// Those among the words, one after the other.
#[track_caller]
fn has(words: &[String], wanted: &str) {
    let joined = format!(" | {} | ", words.join(" | "));
    assert!(joined.contains(&format!(" | {wanted} | ")), "no {wanted:?} in {joined}");
}

const RUN: &str = "Target | raft-kv | 3 nodes | Workload | register | 10 clients";
const AGAIN: &str = "Seed | 8214365907112233 | Reproduce | danso run raft-kv --workload register \
                     --faults partition,kill --time 17s --seed 8214365907112233 | Copy";

#[test]
fn the_banner_of_every_end() {
    let faults = "Faults | 2 | kill, partition, all seen to bite";
    let ops = "Operations | 3 565 | 92.7 % ok | Duration | 19.0 s";
    says(
        &banner(&sample::invalid()),
        &format!(
            "register under partitions | invalid | Operation | #2944 | read 853 from k3, although \
             | #2925 | had already replaced 853 by 870 and ended before the read began. | {RUN} | \
             {ops} | {faults} | Anomalies | 1 | {AGAIN}"
        ),
    );
    says(
        &banner(&sample::valid()),
        &format!(
            "register under partitions | valid | Every operation on each of 4 keys fits one order \
             that respects real time. | {RUN} | {ops} | {faults} | {AGAIN}"
        ),
    );
    let some = "Faults | 2 | kill, partition, 1 seen to bite";
    says(
        &banner(&sample::unknown()),
        &format!(
            "register under partitions | unknown | it could not be decided | Key k2 was given up \
             after 60 s and 4 GiB; the other 3 keys are linearizable. | {RUN} | {ops} | {some} | \
             {AGAIN}"
        ),
    );
    says(
        &banner(&sample::interrupted()),
        &format!(
            "register under partitions | interrupted | The run was cut short: SIGINT after 6.0 s \
             of 17 s | What was recorded until then is judged valid: All 4 keys are linearizable \
             so far. | {RUN} | Operations | 1 190 | 97.7 % ok | Duration | 6.1 s | {some} | {AGAIN}"
        ),
    );
    says(
        &banner(&sample::empty()),
        "empty.jsonl | unknown | nothing was tested | The history has no operations. | Operations \
         | 0 | Duration | 0.0 s | Reproduce | danso check empty.jsonl --model register | Copy",
    );
}

#[test]
fn a_run_that_did_too_little_says_so() {
    let mut sample = sample::unknown();
    let reason = "the load stayed below 5000 operations";
    sample.results.findings =
        vec![Finding::valid("linearizable", "fine"), Finding::unknown("coverage", reason)];
    has(&banner(&sample), "unknown | too little was tested");
}

#[test]
fn what_the_plan_expected_is_said() {
    let mut sample = sample::invalid();
    let plan = sample.plan.as_mut().unwrap();
    plan.expect.verdict = Verdict::Invalid;
    plan.expect.anomalies = vec!["stale-read".to_owned(), "lost-write".to_owned()];
    has(&banner(&sample), "✓ | The plan expected invalid, with stale-read or lost-write.");
    let said = "not met: expected invalid with lost-write, found stale-read";
    sample.results.environment.insert("expected".to_owned(), said.to_owned());
    has(&banner(&sample), &format!("✗ | Expected {said}"));
}

#[test]
fn every_fault_with_its_window_its_arguments_and_its_effect() {
    let head =
        "Faults | fault | kind | nodes | from | to | lasted | bitten? | how | effect observed";
    says(
        &section(&sample::invalid(), "faults"),
        &format!(
            "{head} | F0 | partition | n1 | 5.000 s | 9.500 s | 4.500 s | ✓ | yes | cut 1→2 2→1 \
             1→3 3→1 | 1 204 packets between n1 and n2, n3 dropped | F1 | kill | n3 | 12.000 s | \
             14.500 s | 2.500 s | ✓ | yes | pid 4711 gone, restarted as pid 4799"
        ),
    );
    let cut_short = section(&sample::interrupted(), "faults");
    has(&cut_short, "F0 | partition | n1 | 5.000 s | not healed | – | ✓ | yes");
    has(
        &cut_short,
        "F1 | kill | n3 | never | – | – | ? | not seen | the run ended before its time",
    );
    has(
        &section(&sample::unknown(), "faults"),
        "F1 | kill | n3 | 12.000 s | 14.500 s | 2.500 s | ? | not seen | the pid was still there \
         after the kill",
    );
}

#[test]
fn how_every_node_fared() {
    let nodes = section(&sample::invalid(), "nodes");
    has(&nodes, "n1 | ▲ | up | 100 % | – | – | 0 | 0 | 1 166 | 96.6 % | 1.7 % | 1.7 %");
    has(&nodes, "n2 | ▲ | up | 98.4 % | 300.0 ms | – | 1 | 1 | 1 191 | 98.9 % | 1.1 % | 0 %");
    has(&nodes, "n3 | ▲ | up | 86.8 % | 2.500 s | – | 1 | 0 | 1 208 | 82.9 % | 17.1 % | 0 %");
    has(&nodes, "n3 | 0.003 s | up | 12.000 s | F1 | kill | 14.500 s | F1 | healed");
    has(&nodes, "Logs whose lines carry no time that fits the run are shown by their end only.");
}

#[test]
fn log_lines_near_what_went_wrong_stand_by_their_times() {
    let mut sample = sample::invalid();
    let line = Stamped { time: Time(7_100_000_000), line: "term went backwards".to_owned() };
    sample.logs[1].around = Some(vec![line]);
    sample.logs[0].around = Some(Vec::new());
    sample.logs.truncate(2);
    let nodes = section(&sample, "nodes");
    has(&nodes, "stderr of n2 around anomalies, faults and crashes (1)");
    has(&nodes, "7.100 s | term went backwards");
    has(&nodes, "stderr of n1 says nothing around anomalies, faults and crashes.");
    assert!(!nodes.iter().any(|words| words.starts_with("Logs whose lines")));
}

#[test]
fn operations_by_name_and_outcome() {
    let operations = section(&sample::invalid(), "operations");
    has(
        &operations,
        "cas | 703 | 615 | 87.5 % | 84 | 11.9 % | 4 | 0.6 % | 4.6 ms | 6.8 ms | 7.6 ms | 210.2 ms",
    );
    has(&operations, "186 | fail | connection refused | 54 | fail | precondition failed");
}

#[test]
fn who_judged_and_what_was_found() {
    has(&section(&sample::invalid(), "checkers"), "keys | 4 | ops | 4 012 | states | 18 244");
    says(&section(&sample::empty(), "checkers"), "Checkers | No checker looked at this history.");
    for (sample, wanted) in [
        (sample::valid(), "What happened | No anomaly was found."),
        (
            sample::unknown(),
            "What happened | No anomaly was found, but that is no proof: the banner says what is \
             missing.",
        ),
        (
            sample::interrupted(),
            "What happened | No anomaly was found in what was recorded before the run was cut \
             short.",
        ),
        (
            sample::empty(),
            "What happened | No operation was recorded, so there was nothing to judge.",
        ),
    ] {
        says(&section(&sample, "anomalies"), wanted);
    }
    let card = section(&sample::invalid(), "anomalies");
    has(
        &card,
        "#2944 | p8 | n3 | read | k3 | 853 | 8.278 s | 8.283 s | 5.0 ms | cannot be ordered | \
         #2925 | p5 | n3 | write | k3 | 870 | ok | 8.197 s | 8.201 s | 4.4 ms | contradicts it",
    );
}
