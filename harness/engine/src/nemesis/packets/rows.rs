//! The kinds: each a name, its arguments, and the [`Policy`] they come to.

use std::time::Duration;

use danso_vocab::Rng;

use super::super::args::{Args, percent, time};
use super::super::links::{DIRECTION, WITH};
use super::{Drawn, Packets};
use crate::network::{Ability, Block, Chance, Delay, Distribution, Http, Mishap, Policy};

const NODES: (&str, &str) = ("nodes", "around whom: a node selector (default: one)");
const SHARE: (&str, &str) = ("share", "of how many packets, as in \"20%\"");
const CORRELATION: (&str, &str) =
    ("correlation", "how much each packet fares like the one before, as in \"25%\" (default: 0%)");

/// Delay.
pub(in crate::nemesis) static DELAY: Packets = Packets {
    kind: "delay",
    about: "makes traffic late: a mean, jitter and its distribution",
    args: &[
        NODES,
        WITH,
        DIRECTION,
        ("by", "the mean (default: random, 5ms to 300ms)"),
        ("jitter", "how far it strays (default: a fifth of the mean)"),
        ("distribution", "uniform, normal or pareto (default: normal)"),
    ],
    ability: Ability::Delay,
    fair: true,
    draw: |args, rng| {
        let by = args.duration("by")?;
        // As many small delays as great ones: 5 ms times 1 to 60, on a logarithmic scale.
        let by = by.unwrap_or_else(|| Duration::from_millis((5 << rng.below(6)) + rng.below(140)));
        let jitter = args.duration("jitter")?.unwrap_or(by / 5);
        let shape = args.word("distribution", &["uniform", "normal", "pareto"])?;
        let shape = shape.unwrap_or("normal");
        Ok(vec![("by", time(by)), ("jitter", time(jitter)), ("distribution", shape.into())])
    },
    policy: |args| {
        let distribution = match args.word("distribution", &["uniform", "normal", "pareto"])? {
            Some("uniform") => Distribution::Uniform,
            Some("pareto") => Distribution::Pareto,
            _ => Distribution::Normal,
        };
        let mean = args.duration("by")?.ok_or("by is missing")?;
        let jitter = args.duration("jitter")?.unwrap_or_default();
        let delay = Delay { mean, jitter, distribution };
        Ok(Policy { delay, ..Policy::default() })
    },
};

/// Loss.
pub(in crate::nemesis) static LOSS: Packets = Packets {
    kind: "loss",
    about: "loses a share of the packets",
    args: &[NODES, WITH, DIRECTION, SHARE, CORRELATION],
    ability: Ability::Loss,
    fair: true,
    draw: |args, rng| chance(args, rng, 500, 4_000),
    policy: |args| Ok(Policy { loss: of(args)?, ..Policy::default() }),
};

/// Duplicate.
pub(in crate::nemesis) static DUPLICATE: Packets = Packets {
    kind: "duplicate",
    about: "delivers a share of the packets twice",
    args: &[NODES, WITH, DIRECTION, SHARE, CORRELATION],
    ability: Ability::Duplicate,
    fair: true,
    draw: |args, rng| chance(args, rng, 1_000, 6_000),
    policy: |args| Ok(Policy { duplicate: of(args)?, ..Policy::default() }),
};

/// Reorder.
pub(in crate::nemesis) static REORDER: Packets = Packets {
    kind: "reorder",
    about: "lets a share of the packets overtake others, which are delayed for it",
    args: &[
        NODES,
        WITH,
        DIRECTION,
        SHARE,
        CORRELATION,
        ("by", "how late the others are (default: 10ms)"),
    ],
    ability: Ability::Reorder,
    fair: true,
    draw: |args, rng| {
        let mut drawn = chance(args, rng, 1_000, 5_000)?;
        let by = args.duration("by")?.unwrap_or(Duration::from_millis(10));
        drawn.push(("by", time(by)));
        Ok(drawn)
    },
    policy: |args| {
        let mean = args.duration("by")?.unwrap_or_default();
        let delay = Delay { mean, ..Delay::default() };
        Ok(Policy { reorder: of(args)?, delay, ..Policy::default() })
    },
};

/// Corrupt.
pub(in crate::nemesis) static CORRUPT: Packets = Packets {
    kind: "corrupt",
    about: "flips a bit in a share of the packets; checksums tell, unless believably",
    args: &[
        NODES,
        WITH,
        DIRECTION,
        SHARE,
        CORRELATION,
        ("believably", "true: with checksums that fit, which no TCP survives (default: false)"),
    ],
    ability: Ability::Corrupt,
    fair: true,
    draw: |args, rng| {
        let mut drawn = chance(args, rng, 500, 3_000)?;
        drawn.push(("believably", args.flag("believably")?.into()));
        Ok(drawn)
    },
    policy: |args| {
        let corrupt_believably = args.flag("believably")?;
        Ok(Policy { corrupt: of(args)?, corrupt_believably, ..Policy::default() })
    },
};

/// Bandwidth.
pub(in crate::nemesis) static BANDWIDTH: Packets = Packets {
    kind: "bandwidth",
    about: "lets only so many bits pass per second",
    args: &[NODES, WITH, DIRECTION, ("rate", "as in \"1mbit\" (default: 64kbit to 2mbit)")],
    ability: Ability::Bandwidth,
    fair: true,
    draw: |args, rng| {
        let rate = match args.bits("rate")? {
            Some(bits) => format!("{bits}bit"),
            None => format!("{}kbit", 64 << rng.below(6)),
        };
        Ok(vec![("rate", rate.into())])
    },
    policy: |args| Ok(Policy { bandwidth: args.bits("rate")?, ..Policy::default() }),
};

