//! What a whole run is worth, beside what the checkers found: nodes that died by themselves,
//! faults that never bit, clients that never succeeded. A run that tested nothing is `unknown`.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::event::note;
use danso_vocab::history::Counts;
use danso_vocab::results::FaultReport;
use danso_vocab::{
    Anomaly, FaultId, Finding, History, Injection, Note, OpSpec, Plan, Results, Start, Time, Value,
};

pub(crate) mod expectation;

/// Puts findings and the run's own evidence together. `interrupted` is known from elsewhere
/// than the history, which may have been kept from saying so.
pub(crate) fn judge(
    history: &History,
    plan: Option<&Plan>,
    ops: &[OpSpec],
    mut findings: Vec<Finding>,
    interrupted: Option<String>,
) -> Results {
    let faults = plan.map(|p| fault_reports(history, p)).unwrap_or_default();
    let interrupted = interrupted.or_else(|| interruption(history, plan.is_some()));
    findings.extend(crashes(history, &begun(history), &faults));
    findings.push(coverage(history, plan, ops, &faults, interrupted.as_deref()));
    let worst = findings.iter().max_by_key(|f| f.verdict);
    let (verdict, reason) = worst.map(|f| (f.verdict, f.reason.clone())).unwrap_or_default();
    let reason = match verdict {
        danso_vocab::Verdict::Valid => {
            let decided: Vec<_> = findings.iter().map(|f| f.reason.as_str()).collect();
            decided.join("; ")
        }
        _ => reason,
    };
    Results {
        verdict,
        reason,
        seed: plan.map(|p| p.seed),
        reproduce: String::new(),
        findings,
        faults,
        counts: history.counts().into_iter().map(|(f, c)| (f.to_owned(), c)).collect(),
        environment: BTreeMap::new(),
        interrupted,
    }
}

/// Why the recording ends early, if it does.
fn interruption(history: &History, is_run: bool) -> Option<String> {
    let mut notes = history.notes();
    let said = notes.find(|(_, _, n)| n.f == note::INTERRUPTED);
    if let Some((_, _, note)) = said {
        return Some(note.value.str().unwrap_or("for an unknown reason").to_owned());
    }
    let ended = history.notes().any(|(_, _, n)| n.f == note::PHASE && n.value.str() == Some("end"));
    (is_run && !ended).then(|| "the controller died".to_owned())
}

/// How each planned injection went, as the history tells.
fn fault_reports(history: &History, plan: &Plan) -> Vec<FaultReport> {
    let mut notes = BTreeMap::<FaultId, Vec<(Time, &Note)>>::new();
    for (_, time, note) in history.notes() {
        if let Some(id) = note.fault {
            notes.entry(id).or_default().push((time, note));
        }
    }
    let report = |i: &Injection| fault_report(i, notes.get(&i.id).map_or(&[][..], |n| n));
    plan.schedule.injections.iter().map(report).collect()
}

fn fault_report(injection: &Injection, notes: &[(Time, &Note)]) -> FaultReport {
    let mut report = FaultReport {
        id: injection.id,
        kind: injection.fault.kind.clone(),
        nodes: Vec::new(),
        start: None,
        stop: None,
        bit: false,
        effect: "never began".to_owned(),
    };
    if let Start::OnLog { text, .. } = &injection.start {
        report.effect = format!("never began: no node printed `{text}`");
    }
    for (time, note) in notes {
        if note.f == note::HEAL {
            report.stop = Some(*time);
            report.bit = note.value.get("bit").and_then(Value::bool).unwrap_or(false);
            let effect = note.value.get("effect").and_then(Value::str);
            effect.unwrap_or_default().clone_into(&mut report.effect);
        } else if note.f == note::FAULT_FAILED {
            note.value.str().unwrap_or_default().clone_into(&mut report.effect);
        } else {
            report.start = Some(*time);
            report.nodes.clone_from(&note.nodes);
            "never healed".clone_into(&mut report.effect);
        }
    }
    report
}

/// A node may die of a fault a little later than the fault lasts.
const AFTERMATH: std::time::Duration = std::time::Duration::from_secs(2);

