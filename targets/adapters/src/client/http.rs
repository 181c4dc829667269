//! Client `http`: a request for each operation, and what each status means.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | a status listed under `ok` | `ok` with what its steps make of the body; `fail` if `expect` says so; `info` if the body makes no sense |
//! | a status listed under `fail` | `fail`: the user's claim that nothing happened |
//! | any other status | `info` |
//! | no connection came about | `fail`: nothing was sent |
//! | a connection that breaks, an answer too long or too late | `info` |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Value};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::{Dialect, Row, op};
use crate::mistake::read;
use crate::place::Place;
use crate::reading::Reading;
use crate::template::{Filter, Template};
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "http",
    about: "HTTP/1.1: a request for each operation, a table of statuses",
    build: |table, settings| Ok(Arc::new(Http::new(table, settings)?)),
};

/// How long a connection may take to come about. If it does not, nothing was sent.
const CONNECT: Duration = Duration::from_millis(500);
/// Bytes of an answer that are read, unless told otherwise.
const ANSWER: u64 = 1 << 20;

/// `[client]` of kind `http`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    #[serde(default)]
    headers: BTreeMap<String, String>,
    port: Option<u16>,
    max_response: Option<u64>,
    ops: BTreeMap<String, OpTable>,
}

/// One operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OpTable {
    send: String,
    body: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    ok: BTreeMap<String, String>,
    #[serde(default)]
    fail: Vec<u16>,
}

struct Http {
    ops: Arc<BTreeMap<String, Op>>,
    port: Option<u16>,
    most: u64,
}

/// What to send for an operation, and what the answers mean.
struct Op {
    method: Method,
    path: Template,
    body: Option<Template>,
    headers: HeaderMap,
    ok: BTreeMap<u16, Reading>,
    fail: Vec<u16>,
}

impl Http {
    fn new(table: &Value, _: &Settings) -> Result<Http, Mistake> {
        let table: Table = read(table)?;
        let common = header_map(&table.headers)?;
        let mut ops = BTreeMap::new();
        for (f, op) in &table.ops {
            let read = Op::new(op, &common).map_err(|m| m.at(f).at("ops"))?;
            ops.insert(f.clone(), read);
        }
        let most = table.max_response.unwrap_or(ANSWER);
        Ok(Http { ops: Arc::new(ops), port: table.port, most })
    }
}

fn header_map(table: &BTreeMap<String, String>) -> Result<HeaderMap, Mistake> {
    let mut headers = HeaderMap::new();
    for (name, value) in table {
        let wrong = |what: &str| {
            Mistake::new(format!("`{what}` cannot stand in a header")).at(name).at("headers")
        };
        let known: HeaderName = name.parse().map_err(|_| wrong(name))?;
        headers.insert(known, HeaderValue::from_str(value).map_err(|_| wrong(value))?);
    }
    Ok(headers)
}

