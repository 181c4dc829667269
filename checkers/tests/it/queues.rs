//! Histories of RabbitMQ while its nodes were cut off from each other, filled by publishers with
//! confirms and drained in the end: mirrored classic queues lose messages, quorum queues do not.

use std::io::Read;
use std::process::Command;

use danso_checkers::checks;
use danso_vocab::codec::history::{Options, read};
use danso_vocab::{Limits, Value, Verdict};

use super::folder;

#[test]
fn mirrored_queues_lose_messages_and_quorum_queues_do_not() {
    let Some(folder) = folder("real") else { return };
    let index = std::fs::read_to_string(folder.join("INDEX.tsv")).unwrap();
    let mut seen = 0;
    for line in index.lines().filter(|line| line.starts_with("rabbitmq")) {
        let (name, rest) = line.split_once('\t').unwrap();
        let figure = |name: &str| {
            let (_, rest) = rest.split_once(&format!("\"{name}\": ")).unwrap();
            rest.split([',', '}']).next().unwrap().parse::<u64>().unwrap()
        };
        let path = folder.join(name);
        let Ok(unpacked) = Command::new("zstd").arg("-dc").arg(&path).output() else {
            println!("skipped: there is no zstd to unpack {}", path.display());
            return;
        };
        assert!(unpacked.status.success(), "{}", path.display());
        let mut bytes = &unpacked.stdout[..];
        let history = read(bytes.by_ref(), &Options::default()).unwrap().history;
        let total_queue = (checks::find("total-queue").unwrap().checker)(Value::Nil);
        let finding = total_queue.check(&history, &Limits::default());
        println!("{name}: {}: {} {:?}", finding.verdict, finding.reason, finding.stats);
        let lost = figure("lost");
        let want = if lost > 0 { Verdict::Invalid } else { Verdict::Valid };
        assert_eq!(finding.verdict, want, "{name}");
        assert_eq!(finding.stats["acknowledged"], figure("acked"), "{name}");
        assert_eq!(finding.stats.get("lost-message").copied().unwrap_or(0), lost, "{name}");
        assert_eq!(finding.stats["duplicated"], figure("dups"), "{name}");
        assert!(finding.anomalies.iter().all(|a| a.name == "lost-message"), "{name}");
        seen += 1;
    }
    assert!(seen > 0, "no history of a queue is listed");
}
