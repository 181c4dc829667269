//! `danso maelstrom test`: what `maelstrom test` is called with, as a test file; then a run of it.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::args::{LimitArgs, RunArgs, TestArgs};
use crate::exit::{Exit, usage};

/// The flags of `maelstrom test` that mean something here.
#[derive(Args)]
pub(crate) struct MaelstromArgs {
    /// What clients do: echo, unique-ids, broadcast, g-set, g-counter, pn-counter, lin-kv, kafka,
    /// txn-list-append.
    #[arg(short, long, value_name = "NAME", default_value = "lin-kv")]
    workload: String,
    /// The program to run as a node.
    #[arg(long, value_name = "FILE")]
    bin: PathBuf,
    /// Its arguments.
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
    /// Cluster size.
    #[arg(long, value_name = "N", default_value_t = 1)]
    node_count: u16,
    /// Clients working at once; 2n is two for each node.
    #[arg(long, value_name = "N", default_value = "1n")]
    concurrency: String,
    /// How long the load lasts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time_limit: u32,
    /// Operations per second, all clients together.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rate: u32,
    /// How late messages between nodes are, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u32,
    /// How that strays: constant, uniform (up to twice as much) or exponential (Pareto's is the
    /// nearest there is).
    #[arg(long, value_name = "WORD", default_value = "constant")]
    latency_dist: String,
    /// Kinds of faults, as in partition,kill.
    #[arg(long, value_name = "KINDS")]
    nemesis: Option<String>,
    /// Seconds from the start of a fault to its end, and from there to the next; 10, or a quarter
    /// of the time if that is less.
    #[arg(long, value_name = "SECONDS")]
    nemesis_interval: Option<u32>,
    /// Who is whose neighbour: grid, line, total, tree, tree3 or tree4.
    #[arg(long, value_name = "SHAPE", default_value = "grid")]
    topology: String,
    /// The seed of every random choice. Without it one is drawn and printed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How nodes are connected: auto, switch, nft, proxy or none.
    #[arg(long, value_name = "BACKEND")]
    network: Option<String>,
    /// Where the test file and run folders go.
    #[arg(long, value_name = "DIR", default_value = "danso-runs")]
    out: PathBuf,
}

/// Writes the test file, names it and runs it.
pub(crate) fn test(args: &MaelstromArgs) -> anyhow::Result<Exit> {
    let text = text(args).map_err(usage)?;
    let file = args.out.join(format!("maelstrom-{}.toml", args.workload));
    let unwritable = |e: std::io::Error| {
        usage(format!("{}: {e}; name a folder that can be written with --out", file.display()))
    };
    std::fs::create_dir_all(&args.out).map_err(unwritable)?;
    std::fs::write(&file, text).map_err(unwritable)?;
    println!("test file   {}", file.display());
    super::run::run(&RunArgs {
        test: TestArgs {
            test: file.to_string_lossy().into_owned(),
            seed: args.seed,
            network: args.network.clone(),
            ..TestArgs::default()
        },
        out: args.out.clone(),
        limits: LimitArgs::default(),
        ..RunArgs::default()
    })
}

