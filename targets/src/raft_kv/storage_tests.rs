use super::*;
use crate::raft_kv::kv::{Action, Command, Kv};

fn entry(index: u64, term: u64) -> Arc<Entry> {
    let action = Action::Put { value: (index as i64).into() };
    let command = Some(Command { key: "k".into(), action, session: None });
    Arc::new(Entry { index, term, command })
}

fn entries(range: std::ops::RangeInclusive<u64>, term: u64) -> Ready {
    Ready { entries: range.map(|i| entry(i, term)).collect(), ..Ready::default() }
}

fn open(dir: &Path) -> (Storage, Restored) {
    Storage::open(dir, false, None).unwrap()
}

fn places(restored: &Restored) -> Vec<(u64, u64)> {
    restored.entries.iter().map(|e| (e.index, e.term)).collect()
}

fn snapshot(index: u64, term: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot { last: Position { index, term }, state: Kv::default() })
}

#[test]
fn everything_comes_back_and_starts_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut storage, restored) = Storage::open(&dir.path().join("new"), true, None).unwrap();
    assert_eq!(storage.boots(), 1);
    assert!(restored.entries.is_empty() && restored.snapshot.is_none());
    let hard = HardState { term: 3, vote: Some(2) };
    storage.persist(&Ready { hard: Some(hard), ..entries(1..=3, 3) }).unwrap();
    storage.persist(&entries(2..=4, 4)).unwrap();
    let (storage, restored) = Storage::open(&dir.path().join("new"), true, None).unwrap();
    assert_eq!(storage.boots(), 2);
    assert_eq!(restored.hard, hard);
    assert_eq!(places(&restored), [(1, 3), (2, 4), (3, 4), (4, 4)]);
    assert_eq!(restored.entries[3], entry(4, 4));
}

#[test]
fn a_torn_tail_is_cut_off_and_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut storage, _) = open(dir.path());
    storage.persist(&entries(1..=2, 1)).unwrap();
    let two = fs::read(&path).unwrap();
    storage.persist(&entries(3..=3, 1)).unwrap();
    let three = fs::read(&path).unwrap();
    for end in two.len()..three.len() {
        fs::write(&path, &three[..end]).unwrap();
        let (mut storage, restored) = open(dir.path());
        assert_eq!(places(&restored), [(1, 1), (2, 1)], "torn at {end}");
        storage.persist(&entries(3..=4, 2)).unwrap();
        let (_, restored) = open(dir.path());
        assert_eq!(places(&restored), [(1, 1), (2, 1), (3, 2), (4, 2)], "torn at {end}");
    }
}

#[test]
fn damage_is_an_error_that_names_file_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let (mut storage, _) = open(dir.path());
    storage.persist(&entries(1..=5, 1)).unwrap();
    let sound = fs::read(&path).unwrap();
    for at in (0..sound.len() / 2).step_by(7) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Storage::open(dir.path(), false, None).unwrap_err().to_string();
        assert!(error.contains("log: damaged at byte"), "{error}");
    }
    fs::write(&path, &sound).unwrap();
    let state = dir.path().join("state");
    let mut bytes = fs::read(&state).unwrap();
    bytes.pop();
    fs::write(&state, &bytes).unwrap();
    let error = Storage::open(dir.path(), false, None).unwrap_err().to_string();
    assert!(error.contains("state: damaged"), "{error}");
}

#[test]
fn a_snapshot_replaces_the_log_before_its_base() {
    let dir = tempfile::tempdir().unwrap();
    let (mut storage, _) = open(dir.path());
    storage.persist(&entries(1..=9, 1)).unwrap();
    let base = Position { index: 4, term: 1 };
    let ready = Ready { snapshot: Some((snapshot(7, 1), base)), ..entries(5..=9, 1) };
    storage.persist(&ready).unwrap();
    storage.persist(&entries(10..=10, 1)).unwrap();
    let (_, restored) = open(dir.path());
    assert_eq!(restored.base, base);
    assert_eq!(restored.snapshot.as_ref().unwrap().last.index, 7);
    assert_eq!(places(&restored).len(), 6);
}

