//! A node: the view service if it is `n1`, else a replica.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::message::{Message, Record};
use super::replica::Replica;
use super::service::Service;
use super::settings::Settings;
use super::view::{SERVICE, View};
use crate::kit::register::understand;
use crate::kit::{Boot, Input, Node, Now, Ready, Response};

/// A node.
pub(crate) struct Member {
    part: Part,
    all: Vec<NodeId>,
    ready: Ready<Message, Record>,
}

enum Part {
    Service(Service),
    Replica(Box<Replica>),
}

impl Node for Member {
    type Settings = Settings;
    type Message = Message;
    type Record = Record;

    const NAME: &'static str = "primary-kv";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Ok(Settings::new(options)?.0)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, records: Vec<Record>, now: Now) -> Member {
        let part = if boot.id == SERVICE {
            let known = records.into_iter().rev().find_map(|record| match record {
                Record::View(view) => Some(view),
                _ => None,
            });
            let view = known.unwrap_or_else(|| View::first(&boot.all));
            Part::Service(Service::new(view, &boot.all, boot.settings.dead, now.mono))
        } else {
            Part::Replica(Box::new(Replica::new(&boot, records, now.mono)))
        };
        Member { part, all: boot.all, ready: Ready::default() }
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match (&mut self.part, input) {
            (Part::Replica(replica), Input::Message(from, message)) => {
                replica.receive(now.mono, from, message);
            }
            (Part::Replica(replica), Input::Request(ticket, request)) => {
                match understand(&request) {
                    Ok((key, action)) => replica.request(now.mono, ticket, key, action),
                    Err(refused) => self.ready.answer(ticket, refused),
                }
            }
            (
                Part::Service(service),
                Input::Message(from, Message::Ping { view, last, in_step }),
            ) => {
                service.ping(now.mono, from, last, if in_step { view } else { 0 });
                if view < service.view().number {
                    self.ready.messages.push((from, Message::View(service.view().clone())));
                }
            }
            (Part::Service(_), Input::Message(..)) => {}
            (Part::Service(service), Input::Request(ticket, request)) => {
                let response = understand(&request).err().unwrap_or_else(|| {
                    let leader = service.view().primary().to_string();
                    Response::error(503, "view-service", true).with("leader", leader)
                });
                self.ready.answer(ticket, response);
            }
        }
    }

    fn ready(&mut self, now: Now) -> Ready<Message, Record> {
        let mut ready = std::mem::take(&mut self.ready);
        match &mut self.part {
            Part::Service(service) => {
                if let Some(view) = service.tick(now.mono) {
                    let replicas = self.all.iter().filter(|n| **n != SERVICE);
                    ready.messages.extend(replicas.map(|n| (*n, Message::View(view.clone()))));
                    ready.told.push(format!("view {} primary {}", view.number, view.primary()));
                    ready.records.push(Record::View(view));
                }
                ready
            }
            Part::Replica(replica) => {
                replica.ready.answers.append(&mut ready.answers);
                replica.tick(now.mono);
                std::mem::take(&mut replica.ready)
            }
        }
    }

    fn due(&self) -> u64 {
        match &self.part {
            Part::Service(service) => service.due,
            Part::Replica(replica) => replica.due(),
        }
    }

    fn status(&self) -> Value {
        match &self.part {
            Part::Replica(replica) => replica.status(),
            Part::Service(service) => Value::of([
                ("id", SERVICE.to_string().into()),
                ("role", "view-service".into()),
                ("view", (service.view().number as i64).into()),
                ("primary", service.view().primary().to_string().into()),
            ]),
        }
    }

    fn health(&self) -> Result<(), String> {
        match &self.part {
            Part::Replica(replica) => replica.health(),
            Part::Service(_) => Ok(()),
        }
    }

    fn compact(&self) -> Vec<Record> {
        match &self.part {
            Part::Replica(replica) => replica.records(),
            Part::Service(service) => vec![Record::View(service.view().clone())],
        }
    }
}
