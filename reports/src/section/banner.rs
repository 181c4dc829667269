//! Is it correct? The verdict, why, and what it rests on.

use std::collections::BTreeSet;

use danso_vocab::results::FaultReport;
use danso_vocab::{Results, Verdict};
use maud::{Markup, html};

use crate::counts::figures;
use crate::label::{number, percent};
use crate::{Record, inert, link};

/// What the banner says: the verdict, unless the run was cut short before it meant much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Valid,
    Invalid,
    Unknown,
    Interrupted,
}

impl State {
    /// A violation stays one even if the run did not end; anything else an interrupted run says
    /// is half a story.
    pub(crate) fn of(results: &Results) -> State {
        match (results.verdict, &results.interrupted) {
            (Verdict::Invalid, _) => State::Invalid,
            (_, Some(_)) => State::Interrupted,
            (Verdict::Unknown, None) => State::Unknown,
            (Verdict::Valid, None) => State::Valid,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Valid => "valid",
            State::Invalid => "invalid",
            State::Unknown => "unknown",
            State::Interrupted => "interrupted",
        }
    }

    /// Outline and sign: the state can be told without its colour.
    fn shapes(self) -> (&'static str, &'static str) {
        match self {
            State::Valid => ("M24 2a22 22 0 1 0 0 44a22 22 0 0 0 0-44z", "M14 25l7 7 13-15"),
            State::Invalid => ("M15 2h18l13 13v18L33 46H15L2 33V15z", "M16 16l16 16M32 16L16 32"),
            State::Unknown => (
                "M24 1l23 23-23 23L1 24z",
                "M18 19.5a6 6 0 1 1 8.5 5.4q-2.5 1.2-2.5 4.1M24 34.4v.2",
            ),
            State::Interrupted => (
                "M8 3h32a5 5 0 0 1 5 5v32a5 5 0 0 1-5 5H8a5 5 0 0 1-5-5V8a5 5 0 0 1 5-5z",
                "M18 15v18M30 15v18",
            ),
        }
    }

    fn colour(self) -> &'static str {
        match self {
            State::Valid => "067652",
            State::Invalid => "c92a2a",
            State::Unknown => "b35900",
            State::Interrupted => "495f77",
        }
    }

    fn sign(self) -> Markup {
        let (outline, sign) = self.shapes();
        html! {
            svg .sign viewBox="0 0 48 48" width="72" height="72" aria-hidden="true" {
                path .outline d=(outline) {}
                path .stroke d=(sign) {}
            }
        }
    }

    /// The sign for the browser's tab.
    pub(crate) fn favicon(self) -> String {
        let (outline, sign) = self.shapes();
        let colour = self.colour();
        format!(
            "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'%3E\
             %3Cpath d='{outline}' fill='%23{colour}'/%3E%3Cpath d='{sign}' fill='none' \
             stroke='white' stroke-width='5' stroke-linecap='round'/%3E%3C/svg%3E"
        )
    }
}

/// The head of the page.
pub(crate) fn render(record: &Record<'_>) -> Markup {
    let results = record.results;
    let state = State::of(results);
    html! {
        header .banner.(state.word()) {
            div .verdict {
                (state.sign())
                div {
                    p .title { (inert::clip(record.title, 200)) }
                    div .headline {
                        h1 { (state.word()) }
                        @if let Some(more) = qualifier(record, state) { p .qualifier { (more) } }
                    }
                    p .reason { (link::prose(record, &reason(results, state))) }
                    @if let Some(note) = note(record, state) { p .note { (note) } }
                    @if let Some((met, words)) = expected(record) {
                        p .expected.unmet[!met] {
                            span aria-hidden="true" { (if met { "✓ " } else { "✗ " }) }
                            (words)
                        }
                    }
                }
            }
            dl .facts {
                @for (name, value, more) in facts(record) {
                    div { dt { (name) } dd { (value) @if !more.is_empty() { small { (more) } } } }
                }
            }
            @if !results.reproduce.is_empty() {
                div .again {
                    span #again { "Reproduce" }
                    pre tabindex="0" aria-labelledby="again" {
                        code #again-command { (inert::line(&results.reproduce)) }
                    }
                    // The page's script shows it.
                    button type="button" data-copy="#again-command" hidden { "Copy" }
                }
            }
        }
    }
}

fn reason(results: &Results, state: State) -> String {
    match (&results.interrupted, state) {
        (Some(why), State::Interrupted) if why.is_empty() => "The run was cut short.".to_owned(),
        (Some(why), State::Interrupted) => {
            format!("The run was cut short: {}", inert::clip(why, 600))
        }
        _ if results.reason.is_empty() => "No reason was recorded.".to_owned(),
        _ => inert::clip(&results.reason, 1200),
    }
}

