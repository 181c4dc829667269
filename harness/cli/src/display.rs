//! What a person sees: progress while something takes time, the summary at its end. Colour and
//! moving lines only on a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use danso_engine::progress::Monitor;
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

/// Shows a run's progress until dropped.
pub(crate) struct Live {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Live {
    /// Starts showing.
    pub(crate) fn new(monitor: Arc<Monitor>) -> Live {
        let (stop, stopped) = mpsc::channel();
        let show = move || show(&monitor, &stopped);
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

fn show(monitor: &Monitor, stopped: &mpsc::Receiver<()>) {
    let tty = std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let start = Instant::now();
    let (mut last, mut last_line) = ((start, 0), start);
    while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now = Instant::now();
        let due = tty || now - last_line >= LINE;
        if !due {
            continue;
        }
        let counts = monitor.counts();
        let rate = (counts.total() - last.1) as f64 / (now - last.0).as_secs_f64();
        last = (now, counts.total());
        let active = monitor.active();
        let faults =
            if active.is_empty() { String::new() } else { format!("  ! {}", active.join(", ")) };
        let line = format!(
            "{:>5.1} s  {:<8}  {rate:>6.0} ops/s  {} ok  {} fail  {} info{faults}",
            (now - start).as_secs_f64(),
            monitor.phase(),
            counts.ok,
            counts.fail,
            counts.info,
        );
        if tty {
            bar.set_message(line);
            bar.tick();
        } else {
            eprintln!("{line}");
            last_line = now;
        }
    }
    bar.finish_and_clear();
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
