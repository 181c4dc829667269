//! Faults of disks in whole runs, seen by a script that appends numbers to a file and syncs
//! every fifth.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::disk;
use danso_engine::means::Means;
use danso_engine::nemesis::{Ground, Request, draw};
use danso_engine::network::{self, Backend, Choice, Spec};
use danso_engine::progress::{Interrupt, Monitor};
use danso_engine::site::Site;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_engine::{Setup, run};
use danso_vocab::codec::jsonl;
use danso_vocab::event::note;
use danso_vocab::plan::{Expect, Load, TargetPlan, WorkloadPlan};
use danso_vocab::{Call, Generator, NodeId, Outcome, Plan, Process, Rng, Schedule, Step, Value};

use crate::inside::EXE;

const SCRIPT: &str = r#"
touch log
i=$(wc -l <log)
echo "found $i"
while true; do
  i=$((i + 1))
  if echo $i >>log; then
    if [ $((i % 5)) = 0 ]; then
      if sync log; then echo "safe $i"; else echo "unsafe $i"; fi
    fi
  else
    echo "refused $i"
  fi
  if [ $i = 62 ] && [ $NAME = n1 ]; then echo "go $i"; fi
  sleep 0.005
done
"#;

struct Writer {
    site: Site,
}

impl Target for Writer {
    fn name(&self) -> &str {
        "writer"
    }

    fn ports(&self) -> &[u16] {
        &[7000]
    }

    fn command(&self, member: &Member) -> Result<Option<NodeCommand>, String> {
        let args = vec!["-c".to_owned(), SCRIPT.to_owned()];
        let env = vec![("NAME".to_owned(), member.id.to_string())];
        Ok(Some(NodeCommand { program: "/bin/sh".into(), args, env, ..NodeCommand::default() }))
    }

    fn ready<'a>(&'a self, _: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn primaries<'a>(&'a self, _: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { Vec::new() })
    }

    fn connect(&self, _: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        Box::new(Onlooker(self.site.clone()))
    }
}

/// Waits until `n1` has synced once more.
struct Onlooker(Site);

impl Client for Onlooker {
    fn invoke<'a>(&'a mut self, _: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let log = self.0.node(NodeId(1)).join("stdout.log");
            let safe = || {
                let text = std::fs::read_to_string(&log).unwrap();
                text.lines().filter(|l| l.starts_with("safe ")).count()
            };
            let before = safe();
            while safe() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Outcome::Ok(Value::Nil)
        })
    }
}

/// Calls so many times.
struct Calls(u32);

impl Generator for Calls {
    fn next(&mut self, _: &mut Rng) -> Step {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Step::Invoke(Call::new("look", ()))
            }
            None => Step::Done,
        }
    }
}

/// What became of a fault of `n1`.
pub(crate) struct Seen {
    pub(crate) bit: bool,
    pub(crate) effect: String,
    pub(crate) detail: Value,
    /// What the script printed: a word and a number each.
    said: Vec<(String, u64)>,
    pub(crate) site: Site,
    _dir: tempfile::TempDir,
}

impl Seen {
    /// The last number said with this word before the node started for the `nth` time.
    pub(crate) fn last(&self, word: &str, nth: usize) -> u64 {
        let mut starts = 0;
        let before = self.said.iter().take_while(|(w, _)| {
            starts += usize::from(w == "found");
            starts <= nth
        });
        before.filter(|(w, _)| w == word).map(|(_, n)| *n).last().unwrap_or(0)
    }

    fn count(&self, word: &str) -> usize {
        self.said.iter().filter(|(w, _)| w == word).count()
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        std::fs::read(self.site.data(NodeId(1)).join("log")).unwrap()
    }
}

