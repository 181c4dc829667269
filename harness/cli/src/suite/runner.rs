//! Running the tests of a suite: each in a process of its own, several at once.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use danso_engine::progress::Interrupt;
use danso_reports::suite::{Outcome, State, Suite, Try};

use super::cases::Case;
use super::queue::Queue;
use super::screen::Screen;
use super::store::Store;
use super::{Options, Planned, outcome, record, test};
use crate::child;

/// How often the screen is refreshed.
const TICK: Duration = Duration::from_millis(200);

/// What a thread has to say of its test.
enum Said {
    /// A run is over.
    Tried(usize, Try),
    /// All its runs are.
    Over(usize),
    /// danso cannot run it: why.
    Broken(anyhow::Error),
}

/// Runs what is planned. What could be run is in the answer, whatever ended it.
///
/// # Errors
/// If danso cannot start itself, or the folder cannot be written.
pub(super) fn run(
    options: &Options,
    planned: Planned,
    previous: Option<&Suite>,
    store: &Store,
    interrupt: &Interrupt,
) -> anyhow::Result<Suite> {
    let mut suite = record(options, &planned);
    let queue = match options.budget {
        None => Queue::in_order(planned.cases),
        Some(_) => Queue::by_budget(planned.cases, planned.seed, previous),
    };
    store.write(&mut suite)?;
    let screen = Screen::new(&suite, options);
    let since = Instant::now();
    let (say, said) = mpsc::channel();
    let running = BTreeMap::new();
    let keep_passed = options.keep_passed;
    let mut round = Round { store, suite, queue, screen, running, keep_passed };
    let mut broken = None;
    std::thread::scope(|scope| {
        let mut stop = None::<String>;
        loop {
            while stop.is_none() && broken.is_none() && round.running.len() < options.jobs {
                let left =
                    options.budget.map_or(Duration::MAX, |b| b.saturating_sub(since.elapsed()));
                let Some((i, why)) = round.queue.next(left) else { break };
                if let Err(error) = round.begin(i, why) {
                    broken = Some(error);
                    break;
                }
                let (case, say) = (round.queue.case(i).clone(), say.clone());
                scope.spawn(move || {
                    let over = tries(options, store, interrupt, i, &case, &say);
                    // The receiver outlives all threads.
                    let _ = say.send(over.map_or_else(Said::Broken, |()| Said::Over(i)));
                });
            }
            if round.running.is_empty() {
                break;
            }
            let heard = match said.recv_timeout(TICK) {
                Ok(Said::Tried(i, tried)) => round.tried(i, tried),
                Ok(Said::Over(i)) => round.over(i).map(|bad| {
                    if bad && options.fail_fast && stop.is_none() {
                        stop = Some("a test went wrong, and --fail-fast was asked for".to_owned());
                    }
                }),
                Ok(Said::Broken(error)) => {
                    round.running.clear();
                    Err(error)
                }
                Err(_) => {
                    round.screen.tick(&round.suite, &round.running);
                    Ok(())
                }
            };
            if let Err(error) = heard {
                // Nothing is gained by running what cannot be stored.
                interrupt.raise("the suite cannot go on");
                broken = broken.take().or(Some(error));
            }
            stop = stop.or_else(|| interrupt.raised());
        }
        round.suite.state = stop.map_or(State::Ended, State::CutShort);
    });
    drop(round.screen);
    store.write(&mut round.suite)?;
    match broken {
        Some(error) => Err(error),
        None => Ok(round.suite),
    }
}

/// A suite under way.
struct Round<'a> {
    store: &'a Store,
    suite: Suite,
    queue: Queue,
    screen: Screen,
    /// Tests under way, and since when.
    running: BTreeMap<usize, Instant>,
    keep_passed: bool,
}

impl Round<'_> {
    fn begin(&mut self, i: usize, why: Option<String>) -> anyhow::Result<()> {
        if i == self.suite.tests.len() {
            self.suite.tests.push(test(self.queue.case(i)));
        }
        let test = &mut self.suite.tests[i];
        test.outcome = Outcome::Running;
        test.chosen = why;
        self.running.insert(i, Instant::now());
        self.screen.begun(&self.suite.tests[i]);
        self.store.write(&mut self.suite)
    }

    fn tried(&mut self, i: usize, mut tried: Try) -> anyhow::Result<()> {
        self.queue.learn(i, &tried);
        let superfluous = !self.keep_passed && tried.outcome == Outcome::Passed;
        if superfluous {
            tried.folder = None;
        }
        let tries = &mut self.suite.tests[i].tries;
        tries.push(tried);
        let attempt = tries.len();
        self.store.write(&mut self.suite)?;
        // Only now that nothing leads to it any more.
        if superfluous { self.store.forget(i, attempt) } else { Ok(()) }
    }

    /// Answers whether it counts against the suite.
    fn over(&mut self, i: usize) -> anyhow::Result<bool> {
        self.running.remove(&i);
        let test = &mut self.suite.tests[i];
        let worst = test.tries.iter().map(|t| t.outcome).max();
        test.outcome = worst.unwrap_or(Outcome::Error);
        test.reason = test.decisive().map(|t| t.reason.clone()).unwrap_or_default();
        self.screen.ended(&self.suite.tests[i]);
        self.store.write(&mut self.suite)?;
        Ok(self.suite.is_bad(self.suite.tests[i].outcome))
    }
}

/// Runs a test, and once it did not pass as often again as was asked for.
fn tries(
    options: &Options,
    store: &Store,
    interrupt: &Interrupt,
    i: usize,
    case: &Case,
    say: &mpsc::Sender<Said>,
) -> anyhow::Result<()> {
    let words = case.words();
    let usual = 3 * case.load + Duration::from_secs(180);
    let timeout = case.timeout.or(options.timeout).unwrap_or(usual);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let out = store.run(i, attempt);
        let order = child::Order { args: &words, out: &out, timeout: Some(timeout) };
        let tried = outcome::tried(&child::run(&order, interrupt)?, store.root());
        let bad = tried.outcome > Outcome::Passed;
        // The receiver outlives all threads.
        let _ = say.send(Said::Tried(i, tried));
        let again = (bad || attempt > 1) && attempt <= options.retries as usize;
        if !again || interrupt.raised().is_some() {
            return Ok(());
        }
    }
}
