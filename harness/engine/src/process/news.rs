//! [`News`]: what happens to the processes of nodes, told in the order it happens.

use std::sync::{Arc, Mutex, MutexGuard};

use danso_vocab::NodeId;

use crate::progress::lock;

/// Something happened to the processes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Whose.
    pub node: NodeId,
    /// What.
    pub what: Turn,
}

/// What can happen to a node's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its program was started.
    Up,
    /// It ended as it was asked to: how, in words, as in `signal 9 (SIGKILL)`.
    Down(String),
    /// It ended although nobody asked it to.
    Died {
        /// How, in words: `exit status 1`, `signal 11 (SIGSEGV)`.
        status: String,
        /// The last lines it printed to stderr.
        stderr: String,
    },
    /// All of it stands still.
    Paused,
    /// All of it goes on.
    Resumed,
}

/// Hears of everything as it happens. Must return at once: the node's next turn waits for it.
pub type Listener = Box<dyn FnMut(News) + Send>;

/// Tells [`News`]. Whoever changes what is told holds it meanwhile: a node that is started again
/// is not told to be up before it is told to have ended.
#[derive(Clone, Default)]
pub(super) struct Teller(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    listener: Option<Listener>,
    closing: bool,
}

impl Teller {
    /// Tells this listener, and no other, from now on.
    pub(super) fn listen(&self, listener: Option<Listener>) {
        lock(&self.0).listener = listener;
    }

    /// From now on it is no news that somebody ended who was asked to.
    pub(super) fn close(&self) {
        lock(&self.0).closing = true;
    }

    /// Nobody else tells anything until this is dropped.
    pub(super) fn hold(&self) -> Telling<'_> {
        Telling(lock(&self.0))
    }
}

/// The only one who tells.
pub(super) struct Telling<'a>(MutexGuard<'a, Inner>);

impl Telling<'_> {
    /// Tells it.
    pub(super) fn tell(&mut self, node: NodeId, what: Turn) {
        let stale = self.0.closing && matches!(what, Turn::Down(_));
        if let Some(listener) = self.0.listener.as_mut().filter(|_| !stale) {
            listener(News { node, what });
        }
    }
}
