//! The checker against its definitions, read aloud, on random histories; and against a log that
//! works.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{
    Call, Checker, Event, History, Limits, Op, Outcome, Rng, Status, Time, Value, Verdict,
};

use crate::kafka::Kafka;
use crate::testing::{At, Shape, cases, events};

const KEYS: [&str; 2] = ["k0", "k1"];

/// What a poll was asked for and shows of a key.
fn seen(op: &Op<'_>, key: &str) -> (Option<i64>, Vec<(i64, Value)>) {
    let ret = op.ret().unwrap();
    let pair = |p: &Value| (p.pair().unwrap().0.int().unwrap(), p.pair().unwrap().1.clone());
    let list = ret.get(key).map_or(Vec::new(), |l| l.list().unwrap().iter().map(pair).collect());
    (op.arg().get(key).and_then(Value::int), list)
}

/// The anomalies there are, by the letter; and whether something is left open.
fn oracle(history: &History) -> (BTreeSet<&'static str>, bool) {
    let mut names = BTreeSet::new();
    let mut open = false;
    let of = |f: &str| history.ops().filter(|op| op.f() == f).collect::<Vec<_>>();
    let (sends, polls) = (of("send"), of("poll"));
    let polls: Vec<_> = polls.into_iter().filter(|op| op.is_ok()).collect();
    let told = |op: &Op<'_>| op.ret().unwrap().int().unwrap();
    let all_over = sends.iter().filter(|op| op.is_ok()).map(|op| op.res_rank()).max().unwrap_or(0);
    for key in KEYS {
        let sends: Vec<_> =
            sends.iter().filter(|op| op.key().unwrap().str() == Some(key)).collect();
        let acknowledged: Vec<_> = sends.iter().filter(|op| op.is_ok()).collect();
        let mut claims: Vec<(i64, Value)> =
            acknowledged.iter().map(|op| (told(op), op.arg().into_owned())).collect();
        let shown: Vec<(i64, Value)> = polls.iter().flat_map(|op| seen(op, key).1).collect();
        claims.extend(shown.clone());
        for (o, m) in &claims {
            for (p, n) in &claims {
                if o == p && m != n {
                    names.insert("inconsistent-offsets");
                }
                if o != p && m == n {
                    names.insert("duplicate");
                }
            }
        }
        for a in &acknowledged {
            for b in &acknowledged {
                let later = a.process() == b.process() && a.id() < b.id();
                let between = acknowledged
                    .iter()
                    .any(|c| c.process() == a.process() && a.id() < c.id() && c.id() < b.id());
                if later && !between && told(b) <= told(a) {
                    names.insert("nonmonotonic-send");
                }
            }
        }
        for op in &polls {
            let (from, list) = seen(op, key);
            for (_, message) in &list {
                let of: Vec<_> = sends.iter().filter(|s| *s.arg() == *message).collect();
                if of.iter().any(|s| s.status() != Status::Fail && s.inv_rank() < op.res_rank()) {
                    continue;
                }
                let failed = !of.is_empty() && of.iter().all(|s| s.status() == Status::Fail);
                names.insert(if failed { "aborted-read" } else { "invented-value" });
            }
            let early = from.is_some_and(|from| list.first().is_some_and(|(o, _)| *o < from));
            if early || list.windows(2).any(|w| w[1].0 <= w[0].0) {
                names.insert("nonmonotonic-poll");
            }
            let Some(last) = list.iter().map(|(o, _)| *o).max() else { continue };
            let least = list.iter().map(|(o, _)| *o).min().unwrap();
            let from = from.unwrap_or(least).min(last);
            for (o, _) in claims.iter().filter(|(o, _)| (from..=last).contains(o)) {
                if list.iter().all(|(p, _)| p != o) {
                    let ever = shown.iter().any(|(p, _)| p == o);
                    names.insert(if ever { "poll-skip" } else { "lost-write" });
                }
            }
        }
        for send in &acknowledged {
            if shown.iter().any(|(_, m)| *m == *send.arg()) {
                continue;
            }
            let looked = polls.iter().any(|op| {
                let (from, list) = seen(op, key);
                op.inv_rank() > all_over && list.is_empty() && from.is_some_and(|f| f <= told(send))
            });
            if looked {
                names.insert("lost-write");
            } else {
                open = true;
            }
        }
        for list in of("list-committed-offsets").iter().filter(|op| op.is_ok()) {
            let Some(offset) = list.ret().unwrap().get(key).and_then(Value::int) else { continue };
            let tried = of("commit-offsets").iter().any(|op| {
                op.status() != Status::Fail
                    && op.inv_rank() < list.res_rank()
                    && op.arg().get(key).and_then(Value::int).is_some_and(|o| o >= offset)
            });
            if !tried {
                names.insert("invented-commit");
            }
        }
    }
    (names, open)
}

/// A server with logs.
#[derive(Default)]
struct Server {
    logs: BTreeMap<String, Vec<(i64, Value)>>,
    committed: BTreeMap<String, Value>,
}

