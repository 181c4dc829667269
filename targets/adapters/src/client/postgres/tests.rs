//! What becomes of a session whose server does not keep to the protocol, or to any measure.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// The most bytes of an answer here.
const MOST: u64 = 1 << 16;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A server that lets anybody in, and then sends `answer` again and again; after the first only
/// if `endless`.
async fn server(welcome: Vec<u8>, answer: Vec<u8>, endless: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 1024];
        assert_ne!(stream.read(&mut heard).await.unwrap(), 0);
        stream.write_all(&welcome).await.unwrap();
        if stream.read(&mut heard).await.unwrap() == 0 {
            return;
        }
        while stream.write_all(&answer).await.is_ok() {
            if !endless {
                // Open until the client goes.
                let _ = stream.read(&mut heard).await;
                return;
            }
        }
    });
    address
}

/// Authentication is done, and the session is ready.
fn welcome() -> Vec<u8> {
    [message(b'R', &0u32.to_be_bytes()), message(b'Z', b"I")].concat()
}

fn database() -> Postgres {
    let (user, password, database) = ("u".to_owned(), None, None);
    Postgres::new(Login { user, password, database, most: MOST })
}

#[tokio::test]
async fn an_answer_without_end_breaks_the_session() {
    // Rows nobody asked for; a single one of a gigabyte; bytes that mean nothing.
    let row = message(b'D', &[0; 100]);
    let huge = [&b"D"[..], &(1u32 << 30).to_be_bytes(), &[0; 4096]].concat();
    for answer in [row, huge, vec![b'x'; 4096]] {
        let address = server(welcome(), answer, true).await;
        let mut open = database().open(&address).await.unwrap();
        let ended = open.command("SELECT 1").await;
        assert!(matches!(ended, Err(Trouble::Broken(_))), "{ended:?}");
    }
}

#[tokio::test]
async fn a_welcome_without_end_is_none() {
    let endless = message(b'N', &[b'x'; 1000]).repeat(200);
    let address = server(endless, Vec::new(), false).await;
    assert!(matches!(database().open(&address).await.err(), Some(Trouble::Broken(_))));
}

#[tokio::test]
async fn a_success_with_a_warning_is_doubted_and_the_next_one_is_not() {
    let warning = |severity: &str| {
        let fields = format!("S{severity}\0V{severity}\0C01000\0Mhm\0\0");
        let done = [message(b'C', b"COMMIT\0"), message(b'Z', b"I")].concat();
        [message(b'N', fields.as_bytes()), done].concat()
    };
    for (severity, doubted) in [("WARNING", true), ("NOTICE", false), ("INFO", false)] {
        let address = server(welcome(), warning(severity), false).await;
        let mut open = database().open(&address).await.unwrap();
        open.command("COMMIT").await.unwrap();
        assert_eq!(open.doubt().is_some(), doubted, "{severity}");
        open.mark();
        assert_eq!(open.doubt(), None);
    }
}

#[tokio::test]
async fn an_error_is_definite_by_its_code_and_fatal_ones_end_the_session() {
    for (severity, code, expected) in [
        ("ERROR", "40001", Some(true)),
        ("ERROR", "23505", Some(true)),
        ("ERROR", "25006", Some(true)),
        ("ERROR", "40003", Some(false)),
        ("ERROR", "57014", Some(false)),
        ("ERROR", "XX000", Some(false)),
        ("FATAL", "57P01", None),
        ("PANIC", "40001", None),
    ] {
        let fields = format!("S{severity}\0V{severity}\0C{code}\0Mno\0\0");
        let answer = [message(b'E', fields.as_bytes()), message(b'Z', b"I")].concat();
        let address = server(welcome(), answer, false).await;
        let mut open = database().open(&address).await.unwrap();
        let undone = match open.command("COMMIT").await.unwrap_err() {
            Trouble::Refused { undone, .. } => Some(undone),
            Trouble::Broken(_) => None,
        };
        assert_eq!(undone, expected, "{severity} {code}");
    }
}
