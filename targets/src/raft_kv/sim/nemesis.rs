//! What goes wrong in a simulation.

use danso_vocab::Rng;

use crate::raft::core::{Change, Event, Role};

const MS: u64 = 1_000_000;

/// A misfortune.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Messages on these directed links are lost.
    Cut(Vec<(usize, usize)>),
    /// These nodes lose everything that is not on disk, and start again later.
    Crash(Vec<usize>),
    /// These nodes stand still.
    Pause(Vec<usize>),
    /// Somebody asks the first node to change the membership.
    Change(usize, Change),
}

/// Draws a misfortune for a cluster of `n`.
pub(super) fn draw(n: usize, rng: &mut Rng) -> Trouble {
    let mut nodes: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut nodes);
    let minority = n.div_ceil(2) - 1;
    let some = |k: usize| nodes[..k].to_vec();
    match rng.below(15) {
        0 => Trouble::Cut(between(&nodes[..1], &nodes[1..])),
        1 => Trouble::Cut(between(&nodes[..minority], &nodes[minority..])),
        // One way: the first is not heard, or hears nothing.
        2 => Trouble::Cut(nodes[1..].iter().map(|o| (nodes[0], *o)).collect()),
        3 => Trouble::Cut(nodes[1..].iter().map(|o| (*o, nodes[0])).collect()),
        // A bridge: two halves that only the first node sees both of.
        4 => Trouble::Cut(between(&nodes[1..=minority], &nodes[minority + 1..])),
        // Everybody misses somebody.
        5 => Trouble::Cut((0..n).map(|i| (nodes[i], nodes[(i + 1) % n])).collect()),
        6 | 7 => Trouble::Crash(some(1)),
        8 => Trouble::Crash(some(minority + 1)),
        9 => Trouble::Crash(some(n)),
        10 => Trouble::Pause(some(1)),
        11 | 12 => Trouble::Change(nodes[0], Change::Leave(nodes[1] as u16 + 1)),
        13 => Trouble::Change(nodes[0], Change::Join(nodes[1] as u16 + 1)),
        _ => Trouble::Pause(some(minority)),
    }
}

/// A misfortune for node `i` at the worst moment, when it has just voted or won; and after how
/// long, in ns.
pub(super) fn provoked(
    i: usize,
    events: &[Event],
    n: usize,
    rng: &mut Rng,
) -> Option<(u64, Trouble)> {
    events.iter().find_map(|event| {
        let (crash, cut) = match event {
            Event::VotedFor(..) => (3, 0),
            Event::Became(Role::Leader, _) => (4, 8),
            _ => return None,
        };
        let delay = if rng.chance(1, 2) { 0 } else { rng.below(60 * MS) };
        match rng.below(20) {
            x if x < crash => Some((delay, Trouble::Crash(vec![i]))),
            x if x < crash + cut => {
                let others: Vec<usize> = (0..n).filter(|o| *o != i).collect();
                let keep = rng.below(others.len() as u64) as usize;
                Some((delay, Trouble::Cut(between(&[i], &others[keep..]))))
            }
            _ => None,
        }
    })
}

/// Cuts a new leader `i` off: at once, when it has sent a little, or not at all.
pub(super) fn haunted(
    i: usize,
    events: &[Event],
    n: usize,
    rng: &mut Rng,
) -> Option<(u64, Trouble)> {
    if !events.iter().any(|e| matches!(e, Event::Became(Role::Leader, _))) {
        return None;
    }
    let delay = match rng.below(3) {
        0 => return None,
        1 => 0,
        _ => rng.below(150 * MS),
    };
    let others: Vec<usize> = (0..n).filter(|o| *o != i).collect();
    Some((delay, Trouble::Cut(between(&[i], &others))))
}

/// All links between two groups, both ways.
fn between(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (*x, *y)));
    pairs.flat_map(|(x, y)| [(x, y), (y, x)]).collect()
}
