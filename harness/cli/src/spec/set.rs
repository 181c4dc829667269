//! `--set PATH=VALUE`: any setting of a test, from the command line.

use danso_vocab::Value;

use super::values::value_of;
use super::{Spec, duration, verdict};
use crate::exit::usage;

impl Spec {
    /// Sets what `--set PATH=VALUE` says.
    ///
    /// # Errors
    /// If there is no such setting, or its value makes no sense.
    pub(super) fn set(&mut self, set: &str) -> anyhow::Result<()> {
        let wrong = |why: String| usage(format!("--set {set}: {why}"));
        let Some((path, text)) = set.split_once('=') else {
            return Err(wrong("write path=value, as in params.keys=4".to_owned()));
        };
        if path == "expect.ok-rate" {
            let rate = text.parse();
            self.ok_rate =
                rate.map_err(|_| usage(format!("--set {set}: {path} wants a share from 0 to 1")))?;
            return Ok(());
        }
        // A bare word is text; everything else is read as TOML.
        let parsed = toml::from_str::<toml::Table>(&format!("v = {text}"));
        let value = match parsed.ok().and_then(|mut t| t.remove("v")) {
            Some(value) => value_of(&value).map_err(|m| wrong(m.to_string()))?,
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
            Some(("expect", "verdict")) => self.verdict = verdict(words()).map_err(wrong)?,
            Some(("expect", "anomaly")) => {
                self.anomalies = words().split(',').map(|name| name.trim().to_owned()).collect();
            }
            Some(("expect", "min-ops")) => {
                self.min_ops = text.parse().map_err(|_| want("a number"))?;
            }
            _ => {
                return Err(wrong(
                    "settings are params.*, options.*, target.* and client.* (of a target described in a file), schedule.*, load.processes, load.rate, load.time, load.timeout, load.client.attempt, load.client.retries, load.client.breaker, load.client.bulkhead, expect.verdict, expect.anomaly, expect.ok-rate and expect.min-ops".to_owned(),
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
}
