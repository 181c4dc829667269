//! Client `tcp-line`: a line for each operation over a TCP connection, and a line back.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | a line that begins as one listed under `ok` | `ok` with what its steps make of the rest; `fail` if `expect` says so; `info` if the rest makes no sense |
//! | a line that begins as one listed under `fail` | `fail`: the user's claim that nothing happened |
//! | any other line | `info` |
//! | no connection came about | `fail`: nothing was sent |
//! | a connection that breaks, a line too long or too late | `info` |
//!
//! The longest beginning counts. One that ends in a letter or digit ends a word: `OK` is not the
//! beginning of `OKAY`. A connection that said anything unasked, or owes an answer, is not used
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Dialect, Row, op};
use crate::mistake::read;
use crate::place::Place;
use crate::reading::Reading;
use crate::template::Template;
use crate::{Mistake, Settings};

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "tcp-line",
    about: "a line over TCP for each operation, a table of what the line back begins with",
    build: |table, settings| Ok(Arc::new(Lines::new(table, settings)?)),
};

/// How long a connection may take to come about. If it does not, nothing was sent.
const CONNECT: Duration = Duration::from_millis(500);
/// Bytes of a line that are read, unless told otherwise.
const LINE: u64 = 1 << 20;

/// `[client]` of kind `tcp-line`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    port: Option<u16>,
    max_response: Option<u64>,
    /// What ends a line that is sent.
    end: Option<String>,
    ops: BTreeMap<String, OpTable>,
}

/// One operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct OpTable {
    send: String,
    ok: BTreeMap<String, String>,
    #[serde(default)]
    fail: Vec<String>,
}

#[derive(Clone)]
struct Lines {
    ops: Arc<BTreeMap<String, Op>>,
    port: Option<u16>,
    most: u64,
    end: String,
}

/// What to send for an operation, and what the answers mean.
struct Op {
    send: Template,
    /// Beginnings, the longest first; `None` is a failure.
    answers: Vec<(String, Option<Reading>)>,
}

impl Lines {
    fn new(table: &Value, _: &Settings) -> Result<Lines, Mistake> {
        let table: Table = read(table)?;
        let mut ops = BTreeMap::new();
        for (f, op) in &table.ops {
            ops.insert(f.clone(), Op::new(op).map_err(|m| m.at(f).at("ops"))?);
        }
        Ok(Lines {
            ops: Arc::new(ops),
            port: table.port,
            most: table.max_response.unwrap_or(LINE),
            end: table.end.unwrap_or_else(|| "\n".to_owned()),
        })
    }
}

impl Op {
    fn new(op: &OpTable) -> Result<Op, Mistake> {
        let send = op::template(&op.send, &|_| false).map_err(|e| Mistake::new(e).at("send"))?;
        if op.send.contains(['\n', '\r']) {
            return Err(Mistake::new("this is more than a line").at("send"));
        }
        if op.ok.is_empty() {
            return Err(Mistake::new("no answer is ok: it can never succeed").at("ok"));
        }
        let mut answers = Vec::new();
        for (beginning, steps) in &op.ok {
            let reading = Reading::new(steps);
            let reading = reading.map_err(|e| Mistake::new(e).at(beginning).at("ok"))?;
            answers.push((beginning.clone(), Some(reading)));
        }
        for beginning in &op.fail {
            if op.ok.contains_key(beginning) {
                let why = format!("`{beginning}` is ok as well: give it once");
                return Err(Mistake::new(why).at("fail"));
            }
            answers.push((beginning.clone(), None));
        }
        answers.sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
        Ok(Op { send, answers })
    }

    fn outcome(&self, line: &str) -> Outcome {
        let found = self.answers.iter().find_map(|(b, reading)| Some((rest(line, b)?, b, reading)));
        match found {
            Some((rest, _, Some(reading))) => reading.outcome(rest.into()),
            Some((_, beginning, None)) => Outcome::Fail(beginning.trim().to_owned().into()),
            None => {
                let shown: String = line.chars().take(60).collect();
                Outcome::Info(format!("unlisted: {shown}").into())
            }
        }
    }
}

