use super::*;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

fn clock() -> Clock {
    Clock::with(Page::anonymous().unwrap())
}

/// What the clock called `id` is off by at the true reading `t`.
fn off(clock: &Clock, id: usize, t: i64) -> i64 {
    clock.lines()[id].at(t) - t
}

/// A true reading a while after every change so far.
fn later(id: usize) -> i64 {
    readings()[id] + SECOND
}

#[test]
fn bumps_add_up_and_are_lifted_in_any_order() {
    let clock = clock();
    let a = clock.apply(Skew::Bump(DAY)).unwrap();
    let b = clock.apply(Skew::Bump(-1500)).unwrap();
    for id in WALL {
        assert_eq!(off(&clock, id, later(id)), DAY - 1500);
    }
    for id in MONOTONIC {
        assert_eq!(clock.lines()[id], Line::default());
    }
    clock.lift(a);
    clock.lift(a);
    assert_eq!(off(&clock, 0, later(0)), -1500);
    clock.lift(b);
    assert_eq!(clock.lines()[0].offset, 0);
    assert!(clock.is_true());
    assert_eq!(off(&clock, 0, later(0)), 0);
}

#[test]
fn a_drifting_clock_gains_by_its_rate_and_is_true_again_once_lifted() {
    let clock = clock();
    let layer = clock.apply(Skew::Drift { ppm: 100_000, monotonic: false }).unwrap();
    let line = clock.lines()[0];
    assert_eq!(line.at(line.anchor), line.anchor);
    assert_eq!(line.at(line.anchor - 1000), line.anchor - 1000);
    let gained = line.at(line.anchor + 10 * SECOND) - line.anchor - 10 * SECOND;
    assert!((gained - SECOND).abs() <= 10, "{gained}");
    assert_eq!(clock.lines()[1], Line::default());
    clock.lift(layer);
    assert_eq!(off(&clock, 0, later(0)), 0);
}

#[test]
fn a_frozen_clock_stands_still_whatever_else_drifts() {
    let clock = clock();
    clock.apply(Skew::Drift { ppm: 500_000, monotonic: false }).unwrap();
    let frozen = clock.apply(Skew::Freeze { monotonic: false }).unwrap();
    clock.apply(Skew::Drift { ppm: 500_000, monotonic: false }).unwrap();
    let t = later(0);
    let line = clock.lines()[0];
    assert_eq!(line.at(t), line.at(t + DAY));
    clock.apply(Skew::Bump(SECOND)).unwrap();
    assert_eq!(clock.lines()[0].at(t), line.at(t) + SECOND);
    clock.lift(frozen);
    let line = clock.lines()[0];
    assert_eq!(line.rate, ONE);
    assert!(line.at(t + SECOND) > line.at(t));
}

#[test]
fn slewing_ends_by_itself() {
    let clock = clock();
    let slew = Skew::Slew { by: -SECOND, over: Duration::from_secs(100) };
    let layer = clock.apply(slew).unwrap();
    assert!(clock.apply(slew).is_err(), "one at a time");
    let line = clock.lines()[0];
    let off = |s: i64| line.at(line.anchor + s * SECOND) - line.anchor - s * SECOND;
    assert!((off(50) + SECOND / 2).abs() < 100, "{}", off(50));
    assert!((off(100) + SECOND).abs() < 100, "{}", off(100));
    assert_eq!(off(100), off(1_000_000));
    // Another layer does not begin it anew.
    clock.apply(Skew::Bump(7)).unwrap();
    let again = clock.lines()[0];
    let t = line.anchor + 30 * SECOND;
    assert!((again.at(t) - line.at(t) - 7).abs() < 100);
    clock.lift(layer);
    assert_eq!(super::tests::off(&clock, 0, later(0)), 7);
}

/// On a busy machine a change may begin late, and must not be overtaken by the next.
#[test]
fn a_change_waits_for_the_one_before_to_begin() {
    let clock = clock();
    let slew = Skew::Slew { by: -SECOND, over: Duration::from_secs(100) };
    let late = |layers: &mut Vec<Applied>, since: &[i64; CLOCKS]| {
        layers.push(Applied { id: 9, skew: slew, since: *since });
    };
    lock(&clock.state).change(50_000_000, late);
    let line = clock.lines()[0];
    clock.apply(Skew::Bump(7)).unwrap();
    let again = clock.lines()[0];
    assert!(again.anchor >= line.anchor);
    let t = line.anchor + 30 * SECOND;
    assert!((again.at(t) - line.at(t) - 7).abs() < 100);
}

#[test]
fn a_strobing_clock_jumps_there_and_back() {
    let clock = clock();
    clock.apply(Skew::Strobe { by: 5 * SECOND, every: Duration::from_millis(10) }).unwrap();
    let line = clock.lines()[0];
    let off = |ms: i64| {
        let t = line.strobe_from + ms * 1_000_000;
        line.at(t) - t
    };
    assert_eq!(
        [off(-1), off(0), off(9), off(10), off(19), off(20)],
        [0, 5 * SECOND, 5 * SECOND, 0, 0, 5 * SECOND]
    );
}

#[test]
fn a_monotonic_clock_keeps_what_it_gained_and_never_steps_back() {
    let clock = clock();
    let mut rng = danso_vocab::Rng::new(3);
    let mut layers = Vec::new();
    let mut last = [0; CLOCKS];
    for _ in 0..300 {
        match rng.below(4) {
            0 => layers.push(clock.apply(Skew::Freeze { monotonic: true }).unwrap()),
            1 => {
                let ppm = rng.between(0, 3_000_000).cast_signed() - 1_000_000;
                layers.push(clock.apply(Skew::Drift { ppm, monotonic: true }).unwrap());
            }
            2 if rng.chance(1, 20) => clock.reset(),
            _ if layers.is_empty() => {}
            _ => {
                let index = rng.below(layers.len() as u64) as usize;
                clock.lift(layers.swap_remove(index));
            }
        }
        let lines = clock.lines();
        for id in MONOTONIC {
            let reading = lines[id].at(now(base(id)));
            assert!(reading >= last[id], "clock {id} went back by {}", last[id] - reading);
            last[id] = reading;
        }
    }
    clock.reset();
    assert_eq!(clock.lines()[1].rate, 0);
    assert_eq!(off(&clock, 0, later(0)), 0, "the wall clock forgets");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (skew, say) in [
        (Skew::Bump(i64::MAX), "100 years"),
        (Skew::Bump(i64::MIN), "100 years"),
        (Skew::Drift { ppm: -1_000_001, monotonic: false }, "between 0 and 100"),
        (Skew::Slew { by: 1, over: Duration::ZERO }, "jump"),
        (Skew::Slew { by: -2, over: Duration::from_nanos(1) }, "backwards"),
        (Skew::Strobe { by: 1, every: Duration::ZERO }, "microsecond"),
    ] {
        assert!(clock().apply(skew).unwrap_err().contains(say));
    }
}
