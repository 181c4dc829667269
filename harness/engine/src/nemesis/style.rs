//! [`Style`]: how faults are put together into a schedule: how many at once, which never
//! together, in which phases, at what price to the quorum.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use danso_vocab::{Rng, Value};

use super::args::{Args, duration};

/// How a schedule is put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// How many faults may be in force at once; `None`: one where danso chooses the times, any
    /// number where the user does.
    pub at_once: Option<u64>,
    /// Kinds of which no two may be in force at once, a set each.
    pub exclusive: Vec<BTreeSet<String>>,
    /// At every moment a majority of the nodes runs and hears each other.
    pub keep_quorum: bool,
    /// Time without faults, time with faults, time to recover, again and again.
    pub phases: Option<Phases>,
    /// How often each kind is chosen; a kind not named has weight 1, one of weight 0 is not
    /// chosen. Empty: all kinds in turn.
    pub weights: BTreeMap<String, u64>,
    /// How long faults last, at least and at most; `None` fits the load.
    pub lasts: Option<(Duration, Duration)>,
    /// How long it is from the end of one to the beginning of the next.
    pub gap: Option<(Duration, Duration)>,
    /// No two faults that take nodes from the quorum hit the same node at once: what is down
    /// cannot be paused. Always so where danso chooses.
    pub(super) apart: bool,
    /// Every seed leaves out a random half of the kinds and draws the rest of this by itself.
    pub swarm: bool,
}

/// A rhythm. Faults begin and end within `storm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// Without faults.
    pub calm: Duration,
    /// With faults.
    pub storm: Duration,
    /// Without faults again, everything healed.
    pub recover: Duration,
}

/// The settings, name and meaning.
pub const SETTINGS: &[(&str, &str)] = &[
    ("at-once", "how many faults may be in force at once"),
    (
        "exclusive",
        "kinds never in force together, as in [[\"kill\", \"pause\"]]; true: no two kinds",
    ),
    ("keep-quorum", "true: a majority always runs and hears each other"),
    ("calm", "time without faults at the beginning of each phase"),
    ("storm", "time with faults in each phase"),
    ("recover", "time without faults at the end of each phase"),
    ("weights", "how often each kind is chosen, as in { kill = 3, pause = 0 }"),
    ("lasts", "how long faults last, as in [\"1s\", \"3s\"]"),
    ("gap", "from the end of one to the beginning of the next, as in [\"1s\", \"2s\"]"),
    ("swarm", "true: each seed leaves out half of the kinds and draws the rest of this"),
];

impl Style {
    /// What these settings say.
    ///
    /// # Errors
    /// One line: an unknown setting, or a value that makes no sense.
    pub fn of(settings: &BTreeMap<String, Value>, kinds: &[&str]) -> Result<Style, String> {
        if let Some(name) = settings.keys().find(|k| SETTINGS.iter().all(|(known, _)| known != k)) {
            let known: Vec<_> = SETTINGS.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "schedule has no setting `{name}`; there are: {}",
                known.join(", ")
            ));
        }
        let args = Args(settings);
        let style = Style {
            at_once: args.number("at-once", 1, 1_000)?,
            exclusive: exclusive(args, kinds)?,
            keep_quorum: args.flag("keep-quorum")?,
            phases: phases(args)?,
            weights: weights(args, kinds)?,
            lasts: range(args, "lasts")?,
            gap: range(args, "gap")?,
            apart: false,
            swarm: args.flag("swarm")?,
        };
        if style.lasts.is_some_and(|(low, _)| low.is_zero()) {
            return Err("lasts begins at nothing: a fault must last".to_owned());
        }
        Ok(style)
    }

    /// Draws what a swarm leaves to chance: which of the kinds take part, how many at once, how
    /// long and how often. Without `swarm` everything stays.
    pub(super) fn swarm<T: Copy>(&self, kinds: &[T], rng: &mut Rng) -> (Style, Vec<T>) {
        if !self.swarm || kinds.is_empty() {
            return (self.clone(), kinds.to_vec());
        }
        let mut left: Vec<T> = kinds.iter().copied().filter(|_| rng.chance(1, 2)).collect();
        if left.is_empty() {
            left.push(kinds[rng.below(kinds.len() as u64) as usize]);
        }
        let ms = |rng: &mut Rng, low, high| Duration::from_millis(rng.between(low, high));
        let (shortest, rest) = (ms(rng, 50, 1_000), ms(rng, 100, 2_500));
        let (least, more) = (ms(rng, 50, 1_000), ms(rng, 100, 2_000));
        let style = Style {
            at_once: self.at_once.or_else(|| Some(rng.between(1, 3))),
            lasts: self.lasts.or(Some((shortest, shortest + rest))),
            gap: self.gap.or(Some((least, least + more))),
            ..self.clone()
        };
        (style, left)
    }
}

