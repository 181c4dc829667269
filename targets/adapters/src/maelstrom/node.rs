//! The stand-in for a node: `danso node maelstrom`. It runs the user's program as its child and
//! hands its messages on.
//!
//! | the program says | what becomes of it |
//! | --- | --- |
//! | a message to another node | it goes there: see [`super::link`] |
//! | a message to itself | it comes back |
//! | a message to a client that has gone | nobody hears it |
//! | a message to a service | the controller has it: see [`super::services`] |
//! | a message to anybody else, or no message | the end of the node, and of the run's good verdict |
//!
//! Whoever connects says first what it is: `client`, `peer`, `services` or `ready`.

mod flags;
mod hub;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use self::flags::Flags;
use self::hub::Hub;
use super::lines::{next_line, pipe};
use super::link::Carrier;
use super::message::Message;

/// How long the program may take to answer `init`, and `topology`.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may live on once it has closed its output.
const SILENCE: Duration = Duration::from_secs(1);
/// Bytes of its output that are shown if they make no sense.
const SHOWN: usize = 200;

/// Runs a node until its program ends.
///
/// # Errors
/// If that ends, or does what it must not: one line.
pub(crate) fn run(args: Vec<String>) -> Result<(), String> {
    let flags = Flags::parse(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("no runtime: {e}"))?;
    let result = runtime.block_on(serve(flags));
    runtime.shutdown_background();
    result
}

async fn serve(flags: Flags) -> Result<(), String> {
    let cannot = |e: std::io::Error| format!("cannot listen on {}: {e}", flags.listen);
    let listener = TcpListener::bind(flags.listen).await.map_err(cannot)?;
    let socket = match flags.carry {
        Carrier::Datagrams => Some(Arc::new(UdpSocket::bind(flags.listen).await.map_err(cannot)?)),
        Carrier::Streams => None,
    };
    let mut child = start(&flags.command)?;
    let streams = (child.stdin.take(), child.stdout.take());
    let (Some(mut stdin), Some(stdout)) = streams else {
        return Err("the program has no streams".to_owned());
    };
    let (to_child, mut lines) = pipe();
    let hub = Arc::new(Hub::new(&flags, to_child, socket.as_ref()));
    // When it stops reading, it ends, or is about to.
    tokio::spawn(async move { lines.write_to(&mut stdin).await });
    if let Some(socket) = socket {
        tokio::spawn(datagrams(hub.clone(), socket));
    }
    tokio::spawn(accept(hub.clone(), listener));
    let introduced = introduce(&hub, &flags);
    let ended = async {
        listen(&hub, stdout).await?;
        Err(farewell(&mut child, &flags.command).await)
    };
    let work = async {
        introduced.await?;
        hub.is_ready();
        std::future::pending().await
    };
    tokio::select! {
        result = ended => result,
        result = work => result,
    }
}

fn start(command: &[String]) -> Result<Child, String> {
    let (program, args) = command.split_first().ok_or("no program is given")?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|e| {
        let mend = match e.kind() {
            std::io::ErrorKind::PermissionDenied => "; make it executable: chmod +x",
            std::io::ErrorKind::NotFound => "; is it there, and what its first line names?",
            _ => "",
        };
        format!("cannot start {program}: {e}{mend}")
    })
}

/// Tells the program who it is and who is there, and waits until it has understood.
async fn introduce(hub: &Hub, flags: &Flags) -> Result<(), String> {
    let init = json!({ "type": "init", "node_id": flags.name, "node_ids": flags.nodes });
    ask(hub, init).await?;
    if let Some(topology) = &flags.topology {
        ask(hub, json!({ "type": "topology", "topology": topology })).await?;
    }
    Ok(())
}

