//! Real nodes on loopback, spoken to over HTTP and through the target.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use danso_engine::network::{Backend, Link, LinkStats, Network, NetworkError, Party, Policy};
use danso_engine::target::{Member, Printed, Target};
use danso_vocab::{Call, NodeId, Outcome, Process, Value};
use reqwest::Method;
use tokio::runtime::{Builder, Handle, Runtime};

use super::SPEC;
use super::kv::Kv;
use crate::kit::args::NodeArgs;
use crate::kit::shell::serve;
use crate::raft::Host;

/// Loopback, with a port of its own for every node.
struct Loopback(Vec<SocketAddr>);

impl Network for Loopback {
    fn backend(&self) -> Backend {
        Backend::None
    }
    fn describe(&self) -> String {
        "loopback".to_owned()
    }
    fn listen(&self, node: NodeId, _: u16) -> SocketAddr {
        self.0[node.index()]
    }
    fn address(&self, _: Party, to: NodeId, _: u16) -> SocketAddr {
        self.0[to.index()]
    }
    fn namespace(&self, _: NodeId) -> Option<std::os::fd::RawFd> {
        None
    }
    fn runtime(&self, _: Party) -> Handle {
        Handle::current()
    }
    fn set(&self, _: &[(Link, Policy)]) -> Result<(), NetworkError> {
        Ok(())
    }
    fn stats(&self, _: Link) -> LinkStats {
        LinkStats::default()
    }
}

struct Cluster {
    target: Arc<dyn Target>,
    members: Vec<Member>,
    nodes: BTreeMap<NodeId, Runtime>,
}

impl Cluster {
    async fn start(count: u16, dir: &Path, options: &[(&str, Value)]) -> Cluster {
        let listeners: Vec<_> =
            (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        drop(listeners);
        let network: Arc<dyn Network> = Arc::new(Loopback(addresses));
        let options: BTreeMap<String, Value> =
            options.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let all = NodeId::all(count);
        let member = |id: &NodeId| Member {
            id: *id,
            all: all.clone(),
            data: dir.join(id.to_string()),
            conf: dir.join("conf"),
            printed: Printed::default(),
            seed: u64::from(id.0),
            exe: "danso".into(),
            options: Arc::default(),
            network: network.clone(),
        };
        let mut cluster = Cluster {
            target: (SPEC.build)(&options).unwrap(),
            members: all.iter().map(member).collect(),
            nodes: BTreeMap::new(),
        };
        for id in all {
            cluster.start_node(id);
        }
        cluster.ready().await;
        cluster
    }

    /// Starts a node from the very command line the engine would use.
    fn start_node(&mut self, id: NodeId) {
        let command = self.target.command(&self.members[id.index()]).unwrap().unwrap();
        assert_eq!(command.args[..2], ["node", "raft-kv"]);
        let args = NodeArgs::parse("raft-kv", command.args[2..].to_vec()).unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async { serve::<Host<Kv>>(args).await.unwrap() });
        self.nodes.insert(id, runtime);
    }

    /// Ends a node without telling it.
    fn kill(&mut self, id: NodeId) {
        self.nodes.remove(&id).unwrap().shutdown_background();
    }