/// When injections began, where that is told: they are recorded once all of it is done, and its
/// first node may be dead by then.
fn begun(history: &History) -> BTreeMap<FaultId, Time> {
    let told = history.notes().filter_map(|(_, time, note)| {
        let took = u64::try_from(note.value.get(note::TOOK)?.int()?).ok()?;
        Some((note.fault?, Time(time.0.saturating_sub(took))))
    });
    told.collect()
}

/// Nodes that died although nobody asked them to and no fault excuses it.
fn crashes(
    history: &History,
    begun: &BTreeMap<FaultId, Time>,
    faults: &[FaultReport],
) -> Option<Finding> {
    let excused = |time: Time, note: &Note| {
        faults.iter().any(|fault| {
            let may = danso_engine::nemesis::find(&fault.kind).is_some_and(|n| n.excuses());
            let start = begun.get(&fault.id).copied().or(fault.start);
            let during = start.is_some_and(|s| s <= time)
                && fault.stop.is_none_or(|s| time <= s + AFTERMATH);
            may && during && note.nodes.iter().all(|n| fault.nodes.contains(n))
        })
    };
    let crashed = history.notes().filter(|(_, _, n)| n.f == note::NODE_CRASHED);
    let crashed: Vec<_> = crashed.filter(|(_, time, note)| !excused(*time, note)).collect();
    let anomaly = |(_, time, note): &(u32, Time, &Note)| {
        let text = |name| note.value.get(name).and_then(Value::str).unwrap_or_default();
        let node = note.nodes.first().map_or_else(String::new, ToString::to_string);
        Anomaly {
            name: "node-crashed".into(),
            key: None,
            ops: Vec::new(),
            because: format!(
                "node {node} ended by itself at {time} with {}, although no fault asked it to",
                text("status")
            ),
            explain: text("stderr").lines().map(str::to_owned).collect(),
            figure: None,
        }
    };
    if crashed.is_empty() {
        return None;
    }
    Some(Finding::invalid("nodes", crashed.iter().map(anomaly).collect()))
}

/// Whether the run tested what it was meant to test.
fn coverage(
    history: &History,
    plan: Option<&Plan>,
    ops: &[OpSpec],
    faults: &[FaultReport],
    interrupted: Option<&str>,
) -> Finding {
    let counts = history.counts();
    let count = |f: &str| counts.get(f).copied().unwrap_or_default();
    let mut missing = Vec::new();
    if let Some(reason) = interrupted {
        missing.push(format!("the run was cut short: {reason}"));
    }
    if history.is_empty() {
        missing.push("there is no operation".to_owned());
    }
    if let Some(plan) = plan {
        let asked = asked_for(plan);
        for op in ops.iter().filter(|op| asked.as_ref().is_none_or(|a| a.contains(op.f))) {
            if count(op.f).ok == 0 {
                let tried = count(op.f).total();
                let why = commonest(history, op.f);
                let why = why.map_or_else(String::new, |(why, n)| format!(" ({n} times: {why})"));
                missing.push(format!("no {} ever succeeded, of {tried} tried{why}", op.f));
            }
        }
        let ok: u64 = counts.values().map(|c| c.ok).sum();
        if ok < plan.expect.min_ops {
            missing.push(format!("{ok} operations succeeded, fewer than {}", plan.expect.min_ops));
        }
        if interrupted.is_none() {
            missing.extend(after_healing(history, plan));
        }
        missing.extend(blunt(plan, faults));
        missing.extend(lost(history));
    }
    if missing.is_empty() {
        let bitten = faults.iter().filter(|f| f.bit).count();
        let told = match (plan, faults.len()) {
            (None, _) if counts.values().all(|c| c.ok == 0) => {
                "but no operation is known to have happened, so nothing could contradict".to_owned()
            }
            (None, _) => "the history has operations that succeeded".to_owned(),
            (_, 0) => "every kind of operation succeeded; no faults were asked for".to_owned(),
            (_, n) => format!("every kind of operation succeeded and {bitten} of {n} faults bit"),
        };
        Finding::valid("coverage", told)
    } else {
        Finding::unknown("coverage", missing.join("; "))
    }
}