/// Asks the program and waits for its consent.
async fn ask(hub: &Hub, mut body: serde_json::Value) -> Result<(), String> {
    let kind = body["type"].as_str().unwrap_or_default().to_owned();
    let (id, answer) = hub.expect();
    body["msg_id"] = id.into();
    hub.tell(Message::line(hub::HERALD, hub.name(), body.as_object().cloned().unwrap_or_default()));
    let answer: oneshot::Receiver<Message> = answer;
    let Ok(answer) = timeout(ANSWER, answer).await else {
        return Err(format!("{}: no answer to {kind} within {ANSWER:?}", hub.name()));
    };
    let answer = answer.map_err(|_| format!("{}: {kind} was forgotten", hub.name()))?;
    if answer.kind() != format!("{kind}_ok") {
        let body = serde_json::Value::Object(answer.body).to_string();
        return Err(format!("{} answers {kind} with {}", hub.name(), shown(body.as_bytes())));
    }
    Ok(())
}

/// Hands on what the program says, until it says no more.
async fn listen(hub: &Hub, stdout: ChildStdout) -> Result<(), String> {
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    let mut line = Vec::new();
    loop {
        match next_line(&mut reader, &mut line).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(format!("{}: its output: {error}", hub.name())),
        }
        let message = Message::read(&line).map_err(|error| {
            let line = shown(&line);
            format!(
                "{} printed {line} to its standard output, which is no message ({error}); \
                 only messages go there, everything else to standard error",
                hub.name()
            )
        })?;
        let mut line = std::mem::take(&mut line);
        line.push(b'\n');
        hub.route(message, line).await?;
    }
}

/// What is to be said of a program that says no more.
async fn farewell(child: &mut Child, command: &[String]) -> String {
    let program = command.join(" ");
    match timeout(SILENCE, child.wait()).await {
        Ok(Ok(status)) => format!("{program} ended with {status}"),
        Ok(Err(error)) => format!("{program}: {error}"),
        Err(_) => format!("{program} closed its standard output"),
    }
}

/// The beginning of what makes no sense, fit for a line.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{text:?}{more}")
}

/// Takes in messages of other nodes.
async fn datagrams(hub: Arc<Hub>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // An error is about a datagram of ours that did not arrive; there is no other here.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(line) = hub.links().receive(&socket, from, &buffer[..length]).await {
            hub.hear(line);
        }
    }
}

async fn accept(hub: Arc<Hub>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(hub.clone(), stream))),
            // Too many open files: some will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves whoever has connected, for as long as it likes. It is gone when it cannot be read from.
async fn answer(hub: Arc<Hub>, stream: TcpStream) {
    // Without it, answers are late and nothing is wrong.
    drop(stream.set_nodelay(true));
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    if !matches!(next_line(&mut reader, &mut line).await, Ok(true)) {
        return;
    }
    match line.as_slice() {
        b"ready" => {
            let word: &[u8] = if hub.serves() { b"yes\n" } else { b"no\n" };
            // Whoever does not wait for the answer asks again.
            drop(writer.write_all(word).await);
        }
        b"peer" => {
            while let Ok(true) = next_line(&mut reader, &mut line).await {
                hub.hear(&line);
            }
        }
        b"client" => {
            let (to_client, mut lines) = pipe();
            let writing = tokio::spawn(async move { lines.write_to(&mut writer).await });
            let mut known: Option<String> = None;
            while let Ok(true) = next_line(&mut reader, &mut line).await {
                let Ok(message) = Message::read(&line) else { break };
                if known.as_deref() != Some(&message.src) {
                    hub.meet(&message.src, to_client.clone());
                    known = Some(message.src);
                }
                hub.hear(&line);
            }
            if let Some(name) = known {
                hub.forget(&name, &to_client);
            }
            writing.abort();
        }
        b"services" => {
            let mut outbox = hub.services().lock().await;
            let hearing = async {
                while let Ok(true) = next_line(&mut reader, &mut line).await {
                    hub.hear(&line);
                }
            };
            tokio::select! {
                _ = outbox.write_to(&mut writer) => {}
                () = hearing => {}
            }
        }
        _ => {}
    }
}
