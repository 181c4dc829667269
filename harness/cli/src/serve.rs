//! The server behind `danso serve`: pages over a folder of runs. It reads and never writes.
//!
//! What it serves is partly a target's: names, values, logs, whole files. Pages are escaped and
//! forbid foreign scripts, reports are cut off from everything else (`files`), any other file is
//! only ever downloaded, and nothing outside the folder can be reached (`root`).

mod files;
mod guard;
mod live;
mod pages;
mod root;
mod runs;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::exit::usage;
use pages::App;

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;
/// How long a browser may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one connection may last, whatever goes through it.
const LONGEST: Duration = Duration::from_secs(3600);
/// Threads that read the disk.
const READERS: usize = 8;
/// Bytes of a request's head.
const HEAD: usize = 32 << 10;

/// What to serve, and where.
pub(crate) struct Site {
    /// The folder, without links.
    pub(crate) folder: PathBuf,
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// If it cannot listen there.
pub(crate) fn run(site: Site) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(READERS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(site));
    // Nobody waits for a page that is being made.
    runtime.shutdown_background();
    served
}

async fn serve(site: Site) -> anyhow::Result<()> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let address = SocketAddr::new(site.host, site.port);
    let listener = TcpListener::bind(address).await.map_err(|e| {
        usage(format!("{address}: {e}; `--port 0` takes any free port, `--host` another address"))
    })?;
    let address = listener.local_addr()?;
    let app = App::open(&site.folder).with_context(|| site.folder.display().to_string())?;
    println!("serving {} at http://{address}/", site.folder.display());
    if !site.host.is_loopback() {
        eprintln!(
            "warning: everybody who can reach {address} can read every run in this folder; there is no password"
        );
    }
    println!("Ctrl-C ends it");
    let router = guard::guarded(pages::router(Arc::new(app)), site.host);
    tokio::select! {
        never = accept(listener, router) => never,
        _ = int.recv() => Ok(()),
        _ = term.recv() => Ok(()),
    }
}

async fn accept(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = slots.clone().acquire_owned().await?;
        // One that came and went, or no descriptor left for now: the next may do.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            // A browser that leaves in the middle is nobody's failure.
            let _ = tokio::time::timeout(LONGEST, connection).await;
            drop(slot);
        });
    }
}
