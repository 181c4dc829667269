use super::*;
use crate::means::Means;
use crate::network::Backend;

fn draw(entries: &[(&str, Value)], seed: u64) -> Result<Fault, String> {
    let args = entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let means = Means::new(Backend::None, true, Vec::new());
    let ground = Ground { nodes: &NodeId::all(3), means: &means, load: Duration::from_secs(10) };
    Clock.draw(&args, &ground, &mut Rng::new(seed))
}

fn skewed(entries: &[(&str, Value)]) -> Option<Skew> {
    skew(&draw(entries, 1).unwrap().args).unwrap()
}

#[test]
fn arguments_say_what_to_do() {
    const SECOND: i64 = 1_000_000_000;
    let day = Some(Skew::Bump(-2 * 86_400 * SECOND));
    assert_eq!(skewed(&[("mode", "bump".into()), ("by", "-2d".into())]), day);
    let back = Some(Skew::Bump(-90 * SECOND));
    assert_eq!(skewed(&[("mode", "jump-back".into()), ("by", "90s".into())]), back);
    let drift = Some(Skew::Drift { ppm: -100_000, monotonic: true });
    let args = [("mode", "drift".into()), ("rate", "0.9".into()), ("monotonic", true.into())];
    assert_eq!(skewed(&args), drift);
    let strobe = Some(Skew::Strobe { by: SECOND, every: Duration::from_millis(7) });
    let args = [("mode", "strobe".into()), ("by", "1s".into()), ("period", "7ms".into())];
    assert_eq!(skewed(&args), strobe);
    let slew = Some(Skew::Slew { by: -SECOND, over: Duration::from_secs(3) });
    let args = [("mode", "slew".into()), ("by", "-1s".into()), ("over", "3s".into())];
    assert_eq!(skewed(&args), slew);
    assert_eq!(skewed(&[("mode", "freeze".into())]), Some(Skew::Freeze { monotonic: false }));
    assert_eq!(skewed(&[("mode", "reset".into())]), None);
}

#[test]
fn what_is_drawn_makes_sense_and_reads_back() {
    let mut modes = std::collections::BTreeSet::new();
    for seed in 0..500 {
        let fault = draw(&[], seed).unwrap();
        modes.insert(fault.args.get("mode").unwrap().to_string());
        let skew = skew(&fault.args).unwrap().unwrap();
        skew.check().unwrap();
        if let Skew::Bump(by) = skew {
            let ms = by.unsigned_abs() / 1_000_000;
            assert!((11..300_000).contains(&ms), "{ms} ms");
        }
        assert_eq!(draw(&[], seed).unwrap(), fault);
    }
    assert_eq!(modes.len(), 6, "{modes:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (entries, say) in [
        (vec![("mode", Value::from("warp"))], "jump-back"),
        (vec![("mode", "bump".into()), ("by", 5.into())], "write \"-90s\""),
        (vec![("mode", "bump".into()), ("by", "60000d".into())], "100 years"),
        (vec![("mode", "bump".into()), ("rate", "1.1".into())], "has no `rate`"),
        (vec![("mode", "drift".into()), ("rate", "-1".into())], "between 0 and 100"),
        (vec![("mode", "drift".into()), ("rate", "fast".into())], "write \"1.1\""),
        (vec![("mode", "strobe".into()), ("period", "0s".into())], "microsecond"),
        (vec![("mode", "slew".into()), ("by", "1d".into()), ("over", "1s".into())], "jump"),
        (vec![("nodes", "n9".into())], "no n9"),
    ] {
        let error = draw(&entries, 1).unwrap_err();
        assert!(error.contains(say), "{error}");
    }
}

#[test]
fn times_with_a_sign_read_back() {
    for ns in [0, 1, -1, 1_500_000, -90_000_000_000, 86_400_000_000_000] {
        assert_eq!(signed(&span(ns).into()), Ok(ns));
    }
    assert_eq!(signed(&"+1m 30s".into()), Ok(90_000_000_000));
    assert_eq!(seconds(-3_600_000_000_000), "-3600.000 s");
}