/// What comes after `beginning`, if the line begins so.
fn rest<'a>(line: &'a str, beginning: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(beginning)?;
    let (last, next) = (beginning.chars().next_back(), rest.chars().next());
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    (!(word(last) && word(next))).then_some(rest)
}

impl Dialect for Lines {
    fn speaks(&self) -> Option<Vec<String>> {
        Some(self.ops.keys().cloned().collect())
    }

    fn client(&self, place: Place) -> Box<dyn Client> {
        Box::new(Asker { lines: self.clone(), place, open: None })
    }
}

struct Asker {
    lines: Lines,
    place: Place,
    /// The connection, unless it owes an answer.
    open: Option<BufReader<TcpStream>>,
}

impl Client for Asker {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async {
            let ops = self.lines.ops.clone();
            let Some(op) = ops.get(&*call.f) else {
                return Outcome::Fail("unsupported".into());
            };
            match self.ask(op, call).await {
                Ok(outcome) | Err(outcome) => outcome,
            }
        })
    }
}

impl Asker {
    async fn ask(&mut self, op: &Op, call: &Call) -> Result<Outcome, Outcome> {
        let unsent = |why: String| Outcome::Fail(why.into());
        let value = |name: &str| op::value(name, call, self.place.process);
        let mut line = op.send.fill(None, &value).map_err(unsent)?;
        if line.contains(['\n', '\r']) {
            return Err(Outcome::Fail("unsent: a line break in a value".into()));
        }
        line += &self.lines.end;
        // Taken out: should this future be dropped, the connection goes with it.
        let mut connection = match self.open.take().filter(silent) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sent = connection.get_mut().write_all(line.as_bytes()).await;
        sent.map_err(|_| Outcome::Info("broken-connection".into()))?;
        let mut answer = Vec::new();
        let read = (&mut connection).take(self.lines.most).read_until(b'\n', &mut answer).await;
        match read {
            Ok(_) if answer.ends_with(b"\n") => {}
            Ok(count) if count as u64 == self.lines.most => {
                return Err(Outcome::Info("response-too-long".into()));
            }
            _ => return Err(Outcome::Info("no-response".into())),
        }
        let Ok(text) = std::str::from_utf8(&answer) else {
            return Err(Outcome::Info("bad-response: no UTF-8".into()));
        };
        self.open = Some(connection);
        Ok(op.outcome(text.trim_end_matches(['\n', '\r'])))
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>, Outcome> {
        let host = self.place.hosts.get(self.place.home);
        let address = host.map(|host| host.address(self.lines.port)).unwrap_or_default();
        let connected = timeout(CONNECT, TcpStream::connect(address)).await;
        let Ok(Ok(stream)) = connected else {
            return Err(Outcome::Fail("no-connection".into()));
        };
        // Without it a line may wait for more; with it nothing else changes.
        let _ = stream.set_nodelay(true);
        Ok(BufReader::new(stream))
    }
}

/// Whether a connection is open and has said nothing unasked.
fn silent(connection: &BufReader<TcpStream>) -> bool {
    let nothing = connection.get_ref().try_read(&mut [0]);
    let waits = nothing.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
    waits && connection.buffer().is_empty()
}

#[cfg(test)]
mod tests {
    use danso_vocab::{NodeId, Process};
    use tokio::net::TcpListener;

    use super::*;
    use crate::place::Host;

    fn lines() -> Lines {
        let op = |send: &str, ok: Value, fail: Value| {
            Value::of([("send", send.into()), ("ok", ok), ("fail", fail)])
        };
        let read = Value::of([("VALUE ", "int".into()), ("NONE", "nil".into())]);
        let write = Value::of([("OK", "nil".into())]);
        let table = Value::of([
            ("max-response", 1000.into()),
            (
                "ops",
                Value::of([
                    ("read", op("GET {key}", read, Value::from(["BUSY"]))),
                    ("write", op("SET {key} {value}", write, Value::List(Vec::new()))),
                ]),
            ),
        ]);
        Lines::new(&table, &Settings::new()).unwrap()
    }

