//! [`Relay`]: takes connections from one party to one node's port, and carries them on.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::{TcpListener as Listener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::gate::{Gates, Waited};
use super::http::Dialogue;
use super::pump::{Over, Pump};
use crate::network::NetworkError;
use crate::network::loopback::Slice;

/// Connections one relay carries; more wait unaccepted.
const CONNECTIONS: usize = 4096;

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
        match self.gates.wait(&[self.forth, self.back]).await {
            Waited::Refused => return reset(&near),
            Waited::Held if given_up(&near).await => return,
            Waited::Held | Waited::Not => {}
        }
        let mut far = match TcpStream::connect(self.node).await {
            Ok(far) => far,
            Err(error) => {
                tracing::debug!(node = %self.node, %error, "nobody listens behind the relay");
                return reset(&near);
            }
        };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let dialogue = Mutex::new(Dialogue::new());
        let over = {
            let ((near_read, near_write), (far_read, far_write)) = (near.split(), far.split());
            let (forth, back) = Pump::pair(&self.gates, (self.forth, self.back), &dialogue);
            let (forth, back) = (forth.run(near_read, far_write), back.run(far_read, near_write));
            tokio::try_join!(forth, back).err()
        };
        match over {
            None => {}
            Some(Over::Ended) => reset(&far),
            Some(Over::Reset) => {
                reset(&near);
                reset(&far);
            }
        }
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
