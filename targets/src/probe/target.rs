//! The target `probe`: how the engine starts, questions and reaches its nodes. A register is
//! where its name says: the number in it, counted around the nodes.
//!
//! | what a request ends with | then |
//! | --- | --- |
//! | 200 | `ok` |
//! | 409 | `fail`: compared and different |
//! | 400, 503; no connection | `fail`: nothing was done |
//! | anything else | `info` |

use std::net::SocketAddr;
use std::time::Duration;

use danso_engine::network::Party;
use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
use danso_vocab::codec::json;
use danso_vocab::{Call, NodeId, Outcome, Process, Value};

use super::Settings;

/// HTTP.
const PORT: u16 = 7_500;
/// Echoes.
const ECHO: u16 = 7_501;

/// The recipe.
pub(super) struct Probe {
    pub(super) settings: Settings,
}

impl Target for Probe {
    fn name(&self) -> &str {
        super::SPEC.name
    }

    fn ports(&self) -> &[u16] {
        &[PORT, ECHO]
    }

    fn command(&self, node: &Member) -> Result<Option<NodeCommand>, String> {
        let others = node.all.iter().filter(|id| **id != node.id);
        let peers: Vec<String> =
            others.map(|id| format!("{id}={}", node.peer(*id, ECHO))).collect();
        let mut args: Vec<String> = ["node", super::SPEC.name].map(str::to_owned).into();
        for (name, value) in [
            ("id", node.id.to_string()),
            ("listen", node.listen(PORT).to_string()),
            ("echo", node.listen(ECHO).to_string()),
            ("peers", peers.join(",")),
            ("data", node.data.to_string_lossy().into_owned()),
            ("fsync", self.settings.fsync.to_string()),
            ("tick-ms", self.settings.tick_ms.to_string()),
        ] {
            args.extend([format!("--{name}"), value]);
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
            let url = format!("http://{}/health", node.reached_from(Party::Control, PORT));
            let response = http(Duration::from_millis(500)).get(url).send().await;
            match response.map(|r| r.status().as_u16()) {
                Ok(200) => Ok(()),
                Ok(status) => Err(format!("GET /health says {status}")),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    /// Nobody leads anybody; who must be named is the first.
    fn primaries<'a>(&'a self, nodes: &'a [Member]) -> Fut<'a, Vec<NodeId>> {
        Box::pin(async { nodes.iter().take(1).map(|n| n.id).collect() })
    }

    fn hooks(&self) -> &'static [&'static str] {
        &["leave", "join"]
    }

    fn hook<'a>(
        &'a self,
        hook: &'a str,
        node: &'a Member,
        _: &'a [Member],
    ) -> Fut<'a, Result<String, String>> {
        Box::pin(async move {
            let url = format!("http://{}/{hook}", node.reached_from(Party::Control, PORT));
            let response = http(Duration::from_secs(2)).post(url).send().await;
            match response.map(|r| r.status().as_u16()) {
                Ok(200) => Ok("done".to_owned()),
                Ok(status) => Err(format!("it says {status}")),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    fn connect(&self, nodes: &[Member], _: NodeId, _: Process) -> Box<dyn Client> {
        let addresses = nodes.iter().map(|n| n.reached_from(Party::Clients, PORT)).collect();
        Box::new(ProbeClient { http: http(Duration::from_secs(5)), addresses })
    }
}

fn http(patience: Duration) -> reqwest::Client {
    // Building fails only for TLS and resolver settings, of which there are none.
    let builder = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(patience);
    builder.pool_max_idle_per_host(1).build().unwrap_or_default()
}

struct ProbeClient {
    http: reqwest::Client,
    addresses: Vec<SocketAddr>,
}

impl Client for ProbeClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move { self.call(call).await })
    }
}

impl ProbeClient {
    async fn call(&self, call: &Call) -> Outcome {
        let key = call.key.as_ref().and_then(Value::str).unwrap_or_default();
        let number: usize =
            key.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0);
        let url = format!("http://{}/kv/{key}", self.addresses[number % self.addresses.len()]);
        let request = match (&*call.f, call.arg.pair()) {
            ("read", _) => self.http.get(url),
            ("write", _) => {
                let body = Value::of([("value", call.arg.clone())]);
                self.http.put(url).body(json::to_string(&body))
            }
            ("cas", Some((old, new))) => {
                let body = Value::of([("old", old.clone()), ("new", new.clone())]);
                self.http.post(format!("{url}/cas")).body(json::to_string(&body))
            }
            _ => return Outcome::Fail("unsupported".into()),
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Outcome::Fail("no-connection".into()),
            Err(_) => return Outcome::Info("no-response".into()),
        };
        match response.status().as_u16() {
            200 if call.f != "read" => Outcome::Ok(Value::Nil),
            200 => {
                let body = response.bytes().await.unwrap_or_default();
                let found: Result<json::In, _> = serde_json::from_slice(&body);
                match found.ok().and_then(|f| f.0.map()?.get("value").cloned()) {
                    Some(value) => Outcome::Ok(value),
                    None => Outcome::Info("bad-response".into()),
                }
            }
            409 => Outcome::Fail("mismatch".into()),
            400 => Outcome::Fail("bad-request".into()),
            503 => Outcome::Fail("left".into()),
            _ => Outcome::Info("bad-response".into()),
        }
    }
}
