//! Messages to other nodes: one task a peer, one POST under way at a time. What gathers meanwhile
//! goes with the next one, so a slow peer gets larger batches and not more requests. A POST that
//! fails takes its messages with it: the protocol bears losses, and repeats what matters. What a
//! node has to say to whoever is waiting for the response to a POST goes with that.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use danso_vocab::NodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::driver::Inbound;

/// Messages waiting for one peer at most; more are dropped.
const QUEUE: usize = 1_024;

/// Messages in one POST at most.
const BATCH: usize = 256;

/// How long a POST may take: what is lost is repeated, so there is no point in waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// The body of `POST /peer`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Delivery<M> {
    pub(super) from: u16,
    pub(super) messages: Vec<M>,
}

/// The way to all peers.
pub(super) struct Outbox<M> {
    queues: BTreeMap<NodeId, mpsc::Sender<M>>,
}

impl<M: Serialize + DeserializeOwned + Send + 'static> Outbox<M> {
    /// Starts the tasks. What peers say in their responses goes to `inbound`.
    pub(super) fn start(
        from: NodeId,
        peers: &BTreeMap<NodeId, SocketAddr>,
        inbound: &mpsc::Sender<Inbound<M>>,
    ) -> Result<Outbox<M>, String> {
        let mut queues = BTreeMap::new();
        for (peer, address) in peers {
            let (sender, queue) = mpsc::channel(QUEUE);
            let client = reqwest::Client::builder()
                .no_proxy()
                .tcp_nodelay(true)
                .pool_max_idle_per_host(1)
                .connect_timeout(PATIENCE)
                .build()
                .map_err(|e| format!("no HTTP client: {e}"))?;
            let route = Route {
                client,
                url: format!("http://{address}/peer"),
                from: from.0,
                peer: *peer,
                inbound: inbound.clone(),
            };
            tokio::spawn(route.carry(queue));
            queues.insert(*peer, sender);
        }
        Ok(Outbox { queues })
    }

    /// Sends a message, or drops it if too many wait.
    pub(super) fn send(&self, to: NodeId, message: M) {
        if let Some(queue) = self.queues.get(&to) {
            let _ = queue.try_send(message);
        }
    }
}

struct Route<M> {
    client: reqwest::Client,
    url: String,
    from: u16,
    peer: NodeId,
    inbound: mpsc::Sender<Inbound<M>>,
}

impl<M: Serialize + DeserializeOwned> Route<M> {
    async fn carry(self, mut queue: mpsc::Receiver<M>) {
        let mut messages = Vec::new();
        while queue.recv_many(&mut messages, BATCH).await > 0 {
            let delivery = Delivery { from: self.from, messages: std::mem::take(&mut messages) };
            let Ok(body) = serde_json::to_vec(&delivery) else { continue };
            match self.post(body).await {
                Some(answers) if answers.is_empty() => {}
                Some(messages) => {
                    let said = Inbound::Messages { from: self.peer, messages, reply: None };
                    if self.inbound.send(said).await.is_err() {
                        return;
                    }
                }
                // A refused connection fails at once; do not spin on it.
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Delivers and returns what the peer says; `None` if that did not work.
    async fn post(&self, body: Vec<u8>) -> Option<Vec<M>> {
        // Much data may take longer: reckon with 10 MB/s.
        let timeout = PATIENCE + Duration::from_micros(body.len() as u64 / 10);
        let sent = self.client.post(&self.url).timeout(timeout).body(body).send().await;
        let bytes = sent.ok()?.error_for_status().ok()?.bytes().await.ok()?;
        if bytes.is_empty() { Some(Vec::new()) } else { serde_json::from_slice(&bytes).ok() }
    }
}
