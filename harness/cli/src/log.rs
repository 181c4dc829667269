//! `danso.log`: what danso did. A process has one log of everything; runs that go on in it at the
//! same time each keep a copy of all its lines.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context;
use danso_engine::site::Site;

/// The logs being written, by number.
static OPEN: Mutex<Vec<(u64, File)>> = Mutex::new(Vec::new());

fn open() -> MutexGuard<'static, Vec<(u64, File)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A log being written, until dropped.
pub(crate) struct Log(u64);

impl Drop for Log {
    fn drop(&mut self) {
        open().retain(|(number, _)| *number != self.0);
    }
}

/// Starts a run's log.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn start(site: &Site) -> anyhow::Result<Log> {
    static SUBSCRIBED: OnceLock<bool> = OnceLock::new();
    let mut file = File::create(site.log())
        .with_context(|| format!("{} cannot be made", site.log().display()))?;
    let ours = SUBSCRIBED.get_or_init(|| {
        let filter = std::env::var("DANSO_LOG").unwrap_or_else(|_| "info".to_owned());
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        subscriber.with_writer(|| Copies).try_init().is_ok()
    });
    if !ours {
        writeln!(file, "the program that runs danso collects its log itself: it has these lines")?;
    }
    let mut logs = open();
    let number = logs.last().map_or(0, |(number, _)| number + 1);
    logs.push((number, file));
    Ok(Log(number))
}

/// Writes to all logs there are.
struct Copies;

impl Write for Copies {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let failed = open().iter_mut().filter_map(|(_, file)| file.write_all(line).err()).last();
        failed.map_or(Ok(line.len()), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
