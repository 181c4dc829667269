//! Every fault against every bundled target with nodes, for real; and what it looks like from
//! inside a node: the readings that `probe` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::harness::{Said, alone, danso, latest, results};

/// A fault of the matrix: kind, arguments beside `at` and `for`, and how it shows from inside.
struct Row {
    kind: &'static str,
    args: &'static str,
    network: &'static str,
    /// How a run of `probe` and one of `raft-kv` with it may end.
    exits: [&'static [i32]; 2],
    shows: fn(&Seen<'_>) -> Result<(), String>,
}

const fn row(kind: &'static str, args: &'static str) -> Row {
    Row { kind, args, network: "auto", exits: [&[0], &[0]], shows: |_| Ok(()) }
}

/// All faults `danso list faults` knows, each at least once.
const MATRIX: &[&[Row]] = &[
    &[
        Row { shows: silence, ..row("partition", "nodes = 'n1'") },
        Row { shows: silence, ..row("flap", "nodes = 'n1', down = '300ms', up = '100ms'") },
        Row { shows: late, ..row("delay", "nodes = 'n1', by = '40ms', jitter = '1ms'") },
        Row { shows: silence, ..row("loss", "nodes = 'n1', share = '60%'") },
        row("duplicate", "nodes = 'n1', share = '50%'"),
        row("reorder", "nodes = 'n1', share = '30%'"),
    ],
    &[
        Row { shows: silence, ..row("corrupt", "nodes = 'n1', share = '60%'") },
        row("bandwidth", "nodes = 'n1', rate = '256kbit'"),
        Row { shows: silence, ..row("blackhole", "nodes = 'n1', longest = 80") },
        Row { shows: resets, ..row("reset", "nodes = 'n1', share = '30%'") },
        Row { shows: silence, ..row("hold", "nodes = 'n1'") },
        row("slow-close", "nodes = 'n1', by = '400ms', with = 'all'"),
    ],
    &[Row {
        network: "proxy",
        ..row(
            "http",
            "nodes = 'n2', with = 'clients', share = '20%', mishap = 'delay', by = '20ms'",
        )
    }],
    &[
        Row { shows: restart, ..row("kill", "nodes = 'n1'") },
        Row { shows: gap, ..row("pause", "nodes = 'n1'") },
        Row { shows: tomorrow, ..row("clock", "nodes = 'n1', mode = 'bump', by = '1d'") },
        row("membership", "nodes = 'n1', change = 'leave'"),
        row("custom", "inject = 'true', heal = 'true', check = 'echo seen'"),
    ],
    &[
        Row { shows: restart, ..row("stop", "nodes = 'n1'") },
        row("restart-rolling", "nodes = ['n1', 'n2']"),
        row("crash-loop", "nodes = 'n1', period = '300ms'"),
        Row { shows: again, ..row("kill-on-start", "nodes = 'n1', times = 2, within = '100ms'") },
        Row { shows: again, ..row("slow-start", "nodes = 'n1', takes = '400ms'") },
        row("cpu", "nodes = 'n1', percent = 1"),
        row("limit-files", "nodes = 'n1', most = 5"),
    ],
    &[
        Row { shows: restart, ..row("power-failure", "nodes = 'n1'") },
        row("disk-slow", "nodes = 'n1', by = '50ms'"),
        row("disk-error", "nodes = 'n1', op = 'fsync'"),
        row("disk-full", "nodes = 'n1'"),
        row("read-only", "nodes = 'n1'"),
        row("memory", "nodes = 'n1'"),
        row("limit-file-size", "nodes = 'n1', most = 10"),
    ],
    &[Row { exits: LOSES, ..row("fsync-lie", "nodes = 'n1'") }],
    &[Row { exits: LOSES, ..row("snapshot-restore", "nodes = 'n1'") }],
    &[Row { exits: ANY, ..row("disk-corruption", "nodes = 'n1', op = 'write'") }],
    &[Row { exits: ANY, ..row("bit-flip", "nodes = 'n1'") }],
    &[Row { exits: ANY, ..row("truncate", "nodes = 'n1', bytes = 2000") }],
];

/// A store on one disk loses writes when its disk does; three copies may outlive one disk.
const LOSES: [&[i32]; 2] = [&[1], &[0, 1, 2]];
/// What is damaged may be noticed, or not be needed.
const ANY: [&[i32]; 2] = [&[0, 1, 2], &[0, 1, 2]];

/// Requests a second: enough to keep a node on a fast machine busy when it is starved of CPU.
const RATE: u32 = 1_500;
/// Time between two faults of a row, and how long each lasts.
const EVERY: f64 = 2.2;
const LASTS: f64 = 0.8;

#[test]
fn every_fault_meets_every_target() {
    let _turn = alone();
    let known = danso(Path::new("."), &["list", "faults"]);
    let listed = known.out.split("\n\n").next().unwrap_or_default();
    let known: BTreeSet<&str> = listed
        .lines()
        .filter(|l| !l.starts_with(' '))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    let here: BTreeSet<&str> = MATRIX.iter().copied().flatten().map(|r| r.kind).collect();
    assert_eq!(known, here, "the matrix has every fault there is");
    let doctor = danso(Path::new("."), &["doctor"]);
    // Side by side: each mostly waits.
    std::thread::scope(|scope| {
        for target in ["probe", "raft-kv"] {
            let doctor = &doctor;
            scope.spawn(move || meet_all(target, doctor));
        }
    });
}

fn meet_all(target: &str, doctor: &Said) {
    for rows in MATRIX {
        let dir = tempfile::tempdir().unwrap();
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| match obstacle(doctor, row) {
                None => true,
                Some(reason) => {
                    println!("skipped: {} of {target}: {reason}", row.kind);
                    false
                }
            })
            .collect();
        if !rows.is_empty() {
            meet(dir.path(), target, &rows);
        }
    }
}

/// Why a fault cannot be had here.
fn obstacle(doctor: &Said, row: &Row) -> Option<String> {
    let line = doctor.out.lines().find(|l| l.split_whitespace().nth(1) == Some(row.kind))?;
    (line.starts_with("no") && row.network == "auto").then(|| line.to_owned())
}

/// Runs all of these against a target, one after the other.
fn meet(dir: &Path, target: &str, rows: &[&Row]) {
    let mut test = format!(
        "name = 'matrix'\nnetwork = '{}'\nload = {{ processes = 6, rate = {RATE}, time = '{:.1}s' }}\n[target]\nkind = '{target}'\n",
        rows[0].network,
        EVERY * rows.len() as f64 + 1.0,
    );
    for (nth, row) in rows.iter().enumerate() {
        let at = 0.7 + EVERY * nth as f64;
        test += &format!(
            "[[fault]]\nkind = '{}'\nargs = {{ {}, at = ['{at:.1}s'], for = '{LASTS:.1}s' }}\n",
            row.kind, row.args
        );
        if row.kind == "slow-close" {
            // Somebody's connections must end for it to bite.
            test += &format!(
                "[[fault]]\nkind = 'kill'\nargs = {{ nodes = 'n1', at = ['{:.1}s'], for = '200ms' }}\n",
                at + 0.3
            );
        }
    }
    std::fs::write(dir.join("matrix.toml"), &test).unwrap();
    let said = danso(dir, &["run", "matrix.toml", "--seed", "9"]);
    let shown = format!("{target}:\n{test}\nstdout:\n{}\nstderr:\n{}", said.out, said.err);
    let exits = rows[0].exits[usize::from(target != "probe")];
    assert!(said.code.is_some_and(|code| exits.contains(&code)), "{shown}");
    let run = latest(dir);
    let results = results(&run);
    for fault in results["faults"].as_array().unwrap() {
        assert_eq!(fault["bit"], true, "{fault}\n{shown}");
    }
    if target != "probe" {
        return;
    }
    for row in rows {
        let faults = results["faults"].as_array().unwrap();
        let fault = faults.iter().find(|f| f["kind"] == row.kind).unwrap();
        if let Err(why) = (row.shows)(&Seen::of(&run, fault)) {
            panic!("{} does not show from inside: {why}\n{shown}", row.kind);
        }
    }
}

/// What node 1 saw before, during and after a fault.
struct Seen<'a> {
    before: Vec<Value>,
    during: Vec<Value>,
    after: Vec<Value>,
    /// When it began, as node 1's monotonic clock has it.
    start: u64,
    fault: &'a Value,
}

