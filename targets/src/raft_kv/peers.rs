//! Parcels to peers: one task a peer, one POST under way at a time. What gathers meanwhile goes
//! with the next one, so a slow peer gets larger batches and not more requests. A POST that
//! fails takes its parcels with it: the protocol bears losses, and repeats what matters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use danso_vocab::NodeId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::driver::Inbound;
use super::node::Parcel;

/// Parcels waiting for one peer at most; more are dropped.
const QUEUE: usize = 1_024;

/// Parcels in one POST at most.
const BATCH: usize = 256;

/// The body of `POST /raft`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) from: u16,
    pub(crate) parcels: Vec<Parcel>,
}

/// The way to all peers.
pub(crate) struct Outbox {
    queues: BTreeMap<NodeId, mpsc::Sender<Parcel>>,
}

impl Outbox {
    /// Starts the tasks. What peers say in their responses goes to `inbound`.
    pub(crate) fn start(
        from: NodeId,
        peers: &BTreeMap<NodeId, SocketAddr>,
        timeout: Duration,
        inbound: &mpsc::Sender<Inbound>,
    ) -> Result<Outbox, String> {
        let mut queues = BTreeMap::new();
        for (peer, address) in peers {
            let (sender, queue) = mpsc::channel(QUEUE);
            let client = reqwest::Client::builder()
                .no_proxy()
                .tcp_nodelay(true)
                .pool_max_idle_per_host(1)
                .connect_timeout(timeout)
                .build()
                .map_err(|e| format!("no HTTP client: {e}"))?;
            let route = Route {
                client,
                url: format!("http://{address}/raft"),
                from: from.0,
                timeout,
                peer: *peer,
                inbound: inbound.clone(),
            };
            tokio::spawn(route.run(queue));
            queues.insert(*peer, sender);
        }
        Ok(Outbox { queues })
    }

    /// Sends a parcel, or drops it if too many wait.
    pub(crate) fn send(&self, to: NodeId, parcel: Parcel) {
        if let Some(queue) = self.queues.get(&to) {
            let _ = queue.try_send(parcel);
        }
    }
}

struct Route {
    client: reqwest::Client,
    url: String,
    from: u16,
    timeout: Duration,
    peer: NodeId,
    inbound: mpsc::Sender<Inbound>,
}

impl Route {
    async fn run(self, mut queue: mpsc::Receiver<Parcel>) {
        let mut parcels = Vec::new();
        while queue.recv_many(&mut parcels, BATCH).await > 0 {
            let delivery = Delivery { from: self.from, parcels: std::mem::take(&mut parcels) };
            match self.post(&delivery).await {
                Some(answers) if answers.is_empty() => {}
                Some(parcels) => {
                    let inbound = Inbound::Parcels { from: self.peer, parcels, reply: None };
                    if self.inbound.send(inbound).await.is_err() {
                        return;
                    }
                }
                // A refused connection fails at once; do not spin on it.
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Delivers and returns what the peer says; `None` if that did not work.
    async fn post(&self, delivery: &Delivery) -> Option<Vec<Parcel>> {
        let body = serde_json::to_vec(delivery).ok()?;
        // A large snapshot may take longer: reckon with 10 MB/s.
        let timeout = self.timeout + Duration::from_micros(body.len() as u64 / 10);
        let request = self.client.post(&self.url).timeout(timeout).body(body);
        let response = request.send().await.ok()?.error_for_status().ok()?;
        let bytes = response.bytes().await.ok()?;
        if bytes.is_empty() { Some(Vec::new()) } else { serde_json::from_slice(&bytes).ok() }
    }
}
