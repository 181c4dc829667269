//! However the bytes are cut, the same comes out; and without a fault, what went in.

use std::time::Duration;

use danso_vocab::Rng;
use proptest::prelude::*;

use super::*;

/// What came out: the bytes, where in them there were delays, whether the connection ended, and
/// how many responses came out wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Out {
    bytes: Vec<u8>,
    late: Vec<usize>,
    ended: bool,
    wrong: u64,
}

/// Lets a node answer `requests` with `responses`, cut into pieces at `cuts`.
fn talk(requests: &[u8], responses: &[u8], http: Option<Http>, cuts: &[usize], seed: u64) -> Out {
    let mut dialogue = Dialogue::new();
    let mut rng = Rng::new(seed);
    let mut out = Out::default();
    for piece in pieces(requests, cuts) {
        dialogue.requests(piece);
    }
    for piece in pieces(responses, cuts) {
        let strikes = |share: f64| rng.below(1000) < (share * 1000.0) as u64;
        for piece in dialogue.responses(piece, http, strikes) {
            if !piece.late.is_zero() {
                out.late.push(out.bytes.len());
            }
            out.bytes.extend(&piece.bytes);
            out.wrong += piece.wrong;
            if piece.last {
                out.ended = true;
                return out;
            }
        }
    }
    out.bytes.extend(dialogue.rest());
    out
}