fn exclusive(args: Args<'_>, kinds: &[&str]) -> Result<Vec<BTreeSet<String>>, String> {
    match args.get("exclusive") {
        None | Some(Value::Bool(false)) => Ok(Vec::new()),
        Some(Value::Bool(true)) => Ok(vec![kinds.iter().map(|k| (*k).to_owned()).collect()]),
        Some(Value::List(sets)) => sets.iter().map(|set| words(set, kinds)).collect(),
        Some(other) => Err(format!("exclusive = {other}: write [[\"kill\", \"pause\"]] or true")),
    }
}

fn words(set: &Value, kinds: &[&str]) -> Result<BTreeSet<String>, String> {
    let list = set.list().ok_or_else(|| format!("exclusive: {set} is no list of kinds"))?;
    list.iter().map(|kind| known(kind.str().unwrap_or("?"), kinds)).collect()
}

fn known(kind: &str, kinds: &[&str]) -> Result<String, String> {
    if kinds.contains(&kind) {
        Ok(kind.to_owned())
    } else {
        Err(format!("there is no fault `{kind}`; there are: {}", kinds.join(", ")))
    }
}

fn phases(args: Args<'_>) -> Result<Option<Phases>, String> {
    let [calm, storm, recover] =
        [args.duration("calm")?, args.duration("storm")?, args.duration("recover")?];
    match storm {
        Some(storm) if storm.is_zero() => Err("storm = 0: there is no time for faults".to_owned()),
        Some(storm) => {
            let [calm, recover] = [calm, recover].map(Option::unwrap_or_default);
            Ok(Some(Phases { calm, storm, recover }))
        }
        None if calm.is_some() || recover.is_some() => {
            Err("calm and recover go with storm, the time with faults".to_owned())
        }
        None => Ok(None),
    }
}

fn weights(args: Args<'_>, kinds: &[&str]) -> Result<BTreeMap<String, u64>, String> {
    let Some(value) = args.get("weights") else { return Ok(BTreeMap::new()) };
    let map = value.map().ok_or_else(|| format!("weights = {value}: write {{ kill = 3 }}"))?;
    let weight = |(kind, weight): (&String, &Value)| {
        let number = weight.int().and_then(|w| u64::try_from(w).ok()).filter(|w| *w <= 1_000);
        let number = number.ok_or_else(|| format!("weights.{kind} = {weight}: from 0 to 1000"))?;
        Ok((known(kind, kinds)?, number))
    };
    map.iter().map(weight).collect()
}

fn range(args: Args<'_>, name: &str) -> Result<Option<(Duration, Duration)>, String> {
    let Some(value) = args.get(name) else { return Ok(None) };
    let (low, high) = match value.pair() {
        Some((low, high)) => (duration(name, low)?, duration(name, high)?),
        None => (duration(name, value)?, duration(name, value)?),
    };
    if low > high {
        return Err(format!("{name} = {value}: the first must not be the longer"));
    }
    Ok(Some((low, high)))
}
