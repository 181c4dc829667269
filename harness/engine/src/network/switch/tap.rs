//! [`Tap`]: what passes the switch, for files. The switch's thread only copies; a thread of its
//! own takes super-packets apart and writes. Where that one cannot keep up, packets are missing
//! in the files, and counted: the switch never waits for a disk.

mod messages;
mod pcap;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use danso_vocab::codec::traffic::Writer as LogWriter;
use danso_vocab::traffic::Fate;

use self::messages::Messages;
use self::pcap::Pcap;
use super::journey::{Journey, Marks};
use super::packet::{FIN, Layout, RST, SYN};
use super::segment;
use crate::network::{NetworkError, Party, Spec};

/// The most one pcap file holds, bytes.
const MOST_CAPTURED: u64 = 64 << 20;
/// The most the traffic log holds, bytes.
const MOST_LOGGED: u64 = 64 << 20;
/// What may wait for the writing thread: batches, and the bytes after which one is handed over.
const BATCHES: usize = 64;
const BATCH: usize = 256 << 10;
/// How long what has been written may stay in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// How long the end of the network waits for the last of it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// One frame's way over a link, or the end of it.
#[derive(Clone, Copy, Debug)]
struct Event {
    link: usize,
    /// On the switch's clock, nanoseconds.
    sent: u64,
    arrived: Option<u64>,
    protocol: u8,
    ports: (u16, u16),
    flags: u8,
    bytes: u64,
    packets: u64,
    fate: Fate,
}

/// What is handed to the writing thread at once.
#[derive(Default)]
struct Batch {
    /// Frames one behind the other.
    bytes: Vec<u8>,
    /// Whose, when, and how long it is.
    frames: Vec<(usize, u64, usize)>,
    events: Vec<Event>,
}

impl Batch {
    /// Whose each frame is, when it was seen, and the frame.
    fn each(&self) -> impl Iterator<Item = (usize, u64, &[u8])> {
        let mut rest = &self.bytes[..];
        self.frames.iter().map(move |&(party, at, length)| {
            let (frame, behind) = rest.split_at(length);
            rest = behind;
            (party, at, frame)
        })
    }
}

/// What is missing in the files.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Frames in captures.
    pub(super) captured: AtomicU64,
    /// Frames in the traffic log.
    pub(super) logged: AtomicU64,
}

/// The end of the tap at the switch.
pub(super) struct Tap {
    captures: bool,
    logs: bool,
    offset: usize,
    batch: Batch,
    sender: SyncSender<Batch>,
    missing: Arc<Missing>,
}

/// The end of the tap at the files. When dropped, waits until they are complete; the switch must
/// have ended.
pub(super) struct Files {
    done: Mutex<Receiver<()>>,
    missing: Arc<Missing>,
}

impl Files {
    /// What is not in them.
    pub(super) fn missing(&self) -> &Missing {
        &self.missing
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(RecvTimeoutError::Timeout) = done.recv_timeout(LAST_WORDS) {
            tracing::warn!("captures or the traffic log are not complete: the disk is too slow");
        }
    }
}

/// Opens the files `spec` asks for, if any. Times count from `opened`, on the switch's clock.
///
/// # Errors
/// If a file cannot be made.
pub(super) fn open(
    spec: &Spec,
    parties: &[Party],
    offset: usize,
    opened: u64,
) -> Result<Option<(Tap, Files)>, NetworkError> {
    if spec.capture.is_none() && spec.traffic.is_none() {
        return Ok(None);
    }
    let failed = |path: &Path, error: &io::Error| {
        NetworkError(format!("cannot write {}: {error}", path.display()))
    };
    let mut captures = Vec::new();
    if let Some(folder) = &spec.capture {
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
        for party in parties {
            let path = folder.join(format!("{party}.pcap"));
            let capture = Pcap::create(&path, opened, MOST_CAPTURED);
            captures.push(Some(capture.map_err(|e| failed(&path, &e))?));
        }
    }
    let missing = Arc::new(Missing::default());
    let log = match &spec.traffic {
        None => None,
        Some(path) => {
            let file = File::create(path).map_err(|e| failed(path, &e))?;
            let writer = LogWriter::new(BufWriter::new(file)).map_err(|e| failed(path, &e))?;
            let names = parties.iter().map(Party::to_string).collect();
            let missing = Arc::clone(&missing);
            Some(Messages::new(writer, names, opened, MOST_LOGGED, missing))
        }
    };
    let (sender, batches) = sync_channel(BATCHES);
    let (tell, done) = sync_channel(1);
    let tap = Tap {
        captures: !captures.is_empty(),
        logs: log.is_some(),
        offset,
        batch: Batch::default(),
        sender,
        missing: Arc::clone(&missing),
    };
    let scribe = Scribe { captures, log, offset, missing: Arc::clone(&missing) };
    thread::Builder::new()
        .name("danso-capture".to_owned())
        .spawn(move || {
            scribe.run(&batches);
            // Whoever waits may have given up.
            let _ = tell.send(());
        })
        .map_err(|error| NetworkError(format!("cannot start the capturing thread: {error}")))?;
    Ok(Some((tap, Files { done: Mutex::new(done), missing })))
}

