//! The target `raft-kv`: how the engine starts, questions and reaches a cluster of nodes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use danso_engine::network::Party;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_vocab::{NodeId, Process};

use super::client::KvClient;
use super::node::Status;
use super::settings::Settings;

/// The port every node listens on, on its own address.
const PORT: u16 = 7_400;

/// How long a node may take to say how it is.
const QUESTION: Duration = Duration::from_millis(500);

/// The recipe.
pub(super) struct RaftKv {
    pub(super) settings: Settings,
}

impl Target for RaftKv {
    fn name(&self) -> &str {
        super::SPEC.name
    }

    fn ports(&self) -> &[u16] {
        &[PORT]
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let peers: Vec<String> = node
            .all
            .iter()
            .filter(|id| **id != node.id)
            .map(|id| format!("{}={}", id.0, node.peer(*id, PORT)))
            .collect();
        let mut args: Vec<String> = ["node", super::SPEC.name].map(str::to_owned).into();
        let mut flag = |name: &str, value: String| args.extend([format!("--{name}"), value]);
        flag("id", node.id.0.to_string());
        flag("listen", node.listen(PORT).to_string());
        flag("peers", peers.join(","));
        flag("data", node.data.to_string_lossy().into_owned());
        flag("seed", node.seed.to_string());
        for (name, value) in &self.settings.all {
            if !value.is_nil() {
                flag("option", format!("{name}={value}"));
            }
        }
        Ok(Some(NodeCommand { program: node.exe.clone(), args, env: Vec::new() }))
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async {
            let address = node.reached_from(Party::Control, PORT);
            let response = get(address, "health").await.map_err(|e| e.to_string())?;
            match response.status().as_u16() {
                200 => Ok(()),
                status => Err(format!("GET /health says {status}: no leader yet")),
            }
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async {
            let addresses = nodes.iter().map(|n| (n.id, n.reached_from(Party::Control, PORT)));
            // All at once: a node that is gone must not delay the others' answers.
            let asked: Vec<_> = addresses.map(|(id, a)| (id, tokio::spawn(leads(a)))).collect();
            let mut leaders = Vec::new();
            for (id, answer) in asked {
                if answer.await.unwrap_or(false) {
                    leaders.push(id);
                }
            }
            leaders
        })
    }

    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        static CLIENTS: AtomicU64 = AtomicU64::new(0);
        // Process ids are unique in a run; the rest makes the name unique beyond it.
        let nth = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{process}-{}-{nth}", std::process::id());
        let address = |n: &Member| n.reached_from(Party::Clients, PORT).to_string();
        let home = nodes.iter().position(|n| n.id == node).unwrap_or(0);
        let patience = Duration::from_millis(self.settings.attempt_timeout_ms);
        Box::new(KvClient::new(nodes.iter().map(address).collect(), home, name, patience))
    }
}

async fn leads(address: SocketAddr) -> bool {
    let Ok(response) = get(address, "status").await else { return false };
    let status: Result<Status, _> = response.json().await;
    status.is_ok_and(|s| s.role == "leader")
}

/// Asks once, over a connection of its own: the caller's runtime may be another one next time.
async fn get(address: SocketAddr, path: &str) -> reqwest::Result<reqwest::Response> {
    let http = reqwest::Client::builder().no_proxy().timeout(QUESTION).build()?;
    http.get(format!("http://{address}/{path}")).send().await
}
