//! Every anomaly by hand, and its nearest neighbour that is none.

use super::*;

fn shows(finding: &Finding, anomalies: &[&str], because: &str) {
    assert_eq!(names(finding), anomalies, "{finding:#?}");
    let told = finding.anomalies.iter().any(|a| a.because.contains(because));
    assert!(told, "no `{because}` in {finding:#?}");
    assert!(finding.anomalies.iter().all(|a| !a.ops.is_empty()), "{finding:#?}");
}

#[test]
fn replicas_that_agree_on_a_written_value_are_fine() {
    let script = || Script::default().ok(1, "write", 5, ()).ok(2, "write", 6, ());
    assert_valid(&script().reads([5, 5]).check(Object::Register));
    assert_valid(&script().reads([6, 6]).check(Object::Register));
    assert_valid(&script().reads([6, 6]).check(Object::LastWriteRegister));
}

#[test]
fn divergence() {
    let script = Script::default().ok(1, "write", 5, ()).ok(2, "write", 6, ());
    let finding = script.reads([6, 6, 5]).check(Object::Register);
    shows(&finding, &["divergence"], "n1 and n2 read 6 (#4) but n3 read 5 (#8)");
    assert_eq!(finding.stats["divergence"], 1);
}

#[test]
fn disagreement_while_updates_go_on_or_before_the_end_is_none() {
    let early = Script::default().ok(1, "write", 5, ()).ok(2, "read", (), ()).ok(2, "write", 6, ());
    assert_valid(&early.reads([6, 6]).check(Object::Register));
    let slow = Script::default().ok(1, "write", 5, ()).ok(2, "read", (), ()).reads([5, 5]);
    assert_valid(&slow.check(Object::Register));
}

#[test]
fn lost_writes() {
    let script = || Script::default().ok(1, "write", 5, ()).ok(2, "write", 6, ());
    let finding = script().reads([5, 5]).check(Object::LastWriteRegister);
    shows(&finding, &["lost-write"], "p2's write of 6 (#2) began 1.0 ms after that had ended");
    let finding = script().reads([(), ()]).check(Object::Register);
    shows(&finding, &["lost-write"], "n1 ended without any value (#4)");
    // A write of unknown outcome may come after everything.
    let script = Script::default().by(1, 1, "write", 5, info()).ok(2, "write", 6, ());
    assert_valid(
        &script
            .by(3, 1, "read", (), Outcome::Ok(5.into()))
            .ok(2, "read", (), 5)
            .check(Object::LastWriteRegister),
    );
    // Concurrent writes may come in either order.
    let script = Script::default().begin(1, 1, "write", 5).begin(2, 2, "write", 6);
    let script = script.end(2, Outcome::Ok(().into())).end(1, Outcome::Ok(().into()));
    assert_valid(&script.reads([6, 6]).check(Object::LastWriteRegister));
}

#[test]
fn a_compare_and_set_writes_unless_it_is_refused() {
    let swap = || Value::from([5, 6]);
    let script = || Script::default().ok(1, "write", 5, ());
    let swapped = script().ok(1, "cas", swap(), ()).reads([6, 6]);
    assert_valid(&swapped.check(Object::LastWriteRegister));
    let refused = script().ok(1, "cas", swap(), "mismatch").reads([6, 6]);
    shows(&refused.check(Object::Register), &["invented-value"], "nobody ever wrote it");
    let refused = script().ok(1, "cas", swap(), false).reads([5, 5]);
    assert_valid(&refused.check(Object::LastWriteRegister));
}

#[test]
fn values_from_nowhere() {
    let script = || Script::default().ok(1, "write", 5, ());
    let finding = script().reads([7, 7]).check(Object::Register);
    shows(&finding, &["invented-value"], "returned 7, but nobody ever wrote it");
    let finding = script().by(2, 2, "write", 7, fail()).reads([7, 7]).check(Object::Register);
    shows(&finding, &["aborted-read"], "p2's write of 7 (#2), had failed");
    // Even if it is gone in the end.
    let before = Script::default().ok(1, "read", (), 5).ok(1, "write", 5, ()).reads([5, 5]);
    shows(&before.check(Object::Register), &["invented-value"], "began 1.0 ms later");
    // Retried with success, it is no longer a failed write's value.
    let retried = script().by(2, 2, "write", 7, fail()).ok(2, "write", 7, ()).reads([7, 7]);
    assert_valid(&retried.check(Object::LastWriteRegister));
}

#[test]
fn a_missing_final_read_is_unknown() {
    let script = || Script::default().ok(1, "write", 5, ()).ok(3, "read", (), 5);
    assert_valid(&script().reads([5, 5]).check(Object::Register));
    let late = script().ok(2, "write", 6, ()).reads([6, 6]);
    assert_unknown(&late.check(Object::Register), "no read of n3 succeeded");
    let failed = script().reads([5]).by(2, 2, "read", (), fail());
    assert_unknown(&failed.check(Object::Register), "no read of n2 succeeded");
    let four = eventual(Object::Register, Value::Nil).replicas(4);
    assert_unknown(&script().reads([5, 5]).check_by(&four), "no read of n4 succeeded");
}

