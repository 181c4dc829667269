//! What nodes can ask beside each other: `lin-kv`, `seq-kv`, `lww-kv` and `lin-tso`.
//!
//! They live in the controller's memory and take what stand-ins bring them over connections that
//! the controller made, which no fault cuts. As each promises less than the one before, it does
//! what it may: `seq-kv` answers from the past, `lww-kv` forgets.

mod kv;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use danso_vocab::Rng;
use serde_json::{Map, Value as Json, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use self::kv::{LastWrite, Linear, Sequential};
use super::errors;
use super::lines::next_line;
use super::message::Message;

/// Their names on the network.
pub(super) const NAMES: [&str; 4] = ["lin-kv", "seq-kv", "lww-kv", "lin-tso"];
/// How often a stand-in is looked for that is not there.
const AGAIN: Duration = Duration::from_millis(50);

/// All services.
#[derive(Debug, Default)]
pub(super) struct Services {
    linear: Linear,
    sequential: Sequential,
    last_write: LastWrite,
    time: i64,
    rng: Option<Rng>,
}

/// A body.
pub(super) type Body = Map<String, Json>;

impl Services {
    /// What the service called `name` answers `src`; without the number of the question.
    fn answer(&mut self, name: &str, src: &str, body: &Body, seed: u64) -> Json {
        let rng = self.rng.get_or_insert_with(|| Rng::new(seed).split("services"));
        if name == "lin-tso" {
            if body.get("type").and_then(Json::as_str) != Some("ts") {
                return failed(errors::UNSUPPORTED, "lin-tso knows ts only");
            }
            self.time += 1;
            return json!({ "type": "ts_ok", "ts": self.time - 1 });
        }
        let request = match kv::Request::read(body) {
            Ok(request) => request,
            Err(error) => return error,
        };
        match name {
            "lin-kv" => self.linear.answer(&request),
            "seq-kv" => self.sequential.answer(src, &request, rng),
            _ => self.last_write.answer(&request, rng),
        }
    }
}

/// An error's body.
fn failed(code: i64, text: &str) -> Json {
    json!({ "type": "error", "code": code, "text": text })
}

/// Serves the node whose stand-in is at `at`, for as long as the runtime lives.
pub(super) fn serve(services: Arc<Mutex<Services>>, at: SocketAddr, seed: u64) {
    tokio::spawn(async move {
        loop {
            // It ends when the node does; the next one at that place is served as well.
            if let Err(error) = attend(&services, at, seed).await {
                tracing::debug!(%at, %error, "services wait for the node");
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
}

async fn attend(services: &Mutex<Services>, at: SocketAddr, seed: u64) -> std::io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(at).await?);
    stream.get_ref().set_nodelay(true)?;
    stream.write_all(b"services\n").await?;
    let mut line = Vec::new();
    while next_line(&mut stream, &mut line).await? {
        let Ok(message) = Message::read(&line) else { continue };
        let answer = {
            let mut services = services.lock().unwrap_or_else(PoisonError::into_inner);
            services.answer(&message.dest, &message.src, &message.body, seed)
        };
        let mut body = answer.as_object().cloned().unwrap_or_default();
        if let Some(id) = message.body.get("msg_id") {
            body.insert("in_reply_to".to_owned(), id.clone());
        }
        stream.write_all(&Message::line(&message.dest, &message.src, body)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
