//! `danso node NAME`: a node's life.

use axum::serve::ListenerExt;
use danso_vocab::Rng;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::args::NodeArgs;
use super::driver::{Clocks, Driver, say};
use super::journal::Journal;
use super::peers::Outbox;
use super::{Boot, Node, server};

/// Inputs that may wait for the driver.
const INBOUND: usize = 8_192;

/// Runs a node until it is told to stop or its disk fails. On stderr it says
/// `restored records=N start=N` and `listening on ADDRESS`, and what the node itself has to say.
pub(crate) fn run<N: Node>(args: Vec<String>) -> Result<(), String> {
    let args = NodeArgs::parse(N::NAME, args)?;
    // One thread: the loop around the node is the bottleneck and wants no company, and what
    // gathers while it waits for the disk is its batch.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime: {e}"))?;
    let result = runtime.block_on(serve::<N>(args));
    runtime.shutdown_background();
    result
}

/// The same inside a runtime; it ends when it is dropped, too.
pub(crate) async fn serve<N: Node>(args: NodeArgs) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("no signals: {e}"))?;
    let settings = N::settings(&args.options)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    let (journal, records) =
        Journal::open(&args.data, N::fsync(&settings)).map_err(|e| e.to_string())?;
    say(&format!("restored records={} start={}", records.len(), journal.starts()));
    let (sender, inbound) = mpsc::channel(INBOUND);
    let outbox = Outbox::start(args.id, &args.peers, &sender)?;
    let clocks = Clocks::start();
    let boot = Boot {
        id: args.id,
        all: args.all(),
        settings,
        // Another stream at every start, or a node would repeat what it drew in its last life.
        rng: Rng::new(args.seed).split(&format!("start-{}", journal.starts())),
        start: journal.starts(),
    };
    let node = N::new(boot, records, clocks.now());
    let driver = Driver::new(node, journal, outbox, inbound, clocks);
    say(&format!("listening on {}", args.listen));
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    tokio::select! {
        result = driver.run() => result,
        result = axum::serve(listener, server::router(sender)) => result.map_err(|e| e.to_string()),
        _ = terminate.recv() => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}