#[test]
fn too_early_a_read_is_not_final() {
    let script = || Script::default().ok(1, "write", 5, ()).reads([5, 5]);
    let patient = eventual(Object::Register, Value::Nil).grace(std::time::Duration::from_millis(2));
    assert_unknown(&script().check_by(&patient), "no read of n1 succeeded that began 2.0 ms after");
    assert_valid(&script().reads([5, 5]).check_by(&patient));
    // A history that tells of its closing phase is not quiet before it.
    let script = script().closing();
    assert_unknown(&script.check(Object::Register), "no read of n1 and n2");
}

#[test]
fn an_update_still_open_keeps_everything_open() {
    let script = Script::default().ok(1, "write", 5, ()).begin(3, 1, "write", 6).reads([5, 5]);
    assert_unknown(&script.check(Object::Register), "(#2) is still open");
}

#[test]
fn nothing_done_is_unknown() {
    assert_unknown(&Script::default().check(Object::GSet), "no update ever succeeded");
    let reads = Script::default().reads([(), ()]);
    assert_unknown(&reads.check(Object::Register), "no update ever succeeded");
    let foreign = Script::default().ok(1, "enqueue", 5, ());
    assert_unknown(&foreign.check(Object::GSet), "`enqueue` is no operation of a g-set");
    let text = Script::default().ok(1, "add", 5, ()).reads(["five"]);
    assert_unknown(&text.check(Object::GCounter), "does not answer a number");
    let falls = Script::default().ok(1, "add", -5, ()).reads([-5]);
    assert_unknown(&falls.check(Object::GCounter), "only grows");
}

#[test]
fn without_nodes_processes_stand_for_replicas() {
    let read = |script: Script, process, value: i64| {
        script.by(process, 0, "read", (), Outcome::Ok(value.into()))
    };
    let script = || Script::default().by(1, 0, "add", 5, Outcome::Ok(().into()));
    assert_valid(&read(read(script(), 1, 5), 2, 5).check(Object::GCounter));
    shows(
        &read(read(script(), 1, 5), 2, 0).check(Object::GCounter),
        &["divergence", "lost-increment"],
        "p1 read 5 (#2) but p2 read 0 (#4)",
    );
    assert_unknown(&read(script(), 1, 5).check(Object::GCounter), "1 of 2 processes");
}

#[test]
fn counters() {
    let script = || Script::default().ok(1, "add", 5, ()).by(2, 2, "add", 3, info());
    for sum in [5, 8] {
        let reads = script().by(1, 1, "read", (), Outcome::Ok(sum.into()));
        assert_valid(&reads.by(9, 2, "read", (), Outcome::Ok(sum.into())).check(Object::GCounter));
    }
    let check = |script: Script, sum: i64, object| {
        let reads = script.by(1, 1, "read", (), Outcome::Ok(sum.into()));
        reads.by(9, 2, "read", (), Outcome::Ok(sum.into())).check(object)
    };
    shows(&check(script(), 3, Object::GCounter), &["lost-increment"], "2 are missing");
    shows(&check(script(), 6, Object::GCounter), &["wrong-sum"], "but not into this");
    let many = check(script(), 13, Object::GCounter);
    shows(&many, &["wrong-sum"], "sums up to something from 0 to 8");
    // A subtraction of unknown outcome lowers the least sum; a failed one does not.
    let down = || script().by(3, 1, "add", -2, info());
    for sum in [3, 5, 6, 8] {
        assert_valid(&check(down(), sum, Object::PnCounter));
    }
    shows(&check(down(), 4, Object::PnCounter), &["wrong-sum"], "from 3 to 8");
    let failed = script().by(3, 1, "add", -2, fail());
    shows(&check(failed, 3, Object::PnCounter), &["lost-increment"], "2 are missing");
}

#[test]
fn sets_lose_elements() {
    let script = || Script::default().ok(1, "add", 5, ()).ok(2, "add", 6, ());
    let set = |list: &[i64]| Value::from(list.to_vec());
    assert_valid(&script().reads([set(&[5, 6]), set(&[6, 5])]).check(Object::GSet));
    let finding = script().reads([set(&[5]), set(&[6, 5])]).check(Object::GSet);
    shows(&finding, &["divergence", "lost-element"], "n1 ended without 6 (#4)");
    let explained = "n1 read {5} (#4) but n2 read {5 6} (#6): only the latter shows 6";
    shows(&finding, &["divergence", "lost-element"], explained);
    let unknown = script().by(3, 1, "add", 7, info());
    assert_valid(&unknown.reads([set(&[5, 6, 7]), set(&[5, 6, 7])]).check(Object::GSet));
    let finding = script().by(3, 1, "add", 7, fail()).reads([set(&[5, 6, 7]), set(&[5, 6, 7])]);
    shows(&finding.check(Object::GSet), &["aborted-read"], "shows 7, but p3's add of 7 (#4) had");
    let finding = script().reads([set(&[5, 6, 8]), set(&[5, 6, 8])]);
    shows(&finding.check(Object::GSet), &["invented-value"], "shows 8, but nobody ever added it");
    let finding = script().reads([set(&[5, 6, 5]), set(&[5, 6])]);
    shows(&finding.check(Object::GSet), &["duplicate-element"], "lists an element twice");
}

