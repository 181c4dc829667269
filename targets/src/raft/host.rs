//! A [`Node`] as the [kit](crate::kit)'s shell runs it: requests and answers are HTTP, events are
//! lines, time is the shell's.
//!
//! What a node says on stderr, a line each, so that faults can wait for it:
//!
//! | line | told |
//! | --- | --- |
//! | `became candidate term=5`, `became follower term=5` | before it is persisted |
//! | `became leader term=5` | before the term's first entry is persisted or sent |
//! | `voted for n2 term=5` | when the vote is persisted and on its way |
//! | `first commit index=121 term=5` | by a leader whose commit index has moved in its term, when those who waited for it have their answers |
//! | `installed snapshot index=100` | before it is persisted |

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::answer::Answer;
use super::core::{Change, Event, Restored};
use super::machine::Service;
use super::node::{Input, Node, Parcel, RecordOf, Request};
use super::replica::Session;
use super::settings::Settings;
use crate::kit::http::Method;
use crate::kit::{self, Boot, Now, Response, Ticket};

/// A node in the shell.
pub(crate) struct Host<M: Service> {
    node: Node<M>,
    /// Answers that need no node.
    refused: Vec<(Ticket, Response)>,
}

impl<M: Service> kit::Node for Host<M> {
    type Settings = (Settings, M::Rules);
    type Message = Parcel<M>;
    type Record = RecordOf<M>;

    const NAME: &'static str = M::NAME;

    fn settings(options: &BTreeMap<String, Value>) -> Result<Self::Settings, String> {
        M::settings(options)
    }

    fn fsync((settings, _): &Self::Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Self::Settings>, records: Vec<RecordOf<M>>, now: Now) -> Host<M> {
        let (settings, rules) = boot.settings;
        let peers: Vec<NodeId> = boot.all.into_iter().filter(|n| *n != boot.id).collect();
        let config = settings.config(boot.id, peers);
        let limits = settings.limits(boot.start);
        let restored = Restored::from(records);
        let node = Node::new(config, limits, rules, boot.rng, restored, now);
        Host { node, refused: Vec::new() }
    }

    fn step(&mut self, now: Now, input: kit::Input<Parcel<M>>) {
        match input {
            kit::Input::Message(from, parcel) => self.node.step(now, Input::Parcel(from, parcel)),
            kit::Input::Request(ticket, request) => match understand::<M>(&request) {
                Ok(request) => self.node.step(now, Input::Request(ticket.0, request)),
                Err(response) => self.refused.push((ticket, response)),
            },
        }
    }

    fn ready(&mut self, now: Now) -> kit::Ready<Parcel<M>, RecordOf<M>> {
        let ready = self.node.ready(now);
        let (after, before): (Vec<_>, Vec<_>) =
            ready.events.iter().partition(|event| event.is_told_after());
        let mut answers = std::mem::take(&mut self.refused);
        answers.extend(ready.answers.into_iter().map(|(ticket, answer)| {
            let response = match answer {
                Answer::Reply(reply) => M::respond(reply),
                Answer::Members(members) => Response::ok(Value::of([("members", names(members))])),
                Answer::Refused(refusal) => refusal.response(),
            };
            (Ticket(ticket), response)
        }));
        kit::Ready {
            lines: before.into_iter().map(line).collect(),
            records: ready.records,
            messages: ready.parcels,
            answers,
            told: after.into_iter().map(line).collect(),
        }
    }

    fn due(&self) -> u64 {
        self.node.due()
    }

    fn status(&self) -> Value {
        let status = self.node.status();
        let leader = status.leader.map_or(Value::Nil, |l| l.to_string().into());
        let int = |i: u64| Value::Int(i64::try_from(i).unwrap_or(i64::MAX));
        Value::of([
            ("id", status.id.to_string().into()),
            ("role", status.role.word().into()),
            ("term", int(status.term)),
            ("leader", leader),
            ("serving", status.serving.into()),
            ("commit", int(status.commit)),
            ("applied", int(status.applied)),
            ("last", int(status.last)),
            ("snapshot", int(status.snapshot)),
            ("members", names(status.members.iter().map(|n| n.0))),
        ])
    }

    fn health(&self) -> Result<(), String> {
        if self.node.status().serving { Ok(()) } else { Err("no leader yet".to_owned()) }
    }

    fn compact(&self) -> Vec<RecordOf<M>> {
        self.node.compact()
    }
}

fn understand<M: Service>(
    request: &kit::Request,
) -> Result<Request<M::Command, M::Query>, Response> {
    if let ["members", node] = request.route().1.as_slice() {
        return change(request.method, node).map(Request::Change);
    }
    let session = session(&request.query)?;
    Ok(Request::new(M::understand(request)?, session))
}

/// `PUT /members/3` and `DELETE /members/3`.
fn change(method: Method, node: &str) -> Result<Change, Response> {
    let number = node.parse::<NodeId>().map(|n| n.0).or_else(|_| node.parse());
    match (method, number) {
        (Method::Put, Ok(node)) => Ok(Change::Join(node)),
        (Method::Delete, Ok(node)) => Ok(Change::Leave(node)),
        (_, Ok(_)) => Err(Response::no_route()),
        (_, Err(_)) => Err(Response::bad(format!("`{node}` is no node: write 3 or n3"))),
    }
}

fn names(nodes: impl IntoIterator<Item = u16>) -> Value {
    Value::List(nodes.into_iter().map(|n| NodeId(n).to_string().into()).collect())
}

/// Client and sequence number, if they are given.
fn session(query: &BTreeMap<String, String>) -> Result<Option<Session>, Response> {
    match (query.get("client"), query.get("seq")) {
        (None, None) => Ok(None),
        (Some(client), Some(seq)) if !client.is_empty() => {
            let seq =
                seq.parse().map_err(|_| Response::bad(format!("seq `{seq}` is no number")))?;
            Ok(Some(Session { client: client.clone(), seq }))
        }
        _ => Err(Response::bad("client and seq belong together: give both or neither")),
    }
}

/// An event as a line.
fn line(event: &Event) -> String {
    match event {
        Event::Became(role, term) => format!("became {} term={term}", role.word()),
        Event::VotedFor(node, term) => format!("voted for {node} term={term}"),
        Event::Installed(index) => format!("installed snapshot index={index}"),
        Event::FirstCommit { index, term } => format!("first commit index={index} term={term}"),
    }
}