impl Op {
    fn new(op: &OpTable, common: &HeaderMap) -> Result<Op, Mistake> {
        let sent = |why: String| Mistake::new(why).at("send");
        let mut words = op.send.splitn(3, ' ');
        let method = words.next().unwrap_or_default();
        let method = match method.parse() {
            Ok(known) if method.chars().all(|c| c.is_ascii_uppercase()) => known,
            _ => return Err(sent(format!("`{}`: write METHOD /path [body]", op.send))),
        };
        let path = words.next().filter(|path| path.starts_with('/'));
        let path =
            path.ok_or_else(|| sent(format!("`{}`: a path begins with a slash", op.send)))?;
        let body = match (words.next(), &op.body) {
            (Some(_), Some(_)) => {
                return Err(sent("a body here and under `body`: give one".into()));
            }
            (Some(body), None) => Some((body, "send")),
            (None, Some(body)) => Some((body.as_str(), "body")),
            (None, None) => None,
        };
        let template = |text: &str, at: &str| {
            op::template(text, &|_| false).map_err(|e| Mistake::new(e).at(at))
        };
        let mut headers = common.clone();
        headers.extend(header_map(&op.headers)?);
        let mut ok = BTreeMap::new();
        for (status, steps) in &op.ok {
            let wrong = |why: String| Mistake::new(why).at(status).at("ok");
            let reading = Reading::new(steps).map_err(wrong)?;
            let known: Vec<u16> = match status.strip_suffix("xx") {
                Some(hundred) => {
                    let hundred: u16 = hundred.parse().unwrap_or_default();
                    (hundred * 100..hundred * 100 + 100).collect()
                }
                None => vec![status.parse().unwrap_or_default()],
            };
            if known.iter().any(|code| !(100..600).contains(code)) {
                return Err(wrong(format!("`{status}` is no HTTP status: write 200, 404 or 2xx")));
            }
            for code in known {
                ok.entry(code).or_insert_with(|| reading.clone());
            }
        }
        if ok.is_empty() {
            return Err(Mistake::new("no status is ok: it can never succeed").at("ok"));
        }
        if let Some(both) = op.fail.iter().find(|status| ok.contains_key(status)) {
            return Err(Mistake::new(format!("{both} is ok as well: give it once")).at("fail"));
        }
        Ok(Op {
            method,
            path: template(path, "send")?,
            body: body.map(|(text, at)| template(text, at)).transpose()?,
            headers,
            ok,
            fail: op.fail.clone(),
        })
    }
}

impl Dialect for Http {
    fn speaks(&self) -> Option<Vec<String>> {
        Some(self.ops.keys().cloned().collect())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        // Building fails only for TLS and resolver settings, of which there are none.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(1)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap_or_default();
        let base = place.hosts.get(place.home).map(|host| host.address(self.port));
        let base = format!("http://{}", base.unwrap_or_default());
        Box::new(Connection { http, base, place, ops: self.ops.clone(), most: self.most })
    }
}

struct Connection {
    http: reqwest::Client,
    base: String,
    place: Place,
    ops: Arc<BTreeMap<String, Op>>,
    most: u64,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let Some(op) = self.ops.get(&*call.f) else {
                return Outcome::Fail("unsupported".into());
            };
            match self.ask(op, call).await {
                Ok(outcome) | Err(outcome) => outcome,
            }
        })
    }
}

impl Connection {
    async fn ask(&self, op: &Op, call: &Call) -> Result<Outcome, Outcome> {
        let unsent = |why: String| Outcome::Fail(why.into());
        let value = |name: &str| op::value(name, call, self.place.process);
        let path = op.path.fill(Some(Filter::Url), &value).map_err(unsent)?;
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(op.method.clone(), url).headers(op.headers.clone());
        if let Some(body) = &op.body {
            request = request.body(body.fill(None, &value).map_err(unsent)?);
        }
        let mut response = request.send().await.map_err(|error| match error {
            // Only a connection that never came about proves that nothing was sent.
            error if error.is_connect() => Outcome::Fail("no-connection".into()),
            error if error.is_builder() => Outcome::Fail(format!("unsent: {error}").into()),
            _ => Outcome::Info("no-response".into()),
        })?;
        let status = response.status().as_u16();
        let reading = op.ok.get(&status);
        if reading.is_none() {
            let word = format!("http-{status}").into();
            let failed = op.fail.contains(&status);
            return Ok(if failed { Outcome::Fail(word) } else { Outcome::Info(word) });
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Err(Outcome::Info("broken-response".into())),
            }
            if body.len() as u64 > self.most {
                return Err(Outcome::Info("response-too-long".into()));
            }
        }
        let Ok(text) = String::from_utf8(body) else {
            return Err(Outcome::Info("bad-response: no UTF-8".into()));
        };
        Ok(reading.map_or(Outcome::Info("unread".into()), |steps| steps.outcome(text.into())))
    }
}
