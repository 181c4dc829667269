//! [`Spec`]: what the user asked for, from a test file and the command line, before anything is
//! drawn. Errors name file, line, column and the nearest name there is.

pub(crate) mod places;
mod set;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub(crate) use danso_adapters::no_such;
use danso_adapters::{Mistake, nearest};
use danso_engine::nemesis::Request;
use danso_vocab::plan::Resilience;
use danso_vocab::{Value, Verdict};
use serde::Deserialize;

use self::places::Places;
use self::values::values;
use crate::args::TestArgs;
use crate::boxed;
use crate::exit::usage;

/// What was asked for. Names are not looked up yet.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) nodes: Option<u16>,
    pub(crate) options: BTreeMap<String, Value>,
    /// Whether the target is described in the test file: `options` is what it says.
    pub(crate) declared: bool,
    pub(crate) workload: Option<String>,
    pub(crate) params: BTreeMap<String, Value>,
    pub(crate) processes: u32,
    pub(crate) rate: Option<u32>,
    pub(crate) time: Duration,
    pub(crate) timeout: Duration,
    pub(crate) resilience: Resilience,
    pub(crate) seed: Option<u64>,
    pub(crate) network: String,
    pub(crate) ipv6: bool,
    pub(crate) faults: Faults,
    /// Settings of `nemesis::Style`.
    pub(crate) schedule: BTreeMap<String, Value>,
    pub(crate) verdict: Verdict,
    pub(crate) anomalies: Vec<String>,
    pub(crate) ok_rate: f64,
    pub(crate) min_ops: u64,
    /// Where things stand in the test file, to blame the right line.
    places: Option<Places>,
    /// Where in the file each of the faults asked for is.
    requested: Vec<Vec<String>>,
    /// Where the kinds of faults asked for were given, if in the file.
    chosen: Option<About>,
    /// Settings of a described target that the command line gave.
    sets: Vec<Vec<String>>,
}

/// The faults asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    /// All kinds that work here.
    Auto,
    /// These kinds, drawn as `auto` does.
    Kinds(Vec<String>),
    /// Exactly these, from a test file.
    Requests(Vec<Request>),
}

/// What an error is about.
#[derive(Clone, Debug)]
pub(crate) enum About {
    Target,
    Workload,
    Fault(usize),
    Schedule,
    /// A setting, by its path.
    Setting(Vec<String>),
}