impl Server {
    fn answer(&mut self, rng: &mut Rng, call: &Call) -> Value {
        match &*call.f {
            "send" => {
                let key = call.key.as_ref().and_then(Value::str).unwrap();
                let log = self.logs.entry(key.to_owned()).or_default();
                let offset = log.last().map_or(0, |(o, _)| o + 1 + rng.below(2) as i64);
                log.push((offset, call.arg.clone()));
                offset.into()
            }
            "poll" => {
                let mut answer = BTreeMap::new();
                for (key, from) in call.arg.map().unwrap() {
                    let from = from.int().unwrap();
                    let log = self.logs.get(key).map_or(&[][..], Vec::as_slice);
                    let after = log.iter().filter(|(o, _)| *o >= from);
                    let shown: Vec<Value> = after
                        .take(rng.between(1, 3) as usize)
                        .map(|(o, m)| Value::List(vec![(*o).into(), m.clone()]))
                        .collect();
                    if !shown.is_empty() || rng.chance(1, 2) {
                        answer.insert(key.clone(), Value::List(shown));
                    }
                }
                Value::Map(answer)
            }
            "commit-offsets" => {
                self.committed.extend(call.arg.map().unwrap().clone());
                Value::Nil
            }
            _ => Value::Map(self.committed.clone()),
        }
    }
}

fn history(rng: &mut Rng) -> Vec<(Time, Event)> {
    let mut shape = Shape::small(rng);
    shape.ops += 6;
    shape.failed *= 2;
    let (mut server, mut next) = (Server::default(), 0);
    let call = |rng: &mut Rng| {
        let key = KEYS[rng.below(2) as usize];
        let from = Value::of([(key, (rng.below(4) as i64).into())]);
        match rng.below(6) {
            0..=2 => {
                next += 1;
                Call::new("send", next).on(key)
            }
            3 => Call::new("commit-offsets", from),
            4 => Call::new("list-committed-offsets", KEYS.map(Value::from).to_vec()),
            _ => Call::new("poll", from),
        }
    };
    let answer = |rng: &mut Rng, call: &Call, _: At| Some(server.answer(rng, call));
    events(rng, shape, call, answer)
}

fn is_answer(event: &Event) -> bool {
    let Event::Complete { outcome: Outcome::Ok(value), .. } = event else { return false };
    !value.is_nil()
}

/// Changes an answer.
fn lie(rng: &mut Rng, events: &mut [(Time, Event)]) {
    let answers: Vec<_> = (0..events.len()).filter(|at| is_answer(&events[*at].1)).collect();
    let Some(at) = rng.pick(&answers) else { return };
    let (_, Event::Complete { outcome: Outcome::Ok(value), .. }) = &mut events[*at] else { return };
    match value {
        Value::Int(offset) => *offset = (*offset + rng.between(0, 4) as i64 - 2).max(0),
        Value::Map(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let Some(key) = rng.pick(&keys).cloned() else { return };
            match map.get_mut(&key) {
                Some(Value::Int(offset)) => *offset += rng.between(0, 2) as i64,
                Some(Value::List(list)) if !list.is_empty() => {
                    let at = rng.below(list.len() as u64) as usize;
                    match rng.below(4) {
                        0 => drop(list.remove(at)),
                        1 => list[at] = Value::from([rng.below(5) as i64, rng.below(9) as i64]),
                        2 => list.push(list[at].clone()),
                        _ => list.reverse(),
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

#[test]
fn a_log_that_works_is_never_blamed() {
    for seed in 0..cases(3_000) {
        let mut rng = Rng::new(seed);
        let history = History::of(history(&mut rng)).unwrap();
        let finding = Kafka::default().check(&history, &Limits::default());
        assert_ne!(finding.verdict, Verdict::Invalid, "seed {seed}: {}", finding.reason);
    }
}

#[test]
fn the_definitions_read_aloud_say_the_same() {
    let mut verdicts = BTreeMap::<Verdict, u64>::new();
    let mut found = BTreeSet::new();
    for seed in 0..cases(6_000) {
        let mut rng = Rng::new(seed).split("lies");
        let mut events = history(&mut rng);
        for _ in 0..rng.below(4) {
            lie(&mut rng, &mut events);
        }
        let history = History::of(events).unwrap();
        let (names, open) = oracle(&history);
        let finding = Kafka::default().check(&history, &Limits::default());
        let told: BTreeSet<&str> = finding.anomalies.iter().map(|a| &*a.name).collect();
        assert_eq!(told, names, "seed {seed}: {}", finding.reason);
        let want = match (names.is_empty(), open) {
            (false, _) => Verdict::Invalid,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Valid,
        };
        assert_eq!(finding.verdict, want, "seed {seed}: {}", finding.reason);
        *verdicts.entry(want).or_default() += 1;
        found.extend(names);
    }
    assert_eq!(verdicts.len(), 3, "{verdicts:?}");
    assert_eq!(found.len(), Kafka::default().anomalies().len(), "{found:?}");
}
