//! The figures beside the verdict.

use super::*;

#[test]
fn how_far_reads_were_behind() {
    // Three writes that follow each other, each 2 ms; then reads of each of them.
    let mut script = Script::default();
    for value in 1..=3 {
        script = script.ok(1, "write", value, ());
    }
    let script = script.ok(2, "read", (), 1).ok(2, "read", (), ()).reads([3, 3]);
    let finding = script.check(Object::LastWriteRegister);
    assert_valid(&finding);
    let stat = |name: &str| finding.stats[name];
    assert_eq!((stat("reads-of-known-version"), stat("stale-reads")), (4, 2));
    // The read of 1 began at 7 ms and is behind by 2, since the 4th ms; that of nothing began at
    // 9 ms and is behind by 3, since the 2nd.
    assert_eq!((stat("versions-behind-p50"), stat("versions-behind-max")), (0, 3));
    assert_eq!(stat("staleness-us-max"), 7_000);
}

#[test]
fn a_concurrent_write_makes_nothing_stale() {
    let script = Script::default().begin(1, 1, "write", 1).ok(2, "read", (), ());
    let script = script.end(1, Outcome::Ok(Value::Nil)).reads([1, 1]);
    let finding = script.check(Object::Register);
    assert_eq!(finding.stats["stale-reads"], 0);
}

#[test]
fn how_long_it_took_to_agree() {
    // Quiet at 2 ms; the last read that still disagrees begins at 5 ms.
    let script = Script::default().ok(1, "write", 5, ()).reads([Value::from(5), Value::Nil]);
    let finding = script.reads([5, 5]).check(Object::Register);
    assert_valid(&finding);
    assert_eq!(finding.stats["convergence-us-max"], 3_000);
    assert_eq!(finding.stats["convergence-us-p50"], 3_000);
}