/// A crash between the two files of a snapshot.
#[test]
fn a_snapshot_beside_an_old_log_counts_as_just_installed() {
    let cases = [
        // The log has the snapshot's last entry: what follows it is kept.
        ((3, 1), 5, vec![(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]),
        // It has another entry there, or none: nothing can be kept.
        ((3, 2), 5, vec![]),
        ((9, 1), 5, vec![]),
    ];
    for ((index, term), last, kept) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (mut storage, _) = open(dir.path());
        storage.persist(&entries(1..=last, 1)).unwrap();
        replace(dir.path(), "snapshot", &[snapshot(index, term)], false).unwrap();
        let (mut storage, restored) = open(dir.path());
        assert_eq!(places(&restored), kept, "snapshot at {index} of {term}");
        let next = restored.entries.last().map_or(index, |e| e.index) + 1;
        storage.persist(&entries(next..=next, 3)).unwrap();
        let (_, restored) = open(dir.path());
        assert_eq!(restored.entries.last().unwrap().index, next);
        assert_eq!(restored.entries.len(), kept.len() + 1);
    }
}

#[test]
fn the_bug_forgets_the_log_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let bug = Some(Bug::NoFsyncLog);
    let (mut storage, _) = Storage::open(dir.path(), false, bug).unwrap();
    let hard = HardState { term: 3, vote: Some(2) };
    storage.persist(&Ready { hard: Some(hard), ..entries(1..=3, 3) }).unwrap();
    let (mut storage, restored) = Storage::open(dir.path(), false, bug).unwrap();
    assert_eq!(restored.hard, hard);
    assert!(restored.entries.is_empty());
    let ready =
        Ready { snapshot: Some((snapshot(7, 3), Position::default())), ..entries(1..=9, 3) };
    storage.persist(&ready).unwrap();
    let (_, restored) = Storage::open(dir.path(), false, bug).unwrap();
    assert_eq!(restored.base.index, 7);
    assert!(restored.entries.is_empty());
}

use proptest::prelude::*;

/// Appends from an index that may lie in the past, or takes a snapshot.
#[derive(Clone, Debug)]
enum Step {
    Append { back: u64, count: u64 },
    Snapshot { keep: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u64, 1..5_u64).prop_map(|(back, count)| Step::Append { back, count }),
        1 => (0..6_u64).prop_map(|keep| Step::Snapshot { keep }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Whatever was written, and wherever the last append was cut short: what comes back is what
    /// was written, or what was written before that append and a part of it.
    #[test]
    fn what_comes_back_is_what_was_written(
        steps in prop::collection::vec(step(), 1..12),
        lost in 0..400_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut storage, _) = open(dir.path());
        let (mut base, mut log): (u64, Vec<(u64, u64)>) = (0, Vec::new());
        let mut committed = 0;
        let (mut before, mut sound) = (log.clone(), fs::read(&path).unwrap().len());
        for (term, step) in (1..).zip(steps) {
            match step {
                Step::Append { back, count } => {
                    before = log.clone();
                    let free = base + log.len() as u64 - committed;
                    log.truncate(log.len() - back.min(free) as usize);
                    sound = fs::read(&path).unwrap().len();
                    let first = base + log.len() as u64 + 1;
                    storage.persist(&entries(first..=first + count - 1, term)).unwrap();
                    log.extend((first..first + count).map(|i| (i, term)));
                }
                Step::Snapshot { keep } => {
                    let Some(&(index, last_term)) = log.last() else { continue };
                    let cut = log.len().saturating_sub(keep as usize + 1);
                    let base_term = if cut == 0 { continue } else { log[cut - 1].1 };
                    base += cut as u64;
                    committed = index;
                    log.drain(..cut);
                    let kept = log.iter().map(|(i, t)| entry(*i, *t)).collect();
                    let at = Position { index: base, term: base_term };
                    let snapshot = Some((snapshot(index, last_term), at));
                    storage.persist(&Ready { snapshot, entries: kept, ..Ready::default() }).unwrap();
                    before = log.clone();
                    sound = fs::read(&path).unwrap().len();
                }
            }
        }
        let (_, restored) = open(dir.path());
        prop_assert_eq!(&places(&restored), &log);
        prop_assert_eq!(restored.base.index, base);
        // The last append, cut short: nobody was told that it is durable.
        let whole = fs::read(&path).unwrap();
        let end = whole.len().saturating_sub(lost).max(sound);
        fs::write(&path, &whole[..end]).unwrap();
        let (_, restored) = open(dir.path());
        let kept = places(&restored);
        // Not one record of the append came through, so nothing was replaced; or some did.
        let some = kept.len() <= log.len() && kept[..] == log[..kept.len()];
        prop_assert!(kept == before || some, "{:?} of {:?}", kept, log);
    }
}
