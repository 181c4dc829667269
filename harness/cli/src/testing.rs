//! [`Test`]: a run asked for by a program, such as a `#[test]`.

mod binary;
mod report;
mod subject;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use danso_engine::network::{self, Choice, NetworkError};
use danso_engine::progress::Interrupt;
use danso_engine::target::{Client, Member};
use danso_vocab::{NodeId, Plan, Process};

pub use self::report::Report;
pub use self::subject::{Load, Subject};

use crate::args::{LimitArgs, TestArgs};
use crate::check::Budget;
use crate::exit::usage;
use crate::launch::Launch;
use crate::parts::{Own, Parts};
use crate::spec::Spec;
use crate::{display, draw};

/// The variable that says which seed tests take that name none.
const SEED: &str = "DANSO_SEED";

/// A test of a system: what `danso run` does, from Rust. Everything not said is as there.
///
/// ```no_run
/// # use std::time::Duration;
/// let test = danso::Test::new("raft-kv", "register").time(Duration::from_secs(10));
/// test.faults("kill,pause").run().unwrap().assert_valid();
/// ```
///
/// Tests may run at the same time. A process with several threads, as every `#[test]` is in, has
/// the network `switch` only as root, and else `proxy`: [`Report::network`] tells which it was,
/// and a fault it cannot do is refused before anything starts.
#[derive(Clone)]
#[must_use = "it does nothing until run"]
pub struct Test {
    args: TestArgs,
    own: Own,
    out: PathBuf,
}

impl Test {
    /// A test of this target under this workload. The target is a bundled one's name, the path of
    /// a test file or an `Arc` of your own; the workload a name or your own.
    pub fn new(target: impl Into<Subject>, workload: impl Into<Load>) -> Test {
        let (subject, load) = (target.into(), workload.into());
        let workload = Some(load.name.to_owned());
        let args = TestArgs { test: subject.name, workload, ..TestArgs::default() };
        let own = Own { target: subject.own, workload: load.own, connect: None };
        let out = binary::built_in().unwrap_or_default().join("danso-runs");
        Test { args, own, out }
    }

    /// Clients of your own in place of the target's. A test file then needs no `[client]`.
    /// `connect` must be cheap and without I/O: a connection is made at the first call.
    pub fn client<C: Client + 'static>(
        mut self,
        connect: impl Fn(&[Member], NodeId, Process) -> C + Send + Sync + 'static,
    ) -> Test {
        self.own.connect =
            Some(Arc::new(move |all, node, process| Box::new(connect(all, node, process))));
        self
    }

    /// The kinds of faults, as in `"kill,partition"`; or `auto` (if not said), `swarm`, `none`.
    pub fn faults(mut self, kinds: &str) -> Test {
        self.args.faults = Some(kinds.to_owned());
        self
    }

    /// How long the load lasts; 30 seconds if not said.
    pub fn time(mut self, time: Duration) -> Test {
        self.args.time = Some(format!("{}ns", time.as_nanos()));
        self
    }

    /// Operations per second, all clients together; full speed if not said.
    pub fn rate(mut self, rate: u32) -> Test {
        self.args.rate = Some(rate);
        self
    }

    /// The seed of every random choice. If not said it is drawn, or what `DANSO_SEED` says.
    pub fn seed(mut self, seed: u64) -> Test {
        self.args.seed = Some(seed);
        self
    }

    /// Cluster size; the target's usual one if not said, 3 for one of your own.
    pub fn nodes(mut self, nodes: u16) -> Test {
        self.args.nodes = Some(nodes);
        self
    }

    /// Clients working at once; 10 if not said.
    pub fn processes(mut self, processes: u32) -> Test {
        self.args.processes = Some(processes);
        self
    }

    /// A planted bug of a bundled target, to see it found.
    pub fn bug(mut self, bug: &str) -> Test {
        self.args.bug = Some(bug.to_owned());
        self
    }

    /// Any other setting, as `danso run --set`: `.set("params.keys", 4)`.
    pub fn set(mut self, path: &str, value: impl Display) -> Test {
        self.args.set.push(format!("{path}={value}"));
        self
    }

    /// How nodes are connected: `auto` (if not said), `switch`, `nft`, `proxy` or `none`.
    pub fn network(mut self, backend: &str) -> Test {
        self.args.network = Some(backend.to_owned());
        self
    }

    /// Where run folders go; `danso-runs` if not said, in cargo's `target` if cargo has built this
    /// program.
    pub fn out(mut self, folder: impl AsRef<Path>) -> Test {
        folder.as_ref().clone_into(&mut self.out);
        self
    }

    /// Runs it, and checks what was seen.
    ///
    /// # Errors
    /// If it cannot be run: a wrong name or setting, no danso binary, a system that does not
    /// start. One line, with the mend. What the check says is no error, but in the report.
    pub fn run(self) -> Result<Report, Error> {
        self.launch().map_err(Error)
    }

    fn launch(self) -> anyhow::Result<Report> {
        let budget = Budget::silent(&LimitArgs::default())?;
        let spec = Spec::of(&self.args)?;
        let seed = match (spec.seed, std::env::var(SEED)) {
            (Some(seed), _) => seed,
            (None, Ok(seed)) => seed
                .parse()
                .map_err(|_| usage(format!("{SEED} is `{seed}`, but must be a number")))?,
            (None, Err(_)) => draw::fresh_seed()?,
        };
        let exe = binary::find()?;
        let mut plan = draw::draw_with(&spec, &self.own, seed)?;
        let name = format!("{} under {}", plan.name, plan.workload.name);
        if let Some(name) = this_test() {
            plan.name = name.replace("::", "-");
        }
        let parts = Parts::with(&plan, &self.own)?;
        let choice: Choice =
            plan.network.parse().map_err(|e: NetworkError| usage(e.to_string()))?;
        let prepared = network::prepare(choice).map_err(|e| usage(e.to_string()))?;
        let mut ended = Launch {
            plan: &plan,
            parts: &parts,
            exe: &exe,
            out: &self.out,
            budget: &budget,
            pcap: false,
            traffic: false,
            watch: None,
            interrupt: Interrupt::default(),
            reproduce: reproduce(&plan, spec.seed.is_some()),
            shown: false,
        }
        .run(&prepared)?;
        ended.whole()?;
        Ok(Report::new(name, seed, ended, prepared.backend.word(), prepared.notes))
    }
}

/// The name of the `#[test]` that this thread is.
fn this_test() -> Option<String> {
    std::thread::current().name().filter(|name| *name != "main").map(str::to_owned)
}

/// The command that does it again; `fixed` if the program itself names the seed.
fn reproduce(plan: &Plan, fixed: bool) -> String {
    let mut words = Vec::new();
    if let Some(test) = this_test() {
        words.extend(["cargo".to_owned(), "test".to_owned()]);
        if let Ok(package) = std::env::var("CARGO_PKG_NAME") {
            words.extend(["-p".to_owned(), package]);
        }
        words.extend([test, "--".to_owned(), "--exact".to_owned()]);
    } else {
        words.extend(std::env::args());
    }
    let command = display::shell(words.iter().map(String::as_str));
    if fixed { command } else { format!("{SEED}={} {command}", plan.seed) }
}

/// Why a test could not be run.
pub struct Error(anyhow::Error);

impl Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:#}", self.0)
    }
}

/// As [`Display`]: it is what `unwrap` prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, out)
    }
}

impl std::error::Error for Error {}
