//! From what was asked for to a [`Plan`]: names looked up, every random choice drawn.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use danso_adapters::{Kind, Spoken};
use danso_engine::means::{Means, Need};
use danso_engine::nemesis::{self, Ground, NEMESES, Nemesis, Style};
use danso_engine::network::{self, Ability, Choice, NetworkError};
use danso_engine::target::Target;
use danso_targets::{TARGETS, TargetSpec};
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::{NodeId, ParamError, ParamSpec, Params, Plan, Rng, Schedule, Value, Workload};
use danso_workloads::WORKLOADS;

use crate::boxed;
use crate::exit::usage;
use crate::parts::Own;
use crate::spec::{About, Faults, Spec, no_such, targets};

/// The target called `name`.
pub(crate) fn target(name: &str) -> Result<&'static TargetSpec, String> {
    TARGETS.iter().find(|t| t.name == name).ok_or_else(|| {
        let names = targets();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        no_such("target", name, &names)
    })
}

/// The recipe of a plan's target.
///
/// # Errors
/// If there is no such target, or its options make no sense.
pub(crate) fn recipe(plan: &TargetPlan) -> Result<Arc<dyn Target>, String> {
    if let Some(kind) = danso_adapters::find(&plan.name) {
        if let Some(dir) = plan.options.get("dir").and_then(Value::str) {
            boxed::restore(Path::new(dir))?;
        }
        let declared = (kind.build)(&plan.options, Some(plan.nodes()));
        return declared.map(|d| d.target).map_err(|mistake| mistake.to_string());
    }
    (target(&plan.name)?.build)(&plan.options)
}

/// The workload called `name`.
pub(crate) fn workload(name: &str) -> Result<&'static Workload, String> {
    let names: Vec<_> = WORKLOADS.iter().map(|w| w.name).collect();
    let found = WORKLOADS.iter().copied().find(|w| w.name == name);
    found.ok_or_else(|| no_such("workload", name, &names))
}

/// What is run, with settings complete.
struct Cast {
    target: Arc<dyn Target>,
    nodes: u16,
    options: BTreeMap<String, Value>,
    workload: &'static Workload,
    params: BTreeMap<String, Value>,
    /// The network, where the user leaves it to us.
    network: &'static str,
}

/// The workload brought along, asked for, or the usual one.
fn chosen(
    spec: &Spec,
    own: &Own,
    usual: Option<&'static str>,
) -> anyhow::Result<&'static Workload> {
    let about_workload = |e: String| spec.blame(Some(About::Workload), &e);
    if let Some(workload) = own.workload {
        return Ok(workload);
    }
    let name = spec.workload.as_deref().or(usual).ok_or_else(|| {
        let known: Vec<_> = WORKLOADS.iter().map(|w| w.name).collect();
        about_workload(format!("workload is missing: one of {}", known.join(", ")))
    })?;
    workload(name).map_err(about_workload)
}

/// Casts a target that was brought along.
fn brought(spec: &Spec, own: &Own, target: &Arc<dyn Target>) -> anyhow::Result<Cast> {
    Ok(Cast {
        target: target.clone(),
        nodes: spec.nodes.unwrap_or(3),
        options: spec.options.clone(),
        workload: chosen(spec, own, None)?,
        params: spec.params.clone(),
        network: "auto",
    })
}

/// Casts a bundled target.
fn bundled(spec: &Spec, own: &Own) -> anyhow::Result<Cast> {
    let target = target(&spec.target).map_err(|e| spec.blame(Some(About::Target), &e))?;
    let about_target = |e: String| spec.blame(Some(About::Target), &e);
    let nodes = spec.nodes.unwrap_or(target.nodes[0]);
    if !target.nodes.contains(&nodes) {
        let sizes: Vec<_> = target.nodes.iter().map(u16::to_string).collect();
        return Err(about_target(format!(
            "{} runs with {} nodes, not with {nodes}",
            target.name,
            sizes.join(", ")
        )));
    }
    let about_workload = |e: String| spec.blame(Some(About::Workload), &e);
    let workload = chosen(spec, own, Some(target.workloads[0]))?;
    // Whoever brings a workload or a client along knows what they speak.
    let vouched = own.workload.is_some() || own.connect.is_some();
    if !vouched && !target.workloads.contains(&workload.name) {
        let (target, known) = (target.name, target.workloads.join(", "));
        return Err(about_workload(format!(
            "{target} does not speak the workload `{}`; it speaks {known}",
            workload.name
        )));
    }
    let (mut options, mut params) = (spec.options.clone(), spec.params.clone());
    for (_, name, value) in target.params.iter().filter(|(of, ..)| *of == workload.name) {
        let (given, name) = match name.strip_prefix("options.") {
            Some(option) => (&mut options, option),
            None => (&mut params, *name),
        };
        given.entry(name.to_owned()).or_insert_with(value);
    }
    agree(target.options, workload.params, &mut options, &mut params).map_err(about_target)?;
    let options = Params::complete(target.options, &options)
        .map_err(|e| about_target(format!("{}: {e}", target.name)))?;
    let recipe = (target.build)(options.all()).map_err(about_target)?;
    let options = options.all().clone();
    Ok(Cast { target: recipe, nodes, options, workload, params, network: "auto" })
}

