//! `clock`: the clocks of nodes are wrong. The host's is left alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};
use futures_util::future::join_all;

use super::args::{Args, duration};
use super::select::select;
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::clock::{Layer, Skew, nodes::Seen};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::target::Fut;

/// See the [module](self).
pub(super) struct Clock;

/// What can be done to clocks.
const MODES: [&str; 7] = ["bump", "jump-back", "strobe", "drift", "freeze", "slew", "reset"];
/// How long nodes are given to be seen: one that has just been started may not be itself yet.
const LOOKS: u32 = 40;

impl Nemesis for Clock {
    fn kind(&self) -> &'static str {
        "clock"
    }

    fn about(&self) -> &'static str {
        "sets the clocks of nodes wrong; the host's is left alone"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("nodes", "a node selector (default: one)"),
            (
                "mode",
                "bump, jump-back, strobe, drift, freeze, slew (gradually) or reset (default: random)",
            ),
            ("by", "how far, as in \"-90s\" or \"2d\" (default: random, 11ms to 5min either way)"),
            ("rate", "drift: how fast the clock runs, as in \"1.1\" (default: random, 0.5 to 2)"),
            ("period", "strobe: from one jump to the next (default: random, 1ms to 1s)"),
            ("over", "slew: how long it takes (default: twice by)"),
            ("monotonic", "drift, freeze: the monotonic clocks too (default: false)"),
        ]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Clock]
    }

    /// Plenty of correct systems trust clocks.
    fn fair(&self) -> bool {
        false
    }

    /// A program whose monotonic clock is wrong misses its own deadlines.
    fn impairs(&self, fault: &Fault) -> Impairs {
        match fault.args.get("monotonic").and_then(Value::bool) {
            Some(true) => Impairs::Nodes,
            _ => Impairs::Nothing,
        }
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let drawn = rng.pick(&DRAWN).copied().unwrap_or("bump");
        let mode = Args(args).word("mode", &MODES)?.unwrap_or(drawn);
        let known: &[&str] = match mode {
            "bump" | "jump-back" => &["by"],
            "strobe" => &["by", "period"],
            "slew" => &["by", "over"],
            "drift" => &["rate", "monotonic"],
            "freeze" => &["monotonic"],
            _ => &[],
        };
        let own = ["by", "rate", "period", "over", "monotonic"];
        // A mode that was drawn leaves aside what does not concern it.
        if let Some(idle) = own.iter().find(|a| args.contains_key(**a) && !known.contains(a))
            && args.contains_key("mode")
        {
            return Err(format!("mode = {mode} has no `{idle}`"));
        }
        let by = args.get("by").map(signed).transpose()?;
        let by = by.unwrap_or_else(|| random_span(rng));
        let by = if mode == "jump-back" { -by.abs() } else { by };
        let ppm = match args.get("rate") {
            Some(rate) => rate_ppm(rate)?,
            None => rng.between(0, 1_500_000).cast_signed() - 500_000,
        };
        let random = Duration::from_millis(1 << rng.between(0, 10));
        let period = Args(args).duration("period")?.unwrap_or(random);
        // Half as fast as time goes by: whatever the window, some of it is seen.
        let gently = Duration::from_nanos(by.unsigned_abs()) * 2;
        let over = Args(args).duration("over")?.unwrap_or(gently);
        let monotonic = Args(args).flag("monotonic")?;
        let all = [
            ("by", by.into()),
            ("rate", format!("{}", 1.0 + ppm as f64 / 1e6).into()),
            ("period", super::args::time(period)),
            ("over", super::args::time(over)),
            ("monotonic", monotonic.into()),
        ];
        let kept = all.into_iter().filter(|(name, _)| known.contains(name));
        let mut kept: BTreeMap<String, Value> = kept.map(|(k, v)| (k.to_owned(), v)).collect();
        if kept.contains_key("by") {
            kept.insert("by".to_owned(), span(by).into());
        }
        kept.insert("mode".to_owned(), mode.into());
        let fault = Fault { kind: self.kind().into(), nodes, args: Value::Map(kept) };
        if let Some(skew) = skew(&fault.args)? {
            skew.check()?;
        }
        Ok(fault)
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let skew = skew(&fault.args)?;
            let mut layers: Vec<(NodeId, Layer)> = Vec::new();
            for node in &nodes {
                let applied = cluster.clocks.of(*node).and_then(|clock| match skew {
                    Some(skew) => clock.apply(skew).map(Some),
                    None => {
                        clock.reset();
                        Ok(None)
                    }
                });
                match applied {
                    Ok(layer) => layers.extend(layer.map(|l| (*node, l))),
                    Err(reason) => {
                        for (node, layer) in layers {
                            cluster.clocks.of(node)?.lift(layer);
                        }
                        return Err(format!("{node}: {reason}"));
                    }
                }
            }
            // A change of rate begins a moment after it was asked for.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let looks = join_all(nodes.iter().map(|n| look(cluster, *n, skew))).await;
            let seen = nodes.iter().copied().zip(looks.into_iter().map(unseen)).collect();
            Ok(Box::new(Skewed { nodes, skew, layers, seen }) as Box<dyn Wound>)
        })
    }
}

