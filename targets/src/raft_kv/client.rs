//! The client of `raft-kv`: repeats a command, under one session number, until it has a result.
//!
//! | what an attempt ends with | then |
//! | --- | --- |
//! | 200; 404 `absent` of a read | `ok` |
//! | 409 `mismatch` | `fail`: sessions give every attempt the first one's result |
//! | 400 | `fail`, unless an earlier attempt may have had an effect |
//! | an error the node calls definite; no connection | try again elsewhere |
//! | any other error, or no response in time | try again elsewhere; from now on nobody knows |
//!
//! After a while without a result a read is `fail`: it has no effect. So is a command of which no
//! attempt can have had an effect. A command that may have had one is repeated until the engine's
//! patience ends, and that is `info`.

use std::fmt::Write as _;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::codec::json::{In, Out};
use danso_vocab::{Call, Name, Outcome, Value};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Pause before the next attempt after an error that came at once.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a node that did not answer is not asked first.
const SHUN: Duration = Duration::from_millis(500);

/// An attempt's patience doubles up to this many times the first one's.
const MAX_PATIENCE: u32 = 8;

/// A definite failure is reported after this many times the first attempt's patience.
const GIVE_UP: u32 = 4;

/// A client of one process.
pub(super) struct KvClient {
    http: reqwest::Client,
    /// Where the nodes are reached, in order of their ids.
    addresses: Vec<String>,
    /// The node it asks first, as a position in `addresses`.
    home: usize,
    /// The node that answered last.
    good: usize,
    shun_home_until: Option<Instant>,
    /// Unique for ever: sessions of two clients must not mix.
    name: String,
    seq: u64,
    patience: Duration,
}

/// A call as a request.
struct Asked {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    writes: bool,
}

/// What an attempt ended with.
enum Attempt {
    Result(Outcome),
    /// The node understood that it cannot be done.
    Bad(Name),
    /// No result. Whether that is all there is to say of this attempt, and who may know better.
    Error {
        name: Name,
        definite: bool,
        leader: Option<usize>,
    },
}

#[derive(Deserialize)]
struct Found {
    value: In,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    definite: bool,
    leader: Option<String>,
}

impl KvClient {
    /// A client called `name` of the nodes at these addresses, which asks the one at `home`
    /// first.
    pub(super) fn new(
        addresses: Vec<String>,
        home: usize,
        name: String,
        patience: Duration,
    ) -> KvClient {
        // Building fails only for TLS and resolver settings, of which there are none.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1)
            .connect_timeout(patience)
            .build()
            .unwrap_or_default();
        KvClient {
            http,
            addresses,
            home,
            good: home,
            shun_home_until: None,
            name,
            seq: 0,
            patience,
        }
    }

    async fn call(&mut self, call: &Call) -> Outcome {
        let asked = match Asked::new(call) {
            Ok(asked) => asked,
            Err(why) => return Outcome::Fail(why),
        };
        // The number is taken even if nothing is sent in the end: it must never be used twice.
        self.seq += u64::from(asked.writes);
        let start = Instant::now();
        let mut certain = true;
        let mut at = self.first_choice(start);
        let mut patience = self.patience;
        loop {
            let asked_at = Instant::now();
            let (name, leader) = match self.attempt(&asked, at, patience).await {
                Attempt::Result(outcome) => {
                    self.good = at;
                    return outcome;
                }
                Attempt::Bad(why) if certain => return Outcome::Fail(why),
                Attempt::Bad(why) => (why, None),
                Attempt::Error { name, definite, leader } => {
                    certain &= definite;
                    (name, leader)
                }
            };
            if (certain || !asked.writes) && start.elapsed() >= self.patience * GIVE_UP {
                return Outcome::Fail(name);
            }
            if at == self.home {
                self.shun_home_until = Some(Instant::now() + SHUN);
            }
            if asked_at.elapsed() < patience {
                tokio::time::sleep(PAUSE).await;
            } else {
                // It may be slow and not gone; and whatever the next node knows by then of the
                // first attempt, it will say.
                patience = (patience * 2).min(self.patience * MAX_PATIENCE);
            }
            at = leader.filter(|l| *l != at).unwrap_or((at + 1) % self.addresses.len());
        }
    }

