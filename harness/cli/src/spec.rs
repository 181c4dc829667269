//! [`Spec`]: what the user asked for, from a test file and the command line, before anything is
//! drawn. Errors name file, line, column and the nearest name there is.

mod places;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use danso_adapters::nearest;
use danso_engine::nemesis::Request;
use danso_vocab::plan::Resilience;
use danso_vocab::{Value, Verdict};
use serde::Deserialize;

use self::places::Places;
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
    fn path(&self) -> Vec<String> {
        let words: &[&str] = match self {
            About::Target => &["target", "kind"],
            About::Workload => &["workload"],
            About::Fault(i) => return vec!["fault".to_owned(), i.to_string()],
            About::Schedule => &["schedule"],
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
    fn resilience(self) -> Result<Resilience, String> {
        let usual = Resilience::default();
        let time = |name: &str, given: Option<String>| {
            given.map(|text| duration(&format!("load.client.{name}"), &text)).transpose()
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
        let values = |table: toml::Table| values(table).map_err(|e| usage(format!("{path}: {e}")));
        spec.params = values(file.params)?;
        let mut requests = Vec::new();
        for fault in file.fault {
            requests.push(Request { kind: fault.kind, args: values(fault.args)? });
        }
        match file.faults {
            Some(Chosen::Kinds(faults)) => {
                if !requests.is_empty() {
                    let why = "give either faults or [[fault]], not both";
                    return Err(spec.blame(Some(About::Setting(vec!["faults".to_owned()])), why));
                }
                spec.choose(&faults);
            }
            custom => {
                if let Some(Chosen::Custom(tables)) = custom {
                    for (_, args) in tables {
                        requests.push(Request { kind: "custom".to_owned(), args: values(args)? });
                    }
                }
                spec.faults = Faults::Requests(requests);
            }
        }
        spec.schedule.extend(values(file.schedule)?);
        spec.workload = file.workload;
        let in_file = |e: String| usage(format!("{path}: {e}"));
        spec.processes = file.load.processes.unwrap_or(spec.processes);
        spec.rate = file.load.rate;
        if let Some(time) = &file.load.time {
            spec.time = duration("load.time", time).map_err(in_file)?;
        }
        if let Some(timeout) = &file.load.timeout {
            spec.timeout = duration("load.timeout", timeout).map_err(in_file)?;
        }
        if let Some(client) = file.load.client {
            spec.resilience = client.resilience().map_err(in_file)?;
        }
        spec.seed = file.seed;
        spec.network = file.network.unwrap_or(spec.network);
        if let Some(ip) = &file.ip {
            spec.ipv6 = ipv6(ip).map_err(in_file)?;
        }
        if let Some(word) = &file.expect.verdict {
            spec.verdict = verdict(word).map_err(in_file)?;
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
        let about = |name: &str| {
            Some(About::Setting(["target", name].iter().map(ToString::to_string).collect()))
        };
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
            Err(error) => return Err(self.blame(about("nodes"), &one_line(error.message()))),
        };
        if danso_adapters::find(&self.target).is_some() {
            self.declared = true;
            let folder = std::path::absolute(path).ok();
            let folder = folder.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
            let folder = folder.to_string_lossy().into_owned();
            target.insert("dir".to_owned(), folder.into());
            if let Some(client) = client {
                target.insert("client".to_owned(), client.into());
            }
            self.options = values(target).map_err(|e| self.blame(about("kind"), &e))?;
            return Ok(());
        }
        if client.is_some() {
            let why = format!("`{}` brings its own client: leave [client] out", self.target);
            return Err(self.blame(Some(About::Setting(vec!["client".to_owned()])), &why));
        }
        for (name, value) in target {
            match (name.as_str(), value) {
                ("bug", toml::Value::String(bug)) => {
                    self.options.insert("bug".to_owned(), bug.into());
                }
                ("options", toml::Value::Table(table)) => {
                    let read = values(table).map_err(|e| self.blame(about("options"), &e))?;
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
            self.choose(faults);
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
    fn choose(&mut self, faults: &str) {
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

    fn set(&mut self, set: &str) -> anyhow::Result<()> {
        let wrong = |why: String| usage(format!("--set {set}: {why}"));
        let Some((path, text)) = set.split_once('=') else {
            return Err(wrong("write path=value, as in params.keys=4".to_owned()));
        };
        // A bare word is text; everything else is read as TOML.
        let parsed = toml::from_str::<toml::Table>(&format!("v = {text}"));
        let value = match parsed.ok().and_then(|mut t| t.remove("v")) {
            Some(value) => value_of(&value).map_err(wrong)?,
            None => Value::Str(text.to_owned()),
        };
        let words = || text.trim_matches('"');
        let number = || value.int().and_then(|i| u32::try_from(i).ok());
        let want = |what: &str| usage(format!("--set {set}: {path} wants {what}"));
        match path.split_once('.') {
            Some(("params", name)) => drop(self.params.insert(name.to_owned(), value)),
            Some(("schedule", name)) => drop(self.schedule.insert(name.to_owned(), value)),
            Some(("options", _)) if self.declared => {
                return Err(wrong(
                    "a target described in a file has no options; write target.NAME or \
                     client.NAME, as in target.env.MODE=fast"
                        .to_owned(),
                ));
            }
            Some(("options", name)) => drop(self.options.insert(name.to_owned(), value)),
            Some(("target" | "client", _)) if self.declared => {
                let words: Vec<&str> = path.split('.').collect();
                self.redescribe(&words, value).map_err(wrong)?;
            }
            Some(("target" | "client", _)) => {
                return Err(wrong(
                    "only a target described in a file has these; write options.NAME".to_owned(),
                ));
            }
            Some(("load", "processes")) => {
                self.processes = number().ok_or_else(|| want("a number"))?;
            }
            Some(("load", "rate")) => {
                self.rate = Some(number().ok_or_else(|| want("a number"))?);
            }
            Some(("load", "time")) => self.time = duration("time", words()).map_err(wrong)?,
            Some(("load", "timeout")) => {
                self.timeout = duration("timeout", words()).map_err(wrong)?;
            }
            Some(("load", "client.retries")) => {
                self.resilience.retries = number().ok_or_else(|| want("a number"))?;
            }
            Some(("load", "client.breaker")) => {
                self.resilience.breaker = number().ok_or_else(|| want("a number"))?;
            }
            Some(("load", "client.bulkhead")) => {
                self.resilience.bulkhead = number().ok_or_else(|| want("a number"))?;
            }
            Some(("load", "client.attempt")) => {
                self.resilience.attempt = Some(duration("attempt", words()).map_err(wrong)?);
            }
            Some(("expect", "ok-rate")) => {
                self.ok_rate = text.parse().map_err(|_| want("a share from 0 to 1"))?;
            }
            Some(("expect", "min-ops")) => {
                self.min_ops = text.parse().map_err(|_| want("a number"))?;
            }
            _ => {
                return Err(wrong(
                    "settings are params.*, options.*, target.* and client.* (of a target described in a file), schedule.*, load.processes, load.rate, load.time, load.timeout, load.client.attempt, load.client.retries, load.client.breaker, load.client.bulkhead, expect.ok-rate and expect.min-ops".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Sets something of `[target]` or `[client]`.
    fn redescribe(&mut self, path: &[&str], value: Value) -> Result<(), String> {
        let within = if path[0] == "target" { &path[1..] } else { path };
        let Some((last, tables)) = within.split_last() else { return Ok(()) };
        match *last {
            "nodes" if within == ["nodes"] => {
                let nodes = value.int().and_then(|i| u16::try_from(i).ok());
                self.nodes = Some(nodes.ok_or("nodes wants a number")?);
                return Ok(());
            }
            "kind" if path == ["target", "kind"] => {
                return Err("another kind of target is another test file".to_owned());
            }
            _ => {}
        }
        let mut table = &mut self.options;
        for name in tables {
            let inner = table.entry((*name).to_owned()).or_insert_with(|| Value::of([]));
            let Value::Map(inner) = inner else {
                return Err(format!("`{name}` is no table in the file"));
            };
            table = inner;
        }
        table.insert((*last).to_owned(), value);
        self.sets.push(path.iter().map(ToString::to_string).collect());
        Ok(())
    }

    /// An error about a part of the test, at its place in the file if there is one.
    pub(crate) fn blame(&self, about: Option<About>, message: &str) -> anyhow::Error {
        let Some(places) = &self.places else { return usage(message) };
        let Some(about) = about else { return usage(format!("{}: {message}", places.file)) };
        let path = about.path();
        if let Some(set) = self.sets.iter().find(|set| path.starts_with(set)) {
            return usage(format!("--set {}: {message}", set.join(".")));
        }
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        usage(format!("{}: {message}", places.blame(&path, message)))
    }
}

/// A name that is not there, with the nearest that is.
pub(crate) fn no_such(what: &str, name: &str, known: &[&str]) -> String {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), *k)).min();
    match near {
        Some((distance, near)) if distance <= 1 + name.len() / 3 => {
            format!("there is no {what} `{name}`; did you mean `{near}`?")
        }
        _ => format!("there is no {what} `{name}`; there are: {}", known.join(", ")),
    }
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

fn values(table: toml::Table) -> Result<BTreeMap<String, Value>, String> {
    table
        .iter()
        .map(|(k, v)| Ok((k.clone(), value_of(v).map_err(|e| format!("{k}: {e}"))?)))
        .collect()
}

fn value_of(value: &toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(s) => Value::Str(s.clone()),
        toml::Value::Integer(i) => Value::Int(*i),
        toml::Value::Boolean(b) => Value::Bool(*b),
        toml::Value::Array(list) => {
            Value::List(list.iter().map(value_of).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => Value::Map(values(table.clone())?),
        toml::Value::Float(f) => {
            return Err(format!("{f} is no integer; fractions have no place here"));
        }
        toml::Value::Datetime(d) => return Err(format!("{d}: write dates as text")),
    })
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
