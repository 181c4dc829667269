//! Requests and responses as data, so that a node can answer HTTP without doing I/O.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use danso_vocab::Value;
use percent_encoding::percent_decode_str;

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path in its parts, decoded: `/kv/k1` is `["kv", "k1"]`.
    pub(crate) path: Vec<String>,
    /// What follows the question mark; and headers `x-name`, as `name`.
    pub(crate) query: BTreeMap<String, String>,
    /// The body as JSON; nil if there is none.
    pub(crate) body: Value,
}

impl Request {
    /// A request; for tests.
    #[cfg(test)]
    pub(crate) fn new(method: Method, path: &str, body: impl Into<Value>) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = parts(path).unwrap_or_default();
        Request { method, path, query: pairs(query), body: body.into() }
    }

    /// Method and path, to be matched: `(Method::Get, ["kv", key])`.
    pub(crate) fn route(&self) -> (Method, Vec<&str>) {
        (self.method, self.path.iter().map(String::as_str).collect())
    }

    /// A field of the body.
    ///
    /// # Errors
    /// The response that says what is missing.
    pub(crate) fn field(&self, name: &str) -> Result<&Value, Response> {
        self.body.get(name).ok_or_else(|| {
            Response::bad(format!("the body wants `{name}`, as in {{\"{name}\":1}}"))
        })
    }

    /// A number of the query, if it is given.
    ///
    /// # Errors
    /// The response that says that it is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Response> {
        let given = self.query.get(name);
        let parsed = given.map(|text| {
            text.parse().map_err(|_| Response::bad(format!("{name} `{text}` is no number")))
        });
        parsed.transpose()
    }
}

/// The decoded parts of a path; `None` if one is not UTF-8.
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.map(|p| percent_decode_str(p).decode_utf8().ok().map(String::from)).collect()
}

/// The decoded pairs of a query.
pub(super) fn pairs(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A value as one part of a path.
pub(crate) fn part(value: &Value) -> String {
    let text = value.to_string();
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

/// A node's answer. Every error is `{"error":name,"definite":bool}`, perhaps with more fields;
/// *definite* says that this request had no effect and never will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Response {
    /// 200 with this body.
    pub(crate) fn ok(body: Value) -> Response {
        Response { status: 200, body }
    }

    /// 200 `{}`.
    pub(crate) fn done() -> Response {
        Response::ok(Value::of([]))
    }

    /// An error.
    pub(crate) fn error(status: u16, name: &str, definite: bool) -> Response {
        let body = Value::of([("error", name.into()), ("definite", definite.into())]);
        Response { status, body }
    }

    /// 400: not understood.
    pub(crate) fn bad(what: impl Into<String>) -> Response {
        Response::error(400, "bad-request", true).with("what", what.into())
    }

    /// 404: there is no such route.
    pub(crate) fn no_route() -> Response {
        Response::error(404, "no-such-route", true)
    }

    /// The same with one more field.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Response {
        if let Value::Map(map) = &mut self.body {
            map.insert(name.to_owned(), value.into());
        }
        self
    }
}