impl Seen<'_> {
    fn of<'a>(run: &Path, fault: &'a Value) -> Seen<'a> {
        let log = std::fs::read_to_string(run.join("danso.log")).unwrap();
        let base = log.lines().find_map(|l| l.split_once("monotonic_ns=")).unwrap().1;
        let base: u64 = base.split_whitespace().next().unwrap().parse().unwrap();
        let time = |name: &str| base + fault[name].as_u64().unwrap();
        let (start, stop) = (time("start_ns"), time("stop_ns"));
        let lines = std::fs::read_to_string(run.join("nodes/n1/stdout.log")).unwrap();
        let mut seen = Seen { before: vec![], during: vec![], after: vec![], start, fault };
        // What began or ended within a moment of the fault's own beginning or end tells nothing.
        let moment = 100_000_000;
        for line in lines.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()) {
            let at = line["monotonic"].as_u64().unwrap();
            let gap = ((EVERY - LASTS) * 1e9) as u64;
            if at + gap / 2 > start && at < start {
                seen.before.push(line);
            } else if at > start + moment && at + moment < stop {
                seen.during.push(line);
            } else if at > stop + 4 * moment && at < stop + gap {
                seen.after.push(line);
            }
        }
        seen
    }
}

/// Echoes that came back, in ns, and those that did not.
fn echoes(lines: &[Value]) -> (Vec<u64>, Vec<String>) {
    let (mut back, mut lost) = (Vec::new(), Vec::new());
    for line in lines {
        for echo in line["echo"].as_object().unwrap().values() {
            match echo.as_u64() {
                Some(ns) => back.push(ns),
                None => lost.push(echo.as_str().unwrap().to_owned()),
            }
        }
    }
    back.sort_unstable();
    (back, lost)
}

