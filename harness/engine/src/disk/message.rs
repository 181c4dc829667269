//! What controller and disk helper say to each other: one JSON value a line.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use danso_vocab::Value;
use danso_vocab::codec::json;

use super::pages::Keep;
use super::rules::{Harm, Op, Rule, Tally};
use super::store::Loss;

/// What the controller wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Serve this directory; the controller is this process.
    Serve { data: String, trash: String, controller: i32 },
    /// Serve this directory from a file system in the file `image`, of so many bytes.
    Image { data: String, image: String, bytes: u64, controller: i32 },
    /// Put what is in the image in its place in the directory.
    MoveOut,
    /// Put a rule in force.
    Add(Rule),
    /// Say how a rule has bitten.
    Tally(u64),
    /// Lift a rule, and say how it has bitten.
    Lift(u64),
    /// Answer at once what waits, or let it wait again.
    Hurry(bool),
    /// The power fails.
    Crash(Keep, u64),
    /// Everything is durable as it is; forget what may have changed from outside.
    Settle,
    /// Say what has been done.
    Stats,
}

/// What a node has done to its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads that were not answered from memory.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Syncs asked for.
    pub syncs: u64,
    /// Files that became durable without being asked, because too much was unsynced.
    pub written_back: u64,
    /// Files with something unsynced now.
    pub files: u64,
    /// Bytes held to undo that.
    pub held: u64,
    /// Changes to directories not durable now.
    pub changes: u64,
}

/// A value's wrong shape.
pub(super) type Broken = String;

impl Wish {
    pub(super) fn value(&self) -> Value {
        match self {
            Wish::Serve { data, trash, controller } => Value::of([
                ("do", "serve".into()),
                ("data", data.as_str().into()),
                ("trash", trash.as_str().into()),
                ("controller", i64::from(*controller).into()),
            ]),
            Wish::Image { data, image, bytes, controller } => Value::of([
                ("do", "image".into()),
                ("data", data.as_str().into()),
                ("image", image.as_str().into()),
                ("bytes", int(*bytes)),
                ("controller", i64::from(*controller).into()),
            ]),
            Wish::MoveOut => Value::of([("do", "move-out".into())]),
            Wish::Add(rule) => Value::of([("do", "add".into()), ("rule", rule_value(rule))]),
            Wish::Tally(id) => Value::of([("do", "tally".into()), ("id", int(*id))]),
            Wish::Lift(id) => Value::of([("do", "lift".into()), ("id", int(*id))]),
            Wish::Hurry(on) => Value::of([("do", "hurry".into()), ("on", (*on).into())]),
            Wish::Crash(keep, seed) => Value::of([
                ("do", "crash".into()),
                ("chance", int(keep.chance)),
                ("torn", keep.torn.into()),
                ("seed", int(*seed)),
            ]),
            Wish::Settle => Value::of([("do", "settle".into())]),
            Wish::Stats => Value::of([("do", "stats".into())]),
        }
    }

    pub(super) fn of(value: &Value) -> Result<Wish, Broken> {
        Ok(match text(value, "do")?.as_str() {
            "serve" => Wish::Serve {
                data: text(value, "data")?,
                trash: text(value, "trash")?,
                controller: number(value, "controller")? as i32,
            },
            "image" => Wish::Image {
                data: text(value, "data")?,
                image: text(value, "image")?,
                bytes: number(value, "bytes")?,
                controller: number(value, "controller")? as i32,
            },
            "move-out" => Wish::MoveOut,
            "add" => Wish::Add(rule_of(value.get("rule").unwrap_or(&Value::Nil))?),
            "tally" => Wish::Tally(number(value, "id")?),
            "lift" => Wish::Lift(number(value, "id")?),
            "hurry" => Wish::Hurry(flag(value, "on")?),
            "crash" => {
                let keep = Keep { chance: number(value, "chance")?, torn: flag(value, "torn")? };
                Wish::Crash(keep, number(value, "seed")?)
            }
            "settle" => Wish::Settle,
            "stats" => Wish::Stats,
            other => return Err(format!("nobody knows how to `{other}`")),
        })
    }
}

