//! Lines in and out, with a limit on everything.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Bytes a line may have.
pub(super) const LINE: usize = 16 << 20;
/// Bytes that may wait for whoever reads them.
const WAITING: usize = 64 << 20;

/// The next line, without its end; `false` if there is none.
///
/// # Errors
/// If nothing can be read, or the line is too long.
pub(super) async fn next_line<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    line.clear();
    reader.take(LINE as u64 + 1).read_until(b'\n', line).await?;
    if line.is_empty() {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE {
        let why = format!("a line is longer than {} MiB", LINE >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(true)
}

/// Lines on their way to one reader.
#[derive(Clone)]
pub(super) struct Pipe {
    lines: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

/// The other end of a [`Pipe`].
pub(super) struct Outlet {
    lines: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

/// A pipe that holds so many bytes at most.
pub(super) fn pipe() -> (Pipe, Outlet) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let pipe = Pipe { lines: sender, waiting: waiting.clone() };
    (pipe, Outlet { lines: receiver, waiting })
}

impl Pipe {
    /// Puts a line in; `false` if there is no room for it, or nobody to read it.
    pub(super) fn put(&self, line: Vec<u8>) -> bool {
        let length = line.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) > WAITING {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            return false;
        }
        self.lines.send(line).is_ok()
    }
}

impl Pipe {
    /// Whether both lead to the same reader.
    pub(super) fn is(&self, other: &Pipe) -> bool {
        Arc::ptr_eq(&self.waiting, &other.waiting)
    }
}

impl Outlet {
    /// The next line; `None` if there will be none.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let line = self.lines.recv().await?;
        self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        Some(line)
    }

    /// Drops what waits.
    pub(super) fn clear(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        }
    }

    /// Writes all lines there will be.
    ///
    /// # Errors
    /// If nobody reads them any more.
    pub(super) async fn write_to<W: AsyncWrite + Unpin>(&mut self, to: &mut W) -> io::Result<()> {
        while let Some(line) = self.next().await {
            to.write_all(&line).await?;
            // A pause is the time to let go of what a buffer holds.
            if self.lines.is_empty() {
                to.flush().await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_have_a_limit() {
        let mut line = Vec::new();
        let mut two = io::Cursor::new(b"one\n\ntwo".to_vec());
        let mut seen = Vec::new();
        while next_line(&mut two, &mut line).await.unwrap() {
            seen.push(String::from_utf8(line.clone()).unwrap());
        }
        assert_eq!(seen, ["one", "", "two"]);
        let mut long = io::Cursor::new(vec![b'x'; LINE + 9]);
        assert!(next_line(&mut long, &mut line).await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_not_kept_for_ever() {
        let (pipe, mut outlet) = pipe();
        let taken = (0..100).filter(|_| pipe.put(vec![0; 1 << 20])).count();
        assert!((60..70).contains(&taken), "{taken}");
        assert!(outlet.next().await.is_some() && outlet.next().await.is_some());
        assert!(pipe.put(vec![0; 1 << 20]));
    }
}