/// Blackhole.
pub(in crate::nemesis) static BLACKHOLE: Packets = Packets {
    kind: "blackhole",
    about: "swallows packets longer than a limit and tells nobody, as a wrong MTU does",
    args: &[
        NODES,
        WITH,
        DIRECTION,
        ("longest", "bytes of IP packet that still pass (default: 100 to 400)"),
    ],
    ability: Ability::Longest,
    fair: true,
    draw: |args, rng| {
        let longest = args.number("longest", 68, 65_535)?;
        let longest = longest.unwrap_or_else(|| rng.between(100, 400));
        Ok(vec![("longest", (longest as i64).into())])
    },
    policy: |args| {
        let longest = args.number("longest", 68, 65_535)?.map(|n| n as u32);
        Ok(Policy { longest, ..Policy::default() })
    },
};

/// Reset.
pub(in crate::nemesis) static RESET: Packets = Packets {
    kind: "reset",
    about: "answers a share of the TCP segments with a reset to both ends",
    args: &[NODES, WITH, DIRECTION, SHARE],
    ability: Ability::Reset,
    fair: true,
    draw: |args, rng| chance(args, rng, 100, 3_000),
    policy: |args| Ok(Policy { reset: of(args)?, ..Policy::default() }),
};

/// Hold.
pub(in crate::nemesis) static HOLD: Packets = Packets {
    kind: "hold",
    about: "holds traffic back and releases all of it, in order, at the end",
    args: &[NODES, WITH, DIRECTION],
    ability: Ability::Hold,
    fair: true,
    draw: |_, _| Ok(Vec::new()),
    policy: |_| Ok(Policy::blocked(Block::Hold)),
};

/// Slow close.
pub(in crate::nemesis) static SLOW_CLOSE: Packets = Packets {
    kind: "slow-close",
    about: "delivers the ends of connections late: peers of the dead keep half-open connections",
    args: &[NODES, WITH, DIRECTION, ("by", "how late (default: 2s)")],
    ability: Ability::Linger,
    // It bites only where connections end: whoever wants it knows that some do.
    fair: false,
    draw: |args, _| {
        let by = args.duration("by")?.unwrap_or(Duration::from_secs(2));
        Ok(vec![("by", time(by))])
    },
    policy: |args| {
        let linger = args.duration("by")?.ok_or("by is missing")?;
        Ok(Policy { linger, ..Policy::default() })
    },
};

/// Wrong HTTP answers.
pub(in crate::nemesis) static HTTP: Packets = Packets {
    kind: "http",
    about: "spoils a share of the HTTP responses: another status, a late answer, half a body",
    args: &[
        NODES,
        WITH,
        DIRECTION,
        ("share", "of how many responses, as in \"20%\" (default: random)"),
        ("mishap", "status, delay or truncate (default: a random one)"),
        ("status", "with status: which (default: 503)"),
        ("by", "with delay: how late (default: 300ms)"),
        ("bytes", "with truncate: what is left of the body (default: 1)"),
    ],
    ability: Ability::Http,
    // A status of our own making is a lie about what happened: the node has done the work.
    fair: false,
    draw: |args, rng| {
        let mut drawn = chance(args, rng, 1_000, 5_000)?;
        drawn.truncate(1);
        let mishaps = ["status", "delay", "truncate"];
        let mishap = match args.word("mishap", &mishaps)? {
            Some(mishap) => mishap,
            None => mishaps[rng.below(3) as usize],
        };
        drawn.push(("mishap", mishap.into()));
        drawn.push(match mishap {
            "status" => {
                let status = args.number("status", 200, 599)?.unwrap_or(503);
                ("status", (status as i64).into())
            }
            "delay" => ("by", time(args.duration("by")?.unwrap_or(Duration::from_millis(300)))),
            _ => {
                let bytes = args.number("bytes", 0, 1 << 30)?.unwrap_or(1);
                ("bytes", (bytes as i64).into())
            }
        });
        Ok(drawn)
    },
    policy: |args| {
        let share = args.share("share")?.ok_or("share is missing")?;
        let mishap = match args.word("mishap", &["status", "delay", "truncate"])? {
            Some("status") => {
                Mishap::Status(args.number("status", 200, 599)?.unwrap_or(503) as u16)
            }
            Some("truncate") => {
                Mishap::Truncate(args.number("bytes", 0, 1 << 30)?.unwrap_or(1) as u32)
            }
            _ => Mishap::Delay(args.duration("by")?.unwrap_or_default()),
        };
        Ok(Policy { http: Some(Http { share, mishap }), ..Policy::default() })
    },
};

/// A chance from `low` to `high` hundredths of a percent, unless the arguments give one.
fn chance(args: Args<'_>, rng: &mut Rng, low: u64, high: u64) -> Result<Drawn, String> {
    args.share("share")?;
    let correlation = args.share("correlation")?;
    if correlation.is_some_and(|c| c >= 1.0) {
        return Err("correlation must be below 100%".to_owned());
    }
    let drawn = percent(rng.between(low, high));
    let share = args.get("share").cloned().unwrap_or(drawn);
    let correlation = args.get("correlation").cloned().unwrap_or_else(|| percent(0));
    Ok(vec![("share", share), ("correlation", correlation)])
}

fn of(args: Args<'_>) -> Result<Chance, String> {
    Ok(Chance {
        share: args.share("share")?.ok_or("share is missing")?,
        correlation: args.share("correlation")?.unwrap_or_default(),
    })
}
