//! What holds for every request and every answer.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::pages::refusal;

/// The longest address.
const ADDRESS: usize = 8 << 10;

/// Pages run the server's own script and nothing else, whatever a target managed to send.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Puts the rules around all routes.
pub(super) fn guarded(router: Router, bound: IpAddr) -> Router {
    router.layer(middleware::from_fn_with_state(bound, guard))
}

async fn guard(State(bound): State<IpAddr>, request: Request, next: Next) -> Response {
    let mut response = match objection(bound, &request) {
        Some((status, words)) => refusal(status, &words),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A report has a stricter one of its own.
    let policy = headers.entry(header::CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static(POLICY));
    response.into_response()
}

fn objection(bound: IpAddr, request: &Request) -> Option<(StatusCode, String)> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let words = "There is nothing to change here: ask with GET.".to_owned();
        return Some((StatusCode::METHOD_NOT_ALLOWED, words));
    }
    if request.uri().to_string().len() > ADDRESS {
        return Some((StatusCode::URI_TOO_LONG, "The address is too long.".to_owned()));
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.map(|host| (host, answers_to(host, bound))) {
        Some((_, true)) => None,
        // A name of somebody else's that was made to lead here: its pages must not read ours.
        Some((host, false)) => {
            let words = format!("This server does not go by `{host}`: use its IP address.");
            Some((StatusCode::MISDIRECTED_REQUEST, words))
        }
        None => Some((StatusCode::BAD_REQUEST, "The request names no host.".to_owned())),
    }
}

/// Whether a server bound to this address goes by this name.
fn answers_to(host: &str, bound: IpAddr) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = name.parse::<IpAddr>() {
        return !bound.is_loopback() || ip.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || !bound.is_loopback()
            && nix::unistd::gethostname().is_ok_and(|own| {
                let own = own.to_string_lossy().to_ascii_lowercase();
                name == own || name.strip_prefix(&own).is_some_and(|rest| rest.starts_with('.'))
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_not_ours() {
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        for host in ["127.0.0.1:8428", "localhost", "LOCALHOST:1", "[::1]:8428", "127.0.0.9"] {
            assert!(answers_to(host, here), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.7",
            "localhost.evil.example",
            "",
            "a b",
        ] {
            assert!(!answers_to(host, here), "{host}");
        }
        let wide: IpAddr = "0.0.0.0".parse().unwrap();
        assert!(answers_to("192.168.1.7:8428", wide) && !answers_to("evil.example", wide));
    }
}