/// Casts a target that the test file describes.
fn declared(spec: &Spec, own: &Own, kind: &'static Kind) -> anyhow::Result<Cast> {
    let about_workload = |e: String| spec.blame(Some(About::Workload), &e);
    let (mut options, mut params) = (spec.options.clone(), spec.params.clone());
    if own.connect.is_some() {
        let rust = || Value::of([("kind", danso_adapters::client::RUST.into())]);
        options.entry("client".to_owned()).or_insert_with(rust);
    }
    let spoken = danso_adapters::spoken(kind.name);
    let workload = if spoken.is_empty() || own.workload.is_some() {
        None
    } else {
        let known: Vec<_> = spoken.iter().map(|s| s.name).collect();
        let called = spec.workload.as_deref().ok_or_else(|| {
            about_workload(format!("workload is missing: one of {}", known.join(", ")))
        })?;
        let found = spoken.iter().find(|s| s.name == called);
        let found = found.ok_or_else(|| about_workload(no_such("workload", called, &known)))?;
        settle(found, &mut params).map_err(about_workload)?;
        options.insert("workload".to_owned(), called.into());
        Some(workload(found.workload).map_err(about_workload)?)
    };
    let built = (kind.build)(&options, spec.nodes);
    let built = built.map_err(|m| spec.blame(Some(About::Setting(m.at)), &m.why))?;
    // Clients in a network of danso's own would not reach it.
    if kind.network == "none" && !["auto", "none"].contains(&spec.network.as_str()) {
        let about = About::Setting(vec!["network".to_owned()]);
        let why = format!(
            "danso has no part in the network of a target of kind {}: leave --network {} out",
            kind.name, spec.network
        );
        return Err(spec.blame(Some(about), &why));
    }
    let workload = workload.map_or_else(|| chosen(spec, own, None), Ok)?;
    let name = workload.name;
    let asked = |f: &str| match spec.params.get("mix").and_then(Value::map) {
        Some(mix) => mix.get(f).is_some_and(|weight| weight.int() != Some(0)),
        None => true,
    };
    if let Some(speaks) = built.speaks.as_ref().filter(|_| own.connect.is_none()) {
        let ops = workload.ops.iter().map(|op| op.f);
        if let Some(odd) = speaks.iter().find(|s| ops.clone().all(|op| op != **s)) {
            let path = ["client", "ops", odd].map(str::to_owned);
            let known: Vec<_> = ops.clone().collect();
            let why = no_such("operation", odd, &known);
            return Err(spec.blame(Some(About::Setting(path.into())), &format!("{name}: {why}")));
        }
        if let Some(op) = ops.into_iter().find(|op| asked(op) && !speaks.iter().any(|s| s == op)) {
            let about = About::Setting(["client", "ops"].map(str::to_owned).into());
            return Err(spec.blame(
                Some(about),
                &format!(
                    "there is no `{op}`, which the workload {name} asks for: say how to {op}, or \
                     leave it out of params.mix"
                ),
            ));
        }
    }
    let (target, nodes) = (built.target, built.nodes);
    Ok(Cast { target, nodes, options, workload, params, network: kind.network })
}

/// An error about a parameter of the workload.
fn blame_param(spec: &Spec, workload: &Workload, error: &ParamError) -> anyhow::Error {
    let (name, why) = match error {
        ParamError::NoSuch { name, .. } => {
            let known: Vec<_> = workload.params.iter().map(|p| p.name).collect();
            (name, no_such("parameter", name, &known))
        }
        ParamError::Bad { name, .. } => (name, error.to_string()),
    };
    let about = About::Setting(vec!["params".to_owned(), name.clone()]);
    spec.blame(Some(about), &format!("{}: {why}", workload.name))
}

