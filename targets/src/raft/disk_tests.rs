use danso_vocab::Rng;

use super::*;
use crate::raft::core::Content;

type Record = super::Record<u64, u64>;

fn entry(index: u64, term: u64) -> Record {
    Record::Entry(Arc::new(Entry { index, term, content: Content::Command(index) }))
}

fn snapshot(index: u64, term: u64, base: (u64, u64)) -> Record {
    let last = Position { index, term };
    let base = Position { index: base.0, term: base.1 };
    Record::Snapshot(Arc::new(Snapshot { last, members: [1].into(), state: index }), base)
}

fn restore(records: Vec<Record>) -> (u64, Vec<(u64, u64)>) {
    let restored = Restored::from(records);
    (restored.base.index, restored.entries.iter().map(|e| (e.index, e.term)).collect())
}

#[test]
fn an_entry_replaces_what_was_at_its_place_and_after_it() {
    let records = vec![entry(1, 3), entry(2, 3), entry(3, 3), entry(2, 4), entry(3, 4)];
    assert_eq!(restore(records), (0, vec![(1, 3), (2, 4), (3, 4)]));
}

#[test]
fn the_last_vote_and_the_last_snapshot_count() {
    let hard = |term| Record::Hard(HardState { term, vote: Some(2) });
    let records = vec![hard(1), entry(1, 1), entry(2, 1), snapshot(1, 1, (0, 0)), hard(2)];
    let restored = Restored::from([records, vec![snapshot(2, 1, (1, 1))]].concat());
    assert_eq!(restored.hard, HardState { term: 2, vote: Some(2) });
    assert_eq!(restored.snapshot.unwrap().state, 2);
    assert_eq!((restored.base.index, restored.entries.len()), (1, 1));
}

#[test]
fn a_snapshot_that_was_installed_replaces_what_does_not_agree_with_it() {
    let log = || (1..=5).map(|i| entry(i, 1)).collect::<Vec<_>>();
    let cases = [
        // The log has the snapshot's last entry: what follows it is kept.
        ((3, 1), (3, vec![(4, 1), (5, 1)])),
        // It has another entry there, or none: nothing can be kept.
        ((3, 2), (3, vec![])),
        ((9, 1), (9, vec![])),
    ];
    for ((index, term), kept) in cases {
        let installed = snapshot(index, term, (index, term));
        assert_eq!(restore([log(), vec![installed.clone()]].concat()), kept, "{index} of {term}");
        // What follows is written after it, even what it covers already.
        let next = (index.max(2) - 1..=index + 1).map(|i| entry(i, 2)).collect();
        let (base, entries) = restore([log(), vec![installed], next].concat());
        assert_eq!((base, entries), (index, vec![(index + 1, 2)]));
    }
}

/// Whatever was written, what comes back is what was written, from wherever the log now begins.
#[test]
fn what_comes_back_is_what_was_written() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let (mut records, mut log, mut base, mut committed) = (Vec::new(), Vec::new(), 0, 0);
        for term in 1..rng.between(2, 12) {
            if rng.chance(1, 4) && !log.is_empty() {
                let (last, last_term): (u64, u64) = log[log.len() - 1];
                let kept = rng.below(log.len() as u64);
                let cut = log.len() - kept as usize;
                let at: (u64, u64) = log[cut - 1];
                log.drain(..cut);
                base = at.0;
                committed = last;
                records.push(snapshot(last, last_term, at));
            } else {
                let free = base + log.len() as u64 - committed.max(base);
                log.truncate(log.len() - rng.below(free + 1) as usize);
                for _ in 0..rng.between(1, 4) {
                    let index = base + log.len() as u64 + 1;
                    log.push((index, term));
                    records.push(entry(index, term));
                }
            }
        }
        assert_eq!(restore(records), (base, log), "seed {seed}");
    }
}
