//! What goes wrong in a simulation.

use danso_vocab::Rng;

/// A misfortune.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// Messages on these directed links are lost.
    Cut(Vec<(usize, usize)>),
    /// These nodes lose everything that is not on disk, and start again later.
    Crash(Vec<usize>),
    /// These nodes stand still.
    Pause(Vec<usize>),
}

/// Draws a misfortune for a cluster of `n`.
pub(super) fn draw(n: usize, rng: &mut Rng) -> Trouble {
    let mut nodes: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut nodes);
    let minority = (n.div_ceil(2) - 1).max(1);
    let some = |k: usize| nodes[..k].to_vec();
    match rng.below(12) {
        0 => Trouble::Cut(between(&nodes[..1], &nodes[1..])),
        1 => Trouble::Cut(between(&nodes[..minority], &nodes[minority..])),
        // One way: the first is not heard, or hears nothing.
        2 => Trouble::Cut(nodes[1..].iter().map(|o| (nodes[0], *o)).collect()),
        3 => Trouble::Cut(nodes[1..].iter().map(|o| (*o, nodes[0])).collect()),
        // A single link; and a bridge that both sides still see.
        4 => Trouble::Cut(between(&nodes[..1], &nodes[1..2])),
        5 => Trouble::Cut(between(&nodes[1..=minority], &nodes[minority + 1..])),
        6 | 7 => Trouble::Crash(some(1)),
        8 => Trouble::Crash(some(minority)),
        9 => Trouble::Crash(some(n)),
        10 => Trouble::Pause(some(1)),
        _ => Trouble::Pause(some(minority)),
    }
}

/// All links between two groups, both ways.
fn between(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (*x, *y)));
    pairs.flat_map(|(x, y)| [(x, y), (y, x)]).collect()
}
