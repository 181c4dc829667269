//! Files as they are: for downloading, but for the pages danso itself wrote.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek, SeekFrom};

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use futures_util::stream;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// Around a report: its script runs, cut off from this server and from everything else. Should a
/// target manage to write one, it can show what it likes and read nothing.
const REPORT: &str = "sandbox allow-scripts allow-downloads allow-popups \
                      allow-popups-to-escape-sandbox; default-src 'none'; \
                      script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data: blob:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A page that danso wrote.
pub(super) fn page(html: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(html.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT));
    response
}

/// A page that danso wrote, from its file.
pub(super) fn page_of(file: File, len: u64) -> Response<Body> {
    page(body(file, len))
}

/// Any file, to be kept and not shown.
pub(super) fn download(name: &str, mut file: File, len: u64, asked: &HeaderMap) -> Response<Body> {
    let range = asked.get(header::RANGE).and_then(|range| range.to_str().ok());
    let part = match range.map(|range| part(range, len)) {
        None | Some(Part::All) => None,
        Some(Part::Of(from, to)) => Some((from, to)),
        Some(Part::Beyond) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{len}"));
            return response;
        }
    };
    let (from, to) = part.unwrap_or((0, len));
    if from > 0 && file.seek(SeekFrom::Start(from)).is_err() {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    let mut response = Response::new(body(file, to - from));
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let last = to.saturating_sub(1);
        set(&mut response, header::CONTENT_RANGE, &format!("bytes {from}-{last}/{len}"));
    }
    let text = [".json", ".jsonl", ".log", ".txt", ".toml", ".edn"];
    let kind = match text.iter().any(|end| name.ends_with(end)) {
        true => "text/plain; charset=utf-8",
        false => "application/octet-stream",
    };
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CONTENT_LENGTH, &(to - from).to_string());
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CONTENT_DISPOSITION, &disposition(name));
    response
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    // Figures and ASCII of ours: always a header's value.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A name that no browser can take for something else.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let mut exact = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            exact.push(char::from(byte));
        } else {
            let _ = write!(exact, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

/// What a range asks for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Of(u64, u64),
    Beyond,
}

/// One range; several at once, or anything else, are answered with all of it.
fn part(range: &str, len: u64) -> Part {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Part::All;
    };
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), _) if from >= len => Part::Beyond,
        (Ok(from), Ok(to)) if to >= from => Part::Of(from, to.saturating_add(1).min(len)),
        (Ok(from), Err(_)) if to.is_empty() => Part::Of(from, len),
        (Err(_), Ok(0)) if from.is_empty() => Part::Beyond,
        (Err(_), Ok(last)) if from.is_empty() && len > 0 => Part::Of(len.saturating_sub(last), len),
        _ => Part::All,
    }
}

/// A file's next `len` bytes, read as they are sent. The file may be growing.
fn body(file: File, len: u64) -> Body {
    let file = tokio::fs::File::from_std(file);
    Body::from_stream(stream::try_unfold((file, len), |(mut file, left)| async move {
        use tokio::io::AsyncReadExt;
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        if piece.is_empty() {
            return Ok(None);
        }
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        piece.truncate(read);
        Ok(Some((piece, (file, left - read as u64))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_the_file() {
        assert_eq!(part("bytes=0-9", 100), Part::Of(0, 10));
        assert_eq!(part("bytes=90-", 100), Part::Of(90, 100));
        assert_eq!(part("bytes=-10", 100), Part::Of(90, 100));
        assert_eq!(part("bytes=90-999", 100), Part::Of(90, 100));
        assert_eq!(part("bytes=100-", 100), Part::Beyond);
        assert_eq!(part("bytes=-0", 100), Part::Beyond);
        for odd in ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "bytes=-", "bytes=x-y"] {
            assert_eq!(part(odd, 100), Part::All, "{odd}");
        }
    }

    #[test]
    fn a_name_stays_a_name() {
        let said = disposition("a\"; filename=\"x.html\r\né");
        assert_eq!(said.matches('"').count(), 2, "{said}");
        assert!(said.is_ascii() && !said.contains(['\r', '\n']), "{said}");
    }
}
