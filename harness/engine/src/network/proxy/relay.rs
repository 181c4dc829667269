//! [`Relay`]: carries connections from one party to one node's port, each direction subject to
//! its link's policy. What is held back is bytes, ends and resets alike; nothing is closed
//! because of a cut.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener as Listener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::gate::Gates;
use crate::network::NetworkError;
use crate::network::loopback::Slice;

/// Connections one relay carries; more wait unaccepted.
const CONNECTIONS: usize = 4096;
/// Bytes in one chunk.
const CHUNK: usize = 64 << 10;

/// The relay from one party to one port of one node.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    /// Where the node really listens.
    pub(super) node: SocketAddr,
    /// The link from the party to the node.
    pub(super) forth: usize,
    /// The link from the node to the party.
    pub(super) back: usize,
    /// The policies.
    pub(super) gates: Arc<Gates>,
    /// Not to be released while a relay listens in it.
    pub(super) _slice: Arc<Slice>,
}

/// How a direction ended.
enum End {
    /// With a proper close, passed on: the other direction may go on.
    Closed,
    /// With a reset, to be passed on: the connection is over.
    Reset,
}

impl Relay {
    /// Carries what arrives at `listener`, until the runtime ends.
    pub(super) fn start(self, listener: TcpListener, on: &Handle) -> Result<(), NetworkError> {
        let _inside = on.enter();
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| Listener::from_std(listener))
            .map_err(|error| NetworkError(format!("cannot start a relay: {error}")))?;
        on.spawn(self.serve(listener));
        Ok(())
    }

    /// `listener` is closed before `self` is dropped.
    async fn serve(self, listener: Listener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        // The semaphore is never closed, so a permit always comes.
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            match listener.accept().await {
                Ok((near, _)) => {
                    let relay = self.clone();
                    tokio::spawn(async move {
                        relay.carry(near).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::warn!(node = %self.node, %error, "a relay cannot accept");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn carry(&self, mut near: TcpStream) {
        // A handshake needs both directions; one that is given up during a cut leaves no trace.
        if self.gates.wait(&[self.forth, self.back]).await && given_up(&near).await {
            return;
        }
        let mut far = match TcpStream::connect(self.node).await {
            Ok(far) => far,
            Err(error) => {
                tracing::debug!(node = %self.node, %error, "nobody listens behind the relay");
                return reset(&near);
            }
        };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let over = {
            let ((near_read, near_write), (far_read, far_write)) = (near.split(), far.split());
            let forth = self.pump(near_read, far_write, self.forth, self.back);
            let back = self.pump(far_read, near_write, self.back, self.forth);
            tokio::try_join!(forth, back).is_err()
        };
        if over {
            reset(&near);
            reset(&far);
        }
    }

    /// Carries one direction over `link`; news from the reader come back over `reverse`. An
    /// error means that the connection is over.
    async fn pump(
        &self,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        link: usize,
        reverse: usize,
    ) -> Result<(), ()> {
        let mut chunk = vec![0; CHUNK];
        let end = loop {
            match from.read(&mut chunk).await {
                Ok(0) => break End::Closed,
                Ok(length) => {
                    if self.push(&chunk[..length], &to, link).await.is_err() {
                        self.gates.wait(&[reverse]).await;
                        return Err(());
                    }
                }
                Err(_) => break End::Reset,
            }
        };
        self.gates.wait(&[link]).await;
        match end {
            End::Closed => to.shutdown().await.map_err(drop),
            End::Reset => Err(()),
        }
    }

    /// Writes all of `bytes`, none of it while the link is cut.
    async fn push(&self, mut bytes: &[u8], to: &WriteHalf<'_>, link: usize) -> io::Result<()> {
        while !bytes.is_empty() {
            to.writable().await?;
            match self.gates.pass(link, || to.try_write(bytes)) {
                None => {
                    self.gates.wait(&[link]).await;
                }
                Some(Ok(count)) => bytes = &bytes[count..],
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the party has already hung up.
async fn given_up(near: &TcpStream) -> bool {
    tokio::select! {
        biased;
        ready = near.ready(Interest::READABLE) => ready.is_ok_and(|ready| ready.is_read_closed()),
        () = std::future::ready(()) => false,
    }
}

/// Makes the close that follows a reset.
fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection cannot be reset");
    }
}
