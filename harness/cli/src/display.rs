//! What a person sees: progress while something takes time, the summary at its end. Colour and
//! moving lines only on a terminal.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use danso_engine::progress::Monitor;
use danso_vocab::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a terminal is refreshed.
const TICK: Duration = Duration::from_millis(250);
/// How often a line is printed elsewhere.
const LINE: Duration = Duration::from_secs(5);

/// Prints an error and what to do next, in one line.
pub(crate) fn error(error: &anyhow::Error) {
    let red = std::io::stderr().is_terminal();
    let (on, off) = if red { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
    eprintln!("{on}error:{off} {error:#}");
}

/// How long checking may take before it is worth a line.
const SOON: Duration = Duration::from_secs(2);

/// Shows progress until dropped.
pub(crate) struct Live {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Live {
    /// Shows a run's.
    pub(crate) fn new(monitor: Arc<Monitor>) -> Live {
        let mut last = (Duration::ZERO, 0);
        Live::showing(move |elapsed| Some(running(&monitor, elapsed, &mut last)))
    }

    /// Shows that of checking, should it take a while.
    pub(crate) fn checking(progress: Progress) -> Live {
        Live::showing(move |elapsed| (elapsed >= SOON).then(|| checked(&progress, elapsed)))
    }

    /// Shows how many runs are done, of how many there may be.
    pub(crate) fn runs(done: Arc<AtomicU32>, of: u32) -> Live {
        Live::showing(move |elapsed| {
            let (seconds, done) = (elapsed.as_secs_f64(), done.load(Ordering::Relaxed));
            let line = || format!("{seconds:>5.1} s  {done} of at most {of} runs done");
            (elapsed >= SOON).then(line)
        })
    }

    fn showing(line: impl FnMut(Duration) -> Option<String> + Send + 'static) -> Live {
        let (stop, stopped) = mpsc::channel();
        let show = move || show(line, &stopped);
        let thread = std::thread::Builder::new().name("display".to_owned()).spawn(show).ok();
        Live { stop: Some(stop), thread }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A display that failed has nothing to add.
            let _ = thread.join();
        }
    }
}

fn show(mut line: impl FnMut(Duration) -> Option<String>, stopped: &mpsc::Receiver<()>) {
    let tty = std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let start = Instant::now();
    let mut last_line = start;
    while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
        if !tty && last_line.elapsed() < LINE {
            continue;
        }
        let Some(line) = line(start.elapsed()) else { continue };
        if tty {
            bar.set_message(line);
            bar.tick();
        } else {
            eprintln!("{line}");
            last_line = Instant::now();
        }
    }
    bar.finish_and_clear();
}

/// How a run is going. `last` is when this was asked last, and how many operations there were.
fn running(monitor: &Monitor, elapsed: Duration, last: &mut (Duration, u64)) -> String {
    let counts = monitor.counts();
    let rate = (counts.total() - last.1) as f64 / (elapsed - last.0).as_secs_f64();
    *last = (elapsed, counts.total());
    let active = monitor.active();
    let faults =
        if active.is_empty() { String::new() } else { format!("  ! {}", active.join(", ")) };
    format!(
        "{:>5.1} s  {:<8}  {rate:>6.0} ops/s  {} ok  {} fail  {} info{faults}",
        elapsed.as_secs_f64(),
        monitor.phase(),
        counts.ok,
        counts.fail,
        counts.info,
    )
}

/// How checking is going.
fn checked(progress: &Progress, elapsed: Duration) -> String {
    let [objects, decided, visited] = progress.read();
    let of =
        if objects > 1 { format!("{decided} of {objects} keys decided, ") } else { String::new() };
    format!("{:>5.1} s  checking  {of}{visited} configurations visited", elapsed.as_secs_f64())
}

/// Quotes arguments so that a shell reads them back the same.
pub(crate) fn shell<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quote = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(shell(["danso", "run", "a b", "it's", ""]), r"danso run 'a b' 'it'\''s' ''");
        assert_eq!(shell(["--set", "params.keys=4"]), "--set params.keys=4");
    }
}
