//! A node: which part it plays follows from its id and the flavour.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Value};

use super::bus::Bus;
use super::coordinator::Coordinator;
use super::reactor::Reactor;
use super::service::Service;
use super::settings::{Flavour, Settings};
use super::words::{DECIDER, Line, Message, Order, Standing, Step, Work, int};
use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Request, Response, Ticket};

/// Entries a page of a journal has, unless fewer are asked for.
const PAGE: usize = 1_000;

/// The part it plays.
enum Role {
    Coordinator(Coordinator),
    Bus(Bus),
    Service(Service),
    Reactor(Reactor),
}

/// A node of the order business.
pub(super) struct Business {
    role: Role,
    work: Work,
}

impl Node for Business {
    type Settings = Settings;
    type Message = Message;
    type Record = Line;
    const NAME: &'static str = "saga";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Settings::new(options).map(|(_, settings)| settings)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, lines: Vec<Line>, now: Now) -> Business {
        let settings = boot.settings;
        let role = match (Step::of_node(boot.id), settings.flavour) {
            (None, Flavour::Choreographed) => Role::Bus(Bus::new(settings, lines)),
            (None, Flavour::Orchestrated) => {
                let records = lines.into_iter().filter_map(|line| match line {
                    Line::Record(record) => Some(record),
                    _ => None,
                });
                let log = records.collect();
                Role::Coordinator(Coordinator::new(settings, log, boot.rng, now.mono))
            }
            (Some(step), flavour) => {
                let entries = lines.into_iter().filter_map(|line| match line {
                    Line::Entry(entry) => Some(entry),
                    _ => None,
                });
                let service = Service::new(step, &settings, entries.collect());
                match flavour {
                    Flavour::Orchestrated => Role::Service(service),
                    Flavour::Choreographed => Role::Reactor(Reactor::new(service, settings.retry)),
                }
            }
        };
        Business { role, work: Work::default() }
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match input {
            Input::Request(ticket, request) => {
                if let Err(response) = self.request(now, ticket, &request) {
                    self.work.answer(ticket, response);
                }
            }
            Input::Message(from, message) => self.message(now, from, message),
        }
    }

    fn ready(&mut self, now: Now) -> Work {
        match &mut self.role {
            Role::Coordinator(coordinator) => coordinator.tick(now.mono, &mut self.work),
            Role::Bus(bus) => bus.deliver(now.mono, &mut self.work),
            Role::Service(_) => {}
            Role::Reactor(reactor) => reactor.publish(now.mono, &mut self.work),
        }
        std::mem::take(&mut self.work)
    }

    fn due(&self) -> u64 {
        match &self.role {
            Role::Coordinator(coordinator) => coordinator.due(),
            Role::Bus(bus) => bus.due(),
            Role::Service(_) => u64::MAX,
            Role::Reactor(reactor) => reactor.due(),
        }
    }

    fn status(&self) -> Value {
        let journal = int(self.journal_len() as u64);
        let role = |name: &str| Value::of([("role", name.into()), ("journal", journal.clone())]);
        let mut status = match &self.role {
            Role::Coordinator(_) => role("coordinator"),
            Role::Bus(_) => role("bus"),
            Role::Service(service) | Role::Reactor(Reactor { service, .. }) => {
                role(service.step.service())
            }
        };
        if let (Role::Coordinator(coordinator), Value::Map(map)) = (&self.role, &mut status) {
            let states = Step::ALL.iter().zip(coordinator.breakers());
            let states = states.map(|(step, state)| (step.service().to_owned(), state.into()));
            map.insert("breakers".to_owned(), Value::Map(states.collect()));
        }
        status
    }

    fn compact(&self) -> Vec<Line> {
        // Journals are what the business is judged by: none of it may go.
        match &self.role {
            Role::Coordinator(coordinator) => {
                coordinator.log.iter().cloned().map(Line::Record).collect()
            }
            Role::Bus(bus) => bus.lines(),
            Role::Service(service) | Role::Reactor(Reactor { service, .. }) => {
                service.entries.iter().cloned().map(Line::Entry).collect()
            }
        }
    }
}

impl Business {
    /// Answers a request, now or later; the error is the answer, too.
    fn request(&mut self, now: Now, ticket: Ticket, request: &Request) -> Result<(), Response> {
        match (request.method, request.route().1.as_slice()) {
            (Method::Post, ["orders"]) => {
                let order = order(request)?;
                match &mut self.role {
                    Role::Coordinator(coordinator) => {
                        coordinator.order(ticket, order, now.mono, &mut self.work);
                    }
                    Role::Bus(bus) => bus.order(ticket, order, now.mono, &mut self.work),
                    Role::Service(_) | Role::Reactor(_) => return Err(elsewhere()),
                }
                return Ok(());
            }
            (Method::Get, ["orders", saga]) => {
                let standing = match &self.role {
                    Role::Coordinator(coordinator) => coordinator.standing(saga),
                    Role::Bus(bus) => bus.standing(saga),
                    Role::Service(_) | Role::Reactor(_) => return Err(elsewhere()),
                };
                let outcome = match standing {
                    Standing::Unknown => return Err(Response::error(404, "no-such-order", true)),
                    Standing::Open => "open",
                    Standing::Ended { committed: true } => "committed",
                    Standing::Ended { committed: false } => "aborted",
                };
                let body = Value::of([("saga", (*saga).into()), ("outcome", outcome.into())]);
                self.work.answer(ticket, Response::ok(body));
            }
            (Method::Get, ["journal"]) => {
                let page = self.page(request)?;
                self.work.answer(ticket, Response::ok(page));
            }
            (Method::Get, ["state"]) => self.work.answer(ticket, Response::ok(self.state())),
            _ => return Err(Response::no_route()),
        }
        Ok(())
    }

