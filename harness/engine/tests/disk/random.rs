//! Random operations against the model, and power failures among them.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;

use danso_engine::disk::Keep;
use danso_vocab::Rng;

use crate::inside::Bench;
use crate::model::{Model, look, overwrite, shape};

#[test]
fn after_a_power_failure_exactly_what_was_synced_is_there() {
    let Some(bench) = Bench::new() else { return };
    let mut rng = Rng::new(7);
    let mut model = Model::new();
    let (mut steps, mut lost, mut undone) = (0, 0, 0);
    for crash in 0..200 {
        let count = rng.between(1, 60);
        steps += count;
        bench.inside(|root| {
            for _ in 0..count {
                model.step(root, &mut rng);
            }
            model.compare(root, &format!("before crash {crash}"));
        });
        let loss = bench.disk.crash(Keep::default(), rng.bits()).unwrap();
        assert_eq!((loss.kept, loss.torn, loss.names), (0, 0, loss.changes));
        lost += loss.lost;
        undone += loss.names;
        model.crash();
        // The host sees the same, as plain files.
        model.compare(&bench.data, &format!("outside, after crash {crash}"));
        bench.inside(|root| model.compare(root, &format!("after crash {crash}")));
    }
    println!("{steps} operations, {lost} pages lost, {undone} changes to directories undone");
    assert!(lost > 1_000 && undone > 100);
}

#[test]
fn the_journal_survives_from_its_beginning() {
    let Some(bench) = Bench::new() else { return };
    let mut rng = Rng::new(8);
    let mut partly = 0;
    for _ in 0..60 {
        let mut model = Model::new();
        bench.inside(|root| {
            for _ in 0..40 {
                model.step(root, &mut rng);
            }
        });
        let keep = Keep { chance: 900_000, torn: rng.chance(1, 2) };
        let loss = bench.disk.crash(keep, rng.bits()).unwrap();
        bench.inside(|root| {
            let there = look(root);
            let found = model.past.iter().any(|past| shape(past) == shape(&there));
            assert!(found, "{there:?} was never there");
            partly += u32::from(loss.names > 0 && loss.names < loss.changes);
            for entry in fs::read_dir(root).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    fs::remove_dir_all(path).unwrap();
                } else {
                    fs::remove_file(path).unwrap();
                }
            }
            File::open(root).unwrap().sync_all().unwrap();
        });
    }
    assert!(partly > 5, "only {partly} times in part");
}

/// A file of a thread's own.
struct Own {
    file: File,
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl Own {
    fn step(&mut self, rng: &mut Rng) {
        match rng.below(8) {
            0 => {
                let size = rng.below(30_000);
                self.file.set_len(size).unwrap();
                self.now.resize(size as usize, 0);
            }
            1 | 2 => {
                self.file.sync_data().unwrap();
                self.durable.clone_from(&self.now);
            }
            _ => {
                let size = [1, 300, 512, 4096, 10_000][rng.below(5) as usize];
                let bytes: Vec<u8> = (0..size).map(|_| rng.below(255) as u8 + 1).collect();
                let offset = rng.below(30_000) as usize;
                self.file.write_all_at(&bytes, offset as u64).unwrap();
                overwrite(&mut self.now, offset, &bytes);
            }
        }
    }

    /// Whether every unit is the old one or the new one.
    fn allows(&self, there: &[u8], unit: usize) -> bool {
        let sizes = [self.now.len(), self.durable.len()];
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        let padded = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(most.next_multiple_of(4096), 0);
            bytes
        };
        let (old, new, got) = (padded(&self.durable), padded(&self.now), padded(there));
        let end = there.len();
        (*least..=*most).contains(&end)
            && (0..old.len()).step_by(unit).all(|at| {
                let range = at..at + unit;
                let cut = |bytes: &[u8]| {
                    let mut bytes = bytes[range.clone()].to_vec();
                    // Nothing is beyond the end, whatever was.
                    bytes.truncate(end.saturating_sub(at).min(unit));
                    bytes
                };
                cut(&got) == cut(&old) || cut(&got) == cut(&new)
            })
    }
}

#[test]
fn several_threads_at_once_and_pages_that_survive_by_chance() {
    let Some(bench) = Bench::new() else { return };
    let mut rng = Rng::new(9);
    let name = |thread: usize| bench.data.join(format!("own-{thread}"));
    bench.inside(|root| {
        for thread in 0..4 {
            File::create(name(thread)).unwrap();
        }
        File::open(root).unwrap().sync_all().unwrap();
    });
    let (mut kept, mut torn, mut lost) = (0, 0, 0);
    for round in 0..60 {
        let streams: Vec<Rng> = (0..4).map(|t| rng.split(&format!("{round} {t}"))).collect();
        let owns: Vec<Own> = std::thread::scope(|scope| {
            let threads = streams.into_iter().enumerate().map(|(thread, mut rng)| {
                let (bench, name) = (&bench, &name);
                scope.spawn(move || {
                    bench.enter();
                    let file = OpenOptions::new().write(true).open(name(thread)).unwrap();
                    let now = fs::read(name(thread)).unwrap();
                    let mut own = Own { file, durable: now.clone(), now };
                    for _ in 0..40 {
                        own.step(&mut rng);
                    }
                    own
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let chance = [0, 500_000, 500_000, 1_000_000][round % 4];
        let keep = Keep { chance, torn: round % 3 == 0 };
        let loss = bench.disk.crash(keep, rng.bits()).unwrap();
        kept += loss.kept;
        torn += loss.torn;
        lost += loss.lost;
        bench.inside(|_| {
            for (thread, own) in owns.iter().enumerate() {
                let there = fs::read(name(thread)).unwrap();
                let unit = if keep.torn { 512 } else { 4096 };
                assert!(own.allows(&there, unit), "round {round}, {keep:?}, thread {thread}");
                if chance == 0 {
                    assert_eq!(there, own.durable, "round {round}");
                }
                if chance == 1_000_000 {
                    assert_eq!(there, own.now, "round {round}");
                }
                // A file of before the failure is no way to change what is there now.
                own.file.write_all_at(b"ghost", 0).unwrap();
                assert_eq!(fs::read(name(thread)).unwrap(), there, "round {round}");
            }
        });
        // What is there is durable.
        let again = bench.disk.crash(Keep::default(), 1).unwrap();
        assert_eq!((again.files, again.changes), (0, 0));
    }
    assert!(kept > 100 && torn > 100 && lost > 100, "{kept} {torn} {lost}");
}