/// Modes as they are drawn unasked: mostly what happens to clocks out there.
const DRAWN: [&str; 8] =
    ["bump", "bump", "jump-back", "strobe", "drift", "drift", "slew", "freeze"];

/// 1.5^6 to 1.5^31 ms either way, which is 11 ms to 5 min: in nanoseconds.
fn random_span(rng: &mut Rng) -> i64 {
    let exponent = rng.between(6, 31) as u32;
    let ns = (3_u64.pow(exponent) >> exponent).cast_signed() * 1_000_000;
    if rng.chance(1, 2) { ns } else { -ns }
}

/// A time with a sign, in nanoseconds.
fn signed(value: &Value) -> Result<i64, String> {
    let wrong = || format!("by = {value} is no time: write \"-90s\", \"1h\" or \"2d\"");
    let text = value.str().ok_or_else(wrong)?.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest.trim_start()),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let days = text.strip_suffix('d').and_then(|d| d.trim().parse::<u64>().ok());
    let time = match days {
        Some(days) => Duration::from_secs(days.saturating_mul(86_400)),
        None => duration("by", &text.into()).map_err(|_| wrong())?,
    };
    i64::try_from(time.as_nanos()).map(|ns| sign * ns).map_err(|_| wrong())
}

/// As [`signed`] reads it.
fn span(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    match ns.unsigned_abs() {
        n if n.is_multiple_of(1_000_000_000) => format!("{sign}{}s", n / 1_000_000_000),
        n if n.is_multiple_of(1_000_000) => format!("{sign}{}ms", n / 1_000_000),
        n => format!("{sign}{n}ns"),
    }
}

