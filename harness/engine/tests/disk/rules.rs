//! Each rule, seen from inside.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use danso_engine::disk::{Harm, Keep, Op, Rule};

use crate::inside::Bench;

fn rule(harm: Harm, ops: &[Op], files: &[&str]) -> Rule {
    Rule {
        ops: ops.to_vec(),
        files: files.iter().map(|f| (*f).to_owned()).collect(),
        harm,
        chance: 1_000_000,
        times: None,
        seed: 3,
    }
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

#[test]
fn every_operation_can_fail_and_then_works_again() {
    let Some(bench) = Bench::new() else { return };
    let path = |name: &str| bench.data.join(name);
    bench.inside(|_| fs::write(path("a"), [1; 9000]).unwrap());
    type Act = fn(&Path) -> io::Result<()>;
    let acts: [(Op, Act); 9] = [
        (Op::Open, |root| File::open(root.join("a")).map(drop)),
        (Op::Create, |root| fs::create_dir(root.join("new"))),
        (Op::Read, |root| {
            // The page cache knows the file; a node would not go to the disk for it.
            fs::read(root.join("a")).map(drop)
        }),
        (Op::Write, |root| open(&root.join("a"))?.write_all_at(b"x", 0)),
        (Op::Sync, |root| open(&root.join("a"))?.sync_all()),
        (Op::Truncate, |root| open(&root.join("a"))?.set_len(8000)),
        (Op::Remove, |root| fs::remove_dir(root.join("new"))),
        (Op::Rename, |root| fs::rename(root.join("a"), root.join("b"))),
        (Op::Change, |root| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(root.join("b"), mode)
        }),
    ];
    for (op, act) in acts {
        let id = bench.disk.add(rule(Harm::Fail(libc::EIO), &[op], &[])).unwrap();
        assert_eq!(errno(bench.inside(act)), libc::EIO, "{op:?}");
        let tally = bench.disk.lift(id).unwrap();
        assert!(tally.total() >= 1 && tally.hits.iter().all(|(o, _)| *o == op), "{tally:?}");
        bench.inside(act).unwrap();
    }
    assert_eq!(bench.inside(|_| fs::read(path("b"))).unwrap().len(), 8000);
}

#[test]
fn only_named_files_and_only_so_many_times() {
    let Some(bench) = Bench::new() else { return };
    let mut three = rule(Harm::Fail(libc::ENOSPC), &[Op::Write], &["*.wal"]);
    three.times = Some(3);
    let id = bench.disk.add(three).unwrap();
    bench.inside(|root| {
        fs::create_dir(root.join("wal")).unwrap();
        fs::write(root.join("wal/data"), "fine").unwrap();
        for _ in 0..3 {
            assert_eq!(errno(fs::write(root.join("wal/1.wal"), "x")), libc::ENOSPC);
        }
        fs::write(root.join("wal/1.wal"), "x").unwrap();
    });
    let tally = bench.disk.tally(id).unwrap();
    assert_eq!((tally.total(), tally.places), (3, vec!["wal/1.wal".to_owned()]));
}

#[test]
fn a_full_disk_is_full_until_it_is_not() {
    let Some(bench) = Bench::new() else { return };
    bench.inside(|root| fs::write(root.join("old"), [1; 5000]).unwrap());
    let ops = [Op::Create, Op::Write];
    let id = bench.disk.add(rule(Harm::Full, &ops, &[])).unwrap();
    bench.inside(|root| {
        assert_eq!(errno(fs::write(root.join("new"), "x")), libc::ENOSPC);
        let file = open(&root.join("old")).unwrap();
        file.write_all_at(&[2; 5000], 0).unwrap();
        assert_eq!(errno(file.write_all_at(&[2; 5000], 1)), libc::ENOSPC);
        assert_eq!(nix::sys::statvfs::statvfs(root).unwrap().blocks_available(), 0);
    });
    assert_eq!(bench.disk.lift(id).unwrap().total(), 2);
    bench.inside(|root| {
        fs::write(root.join("new"), "x").unwrap();
        assert!(nix::sys::statvfs::statvfs(root).unwrap().blocks_available() > 0);
    });
}

#[test]
fn a_read_only_disk_can_be_read() {
    let Some(bench) = Bench::new() else { return };
    bench.inside(|root| fs::write(root.join("old"), "here").unwrap());
    let ops: Vec<Op> =
        Op::ALL.into_iter().filter(|op| !matches!(op, Op::Read | Op::Sync)).collect();
    let id = bench.disk.add(rule(Harm::ReadOnly, &ops, &[])).unwrap();
    bench.inside(|root| {
        assert_eq!(errno(fs::write(root.join("new"), "x")), libc::EROFS);
        assert_eq!(errno(open(&root.join("old"))), libc::EROFS);
        assert_eq!(errno(fs::remove_file(root.join("old"))), libc::EROFS);
        assert_eq!(fs::read(root.join("old")).unwrap(), b"here");
    });
    bench.disk.lift(id).unwrap();
    bench.inside(|root| fs::remove_file(root.join("old")).unwrap());
}

