//! Recorded histories of sets and counters have the verdicts that their index tells.

use std::process::Command;

use danso_checkers::{checks, models};
use danso_vocab::codec::history::{Options, read};
use danso_vocab::{Finding, History, Limits, Value, Verdict};

use super::folder;

/// A history of the folder `real`; `None` if there is nothing to unpack it with.
fn recorded(folder: &std::path::Path, name: &str) -> Option<History> {
    let path = folder.join(format!("{name}.jsonl.zst"));
    let Ok(unpacked) = Command::new("zstd").arg("-dc").arg(&path).output() else {
        println!("skipped: there is no zstd to unpack {}", path.display());
        return None;
    };
    assert!(unpacked.status.success(), "{}", path.display());
    Some(read(&unpacked.stdout[..], &Options::default()).unwrap().history)
}

fn check(what: &str, history: &History) -> Finding {
    let check = checks::find(what).unwrap();
    (check.checker)(Value::Nil).check(history, &Limits::default())
}

#[test]
fn sets_lost_what_their_index_says() {
    let Some(folder) = folder("real") else { return };
    for (name, acknowledged, lost) in [
        ("redis_sentinel_set_0", 9_244, 2_971),
        ("redis_sentinel_wait1_set_0", 5_793, 0),
        ("redis_single_kill_aof_no", 300, 300),
        ("redis_single_kill_aof_yes", 300, 0),
        ("pg_async_failover_partition_0", 1_840, 936),
        ("etcd_lock_healthy", 40, 0),
        ("etcd_lock_pauseclient", 86, 4),
    ] {
        let Some(history) = recorded(&folder, name) else { return };
        for what in ["set", "set-full"] {
            let finding = check(what, &history);
            println!("{name}: {what}: {}: {}", finding.verdict, finding.reason);
            let stat = |name: &str| finding.stats.get(name).copied().unwrap_or(0);
            assert_eq!((stat("acknowledged"), stat("lost")), (acknowledged, lost), "{name}");
            let verdict = if lost > 0 { Verdict::Invalid } else { Verdict::Valid };
            assert_eq!(finding.verdict, verdict, "{name}");
            assert!(finding.anomalies.iter().all(|a| a.name == "lost-element"), "{name}");
        }
    }
    // The one final read is of one replica, and says so.
    let Some(history) = recorded(&folder, "pg_async_failover_partition_0") else { return };
    let finding = check("set", &history);
    assert!(finding.reason.contains("the final read of n2"), "{}", finding.reason);
}

#[test]
fn counters_lost_what_their_index_says() {
    let Some(folder) = folder("real") else { return };
    let counter = models::find("counter").unwrap();
    for (name, verdict) in
        [("redis_counter_rmw", Verdict::Invalid), ("redis_counter_watch", Verdict::Valid)]
    {
        let Some(history) = recorded(&folder, name) else { return };
        let finding = (counter.checker)(0.into()).check(&history, &Limits::default());
        println!("{name}: {}: {}", finding.verdict, finding.reason);
        assert_eq!(finding.verdict, verdict, "{name}");
    }
}
