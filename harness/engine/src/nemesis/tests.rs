use super::*;
use crate::network::Backend;
use danso_vocab::Nodes;

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
        let draw = || auto(&kinds, &ground, &mut Rng::new(seed)).unwrap();
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