/// Gives a workload that has a name of its own the parameters that come with that name.
///
/// # Errors
/// If others are asked for.
fn settle(spoken: &Spoken, params: &mut BTreeMap<String, Value>) -> Result<(), String> {
    for (name, value) in spoken.params {
        match params.insert((*name).to_owned(), value()) {
            Some(given) if given != value() => {
                let (of, value) = (spoken.name, value());
                return Err(format!("{of} has params.{name} = {value}, not {given}: leave it out"));
            }
            _ => {}
        }
    }
    for (name, value) in spoken.usual {
        params.entry((*name).to_owned()).or_insert_with(value);
    }
    Ok(())
}

/// Draws the plan of `spec` from `seed`.
///
/// # Errors
/// If a name is unknown or a setting makes no sense.
pub(crate) fn draw(spec: &Spec, seed: u64) -> anyhow::Result<Plan> {
    draw_with(spec, &Own::default(), seed)
}

/// Draws the plan of `spec` with what the user brought along.
///
/// # Errors
/// As [`draw`].
pub(crate) fn draw_with(spec: &Spec, own: &Own, seed: u64) -> anyhow::Result<Plan> {
    let rng = Rng::new(seed);
    let kind = danso_adapters::find(&spec.target).filter(|_| spec.declared);
    let cast = match (&own.target, kind) {
        (Some(target), _) => brought(spec, own, target)?,
        (None, Some(kind)) => declared(spec, own, kind)?,
        (None, None) => bundled(spec, own)?,
    };
    let Cast { target, nodes: count, options, workload, params, network } = cast;
    let params =
        Params::complete(workload.params, &params).map_err(|e| blame_param(spec, workload, &e))?;
    let seat = danso_vocab::Seat { worker: 0, workers: spec.processes, nodes: count };
    for generator in [workload.generator, workload.closing] {
        let made = generator(&params, seat);
        made.map_err(|e| blame_param(spec, workload, &e))?;
    }
    let nodes = NodeId::all(count);
    let network = if spec.network == "auto" { network } else { spec.network.as_str() };
    let (schedule, left_out) = faults(spec, network, &nodes, &*target, &rng)?;
    Ok(Plan {
        name: spec.name.clone(),
        seed,
        target: TargetPlan {
            name: spec.target.clone(),
            options,
            seeds: nodes.iter().map(|n| rng.split(&format!("node-{n}")).seed()).collect(),
        },
        workload: WorkloadPlan { name: workload.name.to_owned(), params: params.all().clone() },
        load: Load {
            rate: spec.rate,
            time: spec.time,
            timeout: spec.timeout,
            resilience: spec.resilience.clone(),
            streams: (0..spec.processes)
                .map(|w| rng.split(&format!("worker-{w}")).seed())
                .collect(),
        },
        network: network.to_owned(),
        ipv6: spec.ipv6,
        schedule,
        left_out,
        expect: Expect {
            verdict: spec.verdict,
            anomalies: spec.anomalies.clone(),
            ok_rate: spec.ok_rate,
            min_ops: spec.min_ops,
        },
    })
}

