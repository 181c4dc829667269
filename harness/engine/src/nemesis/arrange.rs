//! Puts injections where a [`Style`] allows them to be: moved to later where something is in the
//! way, left out where there is no room; and draws whole schedules by a style.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::{Fault, FaultId, Injection, NodeId, Nodes, Rng, Schedule, Start, Time};

use super::style::Style;
use super::{Ground, Impairs, Nemesis, find, quorum};
use crate::means::Need;

/// Between the end of a fault and one that waited for it.
const BREATH: Duration = Duration::from_millis(100);
/// Times a fault is drawn anew that would cost the quorum.
const REDRAWS: u32 = 8;

/// Moves injections to where `style` allows them. Those that begin on a line of log stay: nobody
/// knows when that is. Returns what had to be left out, and why.
pub fn arrange(
    mut injections: Vec<Injection>,
    style: &Style,
    ground: &Ground<'_>,
) -> (Schedule, Vec<String>) {
    injections.sort_by_key(|i| i.start.earliest());
    let mut placed: Vec<Injection> = Vec::new();
    let mut left_out = Vec::new();
    for mut injection in injections {
        let Start::At(asked) = injection.start else {
            placed.push(injection);
            continue;
        };
        let mut at = asked.since_start();
        let outcome = loop {
            at = match in_storm(at, injection.lasts, style, ground.load) {
                Some(at) => at,
                None => break Err("there is no room for it"),
            };
            injection.start = Start::At(Time::from(at));
            match in_the_way(&injection, &placed, style, ground.nodes) {
                Way::Free => break Ok(()),
                Way::Until(end) => at = end + BREATH,
                Way::Never => break Err("it alone would cost the quorum"),
            }
        };
        match outcome {
            Ok(()) => placed.push(injection),
            Err(why) => left_out.push(format!(
                "{} of {} at {asked}: {why}",
                injection.fault.kind, injection.fault.nodes
            )),
        }
    }
    (Schedule::new(placed), left_out)
}

/// The first moment from `at` on at which a fault may begin that lasts so long.
fn in_storm(at: Duration, lasts: Duration, style: &Style, load: Duration) -> Option<Duration> {
    let Some(phases) = style.phases else {
        return (at + lasts <= load).then_some(at);
    };
    let period = phases.calm + phases.storm + phases.recover;
    let mut begin = phases.calm;
    while begin + lasts <= load {
        let at = at.max(begin);
        if at + lasts <= begin + phases.storm && at + lasts <= load {
            return Some(at);
        }
        if lasts > phases.storm {
            return None;
        }
        begin += period;
    }
    None
}

enum Way {
    Free,
    /// Something ends then.
    Until(Duration),
    Never,
}

/// What keeps this injection from being where it is.
fn in_the_way(injection: &Injection, placed: &[Injection], style: &Style, nodes: &[NodeId]) -> Way {
    let begin = injection.start.earliest().since_start();
    let end = begin + injection.lasts;
    let over = |i: &&Injection| {
        let from = i.start.earliest().since_start();
        matches!(i.start, Start::At(_)) && from < end && begin < from + i.lasts
    };
    let others: Vec<&Injection> = placed.iter().filter(over).collect();
    let first_end = || {
        let ends = others.iter().map(|i| i.start.earliest().since_start() + i.lasts);
        ends.filter(|e| *e > begin).min().map_or(Way::Never, Way::Until)
    };
    if style.at_once.is_some_and(|most| others.len() as u64 >= most) {
        return first_end();
    }
    let kind = &*injection.fault.kind;
    let clash = |other: &Injection| {
        let both = |set: &std::collections::BTreeSet<String>| {
            set.contains(kind) && set.contains(&*other.fault.kind)
        };
        style.exclusive.iter().any(both)
    };
    if others.iter().any(|o| clash(o)) {
        return first_end();
    }
    if style.apart && others.iter().any(|o| meet(&o.fault, &injection.fault)) {
        return first_end();
    }
    let faults = others.iter().copied().chain([injection]).map(|i| (&i.fault, impairs(i)));
    if style.keep_quorum && !quorum::left(nodes, faults) {
        return first_end();
    }
    Way::Free
}

