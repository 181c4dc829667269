//! Histories that once got a wrong answer, found by the fuzz tests.

use danso_vocab::Verdict;

use super::fuzz::reductions;
use super::*;

/// The verdict under every combination of reductions.
fn always(history: &History, want: Verdict) {
    for bits in 0..1 << 11 {
        let reductions = reductions(bits);
        let got = verdict(CasRegister::default(), history, reductions);
        assert_eq!(got, want, "{reductions:?}");
    }
}

#[test]
fn a_write_that_changes_nothing_may_hide_another() {
    let h = history([
        call(2, "read", ()),
        call(0, "write", 2),
        ok(2, ()),
        call(2, "cas", [2, 0]),
        ok(2, ()),
        call(2, "write", 1),
        call(1, "write", 0),
        call(3, "cas", [0, 2]),
        ok(0, ()),
        ok(3, ()),
        ok(2, ()),
        call(0, "cas", [2, 1]),
        call(3, "write", 1),
        ok(0, ()),
    ]);
    always(&h, Verdict::Valid);
    let h = history([
        call(0, "write", 0),
        call(1, "cas", [1, 2]),
        call(2, "write", 1),
        call(4, "read", ()),
        call(3, "cas", [2, 1]),
        ok(4, 2),
        ok(0, ()),
        call(4, "read", ()),
        ok(4, 2),
        call(5, "cas", [0, 1]),
    ]);
    always(&h, Verdict::Valid);
}
