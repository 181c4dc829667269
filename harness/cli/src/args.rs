//! What can be typed. Meaning comes later: [`crate::spec`] and [`crate::draw`] resolve it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use danso_vocab::codec::history::Format;

use crate::commands::maelstrom::MaelstromArgs;
use crate::commands::replay::{self, ReplayArgs};
use crate::commands::serve::{self, ServeArgs};
use crate::commands::shrink::{self, ShrinkArgs};
use crate::commands::suite::{self, SuiteArgs};

/// Chaos testing and consistency checking in one binary.
#[derive(Parser)]
#[command(name = "danso", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 valid, 1 invalid (an anomaly was found), 2 unknown,
254 bad usage or bad input, 255 internal or environment failure.";

const RUN_EXAMPLES: &str = "\
Examples:
  danso run raft-kv                         a 3-node Raft cluster under every fault it should stand
  danso run raft-kv --time 60s --seed 7     the same operations and faults each time
  danso run raft-kv --bug stale-read        a planted bug: danso should find it
  danso run raft-kv --time 1h --check-live  ends at the first violation
  danso run raft-kv --faults swarm          half of the faults, in a rhythm of the seed's own
  danso run raft-kv --faults kill --nodes 5 --set params.keys=2
  danso run my-test.toml                    a declarative test";

const CHECK_EXAMPLES: &str = "\
Examples:
  danso check danso-runs/latest                     the newest run again
  danso check history.jsonl --model cas-register    a history recorded by anything
  danso check a.jsonl b.jsonl --model register --json";

const VERIFY_EXAMPLES: &str = "\
Examples:
  danso check h.jsonl --model cas-register --certificate c.json
  danso verify c.json h.jsonl
  danso verify c.json danso-runs/latest --model cas-register

Exit codes: 0 the certificate proves its verdict, be it valid or invalid; 1 it does not;
2 it is too large to tell; 254 bad usage or bad input.";

