//! When faults happen: the timing arguments every nemesis takes.

use std::collections::BTreeMap;
use std::time::Duration;

use danso_vocab::{Rng, Start, Time, Value};

use super::args::duration;

/// The timing arguments, name and meaning.
pub const ARGS: &[(&str, &str)] = &[
    ("for", "how long each lasts, as in \"5s\" (default: half of every, or 2s)"),
    ("every", "one each so often (default: 10s, unless at or on is given)"),
    ("at", "a list of starts instead, as in [\"2s\", \"9s\"]"),
    ("offset", "added to each start"),
    ("delay", "with on: how long to wait once the line was heard"),
    ("stagger", "a random delay of at most this is added to each start"),
    ("on", "begin when a node prints a line with this text, listening from each start on"),
];

/// The windows these arguments ask for, within the load.
///
/// # Errors
/// If one is malformed, or none fits.
pub(super) fn windows(
    args: &BTreeMap<String, Value>,
    load: Duration,
    rng: &mut Rng,
) -> Result<Vec<(Start, Duration)>, String> {
    let get = |name: &str| args.get(name).map(|v| duration(name, v)).transpose();
    let (every, lasts) = (get("every")?, get("for")?);
    let stagger = get("stagger")?.unwrap_or_default();
    let on = match args.get("on") {
        None => None,
        Some(Value::Str(text)) if !text.is_empty() => Some(text.clone()),
        Some(other) => return Err(format!("on = {other} is no text to listen for")),
    };
    let (offset, delay) = (get("offset")?.unwrap_or_default(), get("delay")?.unwrap_or_default());
    if on.is_none() && args.contains_key("delay") {
        return Err("delay goes with on; offset shifts plain starts".to_owned());
    }
    let lasts = lasts.unwrap_or_else(|| every.map_or(Duration::from_secs(2), |e| e / 2));
    let mut starts = match args.get("at") {
        Some(_) if every.is_some() => return Err("give either every or at".to_owned()),
        Some(Value::List(list)) => {
            list.iter().map(|v| duration("at", v)).collect::<Result<Vec<_>, _>>()?
        }
        Some(one) => vec![duration("at", one)?],
        None if on.is_some() && every.is_none() => vec![Duration::ZERO],
        None => {
            let every = every.unwrap_or(Duration::from_secs(10));
            if every.is_zero() {
                return Err("every must be more than nothing".to_owned());
            }
            (1..100_000).map(|k| every * k).take_while(|s| *s <= load).collect()
        }
    };
    for start in &mut starts {
        *start += offset + Duration::from_nanos(rng.between(0, Time::from(stagger).0));
    }
    // A triggered fault may begin any time after its start; only plain windows must fit.
    if on.is_some() {
        starts.retain(|s| *s <= load);
    } else {
        starts.retain(|s| *s + lasts <= load);
    }
    if starts.is_empty() {
        return Err(format!(
            "no window of {lasts:?} fits into a load of {load:?}: lengthen the load or shorten every, at or for"
        ));
    }
    let start = |s: Duration| match &on {
        None => Start::At(Time::from(s)),
        Some(text) => Start::OnLog { from: Time::from(s), text: text.clone(), delay },
    };
    Ok(starts.into_iter().map(|s| (start(s), lasts)).collect())
}
