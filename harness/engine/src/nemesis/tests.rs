use super::*;
use crate::network::Backend;
use danso_vocab::{Nodes, Start};

fn args(entries: &[(&str, Value)]) -> BTreeMap<String, Value> {
    entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
}

fn means() -> Means {
    Means::new(Backend::Switch, true, Vec::new())
}

fn ground<'a>(nodes: &'a [NodeId], means: &'a Means, load: u64) -> Ground<'a> {
    Ground { nodes, means, load: Duration::from_secs(load) }
}

fn partition(entries: &[(&str, Value)], nodes: u16, seed: u64) -> Result<Fault, String> {
    let nemesis = find("partition").unwrap();
    let (nodes, means) = (NodeId::all(nodes), means());
    nemesis.draw(&args(entries), &ground(&nodes, &means, 10), &mut Rng::new(seed))
}

fn cut(fault: &Fault) -> Vec<(String, String)> {
    let links = fault.args.get("cut").unwrap().list().unwrap();
    links
        .iter()
        .map(|l| {
            let (a, b) = l.pair().unwrap();
            (a.to_string(), b.to_string())
        })
        .collect()
}

#[test]
fn kinds_are_unique_kebab_case_words() {
    let kinds: std::collections::BTreeSet<_> = NEMESES.iter().map(|n| n.kind()).collect();
    assert_eq!(kinds.len(), NEMESES.len());
    assert!(kinds.iter().all(|k| k.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
}

#[test]
fn no_argument_is_also_one_of_the_timing() {
    for nemesis in NEMESES {
        let timing = |arg: &&(&str, &str)| timing::ARGS.iter().any(|(name, _)| *name == arg.0);
        assert_eq!(nemesis.args().iter().find(timing), None, "{}", nemesis.kind());
    }
}

#[test]
fn one_is_cut_off_in_both_directions() {
    for seed in 0..20 {
        let links = cut(&partition(&[("shape", "one".into())], 3, seed).unwrap());
        assert_eq!(links.len(), 4);
        assert!(links.iter().all(|(a, b)| links.contains(&(b.clone(), a.clone()))));
    }
}

#[test]
fn one_way_is_one_way() {
    for seed in 0..20 {
        let links = cut(&partition(&[("shape", "one-way".into())], 5, seed).unwrap());
        assert_eq!(links.len(), 4);
        assert!(links.iter().all(|(a, b)| !links.contains(&(b.clone(), a.clone()))));
    }
}

#[test]
fn in_a_majorities_ring_everyone_hears_a_different_majority() {
    for n in [3u16, 4, 5, 7] {
        let links = cut(&partition(&[("shape", "majorities-ring".into())], n, 4).unwrap());
        let heard: std::collections::BTreeSet<Vec<String>> = NodeId::all(n)
            .iter()
            .map(|to| {
                let from = NodeId::all(n).into_iter().map(|f| f.to_string());
                from.filter(|f| !links.contains(&(f.clone(), to.to_string()))).collect()
            })
            .collect();
        assert_eq!(heard.len(), usize::from(n), "no two hear the same");
        assert!(heard.iter().all(|h| h.len() == usize::from(n / 2 + 1)));
    }
}

#[test]
fn majority_leaves_a_majority() {
    let fault = partition(&[("shape", "majority".into())], 5, 1).unwrap();
    let Nodes::These(minority) = &fault.nodes else { panic!("{fault:?}") };
    assert_eq!(minority.len(), 2);
    assert_eq!(cut(&fault).len(), 2 * 2 * 3);
}

#[test]
fn what_cannot_be_drawn_is_refused_with_the_mend() {
    let refused = |entries: &[(&str, Value)], say: &str| {
        let error = partition(entries, 3, 0).unwrap_err();
        assert!(error.contains(say), "{error}");
    };
    refused(&[("shape", "circle".into())], "majorities-ring");
    refused(&[("shape", "one".into()), ("nodes", "n9".into())], "no n9");
    refused(&[("shape", "minority-third".into())], "0 nodes");
    refused(&[("direction", "up".into())], "both, in, out");
    refused(&[("groups", Value::List(vec![["n1"].into()]))], "two groups");
    refused(&[("links", ["n1"].into())], "no link");
}

fn draw_all(kind: &str, entries: &[(&str, Value)], load: u64) -> Result<Vec<Injection>, String> {
    let request = Request { kind: kind.to_owned(), args: args(entries) };
    let (nodes, means) = (NodeId::all(3), means());
    draw(&request, &ground(&nodes, &means, load), &mut Rng::new(5))
}

#[test]
fn windows_follow_the_timing_arguments() {
    let starts = |injections: Vec<Injection>| -> Vec<f64> {
        injections.iter().map(|i| i.start.earliest().secs()).collect()
    };
    let every = [("every", Value::from("3s")), ("for", "1s".into())];
    assert_eq!(starts(draw_all("kill", &every, 10).unwrap()), [3.0, 6.0, 9.0]);
    let at = [("at", Value::from(["500ms", "2.5s"])), ("for", "1s".into())];
    assert_eq!(starts(draw_all("pause", &at, 10).unwrap()), [0.5, 2.5]);
    let on = draw_all("kill", &[("on", "became leader".into()), ("for", "50ms".into())], 10);
    let on = on.unwrap();
    assert!(matches!(&on[0].start, Start::OnLog { text, .. } if text == "became leader"));
    for (entries, say) in [
        (vec![("every", Value::from("3"))], "write 5s"),
        (vec![("every", "30s".into())], "no window"),
        (vec![("evry", "3s".into())], "no argument `evry`"),
        (vec![("every", "0s".into())], "more than nothing"),
    ] {
        let error = draw_all("kill", &entries, 10).unwrap_err();
        assert!(error.contains(say), "{error}");
    }
    assert!(draw_all("explode", &[], 10).unwrap_err().contains("partition, flap"));
}

#[test]
fn the_default_schedule_is_repeatable_and_meets_every_kind() {
    let (nodes, means) = (NodeId::all(3), means());
    for (seed, load) in (0..60).zip([5, 12, 20, 60].into_iter().cycle()) {
        let kinds = ["partition", "kill", "pause"].map(|k| find(k).unwrap());
        let ground = ground(&nodes, &means, load);
        let style = Style::default();
        let draw = || auto(&kinds, &style, &ground, &mut Rng::new(seed)).unwrap().0;
        let schedule = draw();
        assert_eq!(schedule, draw());
        for nemesis in kinds {
            let met = schedule.injections.iter().any(|i| i.fault.kind == nemesis.kind());
            assert!(met, "seed {seed} never meets {}", nemesis.kind());
        }
        for pair in schedule.injections.windows(2) {
            let end = pair[0].start.earliest() + pair[0].lasts;
            assert!(end < pair[1].start.earliest(), "one at a time");
        }
    }
}

fn style(settings: &[(&str, Value)]) -> Style {
    let kinds: Vec<_> = NEMESES.iter().map(|n| n.kind()).collect();
    Style::of(&args(settings), &kinds).unwrap()
}

/// All injections in force with another one.
fn overlaps(schedule: &danso_vocab::Schedule) -> Vec<(&Injection, &Injection)> {
    let window = |i: &Injection| (i.start.earliest(), i.start.earliest() + i.lasts);
    let mut pairs = Vec::new();
    for (k, a) in schedule.injections.iter().enumerate() {
        for b in &schedule.injections[k + 1..] {
            if window(a).0 < window(b).1 && window(b).0 < window(a).1 {
                pairs.push((a, b));
            }
        }
    }
    pairs
}

#[test]
fn a_style_is_kept() {
    let (nodes, means) = (NodeId::all(5), means());
    let ground = ground(&nodes, &means, 60);
    let kinds = ["partition", "kill", "pause", "flap"].map(|k| find(k).unwrap());
    let settings = [
        ("at-once", Value::from(3)),
        ("exclusive", Value::List(vec![["kill", "pause"].into()])),
        ("keep-quorum", true.into()),
        ("calm", "4s".into()),
        ("storm", "8s".into()),
        ("recover", "3s".into()),
        ("weights", Value::of([("flap", 0.into()), ("kill", 3.into())])),
        ("lasts", ["500ms", "2s"].into()),
    ];
    let style = style(&settings);
    let mut together = 0;
    for seed in 0..60 {
        let (schedule, _) = auto(&kinds, &style, &ground, &mut Rng::new(seed)).unwrap();
        assert!(schedule.injections.len() > 8, "seed {seed}");
        for (a, b) in overlaps(&schedule) {
            together += 1;
            let mut both = [&*a.fault.kind, &*b.fault.kind];
            both.sort_unstable();
            assert_ne!(both, ["kill", "pause"], "seed {seed}");
        }
        for injection in &schedule.injections {
            assert_ne!(injection.fault.kind, "flap");
            let at = injection.start.earliest().secs() % 15.0;
            assert!((4.0..12.0).contains(&at), "seed {seed}: begins at {at}");
            assert!(at + injection.lasts.as_secs_f64() <= 12.001, "seed {seed}: heals late");
            let now = schedule.injections.iter().filter(|i| {
                let (from, at) = (i.start.earliest(), injection.start.earliest());
                from <= at && at < from + i.lasts
            });
            let faults = now.map(|i| (&i.fault, find(&i.fault.kind).unwrap().impairs(&i.fault)));
            assert!(quorum::left(&nodes, faults), "seed {seed}: no quorum");
        }
    }
    assert!(together > 60, "only {together} overlaps: the test tests nothing");
}

#[test]
fn a_swarm_leaves_kinds_out_and_differs_by_seed() {
    let (nodes, means) = (NodeId::all(3), means());
    let ground = ground(&nodes, &means, 20);
    let kinds: Vec<_> = NEMESES.iter().copied().filter(|n| n.fair()).collect();
    let style = style(&[("swarm", true.into())]);
    let mut met = std::collections::BTreeSet::new();
    for seed in 0..80 {
        let draw = || auto(&kinds, &style, &ground, &mut Rng::new(seed)).unwrap().0;
        let schedule = draw();
        assert_eq!(schedule, draw());
        let here: std::collections::BTreeSet<_> =
            schedule.injections.iter().map(|i| i.fault.kind.clone()).collect();
        assert!(here.len() < kinds.len(), "seed {seed} has every kind");
        met.extend(here);
    }
    assert_eq!(met.len(), kinds.len(), "some seed has each kind");
}

#[test]
fn what_is_in_the_way_moves_or_is_left_out() {
    let (nodes, means) = (NodeId::all(3), means());
    let ground = ground(&nodes, &means, 10);
    let mut injections =
        draw_all("kill", &[("at", "1s".into()), ("for", "4s".into())], 10).unwrap();
    for (kind, at) in [("pause", "2s"), ("flap", "3s")] {
        let entries = [("at", at.into()), ("for", "3s".into())];
        injections.extend(draw_all(kind, &entries, 10).unwrap());
    }
    let (schedule, left_out) =
        arrange(injections.clone(), &style(&[("at-once", 1.into())]), &ground);
    let starts: Vec<_> = schedule.injections.iter().map(|i| i.start.earliest().secs()).collect();
    assert_eq!(starts, [1.0, 5.1]);
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].contains("no room"), "{left_out:?}");
    let (schedule, left_out) = arrange(injections, &Style::default(), &ground);
    assert_eq!((schedule.injections.len(), left_out.len()), (3, 0));
}

#[test]
fn a_style_that_makes_no_sense_is_refused() {
    for (name, value, say) in [
        ("at-most", Value::from(1), "keep-quorum"),
        ("at-once", 0.into(), "1 to 1000"),
        ("exclusive", Value::List(vec![["kill", "explode"].into()]), "`explode`"),
        ("calm", "1s".into(), "storm"),
        ("lasts", ["2s", "1s"].into(), "longer"),
        ("weights", Value::of([("kill", Value::from(-1))]), "0 to 1000"),
    ] {
        let error = Style::of(&args(&[(name, value)]), &["kill", "pause"]).unwrap_err();
        assert!(error.contains(say), "{error}");
    }
}
