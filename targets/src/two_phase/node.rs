//! A node: the coordinator if it is `n1`, else a participant.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::accounts::{self, COORDINATOR};
use super::coordinator::{Coordinator, Wish};
use super::message::{Message, Record};
use super::participant::Participant;
use super::settings::Settings;
use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Ready, Request, Response};

/// A node.
pub(crate) struct Member {
    id: NodeId,
    settings: Settings,
    part: Part,
    ready: Ready<Message, Record>,
}

enum Part {
    Coordinator(Box<Coordinator>),
    Participant(Box<Participant>),
}

impl Node for Member {
    type Settings = Settings;
    type Message = Message;
    type Record = Record;

    const NAME: &'static str = "two-phase";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Ok(Settings::new(options)?.0)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, records: Vec<Record>, now: Now) -> Member {
        let Boot { id, all, settings, rng, start } = boot;
        let participants = accounts::participants(&all);
        let part = if id == COORDINATOR {
            let coordinator =
                Coordinator::new(settings, participants, rng, start, records, now.mono);
            Part::Coordinator(Box::new(coordinator))
        } else {
            let opening = accounts::opening(id, &participants, &settings);
            Part::Participant(Box::new(Participant::new(settings, opening, records, now.mono)))
        };
        Member { id, settings, part, ready: Ready::default() }
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match (&mut self.part, input) {
            (Part::Coordinator(coordinator), Input::Message(from, message)) => {
                coordinator.receive(now.mono, from, message);
            }
            (Part::Participant(participant), Input::Message(_, message)) => {
                participant.receive(now.mono, message);
            }
            (Part::Coordinator(coordinator), Input::Request(ticket, request)) => {
                match understand(&request, self.settings.accounts) {
                    Ok(wish) => coordinator.request(now.mono, ticket, wish),
                    Err(refused) => self.ready.answer(ticket, refused),
                }
            }
            (Part::Participant(_), Input::Request(ticket, _)) => {
                let refused = Response::error(503, "not-coordinator", true);
                self.ready.answer(ticket, refused.with("leader", COORDINATOR.to_string()));
            }
        }
    }

    fn ready(&mut self, now: Now) -> Ready<Message, Record> {
        let mut answers = std::mem::take(&mut self.ready).answers;
        let mut ready = match &mut self.part {
            Part::Coordinator(coordinator) => {
                coordinator.tick(now.mono);
                std::mem::take(&mut coordinator.ready)
            }
            Part::Participant(participant) => {
                participant.tick(now.mono);
                std::mem::take(&mut participant.ready)
            }
        };
        ready.answers.append(&mut answers);
        ready
    }

    fn due(&self) -> u64 {
        match &self.part {
            Part::Coordinator(coordinator) => coordinator.due(),
            Part::Participant(participant) => participant.due(),
        }
    }

    fn status(&self) -> Value {
        match &self.part {
            Part::Coordinator(coordinator) => coordinator.status(self.id),
            Part::Participant(participant) => participant.status(self.id),
        }
    }

    fn compact(&self) -> Vec<Record> {
        match &self.part {
            Part::Coordinator(coordinator) => coordinator.records(),
            Part::Participant(participant) => participant.records(),
        }
    }
}

/// `POST /transfer` with `{"from":0,"to":1,"amount":5}`, `GET /accounts`.
fn understand(request: &Request, accounts: u64) -> Result<Wish, Response> {
    let (method, path) = request.route();
    match (method, path.as_slice()) {
        (Method::Get, ["accounts"]) => Ok(Wish::Read),
        (Method::Post, ["transfer"]) => {
            let number = |name: &str, most: u64| {
                let number = request.field(name)?.int().and_then(|n| u64::try_from(n).ok());
                number.filter(|n| *n <= most).ok_or_else(|| {
                    Response::bad(format!("`{name}` must be a number from 0 to {most}"))
                })
            };
            let (from, to) = (number("from", accounts - 1)?, number("to", accounts - 1)?);
            let amount = number("amount", u64::from(u32::MAX))? as i64;
            if from == to {
                return Err(Response::bad("`from` and `to` must be two accounts"));
            }
            Ok(Wish::Transfer { from, to, amount })
        }
        _ => Err(Response::no_route()),
    }
}