    /// A server that answers each line with the next of these bytes; the connection ends after
    /// an empty one. Counts its connections.
    async fn server(
        answers: &'static [&'static [u8]],
    ) -> (Box<dyn Client>, Arc<std::sync::Mutex<Vec<usize>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let connections = seen.clone();
        tokio::spawn(async move {
            let mut answers = answers.iter();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.lock().unwrap().push(0);
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                    *connections.lock().unwrap().last_mut().unwrap() += 1;
                    let answer = answers.next().copied().unwrap_or_default();
                    if answer.is_empty() || stream.get_mut().write_all(answer).await.is_err() {
                        break;
                    }
                }
            }
        });
        let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
        (lines().client(Place { hosts, home: 0, process: Process(0) }), seen)
    }

    async fn outcomes(answers: &'static [&'static [u8]], calls: &[Call]) -> (Vec<String>, usize) {
        let (mut client, seen) = server(answers).await;
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(match client.invoke(call).await {
                Outcome::Ok(value) => format!("ok {value}"),
                Outcome::Fail(why) => format!("fail {why}"),
                Outcome::Info(why) => format!("info {why}"),
            });
        }
        let connections = seen.lock().unwrap().len();
        (outcomes, connections)
    }

    fn read() -> Call {
        Call::new("read", ()).on("k")
    }

    #[tokio::test]
    async fn each_answer_has_its_outcome() {
        let answers: &[&[u8]] =
            &[b"VALUE 3\n", b"NONE\r\n", b"BUSY now\n", b"NONEXISTENT\n", b"VALUE x\n", b""];
        let calls = vec![read(); 6];
        let (outcomes, connections) = outcomes(answers, &calls).await;
        assert_eq!(outcomes[..4], ["ok 3", "ok nil", "fail BUSY", "info unlisted: NONEXISTENT"]);
        assert!(outcomes[4].starts_with("info bad-response"), "{outcomes:?}");
        assert_eq!((outcomes[5].as_str(), connections), ("info no-response", 1));
    }

    #[tokio::test]
    async fn a_connection_out_of_step_is_not_used_again() {
        // The second line is the answer to nothing.
        let answers: &[&[u8]] = &[b"VALUE 3\nVALUE 4\n", b"VALUE 5\n"];
        let (outcomes, connections) = outcomes(answers, &[read(), read()]).await;
        assert_eq!((outcomes, connections), (vec!["ok 3".into(), "ok 5".into()], 2));
    }

    #[tokio::test]
    async fn nonsense_is_info_and_bounded() {
        const LONG: &[u8] = &[b'x'; 5_000];
        let (said, connections) = outcomes(&[LONG, b"VALUE \xff\xfe\n"], &[read(), read()]).await;
        assert_eq!(said, ["info response-too-long", "info bad-response: no UTF-8"]);
        assert_eq!(connections, 2);
    }

    #[tokio::test]
    async fn an_answer_too_late_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
        let mut client = lines().client(Place { hosts, home: 0, process: Process(0) });
        let write = Call::new("write", 1).on("k");
        let first = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes).await.unwrap();
            stream
        };
        // The engine gives up once the line has arrived.
        let mut stream = tokio::select! {
            _ = client.invoke(&write) => panic!("nobody has answered"),
            stream = first => stream,
        };
        let _ = stream.write_all(b"VALUE 9\n").await;
        let call = read();
        let (answer, ()) = tokio::join!(client.invoke(&call), async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).await.unwrap();
            stream.get_mut().write_all(b"VALUE 1\n").await.unwrap();
        });
        assert_eq!(answer, Outcome::Ok(1.into()));
    }

    #[tokio::test]
    async fn what_was_never_sent_failed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let hosts = vec![Host::theirs(NodeId(1), "127.0.0.1", port)];
        let mut client = lines().client(Place { hosts, home: 0, process: Process(0) });
        let said = client.invoke(&read()).await;
        assert_eq!(said, Outcome::Fail("no-connection".into()));
        let said = client.invoke(&Call::new("write", "a\nb").on("k")).await;
        assert_eq!(said, Outcome::Fail("unsent: a line break in a value".into()));
    }
}