fn faults(
    spec: &Spec,
    network: &str,
    nodes: &[NodeId],
    target: &dyn Target,
    rng: &Rng,
) -> anyhow::Result<(Schedule, Vec<String>)> {
    let choice: Choice =
        network.parse().map_err(|e: NetworkError| spec.blame(None, &e.to_string()))?;
    let backend = network::choose(choice).map_err(|e| usage(e.to_string()))?;
    let means = Means::of(backend, target);
    if (choice == Choice::Hosts) != target.hosts().is_some() {
        let why = match choice {
            Choice::Hosts => "network hosts: this target's nodes are on this machine",
            _ => "the nodes are on other machines: leave --network out",
        };
        return Err(spec.blame(None, why));
    }
    if spec.ipv6 {
        means
            .have(Need::Link(Ability::Ipv6))
            .map_err(|e| spec.blame(None, &format!("ip = v6: {e}")))?;
    }
    let ground = Ground { nodes, means: &means, load: spec.time };
    let known: Vec<_> = NEMESES.iter().map(|n| n.kind()).collect();
    let style =
        Style::of(&spec.schedule, &known).map_err(|e| spec.blame(Some(About::Schedule), &e))?;
    let fits = |n: &dyn Nemesis| nemesis::available(n, &Default::default(), &ground);
    let mut rng = rng.split("faults");
    match &spec.faults {
        Faults::Auto => {
            let mut left_out = Vec::new();
            let mut kinds = Vec::new();
            for nemesis in NEMESES.iter().filter(|n| n.fair()) {
                match fits(*nemesis) {
                    Ok(()) => kinds.push(*nemesis),
                    Err(reason) => left_out.push(reason),
                }
            }
            let drawn = nemesis::auto(&kinds, &style, &ground, &mut rng);
            let (schedule, more) = drawn.map_err(|e| spec.blame(None, &e))?;
            left_out.extend(more);
            Ok((schedule, left_out))
        }
        Faults::Kinds(names) => {
            let mut kinds = Vec::new();
            for name in names {
                let nemesis = nemesis::find(name);
                let nemesis =
                    nemesis.ok_or_else(|| spec.blame_kinds(&no_such("fault", name, &known)))?;
                fits(nemesis).map_err(|e| spec.blame_kinds(&e))?;
                kinds.push(nemesis);
            }
            let drawn = nemesis::auto(&kinds, &style, &ground, &mut rng).map_err(usage)?;
            if !kinds.is_empty() && drawn.0.injections.is_empty() {
                return Err(usage(format!(
                    "a load of {:?} is too short for any fault: lengthen --time or say --faults none",
                    spec.time
                )));
            }
            Ok(drawn)
        }
        Faults::Requests(requests) => {
            let mut injections = Vec::new();
            for (i, request) in requests.iter().enumerate() {
                let blame = |e: String| spec.blame(Some(About::Fault(i)), &e);
                if nemesis::find(&request.kind).is_none() {
                    return Err(blame(no_such("fault", &request.kind, &known)));
                }
                let mut rng = rng.split(&i.to_string());
                injections.extend(nemesis::draw(request, &ground, &mut rng).map_err(blame)?);
            }
            Ok(nemesis::arrange(injections, &style, &ground))
        }
    }
}

/// What target and workload are both told must be the same, or a system is judged by what it was
/// never told: a setting given to one of them holds for both.
///
/// # Errors
/// If they are given different values.
fn agree(
    options: &[ParamSpec],
    params: &[ParamSpec],
    told: &mut BTreeMap<String, Value>,
    asked: &mut BTreeMap<String, Value>,
) -> Result<(), String> {
    for name in options.iter().map(|o| o.name).filter(|o| params.iter().any(|p| p.name == *o)) {
        match (told.get(name).cloned(), asked.get(name).cloned()) {
            (None, None) => {}
            (Some(value), None) => drop(asked.insert(name.to_owned(), value)),
            (None, Some(value)) => drop(told.insert(name.to_owned(), value)),
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => {
                return Err(format!(
                    "options.{name} is {one}, but params.{name} is {other}: give one of them"
                ));
            }
        }
    }
    Ok(())
}

/// A seed for those who gave none.
///
/// # Errors
/// If the machine has no randomness to give.
pub(crate) fn fresh_seed() -> anyhow::Result<u64> {
    // Short enough to read over the telephone; 2^32 is plenty to tell runs apart.
    getrandom::u32().map(u64::from).map_err(|e| anyhow::anyhow!("no seed can be drawn: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_one_holds_for_both() {
        const SPECS: &[ParamSpec] =
            &[ParamSpec { name: "total", about: "", default: || Value::Nil }];
        let given = |total: i64| BTreeMap::from([("total".to_owned(), Value::Int(total))]);
        let none = BTreeMap::new();
        for (told, asked) in [(given(7), none.clone()), (none, given(7)), (given(7), given(7))] {
            let (mut told, mut asked) = (told, asked);
            agree(SPECS, SPECS, &mut told, &mut asked).unwrap();
            assert_eq!((told, asked), (given(7), given(7)));
        }
        assert!(agree(SPECS, SPECS, &mut given(7), &mut given(8)).is_err());
        let mut told = given(7);
        agree(SPECS, &[], &mut told, &mut BTreeMap::new()).unwrap();
    }
}
