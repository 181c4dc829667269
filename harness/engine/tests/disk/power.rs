//! Disks on loop devices: they lose power, and leave nothing behind.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use danso_engine::disk::{self, Disk, Harm, Keep, Op, Rule, Way};
use danso_engine::means::Means;
use danso_engine::nemesis::{Ground, Request, draw};
use danso_engine::network::Backend;
use danso_vocab::{NodeId, Rng, Value};

use crate::inside::{self, Bench, EXE};
use crate::nemeses::meet;
use crate::remains::{alive, gone, mounts_of};

const ALL: Keep = Keep { chance: 0, torn: false };

/// Loop devices whose file is below this folder.
fn devices(folder: &Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let devices = fs::read_dir("/sys/block").unwrap().filter(|device| {
        let path = device.as_ref().unwrap().path().join("loop/backing_file");
        fs::read_to_string(path).is_ok_and(|file| file.contains(folder.to_str().unwrap()))
    });
    devices.count()
}

/// The kernel takes its time to detach them.
fn detached(folder: &Path) -> bool {
    let since = Instant::now();
    while devices(folder) > 0 && since.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    devices(folder) == 0
}

#[test]
fn the_synced_survives_and_the_rest_does_not() {
    let Some(bench) = Bench::on_loop(|data| {
        fs::create_dir(data.join("old")).unwrap();
        fs::write(data.join("old/file"), "was there").unwrap();
        symlink("old/file", data.join("link")).unwrap();
        fs::set_permissions(data, fs::Permissions::from_mode(0o750)).unwrap();
    }) else {
        return;
    };
    let folder = bench.data.parent().unwrap().to_owned();
    assert_eq!((devices(&folder), mounts_of(&bench.data)), (1, 0));
    for round in 1..4_u8 {
        bench.inside(|root| {
            let names = fs::read_dir(root).unwrap().count();
            assert_eq!(names, if round == 1 { 2 } else { 3 }, "nothing is there that was not put");
            assert_eq!(fs::read(root.join("link")).unwrap(), b"was there");
            assert_eq!(fs::metadata(root).unwrap().mode() & 0o777, 0o750);
            let mut safe = File::create(root.join("safe")).unwrap();
            safe.write_all(&[round; 10_000]).unwrap();
            safe.sync_all().unwrap();
            File::open(root).unwrap().sync_all().unwrap();
            safe.write_all(&[round + 100; 9_000]).unwrap();
            fs::write(root.join("unsafe"), vec![7; 5_000]).unwrap();
        });
        let loss = bench.disk.crash(ALL, 1).unwrap();
        // The page the synced contents end in, two more, and two of the other file.
        assert_eq!((loss.files, loss.names, loss.lost), (2, 1, 5), "{loss:?}");
        assert_eq!(loss.bytes, 19_000 - 8_192 + 5_000);
        bench.inside(|root| {
            assert_eq!(fs::read(root.join("safe")).unwrap(), vec![round; 10_000]);
            assert!(!root.join("unsafe").exists());
        });
    }
    // From outside it is seen as it is, and can be changed.
    assert_eq!(fs::read(bench.disk.seen().join("safe")).unwrap(), vec![3; 10_000]);
    fs::write(bench.disk.seen().join("put"), "here").unwrap();
    bench.disk.settle().unwrap();
    assert_eq!(bench.disk.crash(ALL, 1).unwrap().files, 0);
    // At the end the files are where everybody looks for them.
    let Bench { disk, data, folder } = bench;
    let pid = disk.pid();
    drop(disk);
    assert!(!alive(pid) && detached(folder.path()));
    assert_eq!(fs::read(data.join("safe")).unwrap(), vec![3; 10_000]);
    assert_eq!(fs::read(data.join("put")).unwrap(), b"here");
    assert_eq!(fs::read_link(data.join("link")).unwrap(), Path::new("old/file"));
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    left.sort();
    assert_eq!(left.len(), 2, "directory and log: {left:?}");
}

#[test]
fn what_it_cannot_do_is_refused() {
    let Some(bench) = Bench::on_loop(|_| {}) else { return };
    let rule = Rule {
        ops: vec![Op::Sync],
        files: Vec::new(),
        harm: Harm::Lie,
        chance: 1_000_000,
        times: None,
        seed: 1,
    };
    assert!(bench.disk.add(rule).is_err());
    let keep = Keep { chance: 500_000, torn: false };
    assert!(bench.disk.crash(keep, 1).is_err());
    // A disk that is in use, as that of a node that lives, is not called crashed.
    bench.inside(|root| {
        let held = File::create(root.join("held")).unwrap();
        assert!(bench.disk.crash(ALL, 1).unwrap_err().to_string().contains("uses the disk"));
        drop(held);
    });
}