/// The test file.
///
/// # Errors
/// If a flag makes no sense: one line.
fn text(args: &MaelstromArgs) -> Result<String, String> {
    let bin = std::path::absolute(&args.bin).map_err(|e| format!("--bin: {e}"))?;
    if !Path::new(&bin).is_file() {
        return Err(format!("--bin {}: there is no such file", args.bin.display()));
    }
    let words = [bin.to_string_lossy().into_owned()].into_iter().chain(args.args.iter().cloned());
    let command: Vec<String> = words.map(|word| quoted(&word)).collect();
    let mut text = format!(
        "# Written by danso maelstrom test.\nworkload = {}\n\
         load = {{ processes = {}, rate = {}, time = \"{}s\", timeout = \"5s\" }}\n\n\
         [target]\nkind = \"maelstrom\"\nnodes = {}\ncommand = [{}]\n",
        quoted(&args.workload),
        processes(&args.concurrency, args.node_count)?,
        args.rate,
        args.time_limit,
        args.node_count,
        command.join(", "),
    );
    if args.workload == "broadcast" {
        text += &format!("topology = {}\n", quoted(&args.topology));
    }
    if args.latency > 0 {
        let late = args.latency;
        // The nearest there is to an exponential distribution has the longer tail.
        let (jitter, shape) = match args.latency_dist.as_str() {
            "constant" => (0, "uniform"),
            "uniform" => (late, "uniform"),
            "exponential" => (late, "pareto"),
            other => {
                return Err(format!(
                    "--latency-dist is `{other}`, but must be constant, uniform or exponential"
                ));
            }
        };
        fault(
            &mut text,
            "delay",
            &format!(
                "nodes = \"all\", with = \"peers\", by = \"{late}ms\", jitter = \"{jitter}ms\", distribution = \"{shape}\", \
             at = [\"0s\"], for = \"{}s\"",
                args.time_limit
            ),
        );
    }
    let kinds = args.nemesis.iter().flat_map(|kinds| kinds.split(','));
    for kind in kinds.map(str::trim).filter(|kind| !kind.is_empty()) {
        let usual = (args.time_limit / 4).clamp(1, 10);
        let lasts = args.nemesis_interval.unwrap_or(usual);
        if 2 * lasts > args.time_limit {
            return Err(format!(
                "--nemesis-interval {lasts} does not fit into --time-limit {}: it must be at most \
                 half of it",
                args.time_limit
            ));
        }
        fault(&mut text, kind, &format!("every = \"{}s\", for = \"{lasts}s\"", 2 * lasts));
    }
    Ok(text)
}

fn fault(text: &mut String, kind: &str, args: &str) {
    *text += &format!("\n[[fault]]\nkind = {}\nargs = {{ {args} }}\n", quoted(kind));
}

/// `10`, or `2n`: two for each node.
fn processes(text: &str, nodes: u16) -> Result<u32, String> {
    let (number, each) = match text.strip_suffix('n') {
        Some(number) => (number, u32::from(nodes)),
        None => (text, 1),
    };
    let count = number.parse::<u32>().ok().and_then(|n| n.checked_mul(each));
    count.ok_or_else(|| format!("--concurrency is `{text}`: write 10, or 2n for two a node"))
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                quoted += &format!("\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: MaelstromArgs,
    }

    fn of(more: &[&str]) -> Result<toml::Table, String> {
        let words = ["danso", "-w", "broadcast", "--bin", "/bin/sh", "--node-count", "5"];
        let line = Line::try_parse_from(words.iter().chain(more)).map_err(|e| e.to_string())?;
        toml::from_str(&text(&line.args)?).map_err(|e| e.to_string())
    }

    #[test]
    fn flags_become_a_test_file() {
        let file =
            of(&["--concurrency", "2n", "--rate", "100", "--", "-c", "say \"a\\b\""]).unwrap();
        assert_eq!(file["load"]["processes"].as_integer(), Some(10));
        assert_eq!(file["load"]["rate"].as_integer(), Some(100));
        let command = file["target"]["command"].as_array().unwrap();
        assert_eq!(command[2].as_str(), Some("say \"a\\b\""));
        assert_eq!(file["target"]["topology"].as_str(), Some("grid"));
        assert!(file.get("fault").is_none());
        let file = of(&["--latency", "10", "--nemesis", "partition,kill"]).unwrap();
        let faults = file["fault"].as_array().unwrap();
        let kinds: Vec<_> = faults.iter().filter_map(|f| f["kind"].as_str()).collect();
        assert_eq!(kinds, ["delay", "partition", "kill"]);
        let every = |more: &[&str]| {
            let file = of(more).unwrap();
            file["fault"][0]["args"]["every"].as_str().map(str::to_owned)
        };
        let limited = ["--nemesis", "kill", "--time-limit"];
        assert_eq!(every(&[limited.as_slice(), &["60"]].concat()).as_deref(), Some("20s"));
        assert_eq!(every(&[limited.as_slice(), &["12"]].concat()).as_deref(), Some("6s"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(of(&["--concurrency", "n"]).unwrap_err().contains("--concurrency"));
        let long = ["--nemesis", "kill", "--time-limit", "15", "--nemesis-interval", "10"];
        assert!(of(&long).unwrap_err().contains("half"));
        assert!(of(&["--latency", "1", "--latency-dist", "odd"]).unwrap_err().contains("odd"));
        assert!(of(&["--bin", "/nosuch"]).is_err());
    }
}
