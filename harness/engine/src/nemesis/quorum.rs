//! Whether a majority of the nodes runs and hears each other while certain faults are in force.

use danso_vocab::{Fault, NodeId, Nodes, Value};

use super::Impairs;

/// More nodes than this are not searched for a majority among them.
const MOST: usize = 16;

/// Whether, whatever the faults' roles come to, some majority of `nodes` is left in which
/// everybody runs and hears everybody else.
pub(super) fn left<'a>(
    nodes: &[NodeId],
    faults: impl Iterator<Item = (&'a Fault, Impairs)>,
) -> bool {
    let count = nodes.len();
    let bit = |node: &NodeId| nodes.iter().position(|n| n == node).map_or(0, |i| 1_u32 << i);
    let (mut down, mut unknown) = (0_u32, 0);
    let mut deaf = vec![0_u32; count];
    if count > MOST {
        return true;
    }
    for (fault, impairs) in faults {
        match (impairs, &fault.nodes) {
            (Impairs::Nothing, _) => {}
            (Impairs::Links, Nodes::These(_)) => {
                for link in fault.args.get("cut").and_then(Value::list).unwrap_or_default() {
                    let ends = link.pair().and_then(|(a, b)| Some((a.str()?, b.str()?)));
                    let ends = ends.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    let Some((a, b)): Option<(NodeId, NodeId)> = ends else { continue };
                    for (near, far) in [(a, b), (b, a)] {
                        if let Some(row) = nodes.iter().position(|n| *n == near) {
                            deaf[row] |= bit(&far);
                        }
                    }
                }
            }
            (_, Nodes::These(hit)) => down |= hit.iter().map(bit).fold(0, |all, b| all | b),
            (_, Nodes::Followers) => unknown += count.saturating_sub(1) as u32,
            (_, Nodes::Primaries | Nodes::Follower | Nodes::Winner | Nodes::Speaker) => {
                unknown += 1
            }
        }
    }
    let all = (1_u32 << count) - 1;
    let enough = count as u32 / 2 + 1;
    // Roles may be anybody, also somebody who is hit already.
    let losses = (0..=all).filter(|lost| lost.count_ones() == unknown.min(count as u32));
    let majority = |alive: u32| {
        (0..=alive).any(|group| {
            group & !alive == 0
                && group.count_ones() >= enough
                && (0..count).all(|i| group & (1 << i) == 0 || deaf[i] & group == 0)
        })
    };
    let mut losses = losses;
    losses.all(|lost| majority(all & !down & !lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(nodes: Nodes, cut: &[[&str; 2]]) -> Fault {
        let cut = cut.iter().map(|[a, b]| [*a, *b].into()).collect();
        Fault { kind: "x".into(), nodes, args: Value::of([("cut", Value::List(cut))]) }
    }

    fn holds(count: u16, faults: &[(Fault, Impairs)]) -> bool {
        left(&NodeId::all(count), faults.iter().map(|(f, i)| (f, *i)))
    }

    fn these(nodes: &[u16]) -> Nodes {
        Nodes::These(nodes.iter().copied().map(NodeId).collect())
    }

    #[test]
    fn a_minority_may_be_down_and_no_more() {
        let down = |nodes: &[u16]| (fault(these(nodes), &[]), Impairs::Nodes);
        assert!(holds(3, &[]));
        assert!(holds(3, &[down(&[1])]));
        assert!(!holds(3, &[down(&[1]), down(&[2])]));
        assert!(holds(3, &[down(&[1]), down(&[1])]));
        assert!(holds(5, &[down(&[1, 2])]));
        assert!(!holds(5, &[down(&[1, 2]), (fault(Nodes::Primaries, &[]), Impairs::Nodes)]));
        assert!(!holds(3, &[(fault(Nodes::Followers, &[]), Impairs::Nodes)]));
        assert!(holds(3, &[(fault(these(&[1, 2, 3]), &[]), Impairs::Nothing)]));
    }

    #[test]
    fn a_cut_leaves_a_majority_or_does_not() {
        let cut = |links: &[[&str; 2]]| (fault(these(&[1]), links), Impairs::Links);
        let alone = cut(&[["n1", "n2"], ["n2", "n1"], ["n1", "n3"], ["n3", "n1"]]);
        assert!(holds(3, std::slice::from_ref(&alone)));
        assert!(!holds(3, &[alone.clone(), (fault(these(&[2]), &[]), Impairs::Nodes)]));
        assert!(holds(3, &[alone.clone(), (fault(these(&[1]), &[]), Impairs::Nodes)]));
        let ring = cut(&[["n1", "n2"], ["n2", "n3"], ["n3", "n1"]]);
        assert!(!holds(3, &[ring]), "nobody hears another both ways");
        let bridge = cut(&[["n1", "n3"], ["n3", "n1"]]);
        assert!(holds(3, &[bridge]), "n2 with either of them");
        assert!(!holds(3, &[alone, (fault(Nodes::Primaries, &[]), Impairs::Nodes)]));
    }
}