#[test]
fn a_node_loses_what_it_had_not_synced() {
    let Some(seen) = meet("power-failure", &[("disk", "loop".into())]) else { return };
    assert!(seen.bit && seen.effect.starts_with("n1 lost"), "{}", seen.effect);
    let (safe, found) = (seen.last("safe", 1), seen.last("found", 2));
    // The last sync may have been done and not been told any more.
    assert!(safe > 0 && (found == safe || found == safe + 5), "{found} of {safe}");
    assert!(seen.last("safe", 2) > found, "it goes on");
    let lines = String::from_utf8(seen.log()).unwrap().lines().count() as u64;
    assert!(lines >= seen.last("safe", 2), "the run's folder shows the files: {lines}");
    let folder = seen.site.node(NodeId(1));
    assert!(detached(&folder) && mounts_of(&folder) == 0);
    assert_eq!(seen.detail.get("lost").and_then(Value::str), Some(seen.effect.as_str()));
}

#[test]
fn what_makes_no_sense_is_refused_when_drawn() {
    let (nodes, means) = (NodeId::all(3), Means::new(Backend::None, true, Vec::new()));
    let ground = Ground { nodes: &nodes, means: &means, load: Duration::from_secs(60) };
    let said = |args: &[(&str, &str)]| {
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let request = Request { kind: "power-failure".to_owned(), args };
        draw(&request, &ground, &mut Rng::new(5)).map(drop)
    };
    for args in [&[("disk", "floppy")][..], &[("disk", "loop"), ("keep", "50%")]] {
        let error = said(args).unwrap_err().to_string();
        let obstacle = disk::probe().is_err();
        assert!(error.contains("disk = ") || obstacle, "{error}");
    }
    for (word, probe) in [("loop", disk::probe_image()), ("fuse", disk::probe())] {
        assert_eq!(said(&[("disk", word)]).is_ok(), probe.is_ok(), "{word}: {probe:?}");
    }
    let either = disk::probe().or_else(|_| disk::probe_image());
    assert_eq!(said(&[]).is_ok(), either.is_ok());
    assert_eq!(said(&[("keep", "50%")]).is_ok(), disk::probe().is_ok());
    assert_eq!(said(&[("keep", "0%")]).is_ok(), either.is_ok());
}

/// The controller of the next test, in a process of its own.
#[test]
fn controller() {
    let Ok(folder) = std::env::var("DANSO_TEST_LOOP_FOLDER") else { return };
    let (folder, exe) = (Path::new(&folder), Path::new(EXE));
    let disk = Disk::open_as(exe, &folder.join("data"), &folder.join("log"), Way::Loop).unwrap();
    // It ends with us, as nodes do.
    let mut node = inside::command(&disk, "sh", &["-c", "while true; do echo x >>busy; done"]);
    let mut child = node.stderr(Stdio::null()).spawn().unwrap();
    println!("\npids {} {}", disk.pid(), child.id());
    child.wait().unwrap();
}

#[test]
fn a_killed_controller_leaves_no_device_no_mount_no_process() {
    if let Err(obstacle) = disk::probe_image() {
        return println!("skipped: {obstacle}");
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap().join("data");
    fs::create_dir(&data).unwrap();
    let mut controller = Command::new("/proc/self/exe")
        .args(["power::controller", "--exact", "--nocapture"])
        .env("DANSO_TEST_LOOP_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    for line in BufReader::new(controller.stdout.take().unwrap()).lines() {
        if let Some(rest) = line.unwrap().strip_prefix("pids ") {
            pids = rest.split(' ').map(|p| p.parse::<i32>().unwrap()).collect();
            break;
        }
    }
    let [helper, node] = pids[..] else { panic!("the controller did not start: {pids:?}") };
    assert!(alive(helper));
    assert_eq!((devices(folder.path()), mounts_of(&data)), (1, 0));
    controller.kill().unwrap();
    controller.wait().unwrap();
    assert!(gone(helper) && gone(node), "they end with their controller");
    assert!(detached(folder.path()), "the device goes with them");
    assert_eq!(mounts_of(&data), 0);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "what is below was never touched");
}