fn rule_value(rule: &Rule) -> Value {
    let (harm, a, b) = match rule.harm {
        Harm::Fail(errno) => ("fail", i64::from(errno), 0),
        Harm::Slow(least, most) => ("slow", least.as_nanos() as i64, most.as_nanos() as i64),
        Harm::Lie => ("lie", 0, 0),
        Harm::Flip => ("flip", 0, 0),
        Harm::Full => ("full", 0, 0),
        Harm::ReadOnly => ("read-only", 0, 0),
    };
    let ops: Vec<Value> = rule.ops.iter().map(|op| op.word().into()).collect();
    Value::of([
        ("ops", Value::List(ops)),
        ("files", rule.files.clone().into()),
        ("harm", harm.into()),
        ("a", a.into()),
        ("b", b.into()),
        ("chance", int(rule.chance)),
        ("times", rule.times.map_or(Value::Nil, int)),
        ("seed", int(rule.seed)),
    ])
}

fn rule_of(value: &Value) -> Result<Rule, Broken> {
    let ops = list(value, "ops")?.iter().map(|op| {
        let word = op.str().unwrap_or_default();
        Op::named(word).ok_or_else(|| format!("`{word}` is no operation"))
    });
    let files = list(value, "files")?.iter().filter_map(Value::str).map(str::to_owned);
    let (a, b) = (number(value, "a")?, number(value, "b")?);
    Ok(Rule {
        ops: ops.collect::<Result<_, _>>()?,
        files: files.collect(),
        harm: match text(value, "harm")?.as_str() {
            "fail" => Harm::Fail(a as i32),
            "slow" => Harm::Slow(Duration::from_nanos(a), Duration::from_nanos(b)),
            "lie" => Harm::Lie,
            "flip" => Harm::Flip,
            "full" => Harm::Full,
            "read-only" => Harm::ReadOnly,
            other => return Err(format!("`{other}` is no harm")),
        },
        chance: number(value, "chance")?,
        times: value.get("times").and_then(Value::int).map(i64::cast_unsigned),
        seed: number(value, "seed")?,
    })
}

pub(super) fn tally_value(tally: &Tally) -> Value {
    let hits = tally.hits.iter().map(|(op, n)| (op.word().to_owned(), int(*n)));
    Value::of([
        ("hits", Value::Map(hits.collect())),
        ("delayed", int(tally.delayed.as_nanos() as u64)),
        ("longest", int(tally.longest.as_nanos() as u64)),
        ("places", tally.places.clone().into()),
    ])
}

pub(super) fn tally_of(value: &Value) -> Result<Tally, Broken> {
    let hits = value.get("hits").and_then(Value::map).ok_or("no hits")?;
    let hit = |(word, n): (&String, &Value)| Some((Op::named(word)?, n.int()?.cast_unsigned()));
    let places = list(value, "places")?.iter().filter_map(Value::str).map(str::to_owned);
    Ok(Tally {
        hits: hits.iter().filter_map(hit).collect(),
        delayed: Duration::from_nanos(number(value, "delayed")?),
        longest: Duration::from_nanos(number(value, "longest")?),
        places: places.collect(),
    })
}

pub(super) fn loss_value(loss: &Loss) -> Value {
    Value::of([
        ("files", int(loss.files)),
        ("lost", int(loss.lost)),
        ("kept", int(loss.kept)),
        ("torn", int(loss.torn)),
        ("bytes", int(loss.bytes)),
        ("names", int(loss.names)),
        ("changes", int(loss.changes)),
    ])
}

pub(super) fn loss_of(value: &Value) -> Result<Loss, Broken> {
    Ok(Loss {
        files: number(value, "files")?,
        lost: number(value, "lost")?,
        kept: number(value, "kept")?,
        torn: number(value, "torn")?,
        bytes: number(value, "bytes")?,
        names: number(value, "names")?,
        changes: number(value, "changes")?,
    })
}

pub(super) fn stats_value(stats: &Stats) -> Value {
    Value::of([
        ("reads", int(stats.reads)),
        ("writes", int(stats.writes)),
        ("bytes", int(stats.bytes)),
        ("syncs", int(stats.syncs)),
        ("written-back", int(stats.written_back)),
        ("files", int(stats.files)),
        ("held", int(stats.held)),
        ("changes", int(stats.changes)),
    ])
}

