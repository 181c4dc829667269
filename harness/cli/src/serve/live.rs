//! [`Followers`]: histories read while they are being written.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use danso_reports::browse::{Live, Moment, Run};
use danso_vocab::codec::json;
use danso_vocab::event::note;
use danso_vocab::history::{Counts, Status};
use danso_vocab::{Plan, Value};

use super::root::Place;

/// Runs that are followed at once.
const RUNS: usize = 8;
/// Bytes read for one look at a page.
const ONCE: u64 = 32 << 20;
/// Seconds that are kept: more than a day.
const SECONDS: usize = 100_000;
/// Events that are shown.
const EVENTS: usize = 14;
/// Names of operations, nodes and faults that are kept.
const NAMES: usize = 256;

/// The runs that somebody looks at.
#[derive(Default)]
pub(super) struct Followers {
    all: Mutex<HashMap<Place, Arc<Mutex<Follower>>>>,
}

impl Followers {
    /// The one of a run.
    pub(super) fn of(&self, place: &Place) -> Arc<Mutex<Follower>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= RUNS && !all.contains_key(place) {
            // Whoever looks again reads again.
            all.clear();
        }
        all.entry(place.clone()).or_default().clone()
    }

    /// Forgets a run that is over.
    pub(super) fn forget(&self, place: &Place) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }
}

/// What a history says so far.
#[derive(Default)]
pub(super) struct Follower {
    /// Bytes read, up to the end of a line.
    read: u64,
    phase: String,
    now: Duration,
    counts: BTreeMap<String, Counts>,
    seconds: Vec<Counts>,
    active: BTreeMap<i64, String>,
    nodes: BTreeMap<String, String>,
    moments: VecDeque<Moment>,
}

impl Follower {
    /// Reads on.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub(super) fn read(&mut self, mut file: File) -> io::Result<()> {
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.take(ONCE).read_to_end(&mut bytes)?;
        // The last line may not be whole yet.
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        for line in bytes[..whole].split(|b| *b == b'\n') {
            let event = std::str::from_utf8(line).ok().and_then(|line| json::from_str(line).ok());
            if let Some(event) = event {
                self.take(&event);
            }
        }
        self.read += whole as u64;
        Ok(())
    }

    fn take(&mut self, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::str).unwrap_or_default();
        let time = event.get("time").and_then(Value::int).and_then(|t| u64::try_from(t).ok());
        self.now = self.now.max(Duration::from_nanos(time.unwrap_or(0)));
        if event.get("process").and_then(Value::str).is_some() {
            return self.note(event, text("f"));
        }
        let status = match text("type") {
            "ok" => Status::Ok,
            "fail" => Status::Fail,
            "info" => Status::Info,
            _ => return,
        };
        let f = text("f");
        if self.counts.len() < NAMES || self.counts.contains_key(f) {
            self.counts.entry(f.to_owned()).or_default().add(status);
        }
        let second = self.now.as_secs() as usize;
        if second < SECONDS {
            self.seconds.resize(self.seconds.len().max(second + 1), Counts::default());
            self.seconds[second].add(status);
        }
    }

    fn note(&mut self, event: &Value, f: &str) {
        let value = event.get("value").cloned().unwrap_or_default();
        let nodes = event.get("nodes").and_then(Value::list).unwrap_or_default();
        let nodes: Vec<&str> = nodes.iter().filter_map(Value::str).collect();
        let on = if nodes.is_empty() { String::new() } else { format!(" on {}", nodes.join(", ")) };
        let fault = event.get("fault").and_then(Value::int);
        let state = match f {
            note::NODE_UP | note::NODE_RESUMED => Some("up"),
            note::NODE_DOWN => Some("down"),
            note::NODE_CRASHED => Some("crashed by itself"),
            note::NODE_PAUSED => Some("paused"),
            _ => None,
        };
        if let Some(state) = state {
            for node in nodes.iter().take(NAMES) {
                self.nodes.insert((*node).to_owned(), state.to_owned());
            }
        }
        let what = match (f, fault) {
            // Once a second and node: that is for the report.
            (note::HISTORY | note::CLOCK_OFFSET, _) => return,
            (note::PHASE, _) => {
                self.phase = value.str().unwrap_or_default().to_owned();
                format!("phase {}", self.phase)
            }
            (note::HEAL, Some(id)) => {
                let kind = self.active.remove(&id).unwrap_or_default();
                let effect =
                    value.get("effect").and_then(Value::str).unwrap_or_default().to_owned();
                format!("healed: {kind}: {effect}")
            }
            (note::FAULT_FAILED, Some(id)) => {
                self.active.remove(&id);
                format!("fault {id} could not be injected: {value}")
            }
            (_, Some(id)) if state.is_none() => {
                if self.active.len() < NAMES {
                    self.active.insert(id, format!("{f}{on}"));
                }
                format!("{f}{on}")
            }
            _ if value.is_nil() => format!("{f}{on}"),
            _ => format!("{f}{on}: {value}"),
        };
        self.moments.push_front(Moment { at: self.now, what: what.chars().take(400).collect() });
        self.moments.truncate(EVENTS);
    }

    /// The page; `len` is how long the history is by now.
    pub(super) fn page(&self, run: &Run, plan: &Plan, len: u64) -> String {
        let run = Run { counts: self.counts.clone(), ..run.clone() };
        let moments: Vec<Moment> = self.moments.iter().cloned().collect();
        let behind = (len > self.read + ONCE / 32).then(|| self.read as f64 / len as f64);
        danso_reports::browse::live(&Live {
            run: &run,
            phase: &self.phase,
            now: self.now,
            planned: plan.load.time,
            seconds: &self.seconds,
            active: self.active.values().cloned().collect(),
            nodes: self.nodes.clone().into_iter().collect(),
            moments: &moments,
            behind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_history_is_read_as_it_grows() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut follower = Follower::default();
        let lines = [
            r#"{"format":1,"index":0,"time":0,"process":"nemesis","type":"info","f":"history","value":null}"#,
            r#"{"index":1,"time":1,"process":"nemesis","type":"info","f":"node-up","value":null,"nodes":["n1"]}"#,
            r#"{"index":2,"time":2,"process":"nemesis","type":"info","f":"phase","value":"load"}"#,
            r#"{"index":3,"time":3,"process":0,"type":"invoke","f":"read","value":null}"#,
            r#"{"index":4,"time":1500000000,"process":0,"type":"ok","f":"read","value":1}"#,
            r#"{"index":5,"time":1600000000,"process":"nemesis","type":"info","f":"kill","fault":7,"nodes":["n1"],"value":null}"#,
        ];
        let text = lines.join("\n") + "\n{\"index\":6,\"time\":17";
        file.write_all(text.as_bytes()).unwrap();
        follower.read(file.reopen().unwrap()).unwrap();
        assert_eq!((follower.phase.as_str(), follower.counts["read"].ok), ("load", 1));
        assert_eq!(follower.active[&7], "kill on n1");
        assert_eq!(follower.seconds.len(), 2);
        let rest = "00000000,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"heal\",\"fault\":7,\
                    \"value\":{\"bit\":true,\"effect\":\"gone\"}}\n";
        file.write_all(rest.as_bytes()).unwrap();
        follower.read(file.reopen().unwrap()).unwrap();
        assert!(follower.active.is_empty());
        assert_eq!(follower.moments[0].what, "healed: kill on n1: gone");
        assert_eq!(follower.counts["read"].total(), 1, "nothing is read twice");
    }
}
