//! [`Recorder`]: the history, on disk as it happens. The only one who stamps time.

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use danso_vocab::codec::jsonl::Writer;
use danso_vocab::{Event, Time};

use crate::progress::{Interrupt, lock};

/// How long an event may stay in memory before it is handed to the kernel.
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// How much may gather before it is handed over at once.
const FLUSH_BYTES: usize = 1 << 16;

/// Told of every event as it is recorded, with its history index, until it breaks off. It must
/// return at once: the recorder waits for it.
pub type Observer = Box<dyn FnMut(u32, Time, &Event) -> ControlFlow<()> + Send + Sync>;

/// Appends events to `history.jsonl`. Stamps grow strictly, so that no two events tie. If the
/// disk fails, the run is interrupted and what is not yet written stays in memory to be tried
/// again.
pub struct Recorder {
    inner: Mutex<Inner>,
    base: Instant,
    interrupt: Interrupt,
}

struct Inner {
    writer: Writer<Buffer>,
    last: Time,
    observer: Option<Observer>,
    failed: Option<String>,
}

/// A buffer before a file that never forgets what a failed write left over.
struct Buffer {
    bytes: Vec<u8>,
    file: File,
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            if done == self.bytes.len() {
                break Ok(());
            }
            match self.file.write(&self.bytes[done..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.bytes.drain(..done);
        result
    }
}

impl Recorder {
    /// Opens a new history and starts the clock. A thread flushes it until the recorder is
    /// dropped; trouble raises `interrupt`.
    ///
    /// # Errors
    /// If the file or the thread cannot be made.
    pub fn create(path: &Path, interrupt: Interrupt) -> io::Result<Arc<Recorder>> {
        let file = File::create(path)?;
        let mut writer = Writer::new(Buffer { bytes: Vec::new(), file })?;
        writer.sink().flush()?;
        let inner = Inner { writer, last: Time::ZERO, observer: None, failed: None };
        let recorder =
            Arc::new(Recorder { inner: Mutex::new(inner), base: Instant::now(), interrupt });
        let weak = Arc::downgrade(&recorder);
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || flush_often(&weak))?;
        Ok(recorder)
    }

    /// Has somebody told of every event from now on.
    pub fn observe(&self, observer: Observer) {
        lock(&self.inner).observer = Some(observer);
    }

    /// The time now.
    pub fn now(&self) -> Time {
        Time::from(self.base.elapsed())
    }

    /// The instant of [`Time::ZERO`].
    pub fn base(&self) -> Instant {
        self.base
    }

    /// Stamps and appends an event; returns its stamp. Never blocks on more than a write to the
    /// kernel; a failing disk is told by [`Recorder::finish`] and the interrupt.
    pub fn record(&self, event: &Event) -> Time {
        let mut inner = lock(&self.inner);
        // Stamped inside the lock: file order is time order.
        let time = self.now().max(Time(inner.last.0 + 1));
        inner.last = time;
        let written = inner.writer.write(time, event).and_then(|index| {
            if let Some(observer) = &mut inner.observer
                && observer(index, time, event).is_break()
            {
                inner.observer = None;
            }
            let full = inner.writer.sink().bytes.len() >= FLUSH_BYTES && inner.failed.is_none();
            if full { inner.writer.sink().flush() } else { Ok(()) }
        });
        if let Err(error) = written {
            self.fail(&mut inner, &error);
        }
        time
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// If the disk does not take it; what was written before is whole and readable.
    pub fn finish(&self) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        let result =
            inner.writer.sink().flush().and_then(|()| inner.writer.sink().file.sync_data());
        if let Err(error) = &result {
            self.fail(&mut inner, error);
        }
        result
    }

    fn fail(&self, inner: &mut Inner, error: &io::Error) {
        if inner.failed.is_none() {
            let reason = format!("the history cannot be written: {error}");
            tracing::error!("{reason}");
            self.interrupt.raise(&reason);
            inner.failed = Some(reason);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        if let Err(error) = inner.writer.sink().flush() {
            tracing::error!(%error, "the end of the history is lost");
        }
    }
}

fn flush_often(recorder: &Weak<Recorder>) {
    loop {
        std::thread::sleep(FLUSH_EVERY);
        let Some(recorder) = recorder.upgrade() else { return };
        let mut inner = lock(&recorder.inner);
        if inner.failed.is_none()
            && let Err(error) = inner.writer.sink().flush()
        {
            recorder.fail(&mut inner, &error);
        }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::codec::jsonl::{Tail, read};
    use danso_vocab::{Call, Note, Outcome, Process};

    use super::*;

    #[test]
    fn events_reach_the_disk_within_a_second_and_stamps_grow() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Interrupt::default()).unwrap();
        let mut last = Time::ZERO;
        for i in 0..100 {
            let call = Call::new("write", i);
            let process = Process(0);
            let a = recorder.record(&Event::Invoke { process, node: None, call });
            let outcome = Outcome::Ok(().into());
            let b = recorder.record(&Event::Complete { process, outcome });
            assert!(last < a && a < b);
            last = b;
        }
        std::thread::sleep(Duration::from_millis(900));
        let loaded = read(&std::fs::read(&path).unwrap(), Tail::Strict).unwrap();
        assert_eq!(loaded.history.len(), 100);
    }

    #[test]
    fn an_observer_is_told_the_indices_of_the_file_until_it_breaks_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h");
        let recorder = Recorder::create(&path, Interrupt::default()).unwrap();
        recorder.record(&Event::Note(Note::new("unseen", ())));
        let (tell, told) = std::sync::mpsc::channel();
        recorder.observe(Box::new(move |index, time, event| {
            tell.send((index, time, event.clone())).unwrap();
            if index == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }));
        for i in 0..5 {
            recorder.record(&Event::Note(Note::new("seen", i)));
        }
        recorder.finish().unwrap();
        let told: Vec<_> = told.iter().collect();
        let history = read(&std::fs::read(&path).unwrap(), Tail::Strict).unwrap().history;
        let noted = history.notes().filter(|(index, ..)| (2..4).contains(index));
        let noted: Vec<_> = noted.map(|(i, t, note)| (i, t, Event::Note(note.clone()))).collect();
        assert_eq!(told, noted);
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn a_full_disk_interrupts_and_keeps_what_was_written() {
        let path = Path::new("/dev/full");
        if !path.exists() {
            println!("skipped: no /dev/full here");
            return;
        }
        let interrupt = Interrupt::default();
        assert!(Recorder::create(path, interrupt.clone()).is_err(), "the first line is flushed");
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&dir.path().join("h"), interrupt.clone()).unwrap();
        lock(&recorder.inner).writer.sink().file = File::options().write(true).open(path).unwrap();
        recorder.record(&Event::Note(Note::new("x", ())));
        assert!(recorder.finish().is_err());
        assert!(interrupt.raised().unwrap().contains("cannot be written"));
    }
}
