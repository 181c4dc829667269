//! [`Screen`]: a line for each finished test, a moving one for those under way, and at the end
//! what went wrong, where the eye is.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use danso_reports::suite::{Outcome, State, Suite, Test};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Options;

/// How often something is said where lines cannot move.
const LINE: Duration = Duration::from_secs(30);
/// Characters of a reason in a line.
const REASON: usize = 160;

/// What is shown of a suite under way.
pub(super) struct Screen {
    bar: ProgressBar,
    moving: bool,
    said: Instant,
    since: Instant,
}

impl Screen {
    pub(super) fn new(suite: &Suite, options: &Options) -> Screen {
        let budget = options.budget.map_or_else(String::new, |b| format!(", for {b:?}"));
        println!(
            "suite {}: {} tests, seed {}, {} at once{budget}",
            shown(&suite.name),
            suite.tests.len(),
            suite.seed,
            options.jobs
        );
        for test in suite.tests.iter().filter(|t| t.outcome == Outcome::Skipped) {
            println!("{}", line(test));
        }
        let moving = std::io::stderr().is_terminal();
        let target =
            if moving { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Screen { bar, moving, said: Instant::now(), since: Instant::now() }
    }

    /// A test was begun.
    pub(super) fn begun(&mut self, test: &Test) {
        if let Some(why) = &test.chosen {
            self.print(&format!("chosen   {:>7}    {}  {}", "", shown(&test.name), shown(why)));
        }
    }

    /// A test is over.
    pub(super) fn ended(&mut self, test: &Test) {
        self.said = Instant::now();
        self.print(&line(test));
    }

    /// Nothing happened for a while.
    pub(super) fn tick(&mut self, suite: &Suite, running: &BTreeMap<usize, Instant>) {
        if !self.moving && self.said.elapsed() < LINE {
            return;
        }
        let over = suite.tests.iter().filter(|t| t.outcome.is_over()).count();
        let names = running.iter().map(|(i, since)| {
            format!("{} ({:.0} s)", shown(&suite.tests[*i].name), since.elapsed().as_secs_f64())
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let elapsed = self.since.elapsed().as_secs_f64();
        let words = format!("{elapsed:>5.0} s  {over} of {} done: {names}", suite.tests.len());
        if self.moving {
            self.bar.set_message(words);
            self.bar.tick();
        } else {
            eprintln!("{words}");
            self.said = Instant::now();
        }
    }

    fn print(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A test in a line.
fn line(test: &Test) -> String {
    let time = match test.tries.as_slice() {
        [] => String::new(),
        _ => format!("{:.1} s", test.took().as_secs_f64()),
    };
    let flaky = test.flakiness().map_or_else(String::new, |flaky| format!("  {flaky}:"));
    let reason = match test.outcome {
        Outcome::Passed => String::new(),
        _ => format!("{flaky}  {}", danso_reports::inert_line(&test.reason, REASON)),
    };
    format!("{} {time:>9}    {}{reason}", word(test.outcome), shown(&test.name))
}

/// An outcome, as wide as all of them.
fn word(outcome: Outcome) -> String {
    let word = match outcome {
        Outcome::Passed => "ok",
        Outcome::Failed => "FAIL",
        Outcome::Error => "ERROR",
        Outcome::Skipped => "skip",
        other => other.word(),
    };
    let colour = match outcome {
        Outcome::Passed => "32",
        Outcome::Failed | Outcome::Error => "1;31",
        Outcome::Unknown => "33",
        _ => "2",
    };
    match std::io::stdout().is_terminal() {
        true => format!("\u{1b}[{colour}m{word:<7}\u{1b}[0m"),
        false => format!("{word:<7}"),
    }
}

fn shown(text: &str) -> String {
    danso_reports::inert_line(text, 200)
}

/// The last lines: what went wrong last of all.
pub(super) fn summary(suite: &Suite, root: &Path) {
    println!();
    for test in suite.bad().into_iter().rev() {
        println!("{} {}", word(test.outcome), shown(&test.name));
        println!("        {}", danso_reports::inert_line(&test.reason, 1000));
        if let Some(flaky) = test.flakiness() {
            println!("        {flaky}, all with seed {}", test.seed);
        }
        let folder = || test.decisive().and_then(|tried| tried.folder.clone());
        if let Some(report) = test.report() {
            println!("        report     {}", root.join(report).display());
        } else if let Some(folder) = folder() {
            println!("        folder     {}", root.join(folder).display());
        }
        println!("        reproduce  {}", danso_reports::inert_line(&test.reproduce, 2000));
    }
    println!("index       {}", root.join("index.html").display());
    println!("junit       {}", root.join("junit.xml").display());
    println!("reproduce   {}", danso_reports::inert_line(&suite.reproduce, 2000));
    if let State::CutShort(why) = &suite.state {
        println!("cut short   {}", shown(why));
    }
    println!("{} in {:.1} s", suite.counts(), suite.took.as_secs_f64());
}