pub(super) fn stats_of(value: &Value) -> Result<Stats, Broken> {
    Ok(Stats {
        reads: number(value, "reads")?,
        writes: number(value, "writes")?,
        bytes: number(value, "bytes")?,
        syncs: number(value, "syncs")?,
        written_back: number(value, "written-back")?,
        files: number(value, "files")?,
        held: number(value, "held")?,
        changes: number(value, "changes")?,
    })
}

/// Writes a value and a line break, at once.
pub(super) fn send(mut to: impl Write, value: &Value) -> io::Result<()> {
    let mut line = json::to_string(value);
    line.push('\n');
    to.write_all(line.as_bytes())
}

/// Reads a value; none at the end.
pub(super) fn receive(mut from: impl BufRead) -> io::Result<Option<Value>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    json::from_str(&line).map(Some).map_err(io::Error::other)
}

/// Numbers go as signed ones of the same bits: a seed has 64.
fn int(number: u64) -> Value {
    number.cast_signed().into()
}

fn number(value: &Value, name: &str) -> Result<u64, Broken> {
    let number = value.get(name).and_then(Value::int);
    number.map(i64::cast_unsigned).ok_or_else(|| format!("no number {name}"))
}

fn text(value: &Value, name: &str) -> Result<String, Broken> {
    let text = value.get(name).and_then(Value::str);
    text.map(str::to_owned).ok_or_else(|| format!("no text {name}"))
}

fn flag(value: &Value, name: &str) -> Result<bool, Broken> {
    value.get(name).and_then(Value::bool).ok_or_else(|| format!("no truth value {name}"))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], Broken> {
    value.get(name).and_then(Value::list).ok_or_else(|| format!("no list {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(value: &Value) -> Value {
        let mut line = Vec::new();
        send(&mut line, value).unwrap();
        receive(&line[..]).unwrap().unwrap()
    }

    #[test]
    fn everything_said_is_understood() {
        let rule = |harm| Rule {
            ops: Op::ALL.to_vec(),
            files: vec!["*.wal".to_owned(), "é/\"\n".to_owned()],
            harm,
            chance: 7,
            times: Some(3),
            seed: u64::MAX,
        };
        let slow = Harm::Slow(Duration::from_nanos(5), Duration::from_secs(2));
        for wish in [
            Wish::Serve { data: "/a b".to_owned(), trash: "/t".to_owned(), controller: 7 },
            Wish::Image {
                data: "/a".to_owned(),
                image: "/i".to_owned(),
                bytes: 1 << 28,
                controller: 7,
            },
            Wish::MoveOut,
            Wish::Add(rule(slow)),
            Wish::Add(rule(Harm::Fail(5))),
            Wish::Add(rule(Harm::Lie)),
            Wish::Add(rule(Harm::Flip)),
            Wish::Add(rule(Harm::Full)),
            Wish::Add(rule(Harm::ReadOnly)),
            Wish::Tally(1),
            Wish::Lift(2),
            Wish::Hurry(true),
            Wish::Crash(Keep { chance: 500_000, torn: true }, u64::MAX - 3),
            Wish::Settle,
            Wish::Stats,
        ] {
            assert_eq!(Wish::of(&over(&wish.value())).unwrap(), wish);
        }
        assert!(Wish::of(&Value::of([("do", "dance".into())])).is_err());
        let tally = Tally {
            hits: vec![(Op::Read, 3), (Op::Write, 4)],
            delayed: Duration::from_millis(7),
            longest: Duration::from_millis(5),
            places: vec!["a".to_owned()],
        };
        assert_eq!(tally_of(&over(&tally_value(&tally))).unwrap(), tally);
        let loss = Loss { files: 1, lost: 2, kept: 3, torn: 4, bytes: 5, names: 6, changes: 7 };
        assert_eq!(loss_of(&over(&loss_value(&loss))).unwrap(), loss);
        let stats = Stats { reads: 1, held: 9, written_back: 4, ..Stats::default() };
        assert_eq!(stats_of(&over(&stats_value(&stats))).unwrap(), stats);
    }
}
