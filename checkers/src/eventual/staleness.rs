//! How far reads were behind: a figure, not an anomaly.

use danso_vocab::Op;

use super::key::Key;
use super::report::Report;

/// Measures each read whose write is known: `write_of` answers it for a value, `Some(None)` for
/// the initial value.
///
/// A read of *w* is behind, at least, by the acknowledged writes that began after *w* had ended
/// and ended before the read began; and it has been for as long as the first of them has been
/// over. Both are lower bounds from real time alone (ALGORITHMS §4.4). O(n log n).
pub(super) fn measure<'h>(
    key: &Key<'h>,
    write_of: impl Fn(i64) -> Option<Option<Op<'h>>>,
    report: &mut Report,
) {
    // By invocation; and by end, as places in the former.
    let writes: Vec<Op<'h>> = key.updates.iter().filter(|op| op.is_ok()).copied().collect();
    let mut ended: Vec<u32> = (0..writes.len() as u32).collect();
    ended.sort_unstable_by_key(|place| writes[*place as usize].res_rank());
    // The end of whichever of the writes from a place on ended first.
    let mut first_end: Vec<u64> = writes.iter().map(|op| end(*op)).collect();
    for place in (1..first_end.len()).rev() {
        first_end[place - 1] = first_end[place - 1].min(first_end[place]);
    }
    let mut over = Counts::new(writes.len());
    let mut ended = ended.into_iter().peekable();
    for read in &key.reads {
        let began = read.op.inv_rank();
        while let Some(place) = ended.next_if(|p| writes[*p as usize].res_rank() < began) {
            over.add(place);
        }
        let Some(write) = write_of(read.state) else { continue };
        // Those that began after the write had ended: a suffix.
        let from = write.map_or(0, |w| writes.partition_point(|op| op.inv_rank() < w.res_rank()));
        let behind = over.from(from as u32);
        let since = first_end.get(from).copied().filter(|_| behind > 0);
        report.versions.push(behind);
        report.ages.push(since.map_or(0, |since| read.op.inv_time().0.saturating_sub(since)));
    }
}

fn end(op: Op<'_>) -> u64 {
    op.res_time().map_or(u64::MAX, |time| time.0)
}

/// How many places are marked from some place on (Fenwick 1994).
struct Counts {
    tree: Vec<u32>,
    marked: u32,
}

impl Counts {
    fn new(places: usize) -> Counts {
        Counts { tree: vec![0; places + 1], marked: 0 }
    }

    fn add(&mut self, place: u32) {
        self.marked += 1;
        let mut at = place as usize + 1;
        while at < self.tree.len() {
            self.tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn from(&self, place: u32) -> u32 {
        let (mut at, mut before) = (place as usize, 0);
        while at > 0 {
            before += self.tree[at];
            at &= at - 1;
        }
        self.marked - before
    }
}
