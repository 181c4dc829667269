//! [`Link`]: a connection that is asked one thing at a time.

use std::time::Duration;

use combine::parser::combinator::AnySendSyncPartialState;
use combine::stream::{Decoder, PointerOffset};
use redis::Value as Reply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a connection may take to come about. If it does not, nothing was sent.
const CONNECT: Duration = Duration::from_millis(500);
/// How long each command of the greeting may take.
const GREETING: Duration = Duration::from_millis(500);

/// A connection. Whoever drops a question before its reply drops the connection, too.
pub(super) struct Link {
    server: String,
    stream: TcpStream,
    decoder: Decoder<AnySendSyncPartialState, PointerOffset<[u8]>>,
}

impl Link {
    /// Connects to `server` and says what comes first.
    ///
    /// # Errors
    /// If that fails: why, in a word.
    pub(super) async fn new(server: &str, greeting: &[Vec<u8>], most: u64) -> Result<Link, String> {
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(server)).await;
        let stream = stream.ok().and_then(Result::ok).ok_or("no-connection")?;
        // Only makes it slower.
        let _ = stream.set_nodelay(true);
        let mut link = Link { server: server.to_owned(), stream, decoder: Decoder::new() };
        for command in greeting {
            let asked = tokio::time::timeout(GREETING, link.ask(command, most)).await;
            match asked.map_err(|_| "no-greeting")?? {
                Reply::Okay => {}
                Reply::ServerError(error) => return Err(format!("no-greeting: {}", error.code())),
                _ => return Err("no-greeting".to_owned()),
            }
        }
        Ok(link)
    }

    /// Whom it is with.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Whether it still stands as far as is known, and nothing came that was not asked for.
    pub(super) fn stands(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        self.decoder.buffer().is_empty()
            && read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Sends a command and waits for its reply. An error is no reply; the connection is of no
    /// use after it.
    pub(super) async fn ask(&mut self, command: &[u8], most: u64) -> Result<Reply, String> {
        self.stream.write_all(command).await.map_err(|_| "broken-connection")?;
        let mut stream = (&mut self.stream).take(most);
        match redis::parse_redis_value_async(&mut self.decoder, &mut stream).await {
            Ok(reply) => Ok(reply),
            Err(_) if stream.limit() == 0 => Err("response-too-long".to_owned()),
            Err(error) if error.is_io_error() => Err("broken-connection".to_owned()),
            Err(error) => Err(format!("bad-response: {error}")),
        }
    }
}
