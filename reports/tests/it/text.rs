//! What the terminal says.

use crate::sample;

#[test]
fn a_failing_run_in_a_few_lines() {
    let sample = sample::invalid();
    let text = sample.text();
    let anomaly = &sample.results.findings[0].anomalies[0];
    let lines: Vec<&str> = text.lines().collect();
    let last = format!("reproduce   {}", sample.results.reproduce);
    let reason = format!("reason      {}", anomaly.because);
    assert_eq!(lines[lines.len() - 3..], ["verdict     invalid", &reason, &last]);
    assert!(lines.contains(&"run         register on raft-kv, 3 nodes"));
    assert!(lines.contains(&"anomaly     stale-read on k3"));
    let read = sample.history.op(anomaly.ops[0]).unwrap();
    assert!(text.contains(&format!("  {read}\n")));
    for line in &anomaly.explain {
        assert!(text.contains(line));
    }
    assert!(text.contains("F0 partition n1, 5.000 s to 9.500 s, bit: 1 204 packets"));
    assert!(lines.len() < 40, "{} lines are not short", lines.len());
}

#[test]
fn the_other_ends() {
    assert!(sample::valid().text().contains("\nverdict     valid\n"));
    let text = sample::interrupted().text();
    assert!(text.contains("\ninterrupted SIGINT after 6.0 s of 17 s\n"), "{text}");
    assert!(text.contains("F1 kill n3, never injected, not seen to bite"), "{text}");
    assert!(sample::empty().text().contains("operations  0 in 0.0 s"));
}
