//! When faults were at work: the windows that lie behind every picture of time.

use danso_vocab::event::note;
use danso_vocab::{FaultId, NodeId, Time};

use crate::{Record, inert};

/// A fault at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) id: FaultId,
    pub(crate) kind: String,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) start: Time,
    /// The end of the run if it was never healed.
    pub(crate) stop: Time,
    pub(crate) healed: bool,
}

impl Window {
    /// `F0 partition n1 n2`.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.short(), nodes(&self.nodes)).trim_end().to_owned()
    }

    /// `F0 partition`.
    pub(crate) fn short(&self) -> String {
        format!("{} {}", self.id, inert::brief(&self.kind, 24))
    }
}

/// Nodes as a line: `n1 n2`.
pub(crate) fn nodes(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" ")
}

/// All windows of a record, by start. The results tell them; where they tell of no faults (an
/// interrupted run, a bare history) the notes in the history do.
pub(crate) fn all(record: &Record<'_>) -> Vec<Window> {
    let end = record.history.end();
    let mut windows: Vec<Window> = record
        .results
        .faults
        .iter()
        .filter_map(|fault| {
            let start = fault.start?;
            Some(Window {
                id: fault.id,
                kind: fault.kind.to_string(),
                nodes: fault.nodes.clone(),
                start,
                stop: fault.stop.unwrap_or(end).max(start),
                healed: fault.stop.is_some(),
            })
        })
        .collect();
    if record.results.faults.is_empty() {
        windows = from_notes(record, end);
    }
    windows.sort_by_key(|w| (w.start, w.id));
    windows
}

/// Notes that may name a fault but do not say that it began.
const NO_INJECTION: [&str; 9] = [
    note::HEAL,
    note::FAULT_FAILED,
    note::NODE_UP,
    note::NODE_CRASHED,
    note::NODE_DOWN,
    note::NODE_PAUSED,
    note::NODE_RESUMED,
    note::LEADER,
    note::CLOCK_OFFSET,
];

fn from_notes(record: &Record<'_>, end: Time) -> Vec<Window> {
    let mut windows = Vec::<Window>::new();
    for (_, time, what) in record.history.notes() {
        let Some(id) = what.fault else { continue };
        let open = windows.iter_mut().find(|w| w.id == id);
        match (&*what.f, open) {
            (note::HEAL, Some(window)) if !window.healed => {
                window.stop = time.max(window.start);
                window.healed = true;
            }
            (f, _) if NO_INJECTION.contains(&f) => {}
            (_, Some(_)) => {}
            (kind, None) => windows.push(Window {
                id,
                kind: kind.to_owned(),
                nodes: what.nodes.clone(),
                start: time,
                stop: end.max(time),
                healed: false,
            }),
        }
    }
    windows
}

/// Puts windows into rows so that those of one row do not touch; at most `most` rows, the last
/// of which may be crowded.
pub(crate) fn rows(windows: &[Window], most: usize) -> Vec<usize> {
    let mut ends = Vec::<Time>::new();
    let mut rows = Vec::new();
    for window in windows {
        let free = ends.iter().position(|end| *end <= window.start);
        let row = match free {
            Some(row) => row,
            None if ends.len() < most.max(1) => {
                ends.push(Time::ZERO);
                ends.len() - 1
            }
            None => ends.len() - 1,
        };
        ends[row] = ends[row].max(window.stop);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Event, History, Note, Results};

    use super::*;

    #[test]
    fn notes_tell_what_results_do_not() {
        let note = |f: &'static str, id| Event::Note(Note::new(f, ()).fault(FaultId(id)));
        let history = History::of([
            (Time(5), note("kill", 0)),
            (Time(7), note("partition", 1)),
            (Time(9), note(note::HEAL, 0)),
            (Time(20), Event::Note(Note::new(note::PHASE, "end"))),
        ])
        .unwrap();
        let results = Results::default();
        let record =
            Record { title: "", plan: None, history: &history, results: &results, logs: &[] };
        let windows = all(&record);
        assert_eq!(windows.len(), 2);
        assert_eq!(
            (windows[0].start, windows[0].stop, windows[0].healed),
            (Time(5), Time(9), true)
        );
        assert_eq!((windows[1].stop, windows[1].healed), (Time(20), false));
        assert_eq!(rows(&windows, 4), [0, 1]);
        assert_eq!(rows(&windows, 1), [0, 0]);
    }
}
