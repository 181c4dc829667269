//! [`Sentinels`]: who is primary, as sentinels say.

use std::time::Duration;

use redis::Value as Reply;
use serde::Deserialize;
use tokio::time::Instant;

use super::link::Link;
use crate::place::Place;

/// An answer is believed for so long.
const FRESH: Duration = Duration::from_millis(500);
/// How long a sentinel may take to answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// `sentinels = { port = 26379, master = "mymaster" }`: one beside every node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SentinelsTable {
    port: u16,
    master: String,
}

/// The sentinels of one process.
pub(super) struct Sentinels {
    /// Where they are, the process' own first.
    all: Vec<String>,
    question: Vec<u8>,
    asked: Option<Instant>,
    primary: Option<String>,
}

impl Sentinels {
    pub(super) fn new(table: &SentinelsTable, place: &Place) -> Sentinels {
        let mut all: Vec<String> =
            place.hosts.iter().map(|host| host.address(Some(table.port))).collect();
        if !all.is_empty() {
            let home = place.home % all.len();
            all.rotate_left(home);
        }
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&table.master);
        Sentinels { all, question: question.get_packed_command(), asked: None, primary: None }
    }

    /// What they said last may be wrong: ask before the next call.
    pub(super) fn doubt(&mut self) {
        self.asked = None;
    }

    /// Who is primary, `host:port`: as the first sentinel says that answers, or if none does,
    /// whoever was named last.
    pub(super) async fn primary(&mut self, most: u64) -> Option<&String> {
        if self.asked.is_none_or(|asked| asked.elapsed() > FRESH) {
            for sentinel in &self.all {
                let named = tokio::time::timeout(PATIENCE, self.named(sentinel, most)).await;
                if let Ok(Some(named)) = named {
                    self.primary = Some(named);
                    self.asked = Some(Instant::now());
                    break;
                }
            }
        }
        self.primary.as_ref()
    }

    async fn named(&self, sentinel: &str, most: u64) -> Option<String> {
        let mut link = Link::new(sentinel, &[], most).await.ok()?;
        match link.ask(&self.question, most).await.ok()? {
            Reply::Array(words) => match words.as_slice() {
                [Reply::BulkString(host), Reply::BulkString(port)] => {
                    let (host, port) = (std::str::from_utf8(host), std::str::from_utf8(port));
                    let (host, port) = (host.ok()?, port.ok()?);
                    // An address of IPv6 has colons of its own.
                    let bare = host.contains(':');
                    Some(if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
                }
                _ => None,
            },
            _ => None,
        }
    }
}