    fn message(&mut self, now: Now, from: NodeId, message: Message) {
        let work = &mut self.work;
        match (&mut self.role, message) {
            (Role::Service(service), Message::Do(command)) if command.step == service.step => {
                let saga = command.order.saga.clone();
                let step = command.step;
                let (outcome, entry) =
                    service.act(command.action, &command.order, command.after, now.wall);
                work.records.extend(entry.cloned().map(Line::Entry));
                work.messages.push((from, Message::Did { saga, step, outcome }));
            }
            (Role::Coordinator(coordinator), Message::Did { saga, step, outcome }) => {
                coordinator.did(&saga, step, outcome, now.mono, work);
            }
            (Role::Bus(bus), Message::Publish { from: first, events }) => {
                if let Some(step) = Step::of_node(from) {
                    bus.publish(step, first, events, now.mono, work);
                }
            }
            (Role::Bus(bus), Message::Consumed { next }) => {
                if let Some(step) = Step::of_node(from) {
                    bus.consumed(step, next, now.mono, work);
                }
            }
            (Role::Reactor(reactor), Message::Deliver { events, next }) => {
                reactor.deliver(events, next, (now.mono, now.wall), work);
            }
            (Role::Reactor(reactor), Message::Published { next }) => {
                reactor.published(next, now.mono, work);
            }
            // Meant for a node of the other flavour, or another part.
            _ => {}
        }
    }

    fn journal_len(&self) -> usize {
        match &self.role {
            Role::Coordinator(coordinator) => coordinator.log.len(),
            Role::Bus(bus) => bus.log.len(),
            Role::Service(service) | Role::Reactor(Reactor { service, .. }) => {
                service.entries.len()
            }
        }
    }

    /// A page of the journal, from position `from`.
    fn page(&self, request: &Request) -> Result<Value, Response> {
        let natural = |name, default: usize| {
            let given = request.number(name)?;
            given.map_or(Ok(default), |n| {
                usize::try_from(n).map_err(|_| Response::bad(format!("{name} is at least 0")))
            })
        };
        let all = self.journal_len();
        let from = natural("from", 0)?.min(all);
        let to = all.min(from + natural("limit", PAGE)?.min(PAGE));
        let (service, entries): (&str, Vec<Value>) = match &self.role {
            Role::Coordinator(Coordinator { log, .. }) | Role::Bus(Bus { log, .. }) => {
                (DECIDER, log[from..to].iter().map(|record| record.value()).collect())
            }
            Role::Service(service) | Role::Reactor(Reactor { service, .. }) => {
                let entries = service.entries[from..to].iter();
                (service.step.service(), entries.map(|e| e.value(service.step)).collect())
            }
        };
        Ok(Value::of([
            ("service", service.into()),
            ("from", int(from as u64)),
            ("entries", Value::List(entries)),
            ("length", int(all as u64)),
        ]))
    }

    fn state(&self) -> Value {
        let open = match &self.role {
            Role::Coordinator(coordinator) => coordinator.open(),
            Role::Bus(bus) => bus.open(),
            Role::Service(service) | Role::Reactor(Reactor { service, .. }) => {
                return service.state();
            }
        };
        Value::of([("open", int(open as u64)), ("journal", int(self.journal_len() as u64))])
    }
}

fn elsewhere() -> Response {
    Response::error(421, "not-here", true).with("leader", "n1")
}

/// The order a request asks for.
fn order(request: &Request) -> Result<Order, Response> {
    let text = |name: &str| {
        let value = request.field(name)?;
        let text = value.str().map(str::to_owned);
        text.ok_or_else(|| Response::bad(format!("{name} is {value}, but must be text")))
    };
    let number = |name: &str| {
        let value = request.field(name)?;
        let number = value.int().filter(|n| *n > 0);
        number.ok_or_else(|| Response::bad(format!("{name} is {value}, but must be at least 1")))
    };
    Ok(Order {
        saga: text("saga")?,
        item: text("item")?,
        quantity: number("quantity")?,
        customer: text("customer")?,
        amount: number("amount")?,
        address: request.body.get("address").and_then(Value::str).unwrap_or("home").to_owned(),
    })
}
