//! A checker stops when it is told to, and says so.

use danso_vocab::Verdict;

use super::*;

#[test]
fn out_of_limits_is_unknown() {
    let small = history([did("enqueue", 1, ()), did("drain", (), [1])].concat());
    let promise = delivery(Guarantee::ExactlyOnce);
    assert_eq!(check(promise, &small).verdict, Verdict::Valid);
    let limits = Limits::default();
    limits.stop.trip();
    let finding = promise.check(&small, &limits);
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.reason.starts_with("stopped"), "{finding:?}");
    let finding = promise.check(&small, &Limits { memory: 10, ..Limits::default() });
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.reason.contains("memory"), "{finding:?}");
}

#[test]
fn many_anomalies_are_counted_and_few_shown() {
    let sent = (0..100).flat_map(|v| did("enqueue", v, ()));
    let finding =
        check(delivery(Guarantee::AtLeastOnce), &history(sent.chain(did("drain", (), [0; 1]))));
    assert_eq!((finding.stats["lost-message"], finding.anomalies.len()), (99, 10));
}
