//! A node: HTTP, readings on stdout, the command line.
//!
//! | request | response |
//! | --- | --- |
//! | `GET /kv/{key}` | 200 `{"value":v}` |
//! | `PUT /kv/{key}` with `{"value":v}` | 200 `{}`; 500 if the disk refuses |
//! | `POST /kv/{key}/cas` with `{"old":x,"new":y}` | 200 `{}` or 409 |
//! | `GET /health` | 200 |
//! | `GET /readings` | a line of readings |
//! | `POST /leave`, `POST /join` | registers are out of reach (503) in between |

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use danso_vocab::codec::json;
use danso_vocab::{NodeId, Value};

use super::echo::{self, Echoes};
use super::readings;
use super::store::Store;

struct Node {
    name: String,
    /// Tells one start of this node from another.
    started: u64,
    store: Mutex<Store>,
    echoes: Echoes,
    left: AtomicBool,
}

type Shared = Arc<Node>;

impl Node {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readings(&self) -> String {
        json::to_string(&readings::take(&self.name, self.started, &self.store(), &self.echoes))
    }
}

/// What a node is told.
struct Options {
    id: NodeId,
    listen: SocketAddr,
    echo: SocketAddr,
    peers: Vec<(NodeId, SocketAddr)>,
    data: PathBuf,
    fsync: bool,
    tick: Duration,
}

impl Options {
    fn parse(args: &[String]) -> Result<Options, String> {
        let get = |name: &str| {
            let at = args.iter().position(|a| *a == format!("--{name}"));
            at.and_then(|i| args.get(i + 1)).ok_or_else(|| format!("probe: --{name} is missing"))
        };
        fn parsed<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
            text.parse().map_err(|_| format!("probe: --{name} {text} makes no sense"))
        }
        let mut peers = Vec::new();
        for peer in get("peers")?.split(',').filter(|p| !p.is_empty()) {
            let (id, at) = peer.split_once('=').ok_or("probe: --peers wants n2=ADDRESS,…")?;
            peers.push((id.parse()?, parsed("peers", at)?));
        }
        Ok(Options {
            id: get("id")?.parse()?,
            listen: parsed("listen", get("listen")?)?,
            echo: parsed("echo", get("echo")?)?,
            peers,
            data: PathBuf::from(get("data")?),
            fsync: parsed("fsync", get("fsync")?)?,
            tick: Duration::from_millis(parsed("tick-ms", get("tick-ms")?)?),
        })
    }
}

/// Runs a node until it is told to stop.
pub(super) fn run(args: Vec<String>) -> Result<(), String> {
    let options = Options::parse(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| format!("probe: no runtime: {e}"))?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), String> {
    let node = Arc::new(Node {
        name: options.id.to_string(),
        started: readings::uptime(),
        store: Mutex::new(Store::open(&options.data, options.fsync)?),
        echoes: echo::start(options.echo, &options.peers, options.tick).await?,
        left: AtomicBool::new(false),
    });
    let listener = tokio::net::TcpListener::bind(options.listen)
        .await
        .map_err(|e| format!("probe: cannot listen on {}: {e}", options.listen))?;
    let reader = node.clone();
    tokio::spawn(async move {
        loop {
            println!("{}", reader.readings());
            tokio::time::sleep(options.tick).await;
        }
    });
    let router = Router::new()
        .route("/kv/{key}", get(read).put(write))
        .route("/kv/{key}/cas", post(cas))
        .route("/health", get(|| async { answer(StatusCode::OK, "{}") }))
        .route("/readings", get(now))
        .route("/leave", post(leave))
        .route("/join", post(join))
        .with_state(node);
    axum::serve(listener, router).await.map_err(|e| format!("probe: {e}"))
}

fn answer(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response
}

async fn now(State(node): State<Shared>) -> Response<Body> {
    answer(StatusCode::OK, node.readings())
}

async fn leave(State(node): State<Shared>) -> Response<Body> {
    node.left.store(true, Ordering::SeqCst);
    answer(StatusCode::OK, "{}")
}

async fn join(State(node): State<Shared>) -> Response<Body> {
    node.left.store(false, Ordering::SeqCst);
    answer(StatusCode::OK, "{}")
}

async fn read(State(node): State<Shared>, Path(key): Path<String>) -> Response<Body> {
    with(&node, |store| {
        let value = Value::of([("value", store.get(&key))]);
        answer(StatusCode::OK, json::to_string(&value))
    })
}

async fn write(State(node): State<Shared>, Path(key): Path<String>, body: Bytes) -> Response<Body> {
    let Some(value) = field(&body, "value") else { return bad() };
    tokio::task::block_in_place(|| with(&node, |store| put(store, &key, value)))
}

async fn cas(State(node): State<Shared>, Path(key): Path<String>, body: Bytes) -> Response<Body> {
    let (Some(old), Some(new)) = (field(&body, "old"), field(&body, "new")) else { return bad() };
    tokio::task::block_in_place(|| {
        with(&node, |store| {
            if store.get(&key) == old {
                put(store, &key, new)
            } else {
                answer(StatusCode::CONFLICT, "{\"error\":\"mismatch\"}")
            }
        })
    })
}

fn with(node: &Node, work: impl FnOnce(&mut Store) -> Response<Body>) -> Response<Body> {
    if node.left.load(Ordering::SeqCst) {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "{\"error\":\"left\"}");
    }
    work(&mut node.store())
}

fn put(store: &mut Store, key: &str, value: Value) -> Response<Body> {
    match store.put(key, value) {
        Ok(()) => answer(StatusCode::OK, "{}"),
        Err(error) => {
            // What is on disk now nobody knows but a restart.
            eprintln!("the disk refuses: {error}");
            std::process::exit(3);
        }
    }
}

fn field(body: &[u8], name: &str) -> Option<Value> {
    let json::In(value) = serde_json::from_slice(body).ok()?;
    value.map()?.get(name).cloned()
}

fn bad() -> Response<Body> {
    answer(StatusCode::BAD_REQUEST, "{\"error\":\"bad-request\"}")
}
