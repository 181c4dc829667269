//! Client `http`: one request for each operation, or several steps, and what each status means.
//!
//! | what comes back | outcome of the step |
//! | --- | --- |
//! | a status listed under `ok` | `ok` with what its steps make of the body; `fail` if `expect` says so; `info` if the body makes no sense |
//! | a status listed under `fail` | `fail`: the user's claim that nothing happened |
//! | any other status | `info` |
//! | no connection came about | `fail`: nothing was sent |
//! | a connection that breaks, an answer too long or too late | `info` |
//!
//! Of an operation of several steps, each ends like this; how the whole does is in `steps`.

mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;

use self::step::{Step, StepTable};
use super::steps::{self, Saved};
use super::{Dialect, Row};
use crate::mistake::read;
use crate::place::Place;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "http",
    about: "HTTP/1.1: requests for each operation, a table of statuses",
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
    /// Read by [`steps::ops`].
    #[allow(dead_code, reason = "read by another name")]
    ops: BTreeMap<String, serde::de::IgnoredAny>,
}

struct Http {
    ops: Arc<BTreeMap<String, Vec<Step>>>,
    port: Option<u16>,
    most: u64,
}

impl Http {
    fn new(settings: &Value, _: &Settings) -> Result<Http, Mistake> {
        let table: Table = read(settings)?;
        let common = step::header_map(&table.headers)?;
        let ops = steps::ops(settings, |step: &StepTable, saved| Step::new(step, &common, saved))?;
        let most = table.max_response.unwrap_or(ANSWER);
        Ok(Http { ops: Arc::new(ops), port: table.port, most })
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
        let (ops, most) = (self.ops.clone(), self.most);
        Box::new(Connection { http, base, place, ops, most, saved: Saved::default() })
    }
}

struct Connection {
    http: reqwest::Client,
    base: String,
    place: Place,
    ops: Arc<BTreeMap<String, Vec<Step>>>,
    most: u64,
    saved: Saved,
}

impl Client for Connection {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let ops = self.ops.clone();
            let Some(steps) = ops.get(&*call.f) else {
                return Outcome::Fail("unsupported".into());
            };
            let (mut begun, mut result) = (false, Value::Nil);
            for step in steps {
                match self.take(step, call).await {
                    Ok(value) => result = value,
                    Err(outcome) => return steps::whole(outcome, begun, step.effect),
                }
                begun |= step.effect;
            }
            Outcome::Ok(result)
        })
    }
}

impl Connection {
    /// Takes one step: its result, or how it ended without one.
    async fn take(&mut self, step: &Step, call: &Call) -> Result<Value, Outcome> {
        let value = |name: &str| self.saved.value(name, call, self.place.process);
        let unsent = |why: String| Outcome::Fail(why.into());
        let request = step.request(&self.http, &self.base, &value).map_err(unsent)?;
        step.ask(request, self.most, &mut self.saved).await
    }
}
