//! Faults of disks while nodes run: errors, no room, slowness, read-only, flipped bits. Each is a
//! row: a name, arguments, and the rule they come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::{Args, percent, time};
use super::ends::revive;
use super::outage::{off, tally_words};
use super::select::select;
use super::{Effect, Ground, Impairs, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::disk::{Harm, LONGEST, Op, Rule, RuleId, Tally};
use crate::means::Need;
use crate::target::Fut;

/// Arguments by name.
type Drawn = Vec<(&'static str, Value)>;

/// A kind of fault that puts a rule in force for the whole of its window.
pub(super) struct Storage {
    kind: &'static str,
    about: &'static str,
    args: &'static [(&'static str, &'static str)],
    /// Whether a correct system stands it.
    fair: bool,
    /// What happens to an operation it hits.
    what: &'static str,
    /// The operations it may be about.
    ops: &'static [Op],
    /// Which of them it is about, unless told.
    usual: fn(&mut Rng) -> Vec<Op>,
    /// Draws what the arguments leave open.
    draw: fn(Args<'_>, &mut Rng) -> Result<Drawn, String>,
    /// What complete arguments come to.
    harm: fn(Args<'_>) -> Result<Harm, String>,
}

const NODES: (&str, &str) = ("nodes", "a node selector (default: one)");
const FILES: (&str, &str) =
    ("files", "patterns of names, as in \"*.wal\", or of paths, as in \"wal/*\" (default: all)");
const SHARE: (&str, &str) = ("share", "of how many operations, as in \"20%\" (default: 100%)");
const COUNT: (&str, &str) = ("count", "at most so many (default: no limit)");

/// Errors by name.
const ERRORS: &[(&str, i32)] = &[
    ("EIO", libc::EIO),
    ("ENOSPC", libc::ENOSPC),
    ("EDQUOT", libc::EDQUOT),
    ("EROFS", libc::EROFS),
    ("EACCES", libc::EACCES),
    ("ENOMEM", libc::ENOMEM),
    ("EAGAIN", libc::EAGAIN),
    ("EINTR", libc::EINTR),
    ("EUCLEAN", libc::EUCLEAN),
    ("ETIMEDOUT", libc::ETIMEDOUT),
];

const CHANGING: &[Op] =
    &[Op::Open, Op::Create, Op::Write, Op::Truncate, Op::Remove, Op::Rename, Op::Change];

/// Errors.
pub(super) static ERROR: Storage = Storage {
    kind: "disk-error",
    about: "lets operations on files fail",
    args: &[
        NODES,
        (
            "op",
            "one or a list of open, create, read, write, fsync, truncate, remove, rename, change (default: one of read, write and fsync)",
        ),
        (
            "errno",
            "EIO (default), ENOSPC, EDQUOT, EROFS, EACCES, ENOMEM, EAGAIN, EINTR, EUCLEAN or ETIMEDOUT",
        ),
        SHARE,
        COUNT,
        FILES,
    ],
    fair: false,
    what: "failed",
    ops: &Op::ALL,
    usual: |rng| vec![[Op::Read, Op::Write, Op::Sync][rng.below(3) as usize]],
    draw: |args, _| {
        let known: Vec<_> = ERRORS.iter().map(|(name, _)| *name).collect();
        Ok(vec![("errno", args.word("errno", &known)?.unwrap_or("EIO").into())])
    },
    harm: |args| {
        let name = args.get("errno").and_then(Value::str).unwrap_or("EIO");
        let errno = ERRORS.iter().find(|(known, _)| *known == name);
        errno.map(|(_, n)| Harm::Fail(*n)).ok_or_else(|| format!("errno = {name} is unknown"))
    },
};

/// No room.
pub(super) static FULL: Storage = Storage {
    kind: "disk-full",
    about: "leaves no room on disks: nothing grows, what is there can be overwritten",
    args: &[NODES, FILES],
    fair: false,
    what: "refused",
    ops: &[Op::Create, Op::Write],
    usual: |_| vec![Op::Create, Op::Write],
    draw: |_, _| Ok(Vec::new()),
    harm: |_| Ok(Harm::Full),
};

/// Slowness.
pub(super) static SLOW: Storage = Storage {
    kind: "disk-slow",
    about: "delays operations on files",
    args: &[
        NODES,
        (
            "op",
            "one or a list of open, create, read, write, fsync, truncate, remove, rename, change (default: write and fsync)",
        ),
        ("by", "how long, at most 2s (default: random, 5ms to 200ms)"),
        ("jitter", "how far it strays (default: half of it)"),
        SHARE,
        FILES,
    ],
    fair: true,
    what: "delayed",
    ops: &Op::ALL,
    usual: |_| vec![Op::Write, Op::Sync],
    draw: |args, rng| {
        let by = args.duration("by")?;
        let by = by.unwrap_or_else(|| Duration::from_millis(rng.between(5, 200)));
        let jitter = args.duration("jitter")?.unwrap_or(by / 2);
        Ok(vec![("by", time(by)), ("jitter", time(jitter))])
    },
    harm: |args| {
        let by = args.duration("by")?.unwrap_or_default();
        let jitter = args.duration("jitter")?.unwrap_or_default();
        if by.is_zero() || by + jitter > LONGEST {
            return Err(format!(
                "by and jitter must come to more than nothing and at most {LONGEST:?}: a node that dies waits for its disk"
            ));
        }
        Ok(Harm::Slow(by.saturating_sub(jitter), by + jitter))
    },
};

/// Read-only.
pub(super) static READ_ONLY: Storage = Storage {
    kind: "read-only",
    about: "lets nothing on disks be changed, as a file system does that has found an error",
    args: &[NODES, FILES],
    fair: false,
    what: "refused",
    ops: CHANGING,
    usual: |_| CHANGING.to_vec(),
    draw: |_, _| Ok(Vec::new()),
    harm: |_| Ok(Harm::ReadOnly),
};

/// Corruption on the way.
pub(super) static CORRUPTION: Storage = Storage {
    kind: "disk-corruption",
    about: "flips a bit in what nodes read or write",
    args: &[
        NODES,
        ("op", "read, write or both (default: one of them)"),
        SHARE,
        ("count", "at most so many (default: 1)"),
        FILES,
    ],
    fair: false,
    what: "with a bit flipped",
    ops: &[Op::Read, Op::Write],
    usual: |rng| vec![[Op::Read, Op::Write][rng.below(2) as usize]],
    draw: |args, _| match args.get("count") {
        Some(_) => Ok(Vec::new()),
        None => Ok(vec![("count", 1.into())]),
    },
    harm: |_| Ok(Harm::Flip),
};

impl Storage {
    fn ops(&self, args: Args<'_>, rng: &mut Rng) -> Result<Vec<Op>, String> {
        let Some(value) = args.get("op") else { return Ok((self.usual)(rng)) };
        let words = match value {
            Value::List(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let named = |word: &Value| {
            let op = word.str().and_then(Op::named).filter(|op| self.ops.contains(op));
            let known: Vec<_> = self.ops.iter().map(|op| op.word()).collect();
            op.ok_or_else(|| format!("op = {word} is none of {}", known.join(", ")))
        };
        let ops = words.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        if ops.is_empty() { Err("an empty list of op hits nothing".to_owned()) } else { Ok(ops) }
    }

    /// The rule of a drawn fault, but for its seed.
    fn rule(&self, args: Args<'_>) -> Result<Rule, String> {
        let share = args.share("share")?.unwrap_or(1.0);
        Ok(Rule {
            // Drawn already: no chance is left.
            ops: self.ops(args, &mut Rng::new(0))?,
            files: patterns(args)?,
            harm: (self.harm)(args)?,
            chance: (share * 1e6).round() as u64,
            times: args.number("count", 1, u64::MAX >> 1)?,
            seed: 0,
        })
    }
}

/// Patterns of files: a text or a list of them.
pub(super) fn patterns(args: Args<'_>) -> Result<Vec<String>, String> {
    let list = match args.get("files") {
        None => &[],
        Some(Value::List(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    let pattern = |value: &Value| match value.str().map(|text| (text, glob::Pattern::new(text))) {
        Some((text, Ok(_))) => Ok(text.to_owned()),
        Some((text, Err(error))) => Err(format!("files: `{text}`: {error}")),
        None => Err(format!("files: {value} is no pattern: write \"*.wal\"")),
    };
    list.iter().map(pattern).collect()
}

impl Nemesis for Storage {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        self.args
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        vec![Need::Processes, Need::Disk]
    }

    fn fair(&self) -> bool {
        self.fair
    }

    fn excuses(&self) -> bool {
        !self.fair
    }

    fn impairs(&self, _: &Fault) -> Impairs {
        if self.fair { Impairs::Nothing } else { Impairs::Nodes }
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let asked = Args(args);
        let ops = self.ops(asked, rng)?;
        let ops = ops.into_iter().map(|op| op.word().into()).collect();
        let share = asked.share("share")?.unwrap_or(1.0);
        let mut drawn = BTreeMap::from([
            ("op".to_owned(), Value::List(ops)),
            ("files".to_owned(), patterns(asked)?.into()),
            ("share".to_owned(), percent((share * 10_000.0).round() as u64)),
            ("seed".to_owned(), rng.bits().cast_signed().into()),
        ]);
        if let Some(count) = asked.get("count") {
            drawn.insert("count".to_owned(), count.clone());
        }
        drawn.extend((self.draw)(asked, rng)?.into_iter().map(|(k, v)| (k.to_owned(), v)));
        // What cannot be carried out is refused now.
        self.rule(Args(&drawn))?;
        Ok(Fault { kind: self.kind.into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        cluster: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let rule = self.rule(Args(&args))?;
            let seed = args.get("seed").and_then(Value::int).unwrap_or_default();
            let rng = Rng::new(seed.cast_unsigned());
            let rule =
                |node: NodeId| Rule { seed: rng.split(&node.to_string()).bits(), ..rule.clone() };
            let rules = put(cluster, &nodes, rule).await?;
            Ok(Box::new(Ruled { nodes, rules, what: self.what }) as Box<dyn Wound>)
        })
    }
}

/// Puts a rule in force on each node, or on none.
pub(super) async fn put(
    cluster: &Arc<Cluster>,
    nodes: &[NodeId],
    rule: impl Fn(NodeId) -> Rule,
) -> Result<Vec<(NodeId, RuleId)>, String> {
    let disks = &cluster.disks;
    let mut rules = Vec::new();
    for node in nodes {
        let (disk, rule) = (disks.of(*node), rule(*node));
        let added = match disk {
            Ok(disk) => off(move || disk.add(rule)).await,
            Err(reason) => Err(reason),
        };
        match added {
            Ok(id) => rules.push((*node, id)),
            Err(reason) => {
                let left = lift(cluster, rules).await.err();
                return Err(left.map_or(reason.clone(), |left| format!("{reason}; {left}")));
            }
        }
    }
    Ok(rules)
}

/// Lifts rules and says how they have bitten.
pub(super) async fn lift(
    cluster: &Arc<Cluster>,
    rules: Vec<(NodeId, RuleId)>,
) -> Result<Vec<(NodeId, Tally)>, String> {
    let disks = &cluster.disks;
    let (mut tallies, mut failed) = (Vec::new(), Vec::new());
    for (node, id) in rules {
        let disk = disks.of(node)?;
        match off(move || disk.lift(id)).await {
            Ok(tally) => tallies.push((node, tally)),
            Err(reason) => failed.push(format!("{node}: {reason}")),
        }
    }
    if failed.is_empty() { Ok(tallies) } else { Err(failed.join("; ")) }
}

/// Nodes whose disks follow a rule.
struct Ruled {
    nodes: Vec<NodeId>,
    rules: Vec<(NodeId, RuleId)>,
    what: &'static str,
}

impl Wound for Ruled {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([])
    }

    fn heal<'a>(self: Box<Self>, cluster: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            let tallies = lift(cluster, self.rules).await?;
            let bit = tallies.iter().any(|(_, tally)| tally.total() > 0);
            let mut words: Vec<_> = tallies
                .iter()
                .map(|(node, tally)| format!("{node}: {}", tally_words(tally, self.what)))
                .collect();
            words.extend(revive(cluster, &self.nodes).await?);
            Ok(Effect { bit, words: words.join("; ") })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::means::Means;
    use crate::nemesis::find;
    use crate::network::Backend;

    fn draw(kind: &str, args: &[(&str, Value)]) -> Result<Fault, String> {
        let (nodes, means) = (NodeId::all(3), Means::new(Backend::Switch, true, Vec::new()));
        let ground = Ground { nodes: &nodes, means: &means, load: Duration::from_secs(10) };
        let args = args.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        find(kind).unwrap().draw(&args, &ground, &mut Rng::new(1))
    }

    #[test]
    fn what_is_drawn_is_complete_and_comes_to_a_rule() {
        for row in [&ERROR, &FULL, &SLOW, &READ_ONLY, &CORRUPTION] {
            let fault = draw(row.kind, &[]).unwrap();
            let rule = row.rule(Args(fault.args.map().unwrap())).unwrap();
            assert!(!rule.ops.is_empty() && rule.chance == 1_000_000, "{rule:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_mend() {
        for (kind, args, say) in [
            ("disk-error", vec![("op", Value::from("fly"))], "none of open, create"),
            ("disk-error", vec![("errno", "EFUN".into())], "EIO, ENOSPC"),
            ("disk-error", vec![("files", "[a".into())], "files: `[a`"),
            ("disk-error", vec![("count", 0.into())], "from 1"),
            ("disk-error", vec![("op", Value::List(Vec::new()))], "hits nothing"),
            ("disk-slow", vec![("by", "5s".into())], "at most 2s"),
            ("disk-corruption", vec![("op", "fsync".into())], "read, write"),
            ("power-failure", vec![("torn", true.into())], "keep = \"50%\""),
            ("bit-flip", vec![("nodes", "majority".into())], "no minority"),
            ("truncate", vec![("align", 7.into())], "512"),
            ("snapshot-restore", vec![("nodes", "all".into())], "no minority"),
        ] {
            let error = draw(kind, &args).unwrap_err();
            assert!(error.contains(say), "{kind}: {error}");
        }
        draw("bit-flip", &[("nodes", "all".into()), ("guard", "chunks".into())]).unwrap();
    }
}