impl About {
    fn path(&self, requested: &[Vec<String>]) -> Vec<String> {
        let words: &[&str] = match self {
            About::Target => &["target", "kind"],
            About::Workload => &["workload"],
            About::Schedule => &["schedule"],
            About::Fault(i) => return requested.get(*i).cloned().unwrap_or_default(),
            About::Setting(path) => return path.clone(),
        };
        words.iter().map(ToString::to_string).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    name: Option<String>,
    seed: Option<u64>,
    network: Option<String>,
    ip: Option<String>,
    workload: Option<String>,
    #[serde(default)]
    params: toml::Table,
    #[serde(default)]
    load: Load,
    target: toml::Table,
    client: Option<toml::Table>,
    #[serde(default)]
    fault: Vec<Fault>,
    #[serde(default)]
    schedule: toml::Table,
    faults: Option<Chosen>,
    #[serde(default)]
    expect: Expect,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Load {
    processes: Option<u32>,
    rate: Option<u32>,
    time: Option<String>,
    timeout: Option<String>,
    client: Option<Client>,
}

/// `[load.client]`: see [`Resilience`].
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Client {
    attempt: Option<String>,
    retries: Option<u32>,
    backoff: Option<String>,
    most: Option<String>,
    breaker: Option<u32>,
    open: Option<String>,
    bulkhead: Option<u32>,
}

impl Client {
    fn resilience(self) -> Result<Resilience, Mistake> {
        let usual = Resilience::default();
        let time = |name: &str, given: Option<String>| {
            let read = given.map(|text| duration(&format!("load.client.{name}"), &text));
            read.transpose().map_err(|e| Mistake::new(e).at(name))
        };
        Ok(Resilience {
            attempt: time("attempt", self.attempt)?,
            retries: self.retries.unwrap_or(usual.retries),
            backoff: time("backoff", self.backoff)?.unwrap_or(usual.backoff),
            most: time("most", self.most)?.unwrap_or(usual.most),
            breaker: self.breaker.unwrap_or(usual.breaker),
            open: time("open", self.open)?.unwrap_or(usual.open),
            bulkhead: self.bulkhead.unwrap_or(usual.bulkhead),
        })
    }
}

/// `faults = "kill,pause"`, or `[faults.NAME]` with commands of the user's own.
#[derive(Deserialize)]
#[serde(untagged, expecting = "faults wants kinds, as in \"kill,pause\", or [faults.NAME] tables")]
enum Chosen {
    Kinds(String),
    Custom(BTreeMap<String, toml::Table>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fault {
    kind: String,
    #[serde(default)]
    args: toml::Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Expect {
    verdict: Option<String>,
    anomaly: Option<OneOrMore>,
    ok_rate: Option<f64>,
    min_ops: Option<u64>,
}

/// A name, or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "anomaly wants a name or a list of names")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Spec {
    /// What these arguments ask for.
    ///
    /// # Errors
    /// If a file cannot be read or something in it makes no sense.
    pub(crate) fn of(args: &TestArgs) -> anyhow::Result<Spec> {
        let mut spec = if Path::new(&args.test).extension().is_some_and(|e| e == "toml") {
            Spec::of_file(&args.test)?
        } else if let Some(file) = boxed::unpacked(&args.test).map_err(usage)? {
            Spec::of_file(&file.to_string_lossy())?
        } else {
            Spec::bundled(&args.test)
        };
        spec.apply(args)?;
        Ok(spec)
    }

    fn bundled(target: &str) -> Spec {
        Spec {
            name: target.to_owned(),
            target: target.to_owned(),
            nodes: None,
            options: BTreeMap::new(),
            declared: false,
            workload: None,
            params: BTreeMap::new(),
            processes: 10,
            rate: None,
            time: Duration::from_secs(30),
            timeout: Duration::from_secs(1),
            resilience: Resilience::default(),
            seed: None,
            network: "auto".to_owned(),
            ipv6: false,
            faults: Faults::Auto,
            schedule: BTreeMap::new(),
            verdict: Verdict::Valid,
            anomalies: Vec::new(),
            ok_rate: 0.8,
            min_ops: 1,
            places: None,
            requested: Vec::new(),
            chosen: None,
            sets: Vec::new(),
        }
    }

    fn of_file(path: &str) -> anyhow::Result<Spec> {
        let text = std::fs::read_to_string(path).map_err(|e| usage(format!("{path}: {e}")))?;
        let places = Places { file: path.to_owned(), text };
        let file: File = toml::from_str(&places.text).map_err(|e| {
            let at = places.at(e.span().map_or(0, |span| span.start));
            usage(format!("{at}: {}", nearest(&one_line(e.message()))))
        })?;
        let stem = Path::new(path).file_stem().map(|s| s.to_string_lossy().into_owned());
        let mut spec = Spec::bundled("");
        spec.places = Some(places);
        spec.name = file.name.or(stem).unwrap_or_default();
        spec.describe(file.target, file.client, path)?;
        let values = |table: &toml::Table, at: &[&str]| {
            values(table).map_err(|mistake| spec.mistaken(mistake, at))
        };
        let params = values(&file.params, &["params"])?;
        let mut requests = Vec::new();
        let mut faults = Vec::new();
        for (i, fault) in file.fault.into_iter().enumerate() {
            let i = i.to_string();
            let args = values(&fault.args, &["fault", &i, "args"])?;
            requests.push(Request { kind: fault.kind, args });
            faults.push(vec!["fault".to_owned(), i]);
        }
        if let Some(Chosen::Custom(tables)) = &file.faults {
            for (name, args) in tables {
                let args = values(args, &["faults", name])?;
                requests.push(Request { kind: "custom".to_owned(), args });
                faults.push(vec!["faults".to_owned(), name.clone()]);
            }
        }
        let schedule = values(&file.schedule, &["schedule"])?;
        (spec.params, spec.requested) = (params, faults);
        match file.faults {
            Some(Chosen::Kinds(_)) if !requests.is_empty() => {
                let why = "give either faults or [[fault]], not both";
                return Err(spec.blame(Some(setting(&["faults"])), why));
            }
            Some(Chosen::Kinds(kinds)) => spec.choose(&kinds, Some(setting(&["faults"]))),
            _ => spec.faults = Faults::Requests(requests),
        }
        spec.schedule.extend(schedule);
        spec.workload = file.workload;
        spec.processes = file.load.processes.unwrap_or(spec.processes);
        spec.rate = file.load.rate;
        if let Some(time) = &file.load.time {
            let read = duration("load.time", time);
            spec.time = read.map_err(|e| spec.blame(Some(setting(&["load", "time"])), &e))?;
        }
        if let Some(timeout) = &file.load.timeout {
            let read = duration("load.timeout", timeout);
            spec.timeout = read.map_err(|e| spec.blame(Some(setting(&["load", "timeout"])), &e))?;
        }
        if let Some(client) = file.load.client {
            let read = client.resilience();
            spec.resilience = read.map_err(|m| spec.mistaken(m, &["load", "client"]))?;
        }
        spec.seed = file.seed;
        spec.network = file.network.unwrap_or(spec.network);
        if let Some(ip) = &file.ip {
            spec.ipv6 = ipv6(ip).map_err(|e| spec.blame(Some(setting(&["ip"])), &e))?;
        }
        if let Some(word) = &file.expect.verdict {
            let about = Some(setting(&["expect", "verdict"]));
            spec.verdict = verdict(word).map_err(|e| spec.blame(about, &e))?;
        }
        spec.anomalies = match file.expect.anomaly {
            None => Vec::new(),
            Some(OneOrMore::One(name)) => vec![name],
            Some(OneOrMore::More(names)) => names,
        };
        spec.ok_rate = file.expect.ok_rate.unwrap_or(spec.ok_rate);
        spec.min_ops = file.expect.min_ops.unwrap_or(spec.min_ops);
        Ok(spec)
    }

    /// Takes in `[target]` and `[client]`. Of a target that is described here, everything is an
    /// option.
    fn describe(
        &mut self,
        mut target: toml::Table,
        client: Option<toml::Table>,
        path: &str,
    ) -> anyhow::Result<()> {
        let about = |name: &str| Some(setting(&["target", name]));
        self.target = match target.remove("kind") {
            Some(toml::Value::String(kind)) => kind,
            Some(other) => {
                let why = format!("invalid type: {}, expected a string", other.type_str());
                return Err(self.blame(about("kind"), &why));
            }
            None => {
                let why = "missing field `kind`: a bundled target's name, or process or external";
                return Err(self.blame(about("kind"), why));
            }
        };
        self.nodes = match target.remove("nodes").map(u16::deserialize).transpose() {
            Ok(nodes) => nodes,
            Err(error) => {
                return Err(self.blame(about("nodes"), &nearest(&one_line(error.message()))));
            }
        };
        if danso_adapters::find(&self.target).is_some() {
            self.declared = true;
            // danso's own words for what is known already.
            if let Some(own) = ["dir", "client"].into_iter().find(|own| target.contains_key(*own)) {
                let why =
                    format!("unknown field `{own}`: templates have {{dir}}, clients [client]");
                return Err(self.blame(about(own), &why));
            }
            let folder = std::path::absolute(path).ok();
            let folder = folder.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
            let folder = folder.to_string_lossy().into_owned();
            target.insert("dir".to_owned(), folder.into());
            if let Some(client) = client {
                target.insert("client".to_owned(), client.into());
            }
            self.options = values(&target).map_err(|m| match m.at.first() {
                Some(first) if first == "client" => self.mistaken(m, &[]),
                _ => self.mistaken(m, &["target"]),
            })?;
            return Ok(());
        }
        let known = targets();
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        if !known.contains(&self.target.as_str()) {
            let why = no_such("target", &self.target, &known);
            return Err(self.blame(about("kind"), &why));
        }
        if client.is_some() {
            let why = format!("`{}` brings its own client: leave [client] out", self.target);
            return Err(self.blame(Some(setting(&["client"])), &why));
        }
        for (name, value) in target {
            match (name.as_str(), value) {
                ("bug", toml::Value::String(bug)) => {
                    self.options.insert("bug".to_owned(), bug.into());
                }
                ("options", toml::Value::Table(table)) => {
                    let read = values(&table);
                    let read = read.map_err(|m| self.mistaken(m, &["target", "options"]))?;
                    self.options.extend(read);
                }
                ("bug", _) => return Err(self.blame(about("bug"), "expected a string")),
                ("options", _) => return Err(self.blame(about("options"), "expected a table")),
                _ => {
                    let why = format!(
                        "unknown field `{name}`, expected one of `kind`, `nodes`, `bug`, `options`"
                    );
                    return Err(self.blame(about(&name), &nearest(&why)));
                }
            }
        }
        Ok(())
    }

    /// The command line overrides the file.
    fn apply(&mut self, args: &TestArgs) -> anyhow::Result<()> {
        for set in &args.set {
            self.set(set)?;
        }
        if let Some(faults) = &args.faults {
            self.choose(faults, None);
        }
        if let Some(time) = &args.time {
            self.time = duration("--time", time).map_err(usage)?;
        }
        if let Some(bug) = &args.bug {
            if self.declared {
                let why = "--bug: a target described in a file has no planted bugs";
                return Err(usage(why));
            }
            let bug = if bug == "none" { Value::Nil } else { bug.as_str().into() };
            self.options.insert("bug".to_owned(), bug);
        }
        self.seed = args.seed.or(self.seed);
        self.nodes = args.nodes.or(self.nodes);
        self.processes = args.processes.unwrap_or(self.processes);
        self.rate = args.rate.or(self.rate);
        self.workload = args.workload.clone().or_else(|| self.workload.take());
        if let Some(ip) = &args.ip {
            self.ipv6 = ipv6(ip).map_err(usage)?;
        }
        self.network = args.network.clone().unwrap_or_else(|| self.network.clone());
        self.sane().map_err(|e| self.blame(None, &e))
    }

    /// What `--faults` or `faults` says.
    fn choose(&mut self, faults: &str, about: Option<About>) {
        self.chosen = about;
        self.faults = match faults {
            "auto" => Faults::Auto,
            "swarm" => {
                self.schedule.insert("swarm".to_owned(), true.into());
                Faults::Auto
            }
            "none" | "" => Faults::Kinds(Vec::new()),
            kinds => Faults::Kinds(kinds.split(',').map(|k| k.trim().to_owned()).collect()),
        };
    }

    fn sane(&self) -> Result<(), String> {
        if !(1..=10_000).contains(&self.processes) {
            return Err(format!("{} processes: from 1 to 10000 can work at once", self.processes));
        }
        if self.time.is_zero() {
            return Err("a load of no time tests nothing: lengthen time".to_owned());
        }
        if self.timeout < Duration::from_millis(1) {
            return Err("load.timeout is less than 1ms: no operation could succeed".to_owned());
        }
        if self.rate == Some(0) {
            return Err("a rate of 0 tests nothing: leave it out for full speed".to_owned());
        }
        if !(0.0..=1.0).contains(&self.ok_rate) {
            return Err(format!("expect.ok-rate is {}, but must be from 0 to 1", self.ok_rate));
        }
        Ok(())
    }

    /// An error about the kinds of faults asked for.
    pub(crate) fn blame_kinds(&self, message: &str) -> anyhow::Error {
        match &self.chosen {
            Some(about) => self.blame(Some(about.clone()), message),
            None => usage(message),
        }
    }

    /// A mistake in a table of the file.
    fn mistaken(&self, mut mistake: Mistake, table: &[&str]) -> anyhow::Error {
        mistake.at.splice(..0, table.iter().map(ToString::to_string));
        self.blame(Some(About::Setting(mistake.at)), &mistake.why)
    }

    /// An error about a part of the test, at its place in the file if there is one.
    pub(crate) fn blame(&self, about: Option<About>, message: &str) -> anyhow::Error {
        let Some(places) = &self.places else { return usage(message) };
        let Some(about) = about else { return usage(format!("{}: {message}", places.file)) };
        let path = about.path(&self.requested);
        if let Some(set) = self
            .sets
            .iter()
            .find(|set| path.starts_with(set) || path.len() > 1 && set.starts_with(&path))
        {
            return usage(format!("--set {}: {message}", set.join(".")));
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        usage(format!("{}: {message}", places.blame(&path, message)))
    }
}

/// All targets there are: bundled ones, kinds a test file describes, systems in the box.
pub(crate) fn targets() -> Vec<String> {
    let names = danso_targets::TARGETS.iter().map(|t| t.name);
    let names = names.chain(danso_adapters::KINDS.iter().map(|k| k.name)).map(str::to_owned);
    names.chain(boxed::systems().into_iter().map(|(name, _)| name)).collect()
}

/// A duration with its unit.
pub(crate) fn duration(name: &str, text: &str) -> Result<Duration, String> {
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|d| Duration::try_from(d).ok())
        .ok_or_else(|| format!("{name} = `{text}` is no time: write 30s, 500ms or 1m 30s"))
}

fn ipv6(word: &str) -> Result<bool, String> {
    match word {
        "v4" => Ok(false),
        "v6" => Ok(true),
        _ => Err(format!("ip is `{word}`, but must be v4 or v6")),
    }
}

fn verdict(word: &str) -> Result<Verdict, String> {
    Verdict::of_word(word)
        .ok_or_else(|| format!("expect.verdict is `{word}`, but must be valid, unknown or invalid"))
}

/// What an error about a setting is about.
fn setting(path: &[&str]) -> About {
    About::Setting(path.iter().map(ToString::to_string).collect())
}

/// A message of several lines in one.
pub(crate) fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