#[test]
fn a_slow_disk_is_slow_for_many_at_once_and_hurries_for_the_dying() {
    let Some(bench) = Bench::new() else { return };
    let (least, most) = (Duration::from_millis(200), Duration::from_millis(300));
    let id = bench.disk.add(rule(Harm::Slow(least, most), &[Op::Sync], &[])).unwrap();
    let sync = |name: String| {
        bench.inside(|root| {
            let file = File::create(root.join(name)).unwrap();
            let since = Instant::now();
            file.sync_all().unwrap();
            since.elapsed()
        })
    };
    let since = Instant::now();
    // More than the server has threads.
    let waits: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|i| scope.spawn(move || sync(format!("f{i}")))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(waits.iter().all(|w| *w >= least), "{waits:?}");
    let tally = bench.disk.lift(id).unwrap();
    assert_eq!(tally.total(), 12);
    assert!(tally.longest >= least && tally.longest <= most && tally.delayed >= least * 12);
    // One after the other they would take as long as all delays together.
    assert!(since.elapsed() < tally.delayed, "{:?}", since.elapsed());
    let long = Duration::from_secs(2);
    let id = bench.disk.add(rule(Harm::Slow(long, long), &[Op::Sync], &[])).unwrap();
    bench.disk.hurry(true).unwrap();
    let quick: Vec<_> = (0..20).map(|i| sync(format!("g{i}"))).collect();
    assert!(quick.iter().sum::<Duration>() < long * 20);
    bench.disk.hurry(false).unwrap();
    assert_eq!(bench.disk.lift(id).unwrap().total(), 20);
}

#[test]
fn a_lying_disk_loses_what_it_said_was_safe() {
    let Some(bench) = Bench::new() else { return };
    let append = |text: &str| {
        bench.inside(|root| {
            let mut file =
                OpenOptions::new().append(true).create(true).open(root.join("log")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.sync_data().unwrap();
        });
    };
    append("true ");
    let id = bench.disk.add(rule(Harm::Lie, &[Op::Sync], &[])).unwrap();
    append("lie ");
    append("lie ");
    let loss = bench.disk.crash(Keep::default(), 1).unwrap();
    assert_eq!((loss.files, loss.bytes), (1, 8));
    assert_eq!(bench.disk.lift(id).unwrap().total(), 2);
    assert_eq!(bench.inside(|root| fs::read(root.join("log"))).unwrap(), b"true ");
    append("true");
    bench.disk.crash(Keep::default(), 1).unwrap();
    assert_eq!(fs::read(bench.data.join("log")).unwrap(), b"true true");
}

#[test]
fn bits_flip_in_what_is_read_and_in_what_is_written() {
    let Some(bench) = Bench::new() else { return };
    let zeros = vec![0; 20_000];
    bench.inside(|root| fs::write(root.join("a"), &zeros).unwrap());
    let ones = |bytes: &[u8]| bytes.iter().map(|b| b.count_ones()).sum::<u32>();
    let mut once = rule(Harm::Flip, &[Op::Read], &["a"]);
    once.times = Some(1);
    let id = bench.disk.add(once.clone()).unwrap();
    assert_eq!(ones(&bench.inside(|root| fs::read(root.join("a"))).unwrap()), 1);
    let tally = bench.disk.lift(id).unwrap();
    assert!(tally.places[0].starts_with("a byte "), "{tally:?}");
    assert_eq!(ones(&bench.inside(|root| fs::read(root.join("a"))).unwrap()), 0, "only read so");
    once.ops = vec![Op::Write];
    let id = bench.disk.add(once).unwrap();
    bench.inside(|root| open(&root.join("a")).unwrap().write_all_at(&zeros, 0).unwrap());
    assert_eq!(bench.disk.lift(id).unwrap().total(), 1);
    assert_eq!(ones(&bench.inside(|root| fs::read(root.join("a"))).unwrap()), 1, "written so");
    assert_eq!(ones(&fs::read(bench.data.join("a")).unwrap()), 1);
}

#[test]
fn what_is_mapped_and_what_is_unlinked_is_taken_back_too() {
    let Some(bench) = Bench::new() else { return };
    bench.inside(|root| {
        fs::write(root.join("a"), [1; 8192]).unwrap();
        fs::write(root.join("gone"), "still here").unwrap();
        let file = open(&root.join("a")).unwrap();
        file.sync_all().unwrap();
        open(&root.join("gone")).unwrap().sync_all().unwrap();
        use nix::sys::mman::{MapFlags, MsFlags, ProtFlags, mmap, msync, munmap};
        let (size, both) = (std::num::NonZeroUsize::new(8192).unwrap(), ProtFlags::PROT_WRITE);
        // SAFETY: the mapping is private to these lines and unmapped before they end.
        unsafe {
            let at = mmap(None, size, both, MapFlags::MAP_SHARED, &file, 0).unwrap();
            at.cast::<u8>().write_bytes(2, 4096);
            msync(at, 4096, MsFlags::MS_ASYNC).unwrap();
            munmap(at, 8192).unwrap();
        }
        // Open, unlinked, not counted, still readable.
        let gone = File::open(root.join("gone")).unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&gone.metadata().unwrap()), 0);
        let mut text = [0; 10];
        gone.read_exact_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"still here");
    });
    bench.disk.crash(Keep::default(), 1).unwrap();
    assert_eq!(fs::read(bench.data.join("a")).unwrap(), [1; 8192]);
    assert_eq!(bench.inside(|root| fs::read(root.join("gone"))).unwrap(), b"still here");
}
