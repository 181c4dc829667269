//! A toy node in the real shell: what it says it stored is there after a restart.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};
use serde::{Deserialize, Serialize};

use super::client::{Nodes, Reply};
use super::http::{Method, Request, Response};
use super::journal::Journal;
use super::{Boot, Input, Node, Now, Ready, Ticket, http, options};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Record {
    Put(String, i64),
}

/// Adds up numbers, and tells the others.
struct Adder {
    others: Vec<NodeId>,
    sums: BTreeMap<String, i64>,
    ready: Ready<(String, i64), Record>,
}

impl Node for Adder {
    type Settings = ();
    type Message = (String, i64);
    type Record = Record;
    const NAME: &'static str = "adder";

    fn settings(_: &BTreeMap<String, Value>) -> Result<(), String> {
        Ok(())
    }

    fn new(boot: Boot<()>, records: Vec<Record>, _: Now) -> Adder {
        let others = boot.all.into_iter().filter(|n| *n != boot.id).collect();
        let mut adder = Adder { others, sums: BTreeMap::new(), ready: Ready::default() };
        for Record::Put(name, sum) in records {
            adder.sums.insert(name, sum);
        }
        adder
    }

    fn step(&mut self, _: Now, input: Input<(String, i64)>) {
        match input {
            Input::Request(ticket, request) => {
                let response = self.request(&request).unwrap_or_else(|refused| refused);
                self.ready.answer(ticket, response);
            }
            Input::Message(_, (name, sum)) => drop(self.sums.insert(name, sum)),
        }
    }

    fn ready(&mut self, _: Now) -> Ready<(String, i64), Record> {
        std::mem::take(&mut self.ready)
    }

    fn due(&self) -> u64 {
        u64::MAX
    }

    fn status(&self) -> Value {
        Value::of([("sums", (self.sums.len() as i64).into())])
    }

    fn compact(&self) -> Vec<Record> {
        self.sums.iter().map(|(name, sum)| Record::Put(name.clone(), *sum)).collect()
    }
}

impl Adder {
    fn request(&mut self, request: &Request) -> Result<Response, Response> {
        match (request.method, request.route().1.as_slice()) {
            (Method::Get, ["sum", name]) => {
                let sum = self.sums.get(*name).copied().unwrap_or(0);
                Ok(Response::ok(Value::of([("sum", sum.into())])))
            }
            (Method::Post, ["sum", name]) => {
                let more = request.field("add")?.int().ok_or_else(|| Response::bad("add what?"))?;
                let sum = self.sums.entry((*name).to_owned()).or_default();
                *sum += more;
                self.ready.records.push(Record::Put((*name).to_owned(), *sum));
                let told = ((*name).to_owned(), *sum);
                self.ready.messages.extend(self.others.iter().map(|n| (*n, told.clone())));
                Ok(Response::done())
            }
            _ => Err(Response::no_route()),
        }
    }
}

fn adder(records: Vec<Record>) -> Adder {
    let all = NodeId::all(3);
    let rng = danso_vocab::Rng::new(1);
    Adder::new(Boot { id: NodeId(2), all, settings: (), rng, start: 1 }, records, Now::default())
}

#[test]
fn a_node_is_asked_without_a_network() {
    let mut node = adder(vec![Record::Put("a b".into(), 40)]);
    let add = |n: i64| Value::of([("add", n.into())]);
    let asked = [
        Request::new(Method::Post, "/sum/a%20b", add(2)),
        Request::new(Method::Get, "/sum/a%20b?x=1", ()),
        Request::new(Method::Post, "/sum/a%20b", ()),
        Request::new(Method::Delete, "/sum", ()),
    ];
    for (n, request) in asked.into_iter().enumerate() {
        node.step(Now::default(), Input::Request(Ticket(n as u64), request));
    }
    let ready = node.ready(Now::default());
    let statuses: Vec<u16> = ready.answers.iter().map(|(_, r)| r.status).collect();
    assert_eq!(statuses, [200, 200, 400, 404]);
    assert_eq!(ready.answers[1].1.body, Value::of([("sum", 42.into())]));
    assert_eq!(ready.records, [Record::Put("a b".into(), 42)]);
    assert_eq!(ready.messages.len(), 2);
    assert!(node.ready(Now::default()).answers.is_empty());
}