/// Runs with one fault of `n1`; none where it cannot be had, which is said.
pub(crate) fn meet(kind: &str, args: &[(&str, Value)]) -> Option<Seen> {
    let on_loop = args.contains(&("disk", "loop".into()));
    let tried = match disk::probe() {
        _ if on_loop => disk::probe_image(),
        // Either will do.
        Err(_) if kind == "power-failure" && args.is_empty() => disk::probe_image(),
        tried => tried,
    };
    if let Err(obstacle) = tried {
        println!("skipped: {obstacle}");
        return None;
    }
    let time = Duration::from_secs(4);
    let (nodes, means) = (NodeId::all(3), Means::new(Backend::None, true, Vec::new()));
    let timing = [("nodes", "n1".into()), ("on", "go ".into()), ("for", "800ms".into())];
    let args = timing.iter().chain(args).map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let request = Request { kind: kind.to_owned(), args };
    let ground = Ground { nodes: &nodes, means: &means, load: time };
    let injections = draw(&request, &ground, &mut Rng::new(5)).unwrap();
    let plan = Plan {
        name: "writer".to_owned(),
        seed: 1,
        target: TargetPlan {
            name: "writer".to_owned(),
            options: Default::default(),
            seeds: vec![1, 2, 3],
        },
        workload: WorkloadPlan { name: "none".to_owned(), params: Default::default() },
        load: Load {
            rate: None,
            time,
            timeout: Duration::from_secs(18),
            streams: vec![1],
            resilience: Default::default(),
        },
        network: "none".to_owned(),
        ipv6: false,
        schedule: Schedule::new(injections),
        left_out: Vec::new(),
        expect: Expect::default(),
    };
    let dir = tempfile::tempdir().unwrap();
    let site = Site::create(dir.path(), "writer", "now").unwrap();
    let spec = Spec::new(nodes, vec![7000]);
    let setup = Setup {
        connect: None,
        target: Arc::new(Writer { site: site.clone() }),
        network: network::prepare(Choice::None).unwrap().open(&spec).unwrap(),
        site: site.clone(),
        exe: EXE.into(),
        load: Box::new(|_| Box::new(Calls(0))),
        closing: Box::new(|_| Box::new(Calls(2))),
        reads: BTreeSet::new(),
        interrupt: Interrupt::default(),
        observer: None,
        enough: Interrupt::default(),
        source: std::sync::Mutex::new(None),
        monitor: Arc::new(Monitor::default()),
    };
    run(&plan, setup).unwrap();
    let bytes = std::fs::read(site.history()).unwrap();
    let history = jsonl::read(&bytes, jsonl::Tail::Strict).unwrap().history;
    let notes: Vec<_> = history.notes().map(|(_, _, n)| n).collect();
    let all = || format!("{notes:#?}");
    let injected = notes.iter().find(|n| n.f == *kind).unwrap_or_else(|| panic!("{}", all()));
    let healed = notes.iter().find(|n| n.f == note::HEAL).unwrap_or_else(|| panic!("{}", all()));
    let out = std::fs::read_to_string(site.node(NodeId(1)).join("stdout.log")).unwrap();
    let said = out.lines().filter_map(|line| {
        let (word, number) = line.split_once(' ')?;
        Some((word.to_owned(), number.parse().ok()?))
    });
    let effect = healed.value.get("effect").and_then(Value::str).unwrap().to_owned();
    println!("{kind}: {effect}");
    Some(Seen {
        bit: healed.value.get("bit").and_then(Value::bool).unwrap(),
        effect,
        detail: injected.value.clone(),
        said: said.collect(),
        site,
        _dir: dir,
    })
}

#[test]
fn a_power_failure_takes_exactly_what_was_not_synced() {
    let Some(mut seen) = meet("power-failure", &[]) else { return };
    for _ in 0..4 {
        // It may come just after a sync, on a busy machine above all.
        if seen.bit {
            break;
        }
        assert!(seen.effect.ends_with("nothing was lost"), "{}", seen.effect);
        seen = meet("power-failure", &[]).unwrap();
    }
    assert!(seen.bit && seen.effect.starts_with("n1 lost"), "{}", seen.effect);
    let (safe, found) = (seen.last("safe", 1), seen.last("found", 2));
    // The last sync may have been done and not been told any more.
    assert!(safe > 0 && (found == safe || found == safe + 5), "{found} of {safe}");
    assert!(seen.detail.get("not-cut-off").is_some(), "this network cannot cut");
    assert!(seen.last("safe", 2) > found, "it goes on");
}

#[test]
fn some_of_what_was_not_synced_may_survive() {
    let Some(seen) = meet("power-failure", &[("keep", "100%".into())]) else { return };
    let lines = seen.last("found", 2);
    assert!(lines >= seen.last("safe", 1), "{}", seen.effect);
}

