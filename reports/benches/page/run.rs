//! A long run, as its history file and what was found in it.

use danso_vocab::codec::jsonl::Writer;
use danso_vocab::event::note;
use danso_vocab::{
    Anomaly, Call, Event, FaultId, Finding, History, NodeId, Note, OpId, Outcome, Process, Results,
    Rng, Time, Value,
};

const WORKERS: u64 = 50;
const MS: u64 = 1_000_000;

/// Reads and writes of many workers, now and then failing, with a partition every ten seconds.
pub(crate) fn history(events: u64) -> Vec<u8> {
    let mut rng = Rng::new(1).split("bench");
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut process: Vec<u32> = (0..WORKERS as u32).collect();
    let mut next = WORKERS as u32;
    let mut now = 0;
    for i in 0..events / 2 {
        let worker = (i % WORKERS) as usize;
        let id = Process(process[worker]);
        now += rng.between(MS / 100, MS / 5);
        if i % 40_000 == 20_000 {
            let fault = FaultId((i / 40_000) as u32);
            let begun = Note::new("partition", ()).fault(fault).nodes([NodeId(1)]);
            writer.write(Time(now), &Event::Note(begun)).unwrap();
            let healed = Note::new(note::HEAL, ()).fault(fault).nodes([NodeId(1)]);
            writer.write(Time(now + 2_000 * MS), &Event::Note(healed)).unwrap();
        }
        let call = match rng.below(2) {
            0 => Call::new("read", ()),
            _ => Call::new("write", i as i64),
        };
        let call = call.on(format!("k{}", rng.below(500)));
        let node = Some(NodeId(1 + (worker % 5) as u16));
        writer.write(Time(now), &Event::Invoke { process: id, node, call }).unwrap();
        let outcome = match rng.below(100) {
            0 => Outcome::Info("timed out after 1 s".into()),
            1..4 => Outcome::Fail("no leader".into()),
            _ => Outcome::Ok(Value::Int(rng.below(1 << 40) as i64)),
        };
        if let Outcome::Info(_) = outcome {
            process[worker] = next;
            next += 1;
        }
        now += rng.below(MS / 50);
        writer.write(Time(now), &Event::Complete { process: id, outcome }).unwrap();
    }
    std::mem::take(writer.sink())
}

pub(crate) fn results(history: &History) -> Results {
    let at = |part: usize| history.row(history.len() * part / 10).id();
    let anomaly = |ops: Vec<OpId>| Anomaly {
        name: "stale-read".into(),
        key: None,
        ops,
        because: "It is stale.".to_owned(),
        explain: Vec::new(),
        figure: None,
    };
    let found = vec![anomaly(vec![at(7), at(6)]), anomaly(vec![at(2)])];
    Results { findings: vec![Finding::invalid("linearizable", found)], ..Results::default() }
}