#[test]
fn a_journal_keeps_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let put = |n: i64| Record::Put(format!("k{n}"), n);
    let (mut journal, found) = Journal::open::<Record>(dir.path(), true).unwrap();
    assert_eq!((journal.starts(), found.len()), (1, 0));
    journal.append(vec![put(1), put(2)]).unwrap();
    journal.replace(vec![put(2)]).unwrap();
    journal.append(vec![put(3)]).unwrap();
    drop(journal);
    // A write that a crash tore is as if it had never been.
    let path = dir.path().join("journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[7; 9]);
    std::fs::write(&path, bytes).unwrap();
    let (mut journal, found) = Journal::open::<Record>(dir.path(), true).unwrap();
    assert_eq!((journal.starts(), found), (2, vec![put(2), put(3)]));
    journal.append(vec![put(4)]).unwrap();
    let (journal, found) = Journal::open::<Record>(dir.path(), true).unwrap();
    assert_eq!((journal.starts(), found), (3, vec![put(2), put(3), put(4)]));
    // Damage in the middle is not a torn write.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(Journal::open::<Record>(dir.path(), true).is_err());
}

#[test]
fn keys_survive_their_way_through_a_path() {
    for text in ["k1", "a b", "ä/ö", "100%", "?x=1&y"] {
        let value = Value::from(text);
        let path = format!("/kv/{}", http::part(&value));
        let request = Request::new(Method::Get, &path, ());
        assert_eq!(request.path, ["kv".to_owned(), value.to_string()], "{path}");
    }
}

#[test]
fn options_are_checked() {
    let specs = &[options::BUG, options::FSYNC];
    let with =
        |name: &str, value: Value| options::Options::new(specs, &[(name.to_owned(), value)].into());
    assert!(with("fsnyc", true.into()).unwrap_err().contains("did you mean `fsync`?"));
    assert_eq!(with("fsync", false.into()).unwrap().flag("fsync"), Ok(false));
    assert!(with("fsync", 3.into()).unwrap().flag("fsync").is_err());
    let bugs = [(crate::BugSpec { name: "oops", about: "a mistake" }, 7)];
    assert_eq!(with("bug", "oops".into()).unwrap().bug(&bugs), Ok(Some(7)));
    assert_eq!(with("bug", Value::Nil).unwrap().bug(&bugs), Ok(None));
    assert!(with("bug", "opos".into()).unwrap().bug(&bugs).unwrap_err().contains("`oops`"));
}

/// The real shell, over loopback.
#[tokio::test]
async fn a_node_serves_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = Nodes::new(vec![free_port()], 0);
    let listen = nodes_address(&nodes);
    let patience = std::time::Duration::from_secs(10);
    for round in 1..=2_i64 {
        let line = format!("--id 1 --listen {listen} --seed 1 --data {}", dir.path().display());
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.extend(["--peers".to_owned(), String::new()]);
        let args = super::args::NodeArgs::parse("adder", words).unwrap();
        let ask = async {
            loop {
                let reply = nodes.ask(0, Method::Get, "/health", None, patience).await;
                if reply.done().is_some() {
                    break;
                }
                // The second time round the connection of the first is dead.
                assert!(matches!(reply, Reply::Unreached | Reply::Silent), "{reply:?}");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let add = Value::of([("add", 5.into())]);
            let reply = nodes.ask(0, Method::Post, "/sum/x", Some(&add), patience).await;
            assert!(reply.done().is_some(), "{reply:?}");
            let reply = nodes.ask(0, Method::Get, "/sum/x", None, patience).await;
            assert_eq!(reply.done(), Some(&Value::of([("sum", (5 * round).into())])));
            let reply = nodes.ask(0, Method::Get, "/nothing", None, patience).await;
            assert!(reply.is_definite() && reply.error() == "no-such-route");
            let reply = nodes.ask(0, Method::Get, "/status", None, patience).await;
            assert_eq!(reply.done(), Some(&Value::of([("sums", 1.into())])));
        };
        tokio::select! {
            ended = super::shell::serve::<Adder>(args) => panic!("{ended:?}"),
            () = ask => {}
        }
    }
}

fn free_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn nodes_address(nodes: &Nodes) -> std::net::SocketAddr {
    nodes.address(0)
}

#[test]
fn a_record_may_have_numbers_for_keys() {
    let dir = tempfile::tempdir().unwrap();
    let record = BTreeMap::from([(7_u16, true)]);
    let (mut journal, _) = Journal::open::<BTreeMap<u16, bool>>(dir.path(), true).unwrap();
    journal.append(vec![record.clone()]).unwrap();
    let (_, found) = Journal::open::<BTreeMap<u16, bool>>(dir.path(), true).unwrap();
    assert_eq!(found, [record]);
}
