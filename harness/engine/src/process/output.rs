//! What a node prints: into a capped file, a short tail for reports, and to whoever listens.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use danso_vocab::NodeId;

use crate::progress::lock;

/// Bytes kept of each output file; what comes after is counted, not kept.
pub const LOG_CAP: u64 = 16 << 20;
/// Lines kept for crash reports.
const TAIL_LINES: usize = 40;
/// Longest line handled as one; longer ones are cut into several.
const LINE_BYTES: u64 = 8 << 10;

/// A line some node printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Who printed it.
    pub node: NodeId,
    /// What, without the line break; not necessarily what the node meant as UTF-8.
    pub text: String,
}

/// The last lines of an output, shared between the pump and whoever reports a crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    pub(super) fn text(&self) -> String {
        lock(&self.0).iter().cloned().collect::<Vec<_>>().join("\n")
    }

    fn push(&self, line: String) {
        let mut lines = lock(&self.0);
        if lines.len() == TAIL_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// A capped, appended file; survives restarts of its node.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    written: u64,
    dropped: u64,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<LogFile> {
        let file = File::options().append(true).create(true).open(path)?;
        let written = file.metadata()?.len();
        Ok(LogFile { file, written, dropped: 0 })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let len = line.len() as u64;
        if self.written + len > LOG_CAP {
            if self.dropped == 0 {
                writeln!(self.file, "\n… {LOG_CAP} bytes kept, the rest is dropped")?;
            }
            self.dropped += len;
            return Ok(());
        }
        self.file.write_all(line)?;
        self.written += len;
        Ok(())
    }
}

/// Copies everything from `pipe` until it closes. Runs on a thread of its own.
pub(super) fn pump(
    pipe: impl Read,
    file: &Mutex<LogFile>,
    tail: &Tail,
    mut heard: impl FnMut(&str),
) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    let mut broken = false;
    loop {
        line.clear();
        match reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        // Listeners first: a fault triggered by this line wants to be quick.
        heard(text);
        tail.push(text.to_owned());
        if let Err(error) = lock(file).append(&line)
            && !broken
        {
            // The node must not block on a full disk: go on reading, without the file.
            broken = true;
            tracing::warn!(%error, "a node's output cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_capped_and_the_tail_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr.log");
        let file = Mutex::new(LogFile::open(&path).unwrap());
        let tail = Tail::default();
        let line = format!("{}\n", "x".repeat(1 << 12));
        let many = (LOG_CAP >> 12) + 100;
        let text = line.repeat(many as usize) + "last words\n";
        let mut heard = 0;
        pump(text.as_bytes(), &file, &tail, |_| heard += 1);
        assert!(std::fs::metadata(&path).unwrap().len() <= LOG_CAP + 100);
        assert!(tail.text().ends_with("last words"));
        assert_eq!(heard, many + 1);
    }

    #[test]
    fn endless_lines_and_bad_utf8_are_survived() {
        let dir = tempfile::tempdir().unwrap();
        let file = Mutex::new(LogFile::open(&dir.path().join("o")).unwrap());
        let tail = Tail::default();
        let mut bytes = vec![b'y'; 3 << 13];
        bytes.extend([0xff, 0xfe, b'\n']);
        pump(&bytes[..], &file, &tail, |_| {});
        assert!(tail.text().lines().count() >= 3);
    }
}
