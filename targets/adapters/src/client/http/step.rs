//! [`Step`]: one request, and what its answers mean.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{Outcome, Value};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Deserialize;

use crate::Mistake;
use crate::client::op;
use crate::client::steps::{self, Save, Saved};
use crate::reading::{Reading, Unread};
use crate::template::{Filter, Template};

/// A step as a test file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct StepTable {
    send: String,
    body: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    ok: BTreeMap<String, String>,
    #[serde(default)]
    fail: Vec<u16>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    /// Whether the operation may have happened once this was sent.
    #[serde(default = "yes")]
    effect: bool,
}

fn yes() -> bool {
    true
}

impl steps::StepTable for StepTable {
    fn saves(&self) -> &BTreeMap<String, String> {
        &self.save
    }
}

/// What to send, and what the answers mean.
pub(super) struct Step {
    method: Method,
    path: Template,
    body: Option<Template>,
    headers: HeaderMap,
    ok: BTreeMap<u16, Reading>,
    fail: Vec<u16>,
    save: Save,
    pub(super) effect: bool,
}

/// What a name in a template stands for.
type Values<'a> = &'a dyn Fn(&str) -> Result<Value, String>;

/// Reads headers.
///
/// # Errors
/// If one cannot be: which, and why.
pub(super) fn header_map(table: &BTreeMap<String, String>) -> Result<HeaderMap, Mistake> {
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

impl Step {
    /// Reads a step. `common` are headers of every request, `saved` what any step saves.
    pub(super) fn new(
        table: &StepTable,
        common: &HeaderMap,
        saved: &BTreeSet<String>,
    ) -> Result<Step, Mistake> {
        let sent = |why: String| Mistake::new(why).at("send");
        let mut words = table.send.splitn(3, ' ');
        let method = words.next().unwrap_or_default();
        let method = match method.parse() {
            Ok(known) if method.chars().all(|c| c.is_ascii_uppercase()) => known,
            _ => return Err(sent(format!("`{}`: write METHOD /path [body]", table.send))),
        };
        let path = words.next().filter(|path| path.starts_with('/'));
        let path =
            path.ok_or_else(|| sent(format!("`{}`: a path begins with a slash", table.send)))?;
        let body = match (words.next(), &table.body) {
            (Some(_), Some(_)) => {
                return Err(sent("a body here and under `body`: give one".into()));
            }
            (Some(body), None) => Some((body, "send")),
            (None, Some(body)) => Some((body.as_str(), "body")),
            (None, None) => None,
        };
        let template = |text: &str, at: &str| {
            op::template(text, &|name| saved.contains(name)).map_err(|e| Mistake::new(e).at(at))
        };
        let mut headers = common.clone();
        headers.extend(header_map(&table.headers)?);
        let ok = statuses(&table.ok).map_err(|m| m.at("ok"))?;
        if let Some(both) = table.fail.iter().find(|status| ok.contains_key(status)) {
            return Err(Mistake::new(format!("{both} is ok as well: give it once")).at("fail"));
        }
        Ok(Step {
            method,
            path: template(path, "send")?,
            body: body.map(|(text, at)| template(text, at)).transpose()?,
            headers,
            ok,
            fail: table.fail.clone(),
            save: Save::new(&table.save)?,
            effect: table.effect,
        })
    }

    /// The request, if every name has a value.
    pub(super) fn request(
        &self,
        http: &reqwest::Client,
        base: &str,
        value: Values<'_>,
    ) -> Result<RequestBuilder, String> {
        let path = self.path.fill(Some(Filter::Url), value)?;
        let url = format!("{base}{path}");
        let request = http.request(self.method.clone(), url).headers(self.headers.clone());
        Ok(match &self.body {
            Some(body) => request.body(body.fill(None, value)?),
            None => request,
        })
    }

    /// Asks: the result, or how the step ended without one.
    pub(super) async fn ask(
        &self,
        request: RequestBuilder,
        most: u64,
        saved: &mut Saved,
    ) -> Result<Value, Outcome> {
        let response = request.send().await.map_err(|error| match error {
            // Only a connection that never came about proves that nothing was sent.
            error if error.is_connect() => Outcome::Fail("no-connection".into()),
            error if error.is_builder() => Outcome::Fail(format!("unsent: {error}").into()),
            _ => Outcome::Info("no-response".into()),
        })?;
        let status = response.status().as_u16();
        let Some(reading) = self.ok.get(&status) else {
            let word = format!("http-{status}").into();
            let failed = self.fail.contains(&status);
            return Err(if failed { Outcome::Fail(word) } else { Outcome::Info(word) });
        };
        let body = Value::Str(text(response, most).await?);
        let result = reading.of(body.clone()).map_err(Unread::outcome)?;
        self.save.of(&body, saved)?;
        Ok(result)
    }
}

/// The body of a response, if it is not too long.
async fn text(mut response: Response, most: u64) -> Result<String, Outcome> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return Err(Outcome::Info("broken-response".into())),
        }
        if body.len() as u64 > most {
            return Err(Outcome::Info("response-too-long".into()));
        }
    }
    String::from_utf8(body).map_err(|_| Outcome::Info("bad-response: no UTF-8".into()))
}

/// What each status means that is ok.
fn statuses(table: &BTreeMap<String, String>) -> Result<BTreeMap<u16, Reading>, Mistake> {
    let mut ok = BTreeMap::new();
    for (status, steps) in table {
        let wrong = |why: String| Mistake::new(why).at(status);
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
        return Err(Mistake::new("no status is ok: it can never succeed"));
    }
    Ok(ok)
}