    async fn ready(&self) {
        let start = Instant::now();
        for id in self.nodes.keys() {
            while let Err(e) = self.target.ready(&self.members[id.index()]).await {
                assert!(start.elapsed() < Duration::from_secs(10), "{id}: {e}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn leader(&self) -> NodeId {
        for _ in 0..500 {
            if let [leader] = self.target.primaries(&self.members).await[..] {
                return leader;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no leader");
    }

    /// What curl would get: status and body.
    async fn http(&self, id: NodeId, method: Method, path: &str, body: &str) -> (u16, String) {
        let address = self.members[id.index()].reached_from(Party::Control, 0);
        let request = reqwest::Client::new().request(method, format!("http://{address}{path}"));
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        std::mem::take(&mut self.nodes).into_values().for_each(Runtime::shutdown_background);
    }
}

#[tokio::test]
async fn curl_can_use_any_node() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(3, dir.path(), &[]).await;
    let leader = cluster.leader().await;
    for id in NodeId::all(3) {
        let key = format!("/kv/k{}", id.0);
        let cas = format!("{key}/cas");
        let steps = [
            (Method::GET, &key, "", 404, "absent"),
            (Method::PUT, &key, r#"{"value":{"a":[1,null]}}"#, 200, "{}"),
            (Method::GET, &key, "", 200, r#"{"value":{"a":[1,null]}}"#),
            (Method::POST, &cas, r#"{"old":2,"new":3}"#, 409, "mismatch"),
            (Method::POST, &cas, r#"{"old":{"a":[1,null]},"new":3}"#, 200, "{}"),
            (Method::GET, &key, "", 200, r#"{"value":3}"#),
            (Method::DELETE, &key, "", 200, "{}"),
            (Method::GET, &key, "", 404, "absent"),
            (Method::PUT, &key, "3", 400, "bad-request"),
            (Method::PUT, &key, r#"{"value":1.5}"#, 400, "bad-request"),
            (Method::PUT, &key, r#"{"value":1,"ttl":2}"#, 400, "bad-request"),
        ];
        for (method, path, body, status, part) in steps {
            let (got, text) = cluster.http(id, method.clone(), path, body).await;
            assert!(got == status && text.contains(part), "{id} {method} {path}: {got} {text}");
        }
        assert_eq!(cluster.http(id, Method::GET, "/health", "").await.0, 200);
        let status = cluster.http(id, Method::GET, "/status", "").await.1;
        let role = if id == leader { "leader" } else { "follower" };
        assert!(status.contains(&format!(r#""role":"{role}""#)), "{status}");
    }
}

#[tokio::test]
async fn a_retry_takes_effect_once_whichever_node_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(3, dir.path(), &[]).await;
    let ask = async |id, path: &str, body: &str| {
        let method = if path.contains("/cas") { Method::POST } else { Method::PUT };
        cluster.http(NodeId(id), method, path, body).await.0
    };
    assert_eq!(ask(1, "/kv/k?client=me&seq=1", r#"{"value":1}"#).await, 200);
    for id in 1..=3 {
        let swap = r#"{"old":1,"new":2}"#;
        assert_eq!(ask(id, "/kv/k/cas?client=me&seq=2", swap).await, 200);
    }
    assert_eq!(ask(2, "/kv/k?client=me&seq=1", r#"{"value":1}"#).await, 410);
    assert_eq!(ask(2, "/kv/k?client=me", r#"{"value":1}"#).await, 400);
    assert_eq!(ask(2, "/kv/k?client=me&seq=x", r#"{"value":1}"#).await, 400);
    assert_eq!(cluster.http(NodeId(1), Method::GET, "/kv/k", "").await.1, r#"{"value":2}"#);
}

#[tokio::test]
async fn nothing_is_lost_when_leaders_die_and_all_nodes_restart() {
    let dir = tempfile::tempdir().unwrap();
    // Snapshots often, so that restarts and laggards go through them.
    let mut cluster = Cluster::start(3, dir.path(), &[("snapshot-every", 20.into())]).await;
    let mut client = cluster.target.connect(&cluster.members, NodeId(2), Process(1));
    let write = |i: i64| Call::new("write", i).on(i % 7);
    for i in 0..120 {
        if i % 40 == 20 {
            let leader = cluster.leader().await;
            cluster.kill(leader);
            tokio::time::sleep(Duration::from_millis(100)).await;
            for more in 0..30 {
                assert_eq!(client.invoke(&write(more)).await, Outcome::Ok(Value::Nil));
            }
            cluster.start_node(leader);
        }
        assert_eq!(client.invoke(&write(i)).await, Outcome::Ok(Value::Nil));
    }
    for id in NodeId::all(3) {
        cluster.kill(id);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    for id in NodeId::all(3) {
        cluster.start_node(id);
    }
    for key in 0..7 {
        let last = (0..120).rev().find(|i| i % 7 == key).map(Value::Int).unwrap();
        let read = client.invoke(&Call::new("read", ()).on(key)).await;
        assert_eq!(read, Outcome::Ok(last));
    }
}

#[tokio::test]
async fn without_a_majority_there_is_no_answer_and_no_lie() {
    let dir = tempfile::tempdir().unwrap();
    let options = [("attempt-timeout-ms", 50.into()), ("request-timeout-ms", 100.into())];
    let mut cluster = Cluster::start(5, dir.path(), &options).await;
    let leader = cluster.leader().await;
    let others: Vec<NodeId> = NodeId::all(5).into_iter().filter(|id| *id != leader).collect();
    for id in &others[..3] {
        cluster.kill(*id);
    }
    let mut client = cluster.target.connect(&cluster.members, leader, Process(1));
    let read = client.invoke(&Call::new("read", ())).await;
    assert!(matches!(read, Outcome::Fail(_)), "{read:?}");
    let write = Call::new("write", 1);
    let outcome = tokio::time::timeout(Duration::from_secs(1), client.invoke(&write)).await;
    assert!(outcome.is_err(), "nobody knows whether it happened: {outcome:?}");
    let (status, body) = cluster.http(leader, Method::PUT, "/kv/k", r#"{"value":1}"#).await;
    assert!(status == 504 && body.contains(r#""definite":false"#), "{status} {body}");
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let line = format!(
        "--id 1 --listen {address} --data {} --seed 1 --peers 2=127.0.0.1:1,3=127.0.0.1:2",
        dir.path().display()
    );
    let args = line.split_whitespace().map(str::to_owned).collect();
    let error = (SPEC.node.unwrap())(args).unwrap_err();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(!error.contains('\n'));
}
