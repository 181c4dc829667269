//! [`Wire`]: a TCP connection for protocols spoken here, one call at a time.
//!
//! A client takes its wire out for a call and puts it back only when the answer is complete. So
//! one whose call was dropped, or broke, is gone, and no late answer is taken for another's.

use std::io;
use std::time::Duration;

use danso_vocab::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long it may take until a connection is there and its greetings are exchanged. Nothing of
/// an operation is sent before, so one that takes longer has failed.
const CONNECT: Duration = Duration::from_millis(1_500);
/// Bytes that are asked of the socket at a time.
const CHUNK: usize = 16 << 10;
/// Bytes of a message that are read at most.
const MESSAGE: usize = 4 << 20;

/// A connection, and what has come of it that nobody has read yet.
pub(super) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A connection that has been greeted, as `greet` does it.
///
/// # Errors
/// `fail`: nothing of an operation was sent.
pub(super) async fn connect<S, F: Future<Output = io::Result<S>>>(
    address: &str,
    greet: impl FnOnce(Wire) -> F,
) -> Result<S, Outcome> {
    let work = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        greet(Wire { stream, unread: Vec::new() }).await
    };
    match tokio::time::timeout(CONNECT, work).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) if error.kind() == io::ErrorKind::Other => {
            Err(Outcome::Fail(format!("no-connection: {error}").into()))
        }
        Ok(Err(_)) | Err(_) => Err(Outcome::Fail("no-connection".into())),
    }
}

/// How an operation ended whose connection broke.
pub(super) fn broken(error: &io::Error) -> Outcome {
    Outcome::Info(match error.kind() {
        io::ErrorKind::InvalidData => format!("bad-response: {error}").into(),
        _ => "no-response".into(),
    })
}

/// What came makes no sense.
pub(super) fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Wire {
    /// Whether the other side has not hung up, as far as is known here. It may be asked before
    /// anything is sent.
    pub(super) fn open(&mut self) -> bool {
        let mut chunk = [0; CHUNK];
        loop {
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return false,
                Ok(_) if self.unread.len() > MESSAGE => return false,
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Sends all of this.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next `count` bytes.
    pub(super) async fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        if count > MESSAGE {
            return Err(nonsense("longer than danso reads"));
        }
        while self.unread.len() < count {
            self.more().await?;
        }
        let rest = self.unread.split_off(count);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> io::Result<String> {
        let mut seen = 0;
        loop {
            if let Some(at) = self.unread[seen..].iter().position(|byte| *byte == b'\n') {
                let line = self.take(seen + at + 1).await?;
                let line = String::from_utf8(line).map_err(|_| nonsense("no UTF-8"))?;
                return Ok(line.trim_end().to_owned());
            }
            seen = self.unread.len();
            if seen > MESSAGE {
                return Err(nonsense("a line longer than danso reads"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        let count = self.stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.unread.extend_from_slice(&chunk[..count]);
        Ok(())
    }
}