/// How many parts in a million a rate gains.
fn rate_ppm(value: &Value) -> Result<i64, String> {
    let wrong = || format!("rate = {value} is no rate: write \"1.1\" or \"0.9\"");
    let rate: f64 = match value {
        Value::Int(rate) => *rate as f64,
        Value::Str(text) => text.trim().parse().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    if !(0.0..=100.0).contains(&rate) {
        return Err(format!("rate = {value}: a rate is between 0 and 100"));
    }
    Ok(((rate - 1.0) * 1e6).round() as i64)
}

/// What drawn arguments ask for; `None` is a reset.
fn skew(args: &Value) -> Result<Option<Skew>, String> {
    let map = args.map().cloned().unwrap_or_default();
    let get = |name: &str| map.get(name).ok_or_else(|| format!("{name} is missing"));
    let time = |name: &str| duration(name, get(name)?);
    let monotonic = Args(&map).flag("monotonic")?;
    Ok(Some(match get("mode")?.str() {
        Some("bump" | "jump-back") => Skew::Bump(signed(get("by")?)?),
        Some("strobe") => Skew::Strobe { by: signed(get("by")?)?, every: time("period")? },
        Some("slew") => Skew::Slew { by: signed(get("by")?)?, over: time("over")? },
        Some("drift") => Skew::Drift { ppm: rate_ppm(get("rate")?)?, monotonic },
        Some("freeze") => Skew::Freeze { monotonic },
        Some("reset") => return Ok(None),
        _ => return Err(format!("mode = {} is none of {}", get("mode")?, MODES.join(", "))),
    }))
}

/// Not to have seen it is no reason to leave it in force without anybody to heal it.
fn unseen(look: Result<Look, String>) -> Look {
    let why =
        |reason| Look { seen: Seen { others: vec![reason], ..Seen::default() }, witness: None };
    look.unwrap_or_else(why)
}

/// What was seen of one node at one moment.
#[derive(Clone, Debug, Default)]
struct Look {
    seen: Seen,
    /// What a process reads that was started then, ns ahead; why there was none.
    witness: Option<Result<i64, String>>,
}

/// Reads the clocks of all processes of `node`, and of one more. A strobing clock is caught off
/// the true time, if it can be.
async fn look(cluster: &Arc<Cluster>, node: NodeId, skew: Option<Skew>) -> Result<Look, String> {
    let mut look = Look::default();
    for _ in 0..LOOKS {
        let pids = cluster.processes.processes(node);
        look.seen = cluster.clocks.read(node, &pids)?;
        let caught = match skew {
            Some(Skew::Strobe { .. }) => look.seen.readings.iter().any(|r| r.wall_ns != 0),
            _ => true,
        };
        if pids.is_empty() || (caught && look.seen.others.is_empty()) {
            break;
        }
        // Somebody is between exec and its clock, or strobing just now to the true time.
        tokio::time::sleep(Duration::from_micros(730)).await;
    }
    if look.seen.readings.is_empty() {
        return Ok(look);
    }
    let asking = cluster.clone();
    let asked = tokio::task::spawn_blocking(move || asking.clocks.witness(node));
    look.witness = Some(asked.await.map_err(|e| format!("asking for the time: {e}"))?);
    Ok(look)
}

impl Look {
    /// As in `+3600.000 s in 4 processes, +3600.001 s in a new one`.
    fn words(&self) -> String {
        let readings = &self.seen.readings;
        let Some(first) = readings.first() else {
            return match self.seen.others.first() {
                Some(reason) => reason.clone(),
                None => "did not run".to_owned(),
            };
        };
        let mut words = match readings.len() {
            1 => format!("{} in pid {}", seconds(first.wall_ns), first.pid),
            n => format!("{} in {n} processes", seconds(first.wall_ns)),
        };
        if first.monotonic_ns != 0 {
            words += &format!(" (monotonic {})", seconds(first.monotonic_ns));
        }
        match &self.witness {
            Some(Ok(ns)) => words += &format!(", {} in a new one", seconds(*ns)),
            Some(Err(reason)) => words += &format!(", no new process to ask: {reason}"),
            None => {}
        }
        for other in &self.seen.others {
            words += &format!("; {other}");
        }
        words
    }
}

/// With a sign, in milliseconds' precision, or more where it is close.
fn seconds(ns: i64) -> String {
    let digits = if ns.unsigned_abs() < 10_000_000 { 6 } else { 3 };
    format!("{:+.digits$} s", ns as f64 / 1e9)
}

/// Nodes whose clocks are wrong.
struct Skewed {
    nodes: Vec<NodeId>,
    skew: Option<Skew>,
    layers: Vec<(NodeId, Layer)>,
    seen: Vec<(NodeId, Look)>,
}

impl Skewed {
    /// Whether one of these readings shows what was done.
    fn bit(&self, look: &Look) -> bool {
        let monotonic = self.skew.is_some_and(Skew::monotonic);
        let mut readings = look.seen.readings.iter();
        match self.skew {
            None => readings.any(|r| r.wall_ns == 0),
            Some(_) if monotonic => readings.any(|r| r.monotonic_ns != 0 && r.wall_ns != 0),
            Some(_) => readings.any(|r| r.wall_ns != 0),
        }
    }
}

impl Wound for Skewed {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        let seen = self.seen.iter().map(|(n, look)| (n.to_string(), look.words().into()));
        Value::of([("seen", Value::Map(seen.collect()))])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let looks = |skew| join_all(self.nodes.iter().map(move |n| look(cluster, *n, skew)));
            let last = looks(self.skew).await;
            for (node, layer) in &self.layers {
                cluster.clocks.of(*node)?.lift(*layer);
            }
            let healed = looks(None).await;
            let mut words = Vec::new();
            let mut bit = true;
            for (((node, first), last), healed) in self.seen.iter().zip(last).zip(healed) {
                let (last, healed) = (unseen(last), unseen(healed));
                bit &= self.bit(first) || self.bit(&last);
                words.push(format!("{node} was {}; healed: {}", last.words(), healed.words()));
            }
            Ok(Effect { bit, words: words.join("; ") })
        })
    }
}

#[cfg(test)]
mod tests;