/// What has to be known beside the verdict not to misread it.
fn note(record: &Record<'_>, state: State) -> Option<String> {
    let results = record.results;
    if state == State::Interrupted {
        let judged = format!("What was recorded until then is judged {}", results.verdict);
        return Some(match results.reason.is_empty() {
            true => format!("{judged}."),
            false => format!("{judged}: {}", inert::clip(&results.reason, 600)),
        });
    }
    if let Some(why) = &results.interrupted {
        return Some(format!("The run was cut short as well: {}", inert::clip(why, 600)));
    }
    None
}

/// What an unknown lacks: nothing happened, too little did, or it could not be decided.
fn qualifier(record: &Record<'_>, state: State) -> Option<&'static str> {
    if state != State::Unknown {
        return None;
    }
    let undecided = record.results.findings.iter().filter(|f| f.verdict == Verdict::Unknown);
    Some(match undecided.map(|f| &*f.checker).collect::<Vec<_>>().as_slice() {
        _ if record.history.is_empty() => "nothing was tested",
        ["coverage"] => "too little was tested",
        _ => "it could not be decided",
    })
}

/// What the plan expected, if that is worth saying, and whether it came so. The run itself has
/// said that; without its word only the verdict is compared.
fn expected(record: &Record<'_>) -> Option<(bool, String)> {
    let expect = &record.plan?.expect;
    if let Some(said) = record.results.environment.get("expected") {
        let met = !said.starts_with("not met");
        return Some((met, format!("Expected {}", inert::clip(said, 300))));
    }
    let anomalies = expect.anomalies.join(" or ");
    let with = match anomalies.as_str() {
        "" => String::new(),
        names => format!(", with {}", inert::clip(names, 80)),
    };
    let met = expect.verdict == record.results.verdict;
    (expect.verdict != Verdict::Valid)
        .then(|| (met, format!("The plan expected {}{with}.", expect.verdict)))
}

/// The facts: name, value, and a smaller word beside it.
fn facts(record: &Record<'_>) -> Vec<(&'static str, String, String)> {
    let mut facts = Vec::new();
    let (_, all) = figures(record);
    let total = all.counts.total();
    let share = match total {
        0 => String::new(),
        _ => format!(" {} ok", percent(all.counts.ok, total)),
    };
    if let Some(plan) = record.plan {
        let nodes = plan.target.nodes();
        let nodes = format!(" {nodes} node{}", if nodes == 1 { "" } else { "s" });
        facts.push(("Target", inert::clip(&plan.target.name, 80), nodes));
        let workers = plan.load.workers();
        let workers = format!(" {workers} client{}", if workers == 1 { "" } else { "s" });
        facts.push(("Workload", inert::clip(&plan.workload.name, 80), workers));
    }
    facts.push(("Operations", number(total), share));
    facts.push(("Duration", format!("{:.1} s", record.history.end().secs()), String::new()));
    let faults = &record.results.faults;
    let bit = faults.iter().filter(|fault| fault.bit).count();
    let seen = match faults.len() {
        0 => String::new(),
        n if n == bit => format!(" {}, all seen to bite", kinds(faults)),
        _ => format!(" {}, {bit} seen to bite", kinds(faults)),
    };
    if record.plan.is_some() || !faults.is_empty() {
        facts.push(("Faults", number(faults.len() as u64), seen));
    }
    let anomalies: usize = record.results.findings.iter().map(|f| f.anomalies.len()).sum();
    if anomalies > 0 {
        facts.push(("Anomalies", number(anomalies as u64), String::new()));
    }
    if let Some(seed) = record.results.seed.or(record.plan.map(|plan| plan.seed)) {
        facts.push(("Seed", seed.to_string(), String::new()));
    }
    facts
}

/// The kinds of faults, each once.
fn kinds(faults: &[FaultReport]) -> String {
    let kinds: BTreeSet<&str> = faults.iter().map(|fault| &*fault.kind).collect();
    let mut words: Vec<String> = kinds.iter().take(6).map(|kind| inert::brief(kind, 24)).collect();
    if kinds.len() > 6 {
        words.push(format!("{} more", kinds.len() - 6));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_outlives_an_interruption() {
        let of = |verdict, interrupted: Option<&str>| {
            State::of(&Results {
                verdict,
                interrupted: interrupted.map(str::to_owned),
                ..Results::default()
            })
        };
        assert_eq!(of(Verdict::Invalid, Some("^C")), State::Invalid);
        assert_eq!(of(Verdict::Valid, Some("^C")), State::Interrupted);
        assert_eq!(of(Verdict::Unknown, None), State::Unknown);
        assert!(!State::Valid.favicon().contains(['<', '"', '#']));
    }
}