/// Some echoes do not come back while it lasts.
fn silence(seen: &Seen<'_>) -> Result<(), String> {
    let ((_, before), (_, during)) = (echoes(&seen.before), echoes(&seen.during));
    let (after, _) = echoes(&seen.after);
    if during.len() <= before.len() || after.is_empty() {
        return Err(format!("{} lost before, {} during", before.len(), during.len()));
    }
    Ok(())
}

/// Echoes take as long as the delay both ways.
fn late(seen: &Seen<'_>) -> Result<(), String> {
    let ((before, _), (during, _)) = (echoes(&seen.before), echoes(&seen.during));
    let (after, _) = echoes(&seen.after);
    let middle = |echoes: &[u64]| echoes.get(echoes.len() / 2).copied().unwrap_or(0) / 1_000_000;
    let medians = [middle(&before), middle(&during), middle(&after)];
    // The last echo of before the fault is shown until the next one has come back.
    if during.is_empty() || medians[1] < 70 || medians[2] > 60 {
        return Err(format!("medians of {medians:?} ms before, during, after"));
    }
    Ok(())
}

/// Connections break.
fn resets(seen: &Seen<'_>) -> Result<(), String> {
    let (_, lost) = echoes(&seen.during);
    let reset = lost.iter().filter(|why| why.contains("reset")).count();
    if reset == 0 { Err(format!("{lost:?}")) } else { Ok(()) }
}

/// The node's clock is a day ahead while it lasts.
fn tomorrow(seen: &Seen<'_>) -> Result<(), String> {
    let offset = |line: &Value| {
        let ns = |name: &str| line[name].as_i64().unwrap();
        (ns("realtime") - ns("monotonic")) / 1_000_000_000
    };
    let offsets = |lines: &[Value]| lines.iter().map(offset).collect::<BTreeSet<_>>();
    // A fault begins once it is in force everywhere: a moment before, clocks may be wrong already.
    let calm = |l: &&Value| l["monotonic"].as_u64().unwrap() + 200_000_000 < seen.start;
    let before: Vec<Value> = seen.before.iter().filter(calm).cloned().collect();
    let (before, during) = (offsets(&before), offsets(&seen.during));
    let after = offsets(&seen.after);
    let true_offset = *before.first().ok_or("nothing before")?;
    let near = |all: &BTreeSet<i64>, by: i64| {
        !all.is_empty() && all.iter().all(|o| (o - true_offset - by).abs() <= 1)
    };
    if near(&before, 0) && near(&during, 86_400) && near(&after, 0) {
        Ok(())
    } else {
        Err(format!("{before:?} before, {during:?} during, {after:?} after"))
    }
}

/// The node is another process afterwards.
fn restart(seen: &Seen<'_>) -> Result<(), String> {
    let pids = |lines: &[Value]| -> BTreeSet<u64> {
        lines.iter().map(|l| l["started"].as_u64().unwrap()).collect()
    };
    let (before, after) = (pids(&seen.before), pids(&seen.after));
    if before.is_disjoint(&after) && !after.is_empty() && seen.during.is_empty() {
        Ok(())
    } else {
        Err(format!("{before:?} before, {after:?} after, {} lines during", seen.during.len()))
    }
}

