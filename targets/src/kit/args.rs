//! The command line of a node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use danso_vocab::{NodeId, Value};

use super::options;
use crate::names;

const FLAGS: [&str; 7] = ["--id", "--listen", "--peers", "--data", "--seed", "--bug", "--option"];

/// A parsed command line.
#[derive(Debug)]
pub(crate) struct NodeArgs {
    pub(crate) id: NodeId,
    pub(crate) listen: SocketAddr,
    /// The others.
    pub(crate) peers: BTreeMap<NodeId, SocketAddr>,
    pub(crate) data: PathBuf,
    pub(crate) seed: u64,
    pub(crate) options: BTreeMap<String, Value>,
}

impl NodeArgs {
    /// What these arguments say, to a node of `target`.
    pub(crate) fn parse(target: &str, args: Vec<String>) -> Result<NodeArgs, String> {
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
                "--option" => options.extend([options::parse(&value)?]),
                "--bug" => options.extend([("bug".to_owned(), Value::from(value))]),
                _ => given.extend([(flag, value)]),
            }
        }
        let mut want = |flag: &str| {
            given.remove(flag).ok_or_else(|| {
                format!(
                    "{flag} is missing: `danso node {target}` wants --id, --listen, --peers, --data and --seed"
                )
            })
        };
        let id = node_id(&want("--id")?)?;
        let mut peers = parse_peers(&want("--peers")?)?;
        peers.remove(&id);
        let seed = want("--seed")?;
        Ok(NodeArgs {
            id,
            listen: address(&want("--listen")?)?,
            peers,
            data: want("--data")?.into(),
            seed: seed.parse().map_err(|_| format!("--seed `{seed}` is no number"))?,
            options,
        })
    }

    /// All nodes, in order.
    pub(crate) fn all(&self) -> Vec<NodeId> {
        let mut all: Vec<NodeId> = self.peers.keys().copied().chain([self.id]).collect();
        all.sort();
        all
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

/// `1=IP:PORT,2=IP:PORT,…`; the node itself may be among them; empty if it is alone.
fn parse_peers(text: &str) -> Result<BTreeMap<NodeId, SocketAddr>, String> {
    let pairs = text.split(',').filter(|part| !part.is_empty()).map(|part| {
        let (id, at) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` in --peers is no peer: write ID=IP:PORT"))?;
        Ok((node_id(id)?, address(at)?))
    });
    pairs.collect()
}