fn pieces<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle().take(if cuts.is_empty() { 0 } else { bytes.len() }) {
        let (piece, rest) = bytes.split_at((*cut).clamp(1, bytes.len().max(1)).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn always(mishap: Mishap) -> Option<Http> {
    Some(Http { share: 1.0, mishap })
}

const GET: &str = "GET / HTTP/1.1\r\nHost: n1\r\n\r\n";

fn exchange() -> impl Strategy<Value = (String, String)> {
    let body = "[a-zA-Z0-9 \r\n]{0,60}";
    let chunks = prop::collection::vec("[a-z\r\n]{1,20}", 0..4);
    prop_oneof![
        body.prop_map(|body| {
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            (GET.to_owned(), answer)
        }),
        (body, any::<bool>()).prop_map(|(body, interim)| {
            let length = body.len();
            let request = format!("POST /x HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}");
            let interim = if interim { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" };
            (request, format!("{interim}HTTP/1.1 204 No Content\r\n\r\n"))
        }),
        (chunks.clone(), any::<bool>()).prop_map(|(chunks, trailer)| {
            let trailer = if trailer { "checksum: 7\r\n" } else { "" };
            let chunked = |chunks: &[String]| -> String {
                let chunk = |c: &String| format!("{:x};why=not\r\n{c}\r\n", c.len());
                chunks.iter().map(chunk).collect()
            };
            let coded = "Transfer-Encoding: gzip, chunked";
            let body = format!("{}0\r\n{trailer}\r\n", chunked(&chunks));
            let request = format!("PUT /y HTTP/1.1\r\n{coded}\r\n\r\n{body}");
            (request, format!("HTTP/1.1 200 OK\r\n{coded}\r\n\r\n{body}"))
        }),
        Just((
            "HEAD / HTTP/1.1\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\ncontent-length: 900\n\n".to_owned(),
        )),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        Just(Mishap::Status(503)),
        Just(Mishap::Delay(Duration::from_millis(7))),
        (0..40_u32).prop_map(Mishap::Truncate),
    ]
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        exchanges in prop::collection::vec(exchange(), 1..6),
        mishap in mishap(),
        share in 0.0..1.0_f64,
        cuts in prop::collection::vec(1..50_usize, 1..5),
        seed in any::<u64>(),
    ) {
        let (requests, responses): (String, String) = exchanges.into_iter().unzip();
        let (requests, responses) = (requests.as_bytes(), responses.as_bytes());
        let http = Some(Http { share, mishap });
        let whole = talk(requests, responses, http, &[], seed);
        prop_assert_eq!(&talk(requests, responses, http, &cuts, seed), &whole);
        prop_assert_eq!(&talk(requests, responses, http, &[1], seed), &whole);
        prop_assert_eq!(whole.wrong == 0, whole.bytes == responses && whole.late.is_empty());
    }

    #[test]
    fn what_is_no_http_passes_as_it_is(
        requests in prop::collection::vec(any::<u8>(), 0..200),
        responses in prop::collection::vec(any::<u8>(), 0..200),
        broken in "HTTP/1.1 (200|2000|x)( OK)?(\r\n|\n)(transfer-encoding: chunked\r\n|content-length: (x|5, 6)\r\n)?\r\n",
        cuts in prop::collection::vec(1..50_usize, 1..5),
        mishap in mishap(),
    ) {
        let never = Some(Http { share: 0.0, mishap });
        for http in [None, never] {
            prop_assert_eq!(&talk(&requests, &responses, http, &cuts, 0).bytes, &responses);
            let broken = [broken.as_bytes(), &responses].concat();
            prop_assert_eq!(&talk(GET.as_bytes(), &broken, http, &cuts, 0).bytes, &broken);
        }
        let out = talk(&requests, &responses, always(mishap), &cuts, 0);
        prop_assert_eq!((&out.bytes, out.wrong), (&responses, 0));
    }

    #[test]
    fn without_a_fault_bytes_come_out_identical(
        exchanges in prop::collection::vec(exchange(), 0..6),
        cuts in prop::collection::vec(1..50_usize, 1..5),
    ) {
        let (requests, responses): (String, String) = exchanges.into_iter().unzip();
        let out = talk(requests.as_bytes(), responses.as_bytes(), None, &cuts, 0);
        prop_assert_eq!(out, Out { bytes: responses.into_bytes(), ..Out::default() });
    }
}

#[test]
fn another_status_takes_the_answers_place_and_the_next_answer_follows() {
    let requests = GET.repeat(3);
    let responses = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour\
                     HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfive\r\n0\r\n\r\n\
                     HTTP/1.0 200 OK\r\n\r\nuntil the end";
    let out = talk(requests.as_bytes(), responses.as_bytes(), always(Mishap::Status(503)), &[], 0);
    let wrong = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let last = "HTTP/1.0 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert_eq!(String::from_utf8(out.bytes).unwrap(), format!("{wrong}{wrong}{last}"));
    assert_eq!((out.wrong, out.ended), (3, false));
}

#[test]
fn a_body_ends_early_and_the_connection_with_it() {
    for (answer, left) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnine left", Some("nine")),
        ("HTTP/1.1 200 OK\r\n\r\nnine left", Some("nine")),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nnin\r\n3\r\ne l\r\n0\r\n\r\n",
            Some("3\r\nnin\r\n3\r\ne"),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfour", None),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 400\r\n\r\n", None),
    ] {
        let http = always(Mishap::Truncate(4));
        let out = talk(GET.as_bytes(), answer.as_bytes(), http, &[], 0);
        let text = String::from_utf8(out.bytes).unwrap();
        match left {
            Some(left) => assert_eq!(text.split_once("\r\n\r\n").unwrap().1, left),
            None => assert_eq!(text, answer),
        }
        assert_eq!((out.ended, out.wrong), (left.is_some(), left.is_some().into()));
    }
}

#[test]
fn other_protocols_begin_where_they_say() {
    let upgraded =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let tunnel = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    let connect = "CONNECT n1:80 HTTP/1.1\r\n\r\n";
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (request, answer) in
        [(GET, upgraded), (connect, tunnel), (preface, "HTTP/1.1 200 OK\r\n\r\n")]
    {
        let http = always(Mishap::Status(500));
        let out = talk(request.as_bytes(), answer.as_bytes(), http, &[], 0);
        assert_eq!((String::from_utf8(out.bytes).unwrap().as_str(), out.wrong), (answer, 0));
    }
}

#[test]
fn a_head_without_end_has_a_limit() {
    let mut dialogue = Dialogue::new();
    let http = always(Mishap::Status(500));
    let mut passed = 0;
    let mut sent = 0;
    dialogue.requests(GET.as_bytes());
    for line in
        std::iter::once("HTTP/1.1 200 OK\r\n").chain(std::iter::repeat_n("a: b\r\n", 20_000))
    {
        sent += line.len();
        passed += dialogue.responses(line.as_bytes(), http, |_| true)[0].bytes.len();
    }
    assert_eq!((passed, dialogue.withheld.len()), (sent, 0));
}
