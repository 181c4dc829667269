//! Which operations to draw.

use std::borrow::Cow;
use std::collections::BTreeSet;

use danso_vocab::{Anomaly, History, Op, Process, Status, Value};

/// The most operations in one picture.
const MOST: usize = 60;
/// Of the anomaly's own. The table beside the picture links to as many.
pub(crate) const MOST_PARTS: usize = 40;
/// How many before the first and after the last operation of the anomaly.
const CONTEXT: usize = 8;
/// The most lanes, unless the anomaly itself has more.
const MOST_LANES: usize = 18;
/// How many that were left open long before.
const OPEN: usize = 5;

/// What an operation has to do with the anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing; it is drawn because it was near.
    Around,
    /// It contradicts the one that cannot be ordered.
    Witness,
    /// It cannot be ordered.
    Culprit,
}

impl Part {
    pub(super) fn word(self) -> &'static str {
        match self {
            Part::Around => "around",
            Part::Witness => "witness",
            Part::Culprit => "culprit",
        }
    }
}

/// The operations to draw, by invocation.
pub(super) struct Selection<'h> {
    pub(super) ops: Vec<(Op<'h>, Part)>,
    /// Before which of them how many are left out: position in `ops` and number.
    pub(super) gaps: Vec<(usize, usize)>,
    /// How many are left out between those shown.
    pub(super) left_out: usize,
    /// How many there are on the key.
    pub(super) total: usize,
    pub(super) key: Option<Cow<'h, Value>>,
}

impl<'h> Selection<'h> {
    /// The anomaly's own operations.
    pub(super) fn parts(&self) -> impl Iterator<Item = Op<'h>> {
        self.ops.iter().filter(|(_, part)| *part != Part::Around).map(|(op, _)| *op)
    }
}

/// The operations on the keys of an anomaly, nearest to its own first.
/// Of other operations there are `others` at most, and as many as there is room for.
pub(super) fn around<'h>(
    history: &'h History,
    anomaly: &Anomaly,
    others: usize,
) -> Option<Selection<'h>> {
    let own: Vec<Op<'_>> =
        anomaly.ops.iter().filter_map(|id| history.op(*id)).take(MOST_PARTS).collect();
    let culprit = own.first()?.row();
    let keys: Vec<Option<u32>> = own.iter().map(|op| op.key_id()).collect();
    let near: Vec<Op<'h>> = history.ops().filter(|op| keys.contains(&op.key_id())).collect();
    let mut at: Vec<usize> = own
        .iter()
        .filter_map(|op| near.binary_search_by_key(&op.row(), |near| near.row()).ok())
        .collect();
    at.sort_unstable();
    at.dedup();

    let shown = choose(&near, &at, others)?;
    let part = |p: usize| match (at.binary_search(&p), near[p].row() == culprit) {
        (_, true) => Part::Culprit,
        (Ok(_), false) => Part::Witness,
        (Err(_), false) => Part::Around,
    };
    // What is left out before the window belongs to another story.
    let window = at.first()?.saturating_sub(CONTEXT);
    let mut gaps = Vec::new();
    for (i, pair) in shown.windows(2).enumerate() {
        let between = pair[1] - pair[0] - 1;
        if between > 0 && pair[1] > window && pair[0] >= window {
            gaps.push((i + 1, between));
        }
    }
    let same_key = keys.iter().all(|key| *key == keys[0]);
    Some(Selection {
        ops: shown.iter().map(|p| (near[*p], part(*p))).collect(),
        left_out: gaps.iter().map(|(_, n)| n).sum(),
        gaps,
        total: near.len(),
        key: near[*at.first()?].key().filter(|_| same_key),
    })
}

/// Positions to show, ascending: the anomaly's own, those nearest to them, and a few whose end
/// nobody knows, since those may have taken effect at any later time.
fn choose(near: &[Op<'_>], own: &[usize], others: usize) -> Option<Vec<usize>> {
    let most = MOST.min(own.len().saturating_add(others));
    let (first, last) = (*own.first()?, *own.last()?);
    let from = first.saturating_sub(CONTEXT);
    let to = (last + CONTEXT + 1).min(near.len());
    let opened = near[first].inv_rank();
    let mut shown = own.to_vec();
    let before = (0..from).rev();
    let open = before.clone().filter(|p| near[*p].status() == Status::Info).take(OPEN);
    let across = before
        .take(4 * MOST)
        .filter(|p| near[*p].status() == Status::Ok && near[*p].res_rank() > opened);
    shown.extend(open.chain(across.take(OPEN)));

    let distance = |p: usize| {
        let after = own.partition_point(|o| *o < p);
        let left = after.checked_sub(1).map_or(usize::MAX, |i| p - own[i]);
        let right = own.get(after).map_or(usize::MAX, |o| o - p);
        left.min(right)
    };
    let mut rest: Vec<usize> = (from..to).filter(|p| own.binary_search(p).is_err()).collect();
    rest.sort_by_key(|p| (distance(*p), *p));
    let mut lanes: BTreeSet<Process> = shown.iter().map(|p| near[*p].process()).collect();
    for p in rest {
        let process = near[p].process();
        if shown.len() < most && (lanes.len() < MOST_LANES || lanes.contains(&process)) {
            lanes.insert(process);
            shown.push(p);
        }
    }
    shown.sort_unstable();
    shown.dedup();
    Some(shown)
}
