//! What the page says.

use danso_vocab::{Finding, Time, Value};

use crate::markup::{self, Page};
use crate::sample::{self, Sample};

fn page(sample: &Sample) -> Page {
    markup::read(&sample.html())
}

fn says(page: &Page, sentence: &str) {
    assert!(page.text.contains(sentence), "the page does not say {sentence:?}");
}

fn headings(page: &Page) -> Vec<String> {
    page.tag("section")
        .map(|tag| tag.attributes.iter().find(|(k, _)| k == "id").unwrap().1.clone())
        .collect()
}

#[test]
fn a_failing_run_is_told_from_verdict_to_environment() {
    let sample = sample::invalid();
    let page = page(&sample);
    assert_eq!(
        headings(&page),
        [
            "anomalies",
            "reproduce",
            "timeline",
            "time",
            "operations",
            "faults",
            "nodes",
            "checkers",
            "events",
            "environment"
        ]
    );
    let anomaly = &sample.results.findings[0].anomalies[0];
    says(&page, "invalid");
    says(&page, &anomaly.because);
    says(&page, &sample.results.reproduce);
    says(&page, "8214365907112233");
    for line in &anomaly.explain {
        says(&page, line);
    }
    says(&page, "stale-read on k3");
    says(&page, "cannot be ordered");
    says(&page, "partition");
    says(&page, "1 204 packets between n1 and n2, n3 dropped");
    says(&page, "crashed: signal 6 (SIGABRT)");
    says(&page, "term went backwards: 4 < 5");
    says(&page, "timed out after 1 s");
    says(&page, "needs CAP_SYS_TIME");
    says(&page, "Linux 6.8.0");
    let read = sample.history.op(anomaly.ops[0]).unwrap();
    says(&page, &format!("r → {}", read.ret().unwrap()));
}

#[test]
fn the_timeline_marks_what_cannot_be_ordered() {
    let page = page(&sample::invalid());
    let class = |tag: &markup::Tag, class: &str| {
        tag.attributes.iter().any(|(k, v)| k == "class" && v.split(' ').any(|c| c == class))
    };
    let groups = |what: &str| {
        page.tags.iter().filter(|t| ["g", "a"].contains(&&*t.name) && class(t, what)).count()
    };
    assert_eq!((groups("culprit"), groups("witness")), (1, 1));
    assert!((10..=60).contains(&groups("around")), "{} around", groups("around"));
    assert_eq!(groups("band"), 1, "the partition lies behind it");
}

#[test]
fn every_end_of_a_run_has_its_page() {
    for (sample, state, sentence) in [
        (sample::valid(), "valid", "No anomaly was found."),
        (sample::unknown(), "unknown", "that is no proof"),
        (sample::interrupted(), "interrupted", "The run was cut short: SIGINT after 6.0 s of 17 s"),
        (sample::empty(), "unknown", "No operation was recorded"),
    ] {
        let page = page(&sample);
        says(&page, sentence);
        let banner = page.tag("header").next().unwrap();
        assert_eq!(banner.attributes[0], ("class".to_owned(), format!("banner {state}")));
        assert!(page.text.contains(&sample.results.reproduce));
    }
}

#[test]
fn an_interruption_does_not_pass_for_a_verdict() {
    let page = page(&sample::interrupted());
    says(&page, "What was recorded until then is judged valid");
    says(&page, "not healed");
    says(&page, "never");
    let mut cut_short = sample::invalid();
    cut_short.results.interrupted = Some("SIGINT".to_owned());
    says(&self::page(&cut_short), "The run was cut short as well: SIGINT");
}

#[test]
fn a_fault_without_effect_is_pointed_out() {
    let page = page(&sample::unknown());
    says(&page, "1 of 2 faults could not be shown to have had an effect.");
    says(&page, "the pid was still there after the kill");
}

#[test]
fn an_anomaly_about_nothing_known_still_shows() {
    let mut sample = sample::invalid();
    sample.results.findings[0].anomalies[0].ops = vec![danso_vocab::OpId(u32::MAX - 1)];
    says(&page(&sample), "1 of the operations named are not in this history.");
    sample.results.findings[0].anomalies[0].ops.clear();
    says(&page(&sample), "stale-read");
}