impl Tap {
    /// A frame passes the interface of a party.
    pub(super) fn frame(&mut self, party: usize, now: u64, frame: &[u8]) {
        if self.captures {
            self.batch.bytes.extend_from_slice(frame);
            self.batch.frames.push((party, now, frame.len()));
            self.relieve();
        }
    }

    /// A frame has come to the end of its way. `ends` says how, if it has not arrived.
    pub(super) fn fate(
        &mut self,
        link: usize,
        now: u64,
        frame: &[u8],
        journey: Journey,
        ends: Option<Fate>,
    ) {
        if !self.logs {
            return;
        }
        let packet = &frame[self.offset..];
        let Some(layout) = Layout::of(packet) else { return };
        self.batch.events.push(Event {
            link,
            sent: journey.since,
            arrived: ends.is_none().then_some(now),
            protocol: layout.protocol,
            ports: layout.ports(packet),
            flags: layout.flags(packet) & (SYN | FIN | RST),
            bytes: layout.length() as u64,
            packets: segment::count(frame, self.offset),
            fate: ends.unwrap_or_else(|| fate_of(journey.marks)),
        });
        self.relieve();
    }

    /// Hands over what has gathered.
    pub(super) fn flush(&mut self) {
        if self.batch.frames.is_empty() && self.batch.events.is_empty() {
            return;
        }
        match self.sender.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                let captured = batch.each().map(|(.., frame)| segment::count(frame, self.offset));
                self.missing.captured.fetch_add(captured.sum(), Ordering::Relaxed);
                self.missing.logged.fetch_add(batch.events.len() as u64, Ordering::Relaxed);
            }
        }
    }

    /// Hands over what has gathered if it is much.
    fn relieve(&mut self) {
        if self.batch.bytes.len() + self.batch.events.len() * size_of::<Event>() > BATCH {
            self.flush();
        }
    }
}

/// Of several marks the gravest.
fn fate_of(marks: Marks) -> Fate {
    let fates = [
        (Marks::RESET, Fate::Reset),
        (Marks::CORRUPTED, Fate::Corrupted),
        (Marks::DOUBLED, Fate::Doubled),
        (Marks::OVERTAKEN, Fate::Reordered),
        (Marks::HELD, Fate::Held),
        (Marks::DELAYED, Fate::Delayed),
    ];
    let gravest = fates.into_iter().find(|(mark, _)| marks.has(*mark));
    gravest.map_or(Fate::Passed, |(_, fate)| fate)
}

/// The writing thread.
struct Scribe {
    /// By party; `None` where writing has failed.
    captures: Vec<Option<Pcap>>,
    log: Option<Messages>,
    offset: usize,
    missing: Arc<Missing>,
}

impl Scribe {
    fn run(mut self, batches: &Receiver<Batch>) {
        let mut scratch = Vec::new();
        loop {
            match batches.recv_timeout(FLUSH_EVERY) {
                Ok(batch) => self.write(&batch, &mut scratch),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.flush();
        if let Some(log) = self.log {
            log.end();
        }
    }

    fn write(&mut self, batch: &Batch, scratch: &mut Vec<u8>) {
        for (party, at, frame) in batch.each() {
            let mut missing = 0;
            let capture = &mut self.captures[party];
            if capture.as_ref().is_none_or(Pcap::is_full) {
                missing = segment::count(frame, self.offset);
            } else {
                segment::each(frame, self.offset, scratch, |packet| {
                    let packet = &packet[self.offset..];
                    match capture.as_mut().map(|pcap| pcap.packet(at, packet)) {
                        Some(Ok(true)) => {}
                        Some(Ok(false)) | None => missing += 1,
                        Some(Err(error)) => {
                            tracing::warn!(%error, "a capture ends: it cannot be written");
                            *capture = None;
                            missing += 1;
                        }
                    }
                });
            }
            self.missing.captured.fetch_add(missing, Ordering::Relaxed);
        }
        if let Some(log) = &mut self.log {
            for event in &batch.events {
                log.take(event);
            }
            log.sweep();
        }
    }

    fn flush(&mut self) {
        for capture in &mut self.captures {
            if let Some(Err(error)) = capture.as_mut().map(Pcap::flush) {
                tracing::warn!(%error, "a capture ends: it cannot be written");
                *capture = None;
            }
        }
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }
}
