//! What nodes did, for the lanes above the operations: up, down, paused, leading; and the phases
//! of the run.

use std::collections::BTreeMap;

use danso_vocab::event::note;
use danso_vocab::{NodeId, Time};

use crate::windows::Window;
use crate::{Record, inert};

/// Kinds of faults whose windows say that nodes were down, where the history does not.
const ENDS: [&str; 3] = ["kill", "stop", "power-failure"];
const PAUSES: &str = "pause";

/// How a node fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Up,
    Down,
    Crashed,
    Paused,
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Down => "down",
            State::Crashed => "crashed",
            State::Paused => "paused",
        }
    }
}

/// One node's time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    /// Its states, each from then to then.
    pub(crate) states: Vec<(Time, Time, State)>,
    /// When it led.
    pub(crate) leads: Vec<(Time, Time)>,
}

/// The lanes of all nodes anything is known of.
pub(crate) fn lanes(record: &Record<'_>, windows: &[Window]) -> BTreeMap<NodeId, Lane> {
    let end = record.history.end();
    let mut lanes = BTreeMap::<NodeId, Lane>::new();
    for (node, changes) in changes(record, windows) {
        let lane = lanes.entry(node).or_default();
        for (i, (from, state)) in changes.iter().enumerate() {
            let to = changes.get(i + 1).map_or(end, |next| next.0).max(*from);
            match lane.states.last_mut() {
                Some(last) if last.2 == *state => last.1 = to,
                _ => lane.states.push((*from, to, *state)),
            }
        }
    }
    let mut leader: Option<(Time, &[NodeId])> = None;
    let changes = record.history.notes().filter(|(_, _, n)| n.f == note::LEADER);
    let changes = changes.map(|(_, time, n)| (time, n.nodes.as_slice()));
    for (time, nodes) in changes.chain([(end, [].as_slice())]) {
        if let Some((from, led)) = leader.replace((time, nodes)) {
            for node in led {
                let leads = &mut lanes.entry(*node).or_default().leads;
                match leads.last_mut() {
                    Some(last) if last.1 == from => last.1 = time,
                    _ => leads.push((from, time)),
                }
            }
        }
    }
    lanes
}

/// When each node's state changed. Histories of before nodes' ends and pauses were noted have
/// them from the windows of the faults that cause them.
fn changes(record: &Record<'_>, windows: &[Window]) -> BTreeMap<NodeId, Vec<(Time, State)>> {
    let mut changes = BTreeMap::<NodeId, Vec<(Time, State)>>::new();
    let (mut downs, mut pauses) = (false, false);
    for (_, time, what) in record.history.notes() {
        let state = match &*what.f {
            note::NODE_UP | note::NODE_RESUMED => State::Up,
            note::NODE_DOWN => State::Down,
            note::NODE_CRASHED => State::Crashed,
            note::NODE_PAUSED => State::Paused,
            _ => continue,
        };
        downs |= state == State::Down;
        pauses |= state == State::Paused;
        for node in &what.nodes {
            changes.entry(*node).or_default().push((time, state));
        }
    }
    for window in windows {
        let state = match &*window.kind {
            kind if !downs && ENDS.contains(&kind) => State::Down,
            PAUSES if !pauses => State::Paused,
            _ => continue,
        };
        for node in &window.nodes {
            let changes = changes.entry(*node).or_default();
            changes.push((window.start, state));
            if window.healed {
                changes.push((window.stop, State::Up));
            }
        }
    }
    changes.values_mut().for_each(|changes| changes.sort_by_key(|(time, _)| *time));
    changes
}

/// The phases of the run, each from when it began.
pub(crate) fn phases(record: &Record<'_>) -> Vec<(Time, String)> {
    let notes = record.history.notes().filter(|(_, _, n)| n.f == note::PHASE);
    notes.filter_map(|(_, time, n)| Some((time, inert::brief(n.value.str()?, 24)))).collect()
}

#[cfg(test)]
mod tests {
    use danso_vocab::{Event, FaultId, History, Note, Results};

    use super::*;
    use crate::windows;

    fn lane(notes: &[(u64, &'static str)]) -> Lane {
        let note = |f| Note::new(f, ()).nodes([NodeId(1)]).fault(FaultId(0));
        let events = notes.iter().map(|(t, f)| (Time(*t), Event::Note(note(*f))));
        let history = History::of(events).unwrap();
        let results = Results::default();
        let record =
            Record { title: "", plan: None, history: &history, results: &results, logs: &[] };
        lanes(&record, &windows::all(&record)).remove(&NodeId(1)).unwrap()
    }

    #[test]
    fn notes_tell_how_a_node_fared() {
        let told = lane(&[
            (1, note::NODE_UP),
            (3, "kill"),
            (4, note::NODE_DOWN),
            (7, note::NODE_UP),
            (8, note::NODE_CRASHED),
            (9, note::HEAL),
        ]);
        assert_eq!(
            told.states,
            [
                (Time(1), Time(4), State::Up),
                (Time(4), Time(7), State::Down),
                (Time(7), Time(8), State::Up),
                (Time(8), Time(9), State::Crashed),
            ]
        );
    }

    #[test]
    fn windows_tell_where_notes_do_not() {
        let told = lane(&[(1, note::NODE_UP), (3, "pause"), (5, note::HEAL), (9, note::PHASE)]);
        let states = [
            (Time(1), Time(3), State::Up),
            (Time(3), Time(5), State::Paused),
            (Time(5), Time(9), State::Up),
        ];
        assert_eq!(told.states, states);
        let old = lane(&[(1, note::NODE_UP), (3, "kill"), (5, note::HEAL), (6, note::NODE_UP)]);
        assert_eq!(old.states[1], (Time(3), Time(5), State::Down));
        assert_eq!(old.states[2], (Time(5), Time(6), State::Up));
    }

    #[test]
    fn leaders_lead_until_somebody_else_does() {
        let told = lane(&[(1, note::LEADER), (4, note::LEADER), (9, note::PHASE)]);
        assert_eq!(told.leads, [(Time(1), Time(9))]);
    }
}