    fn first_choice(&self, now: Instant) -> usize {
        if self.shun_home_until.is_some_and(|until| now < until) { self.good } else { self.home }
    }

    async fn attempt(&self, asked: &Asked, at: usize, patience: Duration) -> Attempt {
        let url = format!("http://{}{}", self.addresses[at], asked.path);
        let mut request = self.http.request(asked.method.clone(), url).timeout(patience);
        if asked.writes {
            request = request.header("x-client", &self.name).header("x-seq", self.seq);
        }
        if let Some(body) = &asked.body {
            request = request.body(body.clone());
        }
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                match response.bytes().await {
                    Ok(body) => self.understand(asked, status, &body),
                    Err(e) => failed(&e),
                }
            }
            Err(e) => failed(&e),
        }
    }

    fn understand(&self, asked: &Asked, status: u16, body: &[u8]) -> Attempt {
        if status == 200 {
            if asked.writes {
                return Attempt::Result(Outcome::Ok(Value::Nil));
            }
            return match serde_json::from_slice::<Found>(body) {
                Ok(found) => Attempt::Result(Outcome::Ok(found.value.0)),
                Err(_) => indefinite("bad-response"),
            };
        }
        let Ok(Refused { error, definite, leader }) = serde_json::from_slice(body) else {
            return indefinite("bad-response");
        };
        match (status, error.as_str()) {
            (404, "absent") if !asked.writes => Attempt::Result(Outcome::Ok(Value::Nil)),
            (409, "mismatch") => Attempt::Result(Outcome::Fail("mismatch".into())),
            (400, _) => Attempt::Bad("bad-request".into()),
            _ => {
                let leader = leader.and_then(|l| l.parse::<danso_vocab::NodeId>().ok());
                let leader = leader.map(|l| l.index()).filter(|l| *l < self.addresses.len());
                Attempt::Error { name: error.into(), definite, leader }
            }
        }
    }
}

fn indefinite(name: &'static str) -> Attempt {
    Attempt::Error { name: name.into(), definite: false, leader: None }
}

/// Only a connection that never came about proves that nothing was sent.
fn failed(error: &reqwest::Error) -> Attempt {
    let definite = error.is_connect();
    let name = match (definite, error.is_timeout()) {
        (true, _) => "no-connection",
        (false, true) => "no-response",
        (false, false) => "connection-lost",
    };
    Attempt::Error { name: name.into(), definite, leader: None }
}

impl Asked {
    fn new(call: &Call) -> Result<Asked, Name> {
        #[derive(Serialize)]
        struct Put<'a> {
            value: Out<'a>,
        }
        #[derive(Serialize)]
        struct Cas<'a> {
            old: Out<'a>,
            new: Out<'a>,
        }
        let path = format!("/kv/{}", path_of(call.key.as_ref()));
        let body = |json: serde_json::Result<Vec<u8>>| json.map_err(|_| Name::from("bad-value"));
        Ok(match call.f.as_ref() {
            "read" => Asked { method: Method::GET, path, body: None, writes: false },
            "write" => {
                let body = body(serde_json::to_vec(&Put { value: Out(&call.arg) }))?;
                Asked { method: Method::PUT, path, body: Some(body), writes: true }
            }
            "cas" => {
                let (old, new) = call.arg.pair().ok_or("bad-value")?;
                let body = body(serde_json::to_vec(&Cas { old: Out(old), new: Out(new) }))?;
                let path = path + "/cas";
                Asked { method: Method::POST, path, body: Some(body), writes: true }
            }
            "delete" => Asked { method: Method::DELETE, path, body: None, writes: true },
            _ => return Err("unsupported".into()),
        })
    }
}

/// A key as a part of a path. A workload with one object only does not name it.
fn path_of(key: Option<&Value>) -> String {
    let text = key.map_or_else(|| "register".to_owned(), Value::to_string);
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

impl Client for KvClient {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(self.call(call))
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
