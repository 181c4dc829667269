//! The same in a few lines, for a terminal or a log.

use std::fmt::Write as _;

use danso_vocab::Time;
use danso_vocab::time::human;

use crate::counts::figures;
use crate::windows::nodes;
use crate::{Record, inert};

/// More anomalies, explaining lines or operations than this are left to the page.
const MOST_ANOMALIES: usize = 5;
const MOST_LINES: usize = 12;
const MOST_OPS: usize = 12;
const MOST_FAULTS: usize = 40;

/// A short summary without colours: anomalies, counts, faults; last, where the eye is, verdict,
/// reason and the command that does it again. Nothing in it can act on a terminal.
pub fn text(record: &Record<'_>) -> String {
    let results = record.results;
    let mut out = Lines(String::new());
    out.say("record", inert::clip(record.title, 200));
    if let Some(plan) = record.plan {
        let (target, workload) = (&plan.target, &plan.workload.name);
        let (target, nodes) = (inert::clip(&target.name, 80), target.nodes());
        out.say("run", format!("{} on {target}, {nodes} nodes", inert::clip(workload, 80)));
    }
    if let Some(seed) = results.seed {
        out.say("seed", seed);
    }
    anomalies(record, &mut out);
    counts(record, &mut out);
    faults(record, &mut out);
    out.say("verdict", results.verdict.word());
    if let Some(why) = &results.interrupted {
        let why = inert::clip(why, 600);
        out.say("interrupted", if why.is_empty() { "the run was cut short" } else { &why });
    }
    if !results.reason.is_empty() {
        out.say("reason", inert::clip(&results.reason, 1200));
    }
    if !results.reproduce.is_empty() {
        out.say("reproduce", inert::line(&results.reproduce));
    }
    out.0
}

struct Lines(String);

impl Lines {
    fn say(&mut self, name: &str, words: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name:<12}{words}");
    }

    fn more(&mut self, words: impl std::fmt::Display) {
        self.say("", words);
    }
}

fn anomalies(record: &Record<'_>, out: &mut Lines) {
    let found: Vec<_> = record.results.findings.iter().flat_map(|f| &f.anomalies).collect();
    for anomaly in found.iter().take(MOST_ANOMALIES) {
        let name = inert::clip(&anomaly.name, 60);
        match &anomaly.key {
            Some(key) => out.say("anomaly", format!("{name} on {}", inert::clip(key, 80))),
            None => out.say("anomaly", name),
        }
        out.more(inert::clip(&anomaly.because, 600));
        let ops = anomaly.ops.iter().filter_map(|id| record.history.op(*id));
        for op in ops.take(MOST_OPS) {
            out.more(format!("  {}", inert::clip(op, 200)));
        }
        if anomaly.ops.len() > MOST_OPS {
            out.more(format!("  … and {} more operations", anomaly.ops.len() - MOST_OPS));
        }
        for line in anomaly.explain.iter().take(MOST_LINES) {
            out.more(format!("  {}", inert::clip(line, 240)));
        }
        if anomaly.explain.len() > MOST_LINES {
            out.more(format!("  … and {} more lines", anomaly.explain.len() - MOST_LINES));
        }
    }
    if found.len() > MOST_ANOMALIES {
        out.more(format!("… and {} more anomalies", found.len() - MOST_ANOMALIES));
    }
}

fn counts(record: &Record<'_>, out: &mut Lines) {
    let (by_f, all) = figures(record);
    let (total, end) = (all.counts.total(), record.history.end());
    out.say("operations", format!("{total} in {:.1} s", end.secs()));
    for (f, figures) in &by_f {
        let counts = figures.counts;
        let mut line = format!(
            "{:<10} {:>8} ok {:>7} fail {:>7} info",
            inert::brief(f, 40),
            counts.ok,
            counts.fail,
            counts.info
        );
        if let (Some(median), Some(high)) = (figures.quantile(500), figures.quantile(990)) {
            let _ = write!(line, "   median {}, 99 % {}", human(median), human(high));
        }
        out.more(line);
    }
}

fn faults(record: &Record<'_>, out: &mut Lines) {
    let faults = &record.results.faults;
    let time = |t: Option<Time>, none: &str| t.map_or(none.to_owned(), |t| t.to_string());
    for (i, fault) in faults.iter().take(MOST_FAULTS).enumerate() {
        let kind = inert::clip(&fault.kind, 60);
        let mut line = format!("{} {kind} {}", fault.id, nodes(&fault.nodes)).trim_end().to_owned();
        match fault.start {
            None => line.push_str(", never injected"),
            Some(start) => {
                let _ = write!(line, ", {start} to {}", time(fault.stop, "the end, not healed"));
            }
        }
        line.push_str(if fault.bit { ", bit" } else { ", not seen to bite" });
        if !fault.effect.is_empty() {
            let _ = write!(line, ": {}", inert::clip(&fault.effect, 240));
        }
        out.say(if i == 0 { "faults" } else { "" }, line);
    }
    if faults.len() > MOST_FAULTS {
        out.more(format!("… and {} more", faults.len() - MOST_FAULTS));
    }
}
