//! Every recorded history there is.

use std::fs::File;

use super::*;
use crate::Status;

fn load(path: &Path) -> Loaded {
    read(File::open(path).unwrap(), &Options::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn all_files_read_and_nothing_is_lost() {
    let Some(folder) = folder() else { return };
    let mut read = 0;
    for path in files(&folder) {
        if path.extension().is_some_and(|e| e == "tsv") {
            continue;
        }
        let loaded = load(&path);
        let history = &loaded.history;
        let name = path.display();
        let (wanted, invoked) = match loaded.format {
            Format::Jsonl => {
                let packed = File::open(&path).unwrap();
                let text = std::io::read_to_string(zstd::Decoder::new(packed).unwrap()).unwrap();
                (text.lines().count(), text.matches("\"type\":\"invoke\"").count())
            }
            Format::Edn | Format::Kv | Format::Log => {
                let text = std::fs::read_to_string(&path).unwrap();
                // All these files have one `:type` (or one line) an event.
                let events = match loaded.format {
                    Format::Log => text.matches("jepsen.util - ").count(),
                    _ => text.matches(":type ").count(),
                };
                (events, text.matches(":invoke").count())
            }
            other => panic!("{name}: {other}"),
        };
        let ended = history.ops().filter(|op| op.res_index().is_some()).count();
        assert_eq!(history.len(), invoked, "{name}");
        assert_eq!(history.len() + ended + history.notes().count(), wanted, "{name}");
        read += 1;
    }
    assert!(read > 100, "only {read}");
}

#[test]
fn keys_are_recognised_where_there_are_keys() {
    let Some(folder) = folder() else { return };
    let index = std::fs::read_to_string(folder.join("real/INDEX.tsv")).unwrap();
    for line in index.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let loaded = load(&folder.join("real").join(cells[0]));
        let keyed = loaded.history.ops().all(|op| op.key_id().is_some());
        assert_eq!(keyed, cells[2] == "register per key", "{}", cells[0]);
        assert_eq!(loaded.notices.iter().any(|n| n.contains("[key value]")), keyed);
    }
    for kind in ["knossos", "elle", "etcd-cas"] {
        for path in files(&folder.join(kind)) {
            if path.extension().is_some_and(|e| e != "tsv") {
                let loaded = load(&path);
                assert!(loaded.history.ops().all(|op| op.key_id().is_none()), "{}", path.display());
            }
        }
    }
}

#[test]
fn formats_of_each_kind_mean_what_they_meant() {
    let Some(folder) = folder() else { return };
    let first = |path: &str, n: usize| {
        let loaded = load(&folder.join(path));
        let ops: Vec<String> = loaded.history.ops().take(n).map(|op| op.to_string()).collect();
        (loaded.format, ops)
    };
    let strings = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        first("etcd-cas/etcd_100.log", 4),
        (
            Format::Log,
            strings(&[
                "#0 p1 write 3 -> 3",
                "#1 p2 write 0 -> 0",
                "#2 p4 cas [1 2] -> fail ()",
                "#3 p0 cas [4 3] -> fail ()"
            ])
        )
    );
    assert_eq!(
        first("kv/c01-ok.txt", 1),
        (Format::Kv, strings(&["#0 p0 append \"0\" \"x 0 0 y\" -> \"x 0 0 y\""]))
    );
    assert_eq!(
        first("elle/paper-example.edn", 2).1[1],
        "#2 p1 txn [[append 255 8] [r 253 nil]] -> [[append 255 8] [r 253 [1 3 4]]]"
    );
    assert_eq!(
        first("knossos/mutex/bad/etcd.edn", 1).1,
        strings(&["#0 p1 release -> fail (not-held)"])
    );
    let crashed = load(&folder.join("etcd-cas/etcd_002.log"));
    let open = crashed.history.ops().filter(|op| op.status() == Status::Info);
    let reasons: Vec<_> = open.map(|op| op.reason()).collect();
    assert!(reasons.contains(&Some("timed-out")), "{reasons:?}");
}