#[test]
fn many_anomalies_are_capped_and_counted() {
    let mut sample = sample::invalid();
    let anomaly = sample.results.findings[0].anomalies[0].clone();
    sample.results.findings = vec![Finding::invalid("linearizable", vec![anomaly; 33])];
    let page = page(&sample);
    says(&page, "17 more stale-read");
    says(&page, "13 more anomalies in a line each");
    assert_eq!(page.tag("article").filter(|t| t.attributes[0].1 == "card").count(), 20);
}

#[test]
fn a_history_without_times_is_drawn_by_order_alone() {
    use danso_vocab::{Anomaly, Call, HistoryBuilder, Outcome, Process};
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    let mut first = None;
    for (process, f, arg, ret) in
        [(0, "write", Value::Int(1), ().into()), (1, "read", ().into(), Value::Int(0))]
    {
        let call = Call::new(f, arg);
        let id = builder.invoke(Time::ZERO, Process(process), None, f, None, call.arg).unwrap();
        first.get_or_insert(id);
        builder.complete(Time::ZERO, Process(process), None, Outcome::Ok(ret)).unwrap();
    }
    let anomaly = Anomaly {
        name: "stale-read".into(),
        key: None,
        ops: vec![danso_vocab::OpId(2), first.unwrap()],
        because: "It is stale.".to_owned(),
        explain: Vec::new(),
        figure: None,
    };
    let mut sample = sample::empty();
    sample.history = builder.finish();
    sample.results.findings = vec![Finding::invalid("linearizable", vec![anomaly])];
    let page = page(&sample);
    says(&page, "The history carries no times");
    says(&page, "r → 0");
}

#[test]
fn the_page_is_self_contained() {
    let html = sample::invalid().html();
    let page = markup::read(&html);
    for tag in &page.tags {
        for (name, value) in &tag.attributes {
            assert!(!name.starts_with("on"), "a handler: {name}");
            match name.as_str() {
                "href" => assert!(value.starts_with('#') || value.starts_with("data:"), "{value}"),
                "style" => {
                    let place = value.strip_prefix("left:").and_then(|v| v.strip_suffix("px"));
                    assert!(place.is_some_and(|p| p.parse::<i32>().is_ok()), "{value}");
                }
                "src" | "srcset" | "action" => panic!("attribute {name}"),
                _ => {}
            }
        }
    }
    assert!(!html.contains("@import") && !html.contains("url("));
    assert_eq!(html, sample::invalid().html(), "the same record makes the same page");
}

#[test]
fn the_only_script_is_our_own_and_the_policy_allows_no_other() {
    let page = page(&sample::invalid());
    let [data, script] = &page.scripts[..] else { panic!("{} scripts", page.scripts.len()) };
    let kinds: Vec<&[(String, String)]> =
        page.tag("script").map(|tag| tag.attributes.as_slice()).collect();
    let attribute = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(kinds[0], [attribute("id", "danso-data"), attribute("type", "application/json")]);
    assert!(kinds[1].is_empty(), "{:?}", kinds[1]);
    assert!(data.starts_with('{') && data.ends_with('}'));
    for reaching in ["innerHTML", "outerHTML", "document.write", "eval(", "fetch(", "import("] {
        assert!(!script.contains(reaching), "the script has {reaching}");
    }
    let mut policies = page.tag("meta").filter(|t| t.attributes[0].1 == "Content-Security-Policy");
    let policy = &policies.next().unwrap().attributes[1].1;
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"));
    assert!(!policy.contains("unsafe-eval"));
    // A hostile record has the same script, to the byte.
    assert_eq!(&markup::read(&crate::hostile::poisoned("</script>x").html()).scripts[1], script);
}

#[test]
fn anchors_lead_somewhere_and_are_unique() {
    let page = page(&sample::invalid());
    let mut ids: Vec<&str> = page
        .tags
        .iter()
        .flat_map(|tag| &tag.attributes)
        .filter_map(|(k, v)| (k == "id").then_some(v.as_str()))
        .collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|w| w[0] != w[1]), "{ids:?}");
    for link in page.tag("a") {
        let (_, href) = link.attributes.iter().find(|(k, _)| k == "href").unwrap();
        assert!(href == "#timeline" || ids.contains(&&href[1..]), "{href} leads nowhere");
    }
}