/// Nodes nobody knows anything of, because their machine is out of reach.
fn lost(history: &History) -> impl Iterator<Item = String> + '_ {
    let lost = history.notes().filter(|(_, _, n)| n.f == danso_engine::remote::NODE_LOST);
    let nodes: BTreeSet<_> = lost.flat_map(|(_, _, n)| &n.nodes).collect();
    nodes.into_iter().map(|node| format!("the connection to the host of {node} was lost"))
}

/// The reason operations of this kind most often did not succeed for, and how often.
fn commonest<'h>(history: &'h History, f: &str) -> Option<(&'h str, u32)> {
    let mut reasons = BTreeMap::<&str, u32>::new();
    for reason in history.ops().filter(|op| op.f() == f).filter_map(|op| op.reason()) {
        *reasons.entry(reason).or_default() += 1;
    }
    reasons.into_iter().max_by_key(|(_, times)| *times)
}

/// The operations the plan's mix asks for; `None` if it has no mix.
pub(crate) fn asked_for(plan: &Plan) -> Option<BTreeSet<&str>> {
    let mix = plan.workload.params.get("mix")?.map()?;
    Some(mix.iter().filter(|(_, w)| w.int() != Some(0)).map(|(f, _)| f.as_str()).collect())
}

/// What is wrong with the time after everything healed.
fn after_healing(history: &History, plan: &Plan) -> Option<String> {
    let closing = |(_, time, note): (u32, Time, &Note)| {
        (note.f == note::PHASE && note.value.str() == Some("closing")).then_some(time)
    };
    let Some(from) = history.notes().find_map(closing) else {
        return Some("the run never came to its closing operations".to_owned());
    };
    let mut counts = Counts::default();
    for op in history.ops().filter(|op| op.inv_time() >= from) {
        counts.add(op.status());
    }
    if counts.total() == 0 {
        return Some("there are no closing operations".to_owned());
    }
    let rate = counts.ok as f64 / counts.total() as f64;
    if rate >= plan.expect.ok_rate {
        return None;
    }
    let mut lame = history.notes().filter(|(_, _, n)| n.f == "not-recovered");
    let why = lame.next().and_then(|(_, _, n)| n.value.str()).unwrap_or("the nodes say they serve");
    Some(format!(
        "after healing only {} of {} operations succeeded ({why})",
        counts.ok,
        counts.total()
    ))
}

/// Faults that were not seen to bite. Of faults waiting for the same line of log one is enough:
/// nobody can promise how often a node prints. One that began and was never healed always counts.
/// Those of a kind that failed alike are told at once: a run cut short has many.
fn blunt(plan: &Plan, faults: &[FaultReport]) -> Vec<String> {
    let trigger = |report: &FaultReport| {
        let injection = plan.schedule.injections.iter().find(|i| i.id == report.id)?;
        match &injection.start {
            Start::At(_) => None,
            Start::OnLog { text, .. } => Some((injection.fault.kind.clone(), text.clone())),
        }
    };
    let bitten: BTreeSet<_> = faults.iter().filter(|f| f.bit).filter_map(trigger).collect();
    let blunt = faults.iter().filter(|f| {
        let open = f.start.is_some() && f.stop.is_none();
        !f.bit && (open || trigger(f).is_none_or(|t| !bitten.contains(&t)))
    });
    let mut alike = Vec::<(&FaultReport, usize)>::new();
    for fault in blunt {
        let same = |f: &FaultReport| f.kind == fault.kind && f.effect == fault.effect;
        match alike.iter_mut().find(|(first, _)| same(first)) {
            Some((_, more)) => *more += 1,
            None => alike.push((fault, 0)),
        }
    }
    let told = alike.into_iter().map(|(first, more)| {
        let FaultReport { id, kind, effect, .. } = first;
        match more {
            0 => format!("fault {id} ({kind}) was not seen to bite: {effect}"),
            n => format!("fault {id} ({kind}) and {n} more were not seen to bite: {effect}"),
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests;