const MAELSTROM_EXAMPLES: &str = "\
Examples:
  danso maelstrom test -w echo --bin ./echo.py --time-limit 5
  danso maelstrom test -w broadcast --bin ./broadcast.py --node-count 5 --time-limit 20 \\
      --rate 100 --latency 10 --nemesis partition
  danso maelstrom test -w lin-kv --bin ./raft.rb --node-count 3";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Launch a cluster, drive it, break it, check what it answered, write a report.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Check recorded histories or run folders.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Check a certificate: whether it proves its verdict about a history.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Write the report of a run folder again.
    Report(ReportArgs),
    /// Show run folders in a browser: all runs, live ones too, reports, comparisons, files.
    #[command(after_help = serve::EXAMPLES)]
    Serve(ServeArgs),
    /// Run many tests, each in a process of its own, and write junit.xml and one page over all.
    #[command(after_help = suite::EXAMPLES)]
    Suite(SuiteArgs),
    /// Run the plan of a run again, and say how often its anomaly recurred.
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
    /// Find the smallest history, or the smallest test, that is still invalid.
    #[command(after_help = shrink::EXAMPLES)]
    Shrink(ShrinkArgs),
    /// Show what a run would do, without doing it.
    #[command(after_help = "Example:\n  danso plan raft-kv --seed 7 --json > plan.json")]
    Plan(PlanArgs),
    /// List what there is.
    List {
        /// What to list.
        #[arg(value_enum)]
        what: Listed,
    },
    /// Say what this machine can inject, and why not.
    Doctor(DoctorArgs),
    /// Measure danso itself: controller cost per operation, throughput of a healthy cluster.
    Bench(BenchArgs),
    /// Run programs written for Maelstrom, with the flags of its own command line.
    Maelstrom {
        #[command(subcommand)]
        command: MaelstromCommand,
    },
    /// Write a start that works, to be changed: a test of your own system, or a workload in Rust.
    #[command(after_help = "Example:\n  danso new target my-system; danso run my-system.toml")]
    New {
        /// What to write.
        #[arg(value_enum)]
        what: Made,
        /// Its name: NAME.toml or NAME.rs is written, and nothing overwritten.
        name: String,
    },
    /// Run one node of a bundled target (what `run` starts for you).
    #[command(disable_help_flag = true)]
    Node {
        /// The target.
        target: String,
        /// The node's own arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

/// What Maelstrom's command line can do here.
#[derive(Subcommand)]
pub(crate) enum MaelstromCommand {
    /// Write a test file for these flags and run it.
    #[command(after_help = MAELSTROM_EXAMPLES)]
    Test(MaelstromArgs),
}

/// What decides a run.
#[derive(Args, Clone, Default)]
pub(crate) struct TestArgs {
    /// A target's name (see `danso list targets`) or a test file ending in .toml.
    #[arg(value_name = "TEST.toml|NAME")]
    pub(crate) test: String,
    /// What clients do (see `danso list workloads`).
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Option<String>,
    /// Fault kinds, as in partition,kill; `auto` is all that work here, `swarm` a random half of
    /// them in a random rhythm, `none` is none (see `danso list faults`).
    #[arg(long, value_name = "KINDS")]
    pub(crate) faults: Option<String>,
    /// How long the load lasts, as in 30s or 2m.
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// The seed of every random choice. Without it one is drawn and printed.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Cluster size.
    #[arg(long, value_name = "N")]
    pub(crate) nodes: Option<u16>,
    /// Clients working at once.
    #[arg(long, value_name = "N")]
    pub(crate) processes: Option<u32>,
    /// Operations per second, all clients together. Without it: full speed.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<u32>,
    /// A planted bug of the target (see `danso list targets`); `none` takes out a test file's.
    #[arg(long, value_name = "NAME")]
    pub(crate) bug: Option<String>,
    /// Any other setting, as in params.keys=4, options.heartbeat-ms=50, load.timeout=500ms, or
    /// target.env.MODE=fast for a target described in a file.
    #[arg(long, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// How nodes are connected: auto, switch, nft, proxy or none.
    #[arg(long, value_name = "BACKEND")]
    pub(crate) network: Option<String>,
    /// The addresses nodes have: v4 or v6.
    #[arg(long, value_name = "VERSION")]
    pub(crate) ip: Option<String>,
}

#[derive(Args, Clone, Default)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) test: TestArgs,
    /// Where run folders go.
    #[arg(long, value_name = "DIR", default_value = "danso-runs")]
    pub(crate) out: PathBuf,
    /// Write what passes each node's network interface to nodes/*.pcap.
    #[arg(long)]
    pub(crate) pcap: bool,
    /// Write who sent how many bytes to whom, and what became of them, to traffic.jsonl.
    #[arg(long)]
    pub(crate) traffic: bool,
    /// Check while the load runs and end it at the first violation. The verdict is that of the
    /// check after the run all the same.
    #[arg(long)]
    pub(crate) check_live: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// How much checking may cost.
#[derive(Args, Clone)]
pub(crate) struct LimitArgs {
    /// How long checking may take before the verdict is unknown.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) timeout: String,
    /// How much memory checking may take before the verdict is unknown.
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub(crate) memory: String,
    /// Threads for checking. Without it: one a processor.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

impl Default for LimitArgs {
    fn default() -> Self {
        LimitArgs { timeout: "60s".to_owned(), memory: "4GiB".to_owned(), threads: None }
    }
}

/// How to read histories that danso did not record.
#[derive(Args, Clone, Default)]
pub(crate) struct ReadArgs {
    /// The format: jsonl, edn, txt, log, kv or json. Without it: told by the first bytes.
    /// gzip and zstd are unpacked in any case.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Repair what can be repaired safely in an ill-formed history, and say what was done.
    #[arg(long)]
    pub(crate) lenient: bool,
    /// Values are [key value] pairs, one object per key. Without it: told by the operations;
    /// --independent=false says they are not.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) independent: Option<bool>,
    /// A compare-and-set that failed without another reason than a mismatch has seen another
    /// value. Without it, it constrains nothing. Only right where the system vouches for it.
    #[arg(long)]
    pub(crate) strict_fail: bool,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Histories in any known format, or run folders; `-` is standard input.
    #[arg(required = true, value_name = "HISTORY|RUN")]
    pub(crate) histories: Vec<PathBuf>,
    /// What the history is of (see `danso list models`). A run folder knows by itself.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The object's value before the first operation, as JSON. Without it: nil, or what the
    /// format or the model's users take for granted, and then a note says so.
    #[arg(long, value_name = "VALUE")]
    pub(crate) initial: Option<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// How to decide: by a polynomial procedure where one fits and else by search, or as told.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) algorithm: AlgorithmArg,
    /// Print results as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a report here (one history only).
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Write a proof of the verdict here, for `danso verify` (one history only). A valid history
    /// without one counts as unknown.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// What `check --certificate` wrote.
    #[arg(value_name = "CERTIFICATE")]
    pub(crate) certificate: PathBuf,
    /// The history.jsonl file or run folder it is about; `-` reads standard input.
    #[arg(value_name = "HISTORY|RUN")]
    pub(crate) history: PathBuf,
    /// The model it must be about. Without it: whatever it says.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The value the object must begin with. Without it: whatever it says.
    #[arg(long, value_name = "VALUE")]
    pub(crate) initial: Option<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// The run folder.
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) test: TestArgs,
    /// Print the stored form, plan.json.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Undo what killed runs have left behind.
    #[arg(long)]
    pub(crate) clean: bool,
    /// Where run folders are.
    #[arg(long, value_name = "DIR", default_value = "danso-runs")]
    pub(crate) out: PathBuf,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// How long each measurement lasts.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(crate) time: String,
}

/// How to decide linearizability.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum AlgorithmArg {
    /// By a polynomial procedure where one fits, else by search.
    Auto,
    /// By search.
    Search,
    /// By a polynomial procedure; unknown where none fits.
    Polynomial,
    /// Both ways; unknown should they ever disagree.
    Both,
}

/// What `new` writes.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Made {
    /// A test file for a system of your own.
    Target,
    /// A workload and its model, in Rust.
    Workload,
}

/// What `list` lists.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Listed {
    /// Systems danso can start.
    Targets,
    /// What clients can do.
    Workloads,
    /// What can go wrong.
    Faults,
    /// What can be decided.
    Checkers,
    /// What a history can be of.
    Models,
}
