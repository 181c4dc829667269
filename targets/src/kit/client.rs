//! What clients of bundled targets have in common: asking a node, and what its silence means.

use std::net::SocketAddr;
use std::time::Duration;

use danso_vocab::codec::json;
use danso_vocab::{Name, NodeId, Outcome, Value};

use super::http::Method;

/// How long a connection may take to come about. If it does not, nothing was sent.
const CONNECT: Duration = Duration::from_millis(500);

/// The nodes as a client reaches them.
pub(crate) struct Nodes {
    http: reqwest::Client,
    addresses: Vec<SocketAddr>,
    /// The node it asks first, as a position.
    pub(crate) home: usize,
}

/// What an attempt ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The node answered.
    Said {
        /// The HTTP status.
        status: u16,
        /// The body; nil if it is no JSON.
        body: Value,
    },
    /// No connection came about: nothing was sent.
    Unreached,
    /// Something was sent and no answer came.
    Silent,
}

impl Nodes {
    /// The nodes at these addresses, in order of their ids.
    pub(crate) fn new(addresses: Vec<SocketAddr>, home: usize) -> Nodes {
        // Building fails only for TLS and resolver settings, of which there are none.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1)
            .connect_timeout(CONNECT)
            .build()
            .unwrap_or_default();
        Nodes { http, addresses, home }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Where one of them is.
    #[cfg(test)]
    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.addresses[node]
    }

    /// Asks one node, once. `path` begins with a slash and is encoded.
    pub(crate) async fn ask(
        &self,
        node: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Reply {
        let url = format!("http://{}{path}", self.addresses[node % self.addresses.len()]);
        let request = match method {
            Method::Get => self.http.get(url),
            Method::Put => self.http.put(url),
            Method::Post => self.http.post(url),
            Method::Delete => self.http.delete(url),
        };
        let request = match body {
            Some(body) => request.body(json::to_string(body)),
            None => request,
        };
        let response = match request.timeout(patience).send().await {
            Ok(response) => response,
            // Only a connection that never came about proves that nothing was sent.
            Err(error) if error.is_connect() => return Reply::Unreached,
            Err(_) => return Reply::Silent,
        };
        let status = response.status().as_u16();
        match response.bytes().await {
            Ok(bytes) => {
                let body = serde_json::from_slice::<json::In>(&bytes).map(|read| read.0);
                Reply::Said { status, body: body.unwrap_or_default() }
            }
            Err(_) => Reply::Silent,
        }
    }
}

impl Reply {
    /// The body, if the node said 200.
    pub(crate) fn done(&self) -> Option<&Value> {
        match self {
            Reply::Said { status: 200, body } => Some(body),
            _ => None,
        }
    }

    /// Whether the request certainly had no effect and never will: the node says so, or nothing
    /// was sent.
    pub(crate) fn is_definite(&self) -> bool {
        match self {
            Reply::Said { status: 200, .. } | Reply::Silent => false,
            Reply::Said { body, .. } => body.get("definite").and_then(Value::bool) == Some(true),
            Reply::Unreached => true,
        }
    }

    /// What went wrong, in a word.
    pub(crate) fn error(&self) -> Name {
        match self {
            Reply::Said { body, .. } => {
                let error = body.get("error").and_then(Value::str).unwrap_or("bad-response");
                error.to_owned().into()
            }
            Reply::Unreached => "no-connection".into(),
            Reply::Silent => "no-response".into(),
        }
    }

    /// Who leads, if the node says so beside its error.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        match self {
            Reply::Said { body, .. } => body.get("leader")?.str()?.parse().ok(),
            _ => None,
        }
    }

    /// How a call ends whose only attempt ended like this without success.
    pub(crate) fn failed(&self) -> Outcome {
        if self.is_definite() { Outcome::Fail(self.error()) } else { Outcome::Info(self.error()) }
    }
}
