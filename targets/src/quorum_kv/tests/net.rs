//! A cluster that does what it is told: no message is late, and none lost but those of nodes that
//! are down.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Rng, Value};

use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Request, Response, Ticket};
use crate::quorum_kv::message::Record;
use crate::quorum_kv::node::QuorumKv;
use crate::quorum_kv::settings::Settings;

const MS: u64 = 1_000_000;

pub(super) struct Net {
    nodes: Vec<QuorumKv>,
    disks: Vec<Vec<Record>>,
    starts: Vec<u32>,
    settings: Settings,
    now: u64,
    tickets: u64,
    /// These nodes neither act nor hear.
    pub(super) down: BTreeSet<u16>,
    /// Those nodes' wall clocks are ahead, in ms.
    pub(super) ahead: BTreeMap<u16, u64>,
}

impl Net {
    pub(super) fn new(nodes: u16, options: &[(&str, Value)]) -> Net {
        let options = options.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let mut net = Net {
            nodes: Vec::new(),
            disks: vec![Vec::new(); nodes.into()],
            starts: vec![0; nodes.into()],
            settings: Settings::new(&options).unwrap(),
            now: 1_000_000 * MS,
            tickets: 0,
            down: BTreeSet::new(),
            ahead: BTreeMap::new(),
        };
        for id in 1..=nodes {
            let node = net.boot(id);
            net.nodes.push(node);
        }
        net.pass(300);
        net
    }

    fn boot(&mut self, id: u16) -> QuorumKv {
        let at = usize::from(id) - 1;
        self.starts[at] += 1;
        let boot = Boot {
            id: NodeId(id),
            all: NodeId::all(self.disks.len() as u16),
            settings: self.settings.clone(),
            rng: Rng::new(u64::from(id)).split(&self.starts[at].to_string()),
            start: self.starts[at],
        };
        QuorumKv::new(boot, self.disks[at].clone(), self.clocks(id))
    }

    fn clocks(&self, id: u16) -> Now {
        let ahead = self.ahead.get(&id).copied().unwrap_or(0);
        Now { mono: self.now, wall: self.now + ahead * MS }
    }

    /// A node loses what is not on its disk.
    pub(super) fn restart(&mut self, id: u16) {
        self.nodes[usize::from(id) - 1] = self.boot(id);
    }

    /// A node loses everything.
    pub(super) fn wipe(&mut self, id: u16) {
        self.disks[usize::from(id) - 1].clear();
        self.starts[usize::from(id) - 1] = 0;
        self.restart(id);
    }

    /// Lets so many ms pass.
    pub(super) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(5) {
            self.now += 5 * MS;
            self.act();
        }
    }

    fn act(&mut self) -> Vec<(Ticket, Response)> {
        let mut answers = Vec::new();
        for i in 0..self.nodes.len() {
            let from = i as u16 + 1;
            let now = self.clocks(from);
            if self.down.contains(&from) {
                continue;
            }
            let ready = self.nodes[i].ready(now);
            self.disks[i].extend(ready.records);
            answers.extend(ready.answers);
            for (to, message) in ready.messages {
                if !self.down.contains(&to.0) {
                    let now = self.clocks(to.0);
                    self.nodes[to.index()].step(now, Input::Message(NodeId(from), message));
                }
            }
        }
        answers
    }

    /// Asks a node and waits for the answer.
    pub(super) fn ask(&mut self, node: u16, request: Request) -> Response {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let now = self.clocks(node);
        self.nodes[usize::from(node) - 1].step(now, Input::Request(ticket, request));
        for _ in 0..2_000 {
            if let Some((_, response)) = self.act().into_iter().find(|(t, _)| *t == ticket) {
                return response;
            }
            self.now += 5 * MS;
        }
        panic!("n{node} never answers");
    }

    pub(super) fn put(&mut self, node: u16, path: &str, value: i64) -> u16 {
        let body = Value::of([("value", value.into())]);
        self.ask(node, Request::new(Method::Put, &format!("/kv/{path}"), body)).status
    }

    /// The value, or the status if that is none.
    pub(super) fn get(&mut self, node: u16, path: &str) -> Result<Value, u16> {
        let said = self.ask(node, Request::new(Method::Get, &format!("/kv/{path}"), ()));
        said.body.get("value").cloned().ok_or(said.status)
    }

    pub(super) fn post(&mut self, node: u16, path: &str) -> Response {
        self.ask(node, Request::new(Method::Post, path, ()))
    }

    /// Who keeps a key, as this node says.
    pub(super) fn owners(&mut self, node: u16, key: &str) -> Vec<u16> {
        let said = self.ask(node, Request::new(Method::Get, &format!("/ring/{key}"), ()));
        let owners = said.body.get("owners").and_then(Value::list).unwrap_or_default();
        owners.iter().map(|o| o.str().unwrap().parse::<NodeId>().unwrap().0).collect()
    }

    /// A number of a node's status.
    pub(super) fn count(&self, node: u16, what: &str) -> i64 {
        let status = self.nodes[usize::from(node) - 1].status();
        status.get(what).and_then(Value::int).unwrap()
    }
}
