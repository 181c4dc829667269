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

/// Servers that say what they are told to.
#[cfg(test)]
pub(super) mod script {
    use danso_vocab::{NodeId, Process};
    use tokio::net::TcpListener;

    use super::*;
    use crate::place::{Host, Place};

    /// What a server waits for, and what it says then. Nothing means that it hangs up.
    pub(in super::super) type Line = (Vec<u8>, Vec<u8>);

    /// A server that says this on every connection, then listens until the client leaves.
    pub(in super::super) async fn server(lines: Vec<Line>) -> Place {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(speak(stream, lines.clone()));
            }
        });
        let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
        Place { hosts, home: 0, process: Process(0) }
    }

    async fn speak(mut stream: TcpStream, lines: Vec<Line>) {
        let mut heard = Vec::new();
        for (wanted, said) in lines {
            let end = loop {
                if let Some(end) = after(&wanted, &heard) {
                    break end;
                }
                if !matches!(stream.read_buf(&mut heard).await, Ok(1..)) {
                    return;
                }
            };
            heard.drain(..end);
            if said.is_empty() {
                return;
            }
            if stream.write_all(&said).await.is_err() {
                return;
            }
        }
        while matches!(stream.read_buf(&mut heard).await, Ok(1..)) {
            heard.clear();
        }
    }

    /// Where what was wanted ends.
    fn after(wanted: &[u8], heard: &[u8]) -> Option<usize> {
        if wanted.is_empty() {
            return Some(0);
        }
        let begin = heard.windows(wanted.len()).position(|window| window == wanted);
        begin.map(|begin| begin + wanted.len())
    }

    /// A place where nobody listens.
    pub(in super::super) async fn nobody() -> Place {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
        Place { hosts, home: 0, process: Process(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::script::{nobody, server};
    use super::*;

    async fn wire(said: Vec<u8>) -> Wire {
        let place = server(vec![(Vec::new(), said), (b"bye".to_vec(), Vec::new())]).await;
        connect(&place.hosts[0].address(None), |wire| async { Ok(wire) }).await.unwrap()
    }

    #[tokio::test]
    async fn what_comes_is_read_in_pieces() {
        let mut wire = wire(b"one\r\ntwo\nabc".to_vec()).await;
        assert_eq!(wire.line().await.unwrap(), "one");
        assert_eq!(wire.line().await.unwrap(), "two");
        assert_eq!(wire.take(2).await.unwrap(), b"ab");
        assert_eq!(wire.take(1).await.unwrap(), b"c");
        assert!(wire.open());
        wire.send(b"bye").await.unwrap();
        let end = wire.take(1).await.unwrap_err();
        assert_eq!(broken(&end), Outcome::Info("no-response".into()));
        assert!(!wire.open());
    }

    #[tokio::test]
    async fn there_is_an_end_to_what_is_read() {
        let mut long = wire(vec![b'x'; MESSAGE + 2 * CHUNK]).await;
        let error = long.line().await.unwrap_err();
        assert!(matches!(broken(&error), Outcome::Info(why) if why.contains("longer")));
        let error = long.take(MESSAGE + 1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_is_sent() {
        let address = nobody().await.hosts[0].address(None);
        let failed = connect(&address, |wire| async { Ok(wire) }).await.err().unwrap();
        assert_eq!(failed, Outcome::Fail("no-connection".into()));
    }
}
