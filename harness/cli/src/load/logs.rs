//! What nodes printed: the end of it, and what they printed around the moments a report is about.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use danso_engine::site::Site;
use danso_reports::{NodeLog, Stamped};
use danso_vocab::event::note;
use danso_vocab::{History, NodeId, Plan, Results, Time};
use jiff::Timestamp;
use nix::fcntl::OFlag;

use super::stamp;

/// Bytes at the end of a log that go into a report.
const TAIL: usize = 16 << 10;
/// Bytes at the end of a log that are read for it.
const READ: u64 = 8 << 20;
/// Around each moment.
const AROUND: Duration = Duration::from_millis(500);
/// Lines of one log.
const LINES: usize = 200;
/// Bytes of a line.
const LINE: usize = 400;
/// In the environment of a run: what its time 0 was.
pub(crate) const TIME_ZERO: &str = "time 0";

/// What of the nodes' outputs goes into a report.
pub(crate) fn logs(site: &Site, plan: &Plan, history: &History, results: &Results) -> Vec<NodeLog> {
    let zero = results.environment.get(TIME_ZERO).and_then(|text| text.parse().ok());
    let moments = moments(history, results);
    let mut logs = Vec::new();
    for node in NodeId::all(plan.target.nodes()) {
        for name in ["stderr", "stdout"] {
            let path = site.node(node).join(format!("{name}.log"));
            let Some(text) = read(&path).ok().filter(|text| !text.is_empty()) else { continue };
            let around = zero.and_then(|zero| around(&text, zero, history.end(), &moments));
            let tail = text[text.ceil_char_boundary(text.len().saturating_sub(TAIL))..].to_owned();
            logs.push(NodeLog { node, name: name.to_owned(), tail, around });
        }
    }
    logs
}

fn read(path: &Path) -> io::Result<String> {
    // A node can put a link to anything in its place, or a pipe that nobody writes to.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut file = File::options().read(true).custom_flags(flags.bits()).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.seek(SeekFrom::Start(about.len().saturating_sub(READ)))?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// When something happened that a reader will look for: anomalies, faults, crashes. In order, and
/// apart from each other.
fn moments(history: &History, results: &Results) -> Vec<(Time, Time)> {
    let ops = results.findings.iter().flat_map(|f| &f.anomalies).filter_map(|a| a.ops.first());
    let ops = ops.filter_map(|id| history.op(*id));
    let anomalies = ops.map(|op| (op.inv_time(), op.res_time().unwrap_or(op.inv_time())));
    let ends = |fault: &danso_vocab::results::FaultReport| [fault.start, fault.stop];
    let faults = results.faults.iter().flat_map(ends).flatten();
    let crashes = history.notes().filter(|(_, _, what)| what.f == note::NODE_CRASHED);
    let single = faults.chain(crashes.map(|(_, time, _)| time)).map(|time| (time, time));
    let mut all: Vec<(Time, Time)> = anomalies
        .chain(single)
        .map(|(from, to)| (Time::from(from.since_start().saturating_sub(AROUND)), to + AROUND))
        .collect();
    all.sort_unstable();
    let mut apart: Vec<(Time, Time)> = Vec::new();
    for (from, to) in all {
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => apart.push((from, to)),
        }
    }
    apart
}

/// The lines around these moments; `None` if no line carries a time within the run. A line
/// without a time belongs to the one before it.
fn around(
    text: &str,
    zero: Timestamp,
    end: Time,
    moments: &[(Time, Time)],
) -> Option<Vec<Stamped>> {
    let mut aligned = false;
    let mut now: Option<Time> = None;
    let mut lines: Vec<Stamped> = Vec::new();
    for line in text.lines() {
        if let Some(stamp) = stamp::of(line) {
            let since = u64::try_from(stamp.duration_since(zero).as_nanos()).ok().map(Time);
            now = since.filter(|time| *time <= end);
            aligned |= now.is_some();
        }
        let Some(time) = now else { continue };
        let at = moments.partition_point(|(_, to)| *to < time);
        if lines.len() < LINES && moments.get(at).is_some_and(|(from, _)| *from <= time) {
            let line = line[..line.floor_char_boundary(LINE)].to_owned();
            lines.push(Stamped { time, line });
        }
    }
    aligned.then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn lines_near_a_moment_are_kept_with_what_follows_them() {
        let zero: Timestamp = "2026-11-21T21:00:00Z".parse().unwrap();
        let text = "2026-11-21T20:59:58Z before time 0\n\
                    2026-11-21T21:00:01Z early\n\
                    2026-11-21T21:00:05.250Z panic\n    at src/log.rs:88\n\
                    2026-11-21T21:00:09Z late\nits second line\n\
                    2026-11-21T23:00:00Z after the end\n";
        let moments = [(Time(5 * SECOND), Time(6 * SECOND))];
        let lines = around(text, zero, Time(20 * SECOND), &moments).unwrap();
        let said: Vec<&str> = lines.iter().map(|l| l.line.as_str()).collect();
        assert_eq!(said, ["2026-11-21T21:00:05.250Z panic", "    at src/log.rs:88"]);
        assert_eq!(lines[1].time, Time(5_250_000_000));
    }

    #[test]
    fn a_log_without_times_is_not_aligned() {
        let zero: Timestamp = "2026-11-21T21:00:00Z".parse().unwrap();
        let moments = [(Time(0), Time(SECOND))];
        assert_eq!(around("listening\nterm=2\n", zero, Time(SECOND), &moments), None);
        let elsewhere = "2026-11-22T09:00:00Z another zone, or another day\n";
        assert_eq!(around(elsewhere, zero, Time(SECOND), &moments), None);
    }
}
