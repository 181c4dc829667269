//! `danso node raft-kv`: the command line of a node, and its life.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::serve::ListenerExt;
use danso_vocab::{NodeId, Rng, Value};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::core::Config;
use super::driver::{Driver, say};
use super::node::{Limits, Node};
use super::peers::Outbox;
use super::settings::{Settings, parse_option};
use super::storage::Storage;
use super::{SPEC, server};
use crate::names;

const FLAGS: [&str; 7] = ["--id", "--listen", "--peers", "--data", "--seed", "--bug", "--option"];

/// Inputs that may wait for the driver.
const INBOUND: usize = 8_192;

/// A parsed command line.
#[derive(Debug)]
pub(super) struct NodeArgs {
    id: NodeId,
    listen: SocketAddr,
    peers: BTreeMap<NodeId, SocketAddr>,
    data: PathBuf,
    seed: u64,
    settings: Settings,
}

/// Runs a node until it is told to stop or its disk fails.
pub(super) fn run(args: Vec<String>) -> Result<(), String> {
    let args = NodeArgs::parse(args)?;
    // One thread: the loop around the node is the bottleneck and wants no company, and what
    // gathers while it waits for the disk is its batch.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no runtime: {e}"))?;
    let result = runtime.block_on(serve(args));
    runtime.shutdown_background();
    result
}

/// A node's life.
pub(super) async fn serve(args: NodeArgs) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| format!("no signals: {e}"))?;
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}", args.listen))?;
    let settings = &args.settings;
    let (storage, restored) =
        Storage::open(&args.data, settings.fsync, settings.bug).map_err(|e| e.to_string())?;
    say(&format!(
        "restored term={} log={} snapshot={}",
        restored.hard.term,
        restored.base.index + restored.entries.len() as u64,
        restored.snapshot.as_ref().map_or(0, |s| s.last.index)
    ));
    let limits = Limits {
        snapshot_every: settings.snapshot_every,
        request_timeout: settings.request_timeout_ms * 1_000_000,
        boot: storage.boots(),
    };
    let (sender, inbound) = mpsc::channel(INBOUND);
    let patience = Duration::from_millis(settings.heartbeat_ms * 3);
    let outbox = Outbox::start(args.id, &args.peers, patience, &sender)?;
    let start = Instant::now();
    // Another stream at every start, or a node would repeat the timeouts of its last life.
    let rng = Rng::new(args.seed).split(&format!("start-{}", storage.boots()));
    let node = Node::new(args.config(), limits, rng, restored, 0);
    let driver = Driver::new(node, storage, outbox, inbound, start);
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

impl NodeArgs {
    pub(super) fn parse(args: Vec<String>) -> Result<NodeArgs, String> {
        let mut given: BTreeMap<&'static str, String> = BTreeMap::new();
        let mut options = BTreeMap::new();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let flag = *FLAGS
                .iter()
                .find(|f| **f == arg)
                .ok_or_else(|| names::unknown("flag", &arg, &FLAGS))?;
            let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
            match flag {
                "--option" => {
                    let (name, value) = parse_option(&value)?;
                    options.insert(name, value);
                }
                "--bug" => {
                    options.insert("bug".to_owned(), Value::from(value));
                }
                _ => {
                    given.insert(flag, value);
                }
            }
        }
        let mut want = |flag: &str| {
            given.remove(flag).ok_or_else(|| format!("{flag} is missing: `danso node {}` wants --id, --listen, --peers, --data and --seed", SPEC.name))
        };
        let id = node_id(&want("--id")?)?;
        let mut peers = parse_peers(&want("--peers")?)?;
        peers.remove(&id);
        if !SPEC.nodes.contains(&(peers.len() as u16 + 1)) {
            return Err(format!(
                "--peers names {} others: a cluster has 3, 5 or 7 nodes",
                peers.len()
            ));
        }
        let seed = want("--seed")?;
        Ok(NodeArgs {
            id,
            listen: address(&want("--listen")?)?,
            peers,
            data: want("--data")?.into(),
            seed: seed.parse().map_err(|_| format!("--seed `{seed}` is no number"))?,
            settings: Settings::new(&options)?,
        })
    }

    fn config(&self) -> Config {
        let ms = |ms: u64| ms * 1_000_000;
        Config {
            id: self.id,
            peers: self.peers.keys().copied().collect(),
            election_min: ms(self.settings.election_min_ms),
            election_max: ms(self.settings.election_max_ms),
            heartbeat: ms(self.settings.heartbeat_ms),
            max_entries: self.settings.max_entries,
            pre_vote: self.settings.pre_vote,
            bug: self.settings.bug,
        }
    }
}

/// `1` or `n1`.
fn node_id(text: &str) -> Result<NodeId, String> {
    let number = text.strip_prefix('n').unwrap_or(text).parse().ok().filter(|n| *n > 0);
    number.map(NodeId).ok_or_else(|| format!("`{text}` is no node: nodes are numbered from 1"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address: write IP:PORT"))
}

/// `1=IP:PORT,2=IP:PORT,…`; the node itself may be among them.
fn parse_peers(text: &str) -> Result<BTreeMap<NodeId, SocketAddr>, String> {
    let pairs = text.split(',').map(|part| {
        let (id, at) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` in --peers is no peer: write ID=IP:PORT"))?;
        Ok((node_id(id)?, address(at)?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<NodeArgs, String> {
        NodeArgs::parse(line.split_whitespace().map(str::to_owned).collect())
    }

    const GOOD: &str = "--id 1 --listen 127.0.0.1:7400 --data /tmp/x --seed 7 \
        --peers 1=127.0.0.1:7400,2=127.0.0.2:7400,n3=127.0.0.3:7400";

    #[test]
    fn a_command_line_is_understood() {
        let args = parse(&format!("{GOOD} --bug forget-vote --option heartbeat-ms=20")).unwrap();
        assert_eq!(args.peers.keys().copied().collect::<Vec<_>>(), [NodeId(2), NodeId(3)]);
        assert_eq!(args.config().heartbeat, 20_000_000);
        assert_eq!(args.settings.bug.map(|b| b.name()), Some("forget-vote"));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, want) in [
            (format!("{GOOD} --sede 3"), "did you mean `--seed`?"),
            (format!("{GOOD} --bug forgetvote"), "did you mean `forget-vote`?"),
            (format!("{GOOD} --option fsnyc=true"), "did you mean `fsync`?"),
            (format!("{GOOD} --option fsync"), "NAME=VALUE"),
            (format!("{GOOD} --data"), "--data wants a value"),
            ("--id 1".to_owned(), "--peers is missing"),
            (GOOD.replace(",n3=127.0.0.3:7400", ""), "3, 5 or 7"),
            (GOOD.replace("--id 1", "--id 0"), "`0` is no node"),
            (GOOD.replace("=127.0.0.2:7400", ":7400"), "is no peer"),
        ] {
            let error = parse(&line).unwrap_err();
            assert!(error.contains(want) && !error.contains('\n'), "{line}: {error}");
        }
    }
}