/// Whether one of them may keep the other from biting: both take the same node from the quorum,
/// or one does and the other wants that node busy.
fn meet(one: &Fault, other: &Fault) -> bool {
    let impairs = |f: &Fault| find(&f.kind).map_or(Impairs::Nodes, |n| n.impairs(f));
    let takes = |f: &Fault| impairs(f) == Impairs::Nodes;
    let wants_busy = |f: &Fault| {
        let args = f.args.map().cloned().unwrap_or_default();
        let needs = find(&f.kind).map(|n| n.needs(&args)).unwrap_or_default();
        impairs(f) == Impairs::Nothing && !needs.iter().any(|n| matches!(n, Need::Link(_)))
    };
    let idles =
        |busy: &Fault, other: &Fault| wants_busy(busy) && impairs(other) != Impairs::Nothing;
    let shared = match (&one.nodes, &other.nodes) {
        (Nodes::These(one), Nodes::These(other)) => one.iter().any(|n| other.contains(n)),
        // Roles may be anybody.
        _ => true,
    };
    shared && (takes(one) && takes(other) || idles(one, other) || idles(other, one))
}

fn impairs(injection: &Injection) -> Impairs {
    find(&injection.fault.kind).map_or(Impairs::Nodes, |n| n.impairs(&injection.fault))
}

/// The default schedule: faults of all `kinds` in turn in random order, one at a time unless
/// `style` says otherwise, windows of 1.5 to 3.5 s and gaps of 1 to 2.5 s; shorter ones where the
/// load is shorter than 16 s, so that each of three kinds is met all the same. Returns also what
/// was left out, and why.
///
/// # Errors
/// If a kind cannot be drawn for this cluster.
pub fn auto(
    kinds: &[&'static dyn Nemesis],
    style: &Style,
    ground: &Ground<'_>,
    rng: &mut Rng,
) -> Result<(Schedule, Vec<String>), String> {
    let (style, mut kinds) = style.swarm(kinds, rng);
    kinds.retain(|k| style.weights.get(k.kind()) != Some(&0));
    let unit = (ground.load / 16).clamp(Duration::from_millis(50), Duration::from_secs(1));
    let style = Style {
        apart: true,
        at_once: Some(style.at_once.unwrap_or(1)),
        lasts: Some(style.lasts.unwrap_or((unit * 3 / 2, unit * 7 / 2))),
        gap: Some(style.gap.unwrap_or((unit, unit * 5 / 2))),
        ..style
    };
    let mut injections = Vec::new();
    for lane in 0..style.at_once.unwrap_or(1) {
        let mut rng = rng.split(&format!("lane-{lane}"));
        injections.extend(one_lane(&kinds, &style, ground, unit, &mut rng)?);
    }
    Ok(arrange(injections, &style, ground))
}

/// One fault after another.
fn one_lane(
    kinds: &[&'static dyn Nemesis],
    style: &Style,
    ground: &Ground<'_>,
    unit: Duration,
    rng: &mut Rng,
) -> Result<Vec<Injection>, String> {
    let mut injections = Vec::new();
    let mut order = Turn::new(kinds, &style.weights);
    let between = |rng: &mut Rng, range: Option<(Duration, Duration)>| {
        let (low, high) = range.unwrap_or_default();
        Duration::from_nanos(rng.between(Time::from(low).0, Time::from(high).0))
    };
    let mut at = between(rng, Some((unit * 4 / 5, unit * 3 / 2)));
    while let Some(nemesis) = order.next(rng) {
        let lasts = between(rng, style.lasts);
        let Some(begin) = in_storm(at, lasts, style, ground.load) else { break };
        let mut fault = nemesis.draw(&BTreeMap::new(), ground, rng)?;
        for _ in 0..REDRAWS {
            let costs = |f| !quorum::left(ground.nodes, [(f, nemesis.impairs(f))].into_iter());
            if !style.keep_quorum || !costs(&fault) {
                break;
            }
            fault = nemesis.draw(&BTreeMap::new(), ground, rng)?;
        }
        let start = Start::At(Time::from(begin));
        injections.push(Injection { id: FaultId(0), fault, start, lasts });
        at = begin + lasts + between(rng, style.gap);
    }
    Ok(injections)
}

/// Whose turn it is: everybody's once in random order, or as often as their weights say.
struct Turn {
    order: Vec<&'static dyn Nemesis>,
    next: usize,
}

impl Turn {
    fn new(kinds: &[&'static dyn Nemesis], weights: &BTreeMap<String, u64>) -> Turn {
        let weight = |kind: &str| weights.get(kind).copied().unwrap_or(1) as usize;
        let often = |k: &&'static dyn Nemesis| std::iter::repeat_n(*k, weight(k.kind()));
        Turn { order: kinds.iter().flat_map(often).collect(), next: 0 }
    }

    fn next(&mut self, rng: &mut Rng) -> Option<&'static dyn Nemesis> {
        if self.order.is_empty() {
            return None;
        }
        if self.next.is_multiple_of(self.order.len()) {
            rng.shuffle(&mut self.order);
        }
        self.next += 1;
        Some(self.order[(self.next - 1) % self.order.len()])
    }
}
