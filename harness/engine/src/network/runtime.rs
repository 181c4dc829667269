//! [`PartyRuntime`]: a small tokio runtime whose every thread lives in one network namespace.

use std::os::fd::OwnedFd;

use nix::sched::{CloneFlags, setns};
use tokio::runtime::{Builder, Handle, Runtime};

use super::NetworkError;

/// A runtime that ends in the background when dropped, also inside another runtime.
pub struct PartyRuntime {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl PartyRuntime {
    /// Starts the runtime. Each of its threads, those for blocking calls (name look-ups) too,
    /// enters `namespace` before anything else, whoever caused the thread to be made.
    ///
    /// # Errors
    /// If there can be no threads.
    pub fn start(
        name: &str,
        workers: usize,
        namespace: Option<OwnedFd>,
    ) -> Result<PartyRuntime, NetworkError> {
        PartyRuntime::with(name, workers, move || {
            if let Some(namespace) = &namespace {
                setns(namespace, CloneFlags::CLONE_NEWNET)
                    .expect("because this process made the namespace and has entered it before");
            }
        })
    }

    /// Starts the runtime. Each of its threads does `first` before anything else.
    ///
    /// # Errors
    /// If there can be no threads.
    pub fn with(
        name: &str,
        workers: usize,
        first: impl Fn() + Send + Sync + 'static,
    ) -> Result<PartyRuntime, NetworkError> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers).thread_name(name).enable_all().on_thread_start(first);
        let runtime = builder.build().map_err(|error| {
            NetworkError(format!("cannot start the threads of {name}: {error}"))
        })?;
        Ok(PartyRuntime { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// To spawn on.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for PartyRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