#[test]
fn a_disk_that_lied_loses_what_was_called_safe() {
    let Some(seen) = meet("fsync-lie", &[]) else { return };
    assert!(seen.bit && seen.effect.contains("lied about"), "{}", seen.effect);
    let (safe, found) = (seen.last("safe", 1), seen.last("found", 2));
    assert!(found < safe, "{found} of {safe}");
    assert!(seen.last("safe", 2) > found, "it goes on");
}

#[test]
fn errors_are_returned_and_counted_and_end() {
    let args = [("op", "fsync".into()), ("errno", "ENOSPC".into())];
    let Some(seen) = meet("disk-error", &args) else { return };
    assert!(seen.bit && seen.effect.contains("fsync failed (log)"), "{}", seen.effect);
    let refused = seen.count("unsafe");
    assert!(refused > 0 && seen.effect.contains(&format!(" {refused} fsync")), "{}", seen.effect);
    assert!(seen.last("safe", 1) > seen.last("unsafe", 1), "it ended");
    assert_eq!(seen.last("found", 2), 0, "nobody died of it");
}

#[test]
fn full_and_read_only_disks_refuse_and_recover() {
    for kind in ["disk-full", "read-only"] {
        let Some(seen) = meet(kind, &[]) else { return };
        assert!(seen.bit && seen.effect.contains("refused"), "{}", seen.effect);
        assert!(seen.count("refused") > 0, "{kind}");
        assert!(seen.last("safe", 1) > seen.last("refused", 1), "{kind}: it ended");
    }
}

#[test]
fn a_slow_disk_says_how_slow_it_was() {
    let args = [("by", "100ms".into()), ("jitter", "0ms".into()), ("op", "fsync".into())];
    let Some(seen) = meet("disk-slow", &args) else { return };
    assert!(seen.bit && seen.effect.contains("fsync delayed by 100.0 ms"), "{}", seen.effect);
}

#[test]
fn a_bit_flipped_on_the_way_is_told_with_its_place() {
    let Some(seen) = meet("disk-corruption", &[("op", "write".into())]) else { return };
    assert!(seen.bit && seen.effect.contains("1 write with a bit flipped (log byte "));
    let text = seen.log();
    let right = String::from_utf8_lossy(&text)
        .lines()
        .enumerate()
        .all(|(i, line)| line.parse() == Ok(i + 1));
    assert!(!right, "the script's own log shows it");
}

#[test]
fn bits_are_flipped_in_files_of_the_dead_and_back_if_wished() {
    let Some(seen) = meet("bit-flip", &[("count", 3.into())]) else { return };
    assert!(seen.bit && seen.effect.ends_with("left so"), "{}", seen.effect);
    assert_eq!(seen.count("found"), 2, "it was stopped for it");
    let places = seen.detail.get("damaged").unwrap().get("n1").unwrap().list().unwrap();
    assert!(places.len() == 3 && places[0].str().unwrap().starts_with("log byte "));
    let Some(seen) = meet("bit-flip", &[("repair", true.into())]) else { return };
    assert!(seen.bit && seen.effect.ends_with("1 flipped back"), "{}", seen.effect);
    let text = String::from_utf8(seen.log()).unwrap();
    let right = text.lines().enumerate().filter(|(i, line)| line.parse() == Ok(i + 1)).count();
    // A flipped line break makes two lines one as long as it lasts, and all later ones short.
    assert!(seen.count("found") == 3 && right > 0);
}

#[test]
fn an_end_is_cut_off() {
    let Some(seen) = meet("truncate", &[("bytes", 100.into())]) else { return };
    assert!(seen.bit && seen.effect.contains("bytes instead of"), "{}", seen.effect);
    let (safe, found) = (seen.last("safe", 1), seen.last("found", 2));
    assert!(found < safe, "{found} of {safe}");
}

#[test]
fn an_old_state_comes_back() {
    let Some(seen) = meet("snapshot-restore", &[]) else { return };
    assert!(seen.bit && seen.effect.contains("files went back"), "{}", seen.effect);
    assert!(seen.last("found", 2) < seen.last("safe", 1), "{}", seen.effect);
    let beside = std::fs::read_dir(seen.site.node(NodeId(1))).unwrap();
    let left: Vec<_> = beside
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("snapshot"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
