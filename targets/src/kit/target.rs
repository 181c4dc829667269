//! The engine's side of a target whose nodes run in the [shell](super::shell).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::network::Party;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_vocab::codec::json;
use danso_vocab::{NodeId, Process, Value};

use super::client::Nodes;

/// The port every node listens on, on its own address.
const PORT: u16 = 7_400;

/// How long a node may take to say how it is.
const QUESTION: Duration = Duration::from_millis(500);

/// How long a hook may take.
const HOOK: Duration = Duration::from_secs(5);

/// How long a node that has been started may take to listen.
const START: Duration = Duration::from_secs(3);

/// What a target brings of its own.
pub(crate) trait Recipe: Send + Sync + 'static {
    /// The registered name.
    fn name(&self) -> &'static str;

    /// All options with their values, to be handed on to the nodes.
    fn options(&self) -> &BTreeMap<String, Value>;

    /// Whether the node leads that says this of itself (`GET /status`).
    fn leads(&self, status: &Value) -> bool {
        let _ = status;
        false
    }

    /// What can be done to a running node.
    fn hooks(&self) -> &'static [&'static str] {
        &[]
    }

    /// Does one of [`Recipe::hooks`] to `node` and says what came of it: `POST /HOOK`, unless a
    /// target knows better.
    fn hook<'a>(
        &'a self,
        hook: &'a str,
        node: &'a Member,
        all: &'a [Member],
    ) -> Fut<'a, Result<String, String>> {
        let _ = all;
        Box::pin(async move {
            let url = format!("http://{}/{hook}", address(node));
            said(post(&url).await?).await
        })
    }

    /// A client of `process`, which asks `nodes.home` first.
    fn client(&self, nodes: Nodes, process: Process) -> Box<dyn Client>;
}

/// The target of this recipe.
#[allow(clippy::unnecessary_wraps, reason = "it is the last expression of `TargetSpec::build`")]
pub(crate) fn build(recipe: impl Recipe) -> Result<Arc<dyn Target>, String> {
    Ok(Arc::new(Bundled(recipe)))
}

struct Bundled<R>(R);

impl<R: Recipe> Target for Bundled<R> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn ports(&self) -> &[u16] {
        &[PORT]
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let others = node.all.iter().filter(|id| **id != node.id);
        let peers: Vec<String> =
            others.map(|id| format!("{}={}", id.0, node.peer(*id, PORT))).collect();
        let mut args: Vec<String> = ["node", self.0.name()].map(str::to_owned).into();
        let mut flag = |name: &str, value: String| args.extend([format!("--{name}"), value]);
        flag("id", node.id.0.to_string());
        flag("listen", node.listen(PORT).to_string());
        flag("peers", peers.join(","));
        flag("data", node.data.to_string_lossy().into_owned());
        flag("seed", node.seed.to_string());
        for (name, value) in self.0.options() {
            if !value.is_nil() {
                flag("option", format!("{name}={value}"));
            }
        }
        Ok(Some(NodeCommand {
            program: node.exe.clone(),
            args,
            env: Vec::new(),
            ..NodeCommand::default()
        }))
    }

    fn ready<'a>(&'a self, node: &'a Member) -> Fut<'a, Result<(), String>> {
        Box::pin(async {
            let address = node.reached_from(Party::Control, PORT);
            let response = http(QUESTION)?.get(format!("http://{address}/health")).send().await;
            let response = response.map_err(|e| e.to_string())?;
            match (response.status().as_u16(), response.text().await) {
                (200, _) => Ok(()),
                (status, Ok(body)) => Err(format!("GET /health says {status}: {body}")),
                (status, Err(_)) => Err(format!("GET /health says {status}")),
            }
        })
    }

    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async {
            let addresses = nodes.iter().map(|n| (n.id, n.reached_from(Party::Control, PORT)));
            // All at once: a node that is gone must not delay the others' answers.
            let asked: Vec<_> = addresses.map(|(id, a)| (id, tokio::spawn(status(a)))).collect();
            let mut leaders = Vec::new();
            for (id, answer) in asked {
                if answer.await.ok().flatten().is_some_and(|status| self.0.leads(&status)) {
                    leaders.push(id);
                }
            }
            leaders
        })
    }

    fn hooks(&self) -> &'static [&'static str] {
        self.0.hooks()
    }

    fn hook<'a>(
        &'a self,
        hook: &'a str,
        node: &'a Member,
        all: &'a [Member],
    ) -> Fut<'a, Result<String, String>> {
        self.0.hook(hook, node, all)
    }

    fn connect(&self, nodes: &[Member], node: NodeId, process: Process) -> Box<dyn Client> {
        let address = |n: &Member| n.reached_from(Party::Clients, PORT);
        let home = nodes.iter().position(|n| n.id == node).unwrap_or(0);
        self.0.client(Nodes::new(nodes.iter().map(address).collect(), home), process)
    }
}

/// Where danso itself reaches a node.
pub(crate) fn address(node: &Member) -> SocketAddr {
    node.reached_from(Party::Control, PORT)
}

/// The body, if it is 200; else what was said.
pub(crate) async fn said(response: reqwest::Response) -> Result<String, String> {
    match (response.status().as_u16(), response.text().await.unwrap_or_default()) {
        (200, body) => Ok(body),
        (status, body) => Err(format!("it says {status}: {body}")),
    }
}

/// Asks until somebody listens: a node that has just been started is asked to join at once.
async fn post(url: &str) -> Result<reqwest::Response, String> {
    let until = tokio::time::Instant::now() + START;
    loop {
        match http(HOOK)?.post(url).send().await {
            Err(e) if e.is_connect() && tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            response => return response.map_err(|e| e.to_string()),
        }
    }
}

/// Asks once, over a connection of its own: the caller's runtime may be another one next time.
pub(crate) fn http(patience: Duration) -> Result<reqwest::Client, String> {
    let built = reqwest::Client::builder().no_proxy().timeout(patience).build();
    built.map_err(|e| format!("no HTTP client: {e}"))
}

/// What a node says of itself, if it answers.
pub(crate) async fn status(address: SocketAddr) -> Option<Value> {
    let sent = http(QUESTION).ok()?.get(format!("http://{address}/status")).send().await;
    let body = sent.ok()?.bytes().await.ok()?;
    serde_json::from_slice::<json::In>(&body).ok().map(|read| read.0)
}