#[test]
fn removals_take_away_what_they_have_observed() {
    let (none, five) = (|| Value::List(Vec::new()), || Value::from([5]));
    // At one node, a removal observes what was added there before.
    let script = || Script::default().ok(1, "add", 5, ()).ok(1, "remove", 5, ());
    assert_valid(&script().reads([none(), none()]).check(Object::OrSet));
    let back = script().reads([five(), five()]).check(Object::OrSet);
    shows(&back, &["resurrected-element"], "n1 ended with 5 (#4)");
    // At another it may not have heard of it, so either end is fine.
    let script = || Script::default().ok(1, "add", 5, ()).ok(2, "remove", 5, ());
    assert_valid(&script().reads([none(), none()]).check(Object::OrSet));
    assert_valid(&script().reads([five(), five()]).check(Object::OrSet));
    // What is added after the removal has ended stays.
    let again = || script().ok(1, "add", 5, ());
    assert_valid(&again().reads([five(), five()]).check(Object::OrSet));
    let lost = again().reads([none(), none()]).check(Object::OrSet);
    shows(&lost, &["lost-element"], "p1's add of 5 (#4) was acknowledged and no removal can have");
    // Unless somebody may still remove it.
    let unknown = Script::default().by(3, 2, "remove", 5, info()).ok(1, "add", 5, ());
    assert_valid(&unknown.reads([none(), none()]).check(Object::OrSet));
}

#[test]
fn tags_tell_what_was_taken_away() {
    let (none, five) = (|| Value::List(Vec::new()), || Value::from([5]));
    let script = || Script::default().ok(1, "add", 5, "a1").ok(2, "add", 5, "b1");
    let both = || script().ok(3, "remove", 5, ["a1", "b1"]);
    assert_valid(&both().reads([none(), none(), none()]).check(Object::OrSet));
    let back = both().reads([five(), five(), five()]).check(Object::OrSet);
    shows(&back, &["resurrected-element"], "each of its 2 additions was taken away");
    let one = || script().ok(3, "remove", 5, ["a1"]);
    assert_valid(&one().reads([five(), five(), five()]).check(Object::OrSet));
    let lost = one().reads([none(), none(), none()]).check(Object::OrSet);
    shows(&lost, &["lost-element"], "p2's add of 5");
}

#[test]
fn the_same_updates_make_the_same_state() {
    let told = |value: i64, seen: &str| Value::of([("value", value.into()), ("seen", seen.into())]);
    let script = || Script::default().ok(1, "add", 5, ()).ok(2, "add", 3, ());
    let fine = script().reads([told(5, "x"), told(3, "y")]).reads([told(8, "z"), told(8, "z")]);
    assert_valid(&fine.check(Object::GCounter));
    let wrong = script().reads([told(5, "x"), told(3, "x")]).reads([told(8, "z"), told(8, "z")]);
    let finding = wrong.check(Object::GCounter);
    shows(&finding, &["same-updates-different-state"], "had heard of the same updates (x)");
    let register = Script::default().ok(1, "write", 5, ()).reads([told(5, "x"), told(5, "x")]);
    assert_valid(&register.check(Object::Register));
}

#[test]
fn keys_are_judged_apart() {
    let on =
        |script: Script, key: &'static str, node: u16, f: &'static str, arg: Value, ret: Value| {
            let call = Call::new(f, arg).on(key);
            let (process, node) = (Process(u32::from(node)), Some(NodeId(node)));
            let script = script.event(Event::Invoke { process, node, call });
            script.event(Event::Complete { process, outcome: Outcome::Ok(ret) })
        };
    let mut script = Script::default();
    for key in ["x", "y"] {
        script = on(script, key, 1, "write", 5.into(), Value::Nil);
        script = on(script, key, 1, "read", Value::Nil, 5.into());
        let seen = if key == "x" { 5.into() } else { Value::Nil };
        script = on(script, key, 2, "read", Value::Nil, seen);
    }
    let finding = script.check(Object::Register);
    assert_eq!(names(&finding), ["divergence", "lost-write"]);
    assert!(finding.anomalies.iter().all(|a| a.key == Some("y".into())));
    assert_eq!(finding.stats["keys"], 2);
}

#[test]
fn limits_are_kept() {
    let history = || Script::default().ok(1, "write", 5, ()).reads([5, 5]).history();
    let stopped = Limits::default();
    stopped.stop.trip();
    let checker = eventual(Object::Register, Value::Nil);
    assert_unknown(&checker.check(&history(), &stopped), "out of time");
    let tight = Limits { memory: 100, ..Limits::default() };
    assert_unknown(&checker.check(&history(), &tight), "more than the limit");
}