/// The node is another process afterwards, whatever it was meanwhile.
fn again(seen: &Seen<'_>) -> Result<(), String> {
    let started = |lines: &[Value]| lines.last().map(|l| l["started"].as_u64());
    let (before, after) = (started(&seen.before), started(&seen.after));
    if before.is_some() && after.is_some() && before != after {
        Ok(())
    } else {
        Err(format!("{before:?} before, {after:?} after"))
    }
}

/// The node says nothing while it lasts and is the same afterwards.
fn gap(seen: &Seen<'_>) -> Result<(), String> {
    let same =
        seen.before.last().map(|l| &l["started"]) == seen.after.first().map(|l| &l["started"]);
    if seen.during.is_empty() && same {
        Ok(())
    } else {
        Err(format!("{} lines during {}", seen.during.len(), seen.fault))
    }
}

#[test]
fn what_cannot_be_had_is_refused_when_planning() {
    let dir = tempfile::tempdir().unwrap();
    let cases: BTreeMap<&str, [&str; 2]> = [
        (
            "--network proxy|partition|shape = 'one-way'",
            ["`proxy` cannot do `one-way cut`", "--network switch"],
        ),
        ("--network proxy|loss|share = '5%'", ["`proxy` cannot do `loss`", "--network switch"]),
        (
            "--network switch|http|mishap = 'status'",
            ["`switch` cannot do `HTTP faults`", "--network proxy"],
        ),
        ("--network none|partition|shape = 'one'", ["`none` cannot do `cut`", "--network switch"]),
        ("--network auto|membership|change = 'leave'", ["no `leave`", "choose another fault"]),
        ("--network auto|partiton|shape = 'one'", ["did you mean `partition`", ":5:"]),
        ("--network auto|delay|by = '5'", ["write 5s", ":5:"]),
    ]
    .into();
    for (case, [what, mend]) in cases {
        let mut parts = case.split('|');
        let (network, kind, args) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        // Raft's members come and go.
        let target = if kind == "membership" { "paxos-register" } else { "raft-kv" };
        let test = format!(
            "name = 'x'\n[target]\nkind = '{target}'\n\n[[fault]]\nkind = '{kind}'\nargs = {{ {args} }}\n"
        );
        std::fs::write(dir.path().join("x.toml"), test).unwrap();
        let word = network.split_whitespace().nth(1).unwrap();
        let said = danso(dir.path(), &["plan", "x.toml", "--seed", "1", "--network", word]);
        said.exits(254).says(what).says(mend).says("x.toml");
    }
    let said = danso(dir.path(), &["plan", "noop", "--faults", "kill", "--seed", "1"]);
    said.exits(254).says("no").says("choose a target whose nodes danso starts");
    let said =
        danso(dir.path(), &["plan", "raft-kv", "--set", "schedule.at-most=2", "--seed", "1"]);
    said.exits(254).says("keep-quorum");
}

#[test]
fn a_swarm_is_a_swarm() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |seed: &str| {
        danso(
            dir.path(),
            &["plan", "raft-kv", "--faults", "swarm", "--time", "20s", "--seed", seed],
        )
        .out
    };
    let plans: BTreeSet<String> = ["1", "2", "3", "4"].map(plan).into();
    assert_eq!(plans.len(), 4);
    assert_eq!(plan("1"), plan("1"));
}

#[test]
fn what_a_killed_run_left_is_cleaned_and_a_running_one_left_alone() {
    let _turn = alone();
    let dir = tempfile::tempdir().unwrap();
    let flag = dir.path().join("flag");
    let test = format!(
        "name = 'x'\nload = {{ rate = 20, time = '20s' }}\n[target]\nkind = 'probe'\n[[fault]]\nkind = 'custom'\nargs = {{ inject = 'touch {0}', heal = 'rm {0}', at = ['100ms'], for = '15s' }}\n",
        flag.display()
    );
    std::fs::write(dir.path().join("x.toml"), test).unwrap();
    let mut child = crate::harness::start(dir.path(), &["run", "x.toml", "--seed", "1"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !flag.exists() {
        assert!(std::time::Instant::now() < deadline, "the fault never began");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let said = danso(dir.path(), &["doctor", "--clean"]);
    said.exits(0).says("goes on, left alone");
    assert!(flag.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    danso(dir.path(), &["doctor", "--clean"]).exits(0).says("F0 custom: healed by");
    assert!(!flag.exists());
    danso(dir.path(), &["doctor", "--clean"]).exits(0).says("nothing to clean");
}
