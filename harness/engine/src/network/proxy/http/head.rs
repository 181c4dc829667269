//! [`Head`]: what the first lines of an HTTP/1 message say about where the message ends.

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};

/// More header lines than that, and we leave the connection alone.
const HEADERS: usize = 256;

/// What is known from the head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What follows the head.
    pub(super) body: Body,
    /// 1 of HTTP/1.1, 0 of HTTP/1.0.
    pub(super) minor: u8,
    /// Not the answer itself: 1xx, or the beginning of another protocol.
    pub(super) interim: bool,
    /// The connection ends with this message.
    pub(super) closes: bool,
}

/// How the end of a message is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// There is no body.
    None,
    /// So many bytes, at least one.
    Counted(u64),
    /// Chunks, the last of which is empty.
    Chunked,
    /// The end of the connection.
    UntilClose,
    /// No more HTTP after this head.
    Foreign,
}

/// What a request says about its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// The response has no body, whatever its head says.
    Head,
    /// A good response turns the connection into a tunnel.
    Connect,
    /// Nothing.
    Other,
}

/// What a complete request head says; `None` if it is none.
pub(super) fn request(bytes: &[u8]) -> Option<(Head, Method)> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = Request::new(&mut headers);
    let Ok(Status::Complete(_)) = request.parse(bytes) else { return None };
    let method = match request.method? {
        "HEAD" => Method::Head,
        "CONNECT" => Method::Connect,
        _ => Method::Other,
    };
    let minor = request.version?;
    let body = length(request.headers)?.unwrap_or(Body::None);
    let closes = closes(request.headers, minor);
    Some((Head { body, minor, interim: false, closes }, method))
}

/// What a complete response head says, given what it answers; `None` if it is none.
pub(super) fn response(bytes: &[u8], asked: Method) -> Option<Head> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut response = Response::new(&mut headers);
    let Ok(Status::Complete(_)) = response.parse(bytes) else { return None };
    let (minor, code) = (response.version?, response.code?);
    let length = length(response.headers)?;
    let (body, interim) = match (code, asked) {
        (101, _) | (200..=299, Method::Connect) => (Body::Foreign, true),
        (100..=199, _) => (Body::None, true),
        (204 | 304, _) | (_, Method::Head) => (Body::None, false),
        _ => (length.unwrap_or(Body::UntilClose), false),
    };
    let closes = closes(response.headers, minor) || body == Body::UntilClose;
    Some(Head { body, minor, interim, closes })
}

/// Whether these bytes can be the beginning of a request's head.
pub(super) fn may_be_request(bytes: &[u8]) -> bool {
    Request::new(&mut [EMPTY_HEADER; HEADERS]).parse(bytes).is_ok()
}

/// Whether these bytes can be the beginning of a response's head.
pub(super) fn may_be_response(bytes: &[u8]) -> bool {
    Response::new(&mut [EMPTY_HEADER; HEADERS]).parse(bytes).is_ok()
}

fn values<'a>(headers: &'a [Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let named = move |header: &&Header<'_>| header.name.eq_ignore_ascii_case(name);
    let named: Vec<_> = headers.iter().filter(named).map(|header| header.value).collect();
    named.into_iter().flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// `None` if the headers contradict each other; `Some(None)` if they do not say.
fn length(headers: &[Header<'_>]) -> Option<Option<Body>> {
    if let Some(last) = values(headers, "transfer-encoding").last() {
        let chunked = last.eq_ignore_ascii_case(b"chunked");
        return Some(Some(if chunked { Body::Chunked } else { Body::UntilClose }));
    }
    let mut found = None;
    for value in values(headers, "content-length") {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let length: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
        if found.is_some_and(|found| found != length) {
            return None;
        }
        found = Some(length);
    }
    Some(found.map(|length| if length == 0 { Body::None } else { Body::Counted(length) }))
}

fn closes(headers: &[Header<'_>], minor: u8) -> bool {
    let says = |word: &[u8]| values(headers, "connection").any(|v| v.eq_ignore_ascii_case(word));
    says(b"close") || (minor == 0 && !says(b"keep-alive"))
}
