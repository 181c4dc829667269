//! The simulated world and its one loop.

use std::collections::BTreeMap;

use danso_vocab::{History, NodeId, Rng};

use super::super::http::{Request, Response};
use super::super::{Boot, Input, Node, Now, Ready, Ticket};
use super::clients::{Client, Load, Record};
use super::trouble::{self, Trouble};

const MS: u64 = 1_000_000;

/// What kind of world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup<S> {
    pub(crate) seed: u64,
    pub(crate) nodes: u16,
    pub(crate) settings: S,
    pub(crate) clients: usize,
    /// How long things go wrong, in ns. Then everything heals.
    pub(crate) trouble: u64,
}

enum What {
    Message {
        from: usize,
        to: usize,
        json: String,
    },
    Request {
        to: usize,
        ticket: u64,
        request: Request,
    },
    /// `None`: nobody listens there.
    Answer {
        ticket: u64,
        response: Option<Response>,
    },
    /// A node acts on what it was given.
    Act(usize, u32),
    Turn(usize),
    Trouble,
    Heal(u64),
    Start(usize),
    Close,
}

struct Server<N> {
    node: Option<N>,
    disk: Vec<String>,
    starts: u32,
    started_at: u64,
    paused_until: u64,
    /// When it acts next.
    acts_at: u64,
    /// Its wall clock is wrong by this much.
    skew: u64,
    /// The clients' tickets by its own.
    tickets: BTreeMap<Ticket, u64>,
}

struct World<N: Node, L> {
    setup: Setup<N::Settings>,
    load: L,
    rng: Rng,
    now: u64,
    queue: BTreeMap<(u64, u64), What>,
    queued: u64,
    servers: Vec<Server<N>>,
    clients: Vec<Client>,
    record: Record,
    waiting: BTreeMap<u64, usize>,
    cuts: BTreeMap<u64, Vec<(usize, usize)>>,
    troubles: u64,
    healed: bool,
}

/// Runs a world to its end and returns what its clients saw, and how many calls succeeded.
///
/// # Errors
/// If the cluster does not serve its clients again when everything is healed.
pub(crate) fn run<N: Node, L: Load>(
    setup: Setup<N::Settings>,
    load: L,
) -> Result<(History, u64), String>
where
    N::Settings: Clone,
{
    let mut rng = Rng::new(setup.seed);
    let nodes = usize::from(setup.nodes);
    let servers = (0..nodes).map(|_| Server {
        node: None,
        disk: Vec::new(),
        starts: 0,
        started_at: 0,
        paused_until: 0,
        acts_at: 0,
        skew: rng.below(2_000 * MS),
        tickets: BTreeMap::new(),
    });
    let servers = servers.collect();
    let mut world = World::<N, L> {
        load,
        rng,
        now: 0,
        queue: BTreeMap::new(),
        queued: 0,
        servers,
        clients: (0..setup.clients).map(|c| Client::new(c, nodes)).collect(),
        record: Record::new(setup.clients),
        waiting: BTreeMap::new(),
        cuts: BTreeMap::new(),
        troubles: 0,
        healed: false,
        setup,
    };
    world.live()?;
    Ok((world.record.history.finish(), world.record.succeeded))
}

impl<N: Node, L: Load> World<N, L>
where
    N::Settings: Clone,
{
    fn live(&mut self) -> Result<(), String> {
        (0..self.servers.len()).for_each(|i| self.start(i));
        for client in 0..self.clients.len() {
            self.at(self.clients[client].turn_at, What::Turn(client));
        }
        self.at(300 * MS, What::Trouble);
        let end = self.setup.trouble;
        self.at(end + 4_000 * MS, What::Close);
        while let Some(((at, _), what)) = self.queue.pop_first() {
            self.now = at;
            self.happen(what);
            if self.clients.iter().all(Client::is_done) {
                return Ok(());
            }
            if self.now > end + 60_000 * MS {
                break;
            }
        }
        let status = self.servers.iter().map(|s| match &s.node {
            Some(node) => node.status().to_string(),
            None => "down".to_owned(),
        });
        let status: Vec<String> = status.collect();
        Err(format!("nobody is served though everything is healed: {}", status.join("\n  ")))
    }

    fn at(&mut self, at: u64, what: What) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), what);
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Message { from, to, json } => {
                if self.is_cut(from, to)
                    || self.postponed(to, || What::Message { from, to, json: json.clone() })
                {
                    return;
                }
                let message = serde_json::from_str(&json).expect("a message is JSON");
                self.step(to, Input::Message(NodeId(from as u16 + 1), message));
            }
            What::Request { to, ticket, request } => {
                if self.postponed(to, || What::Request { to, ticket, request: request.clone() }) {
                    return;
                }
                if self.servers[to].node.is_none() {
                    return self.at(self.now + MS, What::Answer { ticket, response: None });
                }
                self.servers[to].tickets.insert(Ticket(ticket), ticket);
                self.step(to, Input::Request(Ticket(ticket), request));
            }
            What::Answer { ticket, response } => {
                let Some(client) = self.waiting.remove(&ticket) else { return };
                let (rng, load, record) = (&mut self.rng, &mut self.load, &mut self.record);
                self.clients[client].answered(self.now, ticket, response, rng, load, record);
                self.at(self.clients[client].turn_at, What::Turn(client));
            }
            What::Act(i, start) => {
                let server = &self.servers[i];
                if server.starts != start
                    || server.acts_at != self.now
                    || self.postponed(i, || What::Act(i, start))
                {
                    return;
                }
                self.act(i);
            }
            What::Turn(client) => self.turn(client),
            What::Trouble => self.trouble(),
            What::Heal(number) => drop(self.cuts.remove(&number)),
            What::Start(i) => self.start(i),
            What::Close => self.close(),
        }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.values().flatten().any(|link| *link == (from, to))
    }

    /// Puts off what would happen to a node that stands still.
    fn postponed(&mut self, node: usize, what: impl FnOnce() -> What) -> bool {
        let until = self.servers[node].paused_until;
        if until <= self.now {
            return false;
        }
        if self.servers[node].acts_at == self.now {
            self.servers[node].acts_at = until;
        }
        self.at(until, what());
        true
    }

    fn clocks(&self, i: usize) -> Now {
        let server = &self.servers[i];
        Now { mono: self.now - server.started_at, wall: self.now + server.skew }
    }

    fn start(&mut self, i: usize) {
        if self.servers[i].node.is_some() {
            return;
        }
        let all = NodeId::all(self.setup.nodes);
        let now = self.now;
        let server = &mut self.servers[i];
        server.starts += 1;
        server.started_at = now;
        server.tickets.clear();
        let records =
            server.disk.iter().map(|r| serde_json::from_str(r).expect("a record is JSON"));
        let boot = Boot {
            id: NodeId(i as u16 + 1),
            all,
            settings: self.setup.settings.clone(),
            rng: Rng::new(self.setup.seed).split(&format!("n{i}-{}", server.starts)),
            start: server.starts,
        };
        server.node =
            Some(N::new(boot, records.collect(), Now { mono: 0, wall: now + server.skew }));
        self.act_at(i, now);
    }

    fn act_at(&mut self, i: usize, at: u64) {
        let server = &mut self.servers[i];
        server.acts_at = at;
        let start = server.starts;
        self.at(at, What::Act(i, start));
    }

    fn step(&mut self, i: usize, input: Input<N::Message>) {
        let now = self.clocks(i);
        let Some(node) = &mut self.servers[i].node else { return };
        node.step(now, input);
        // What comes in before it acts is its batch.
        let soon = self.now + self.rng.below(2 * MS);
        if self.servers[i].acts_at > soon || self.servers[i].acts_at < self.now {
            self.act_at(i, soon);
        }
    }

    fn act(&mut self, i: usize) {
        let now = self.clocks(i);
        let Some(node) = &mut self.servers[i].node else { return };
        let ready = node.ready(now);
        let due = node.due();
        let provoked = !ready.lines.is_empty() || !ready.told.is_empty();
        // A crash before, in the middle of or after what is to be done.
        let crash = !self.healed && self.rng.chance(1, if provoked { 12 } else { 4_000 });
        let whole = !crash || self.rng.chance(1, 2);
        self.carry_out(i, ready, whole);
        if crash {
            self.crash(i, 20 * MS, 600 * MS);
        } else if due != u64::MAX {
            let at = self.servers[i].started_at + due;
            self.act_at(i, at.max(self.now + MS / 10));
        }
        if !crash && self.rng.chance(1, 200) {
            let records = self.servers[i].node.as_ref().map(Node::compact).unwrap_or_default();
            self.servers[i].disk = records.iter().map(json).collect();
        }
    }

    fn carry_out(&mut self, i: usize, ready: Ready<N::Message, N::Record>, whole: bool) {
        let kept = if whole {
            ready.records.len()
        } else {
            self.rng.below(ready.records.len() as u64 + 1) as usize
        };
        let records: Vec<String> = ready.records.iter().take(kept).map(json).collect();
        self.servers[i].disk.extend(records);
        if !whole {
            return;
        }
        for (to, message) in ready.messages {
            let (to, json) = (to.index(), json(&message));
            let copies = match self.rng.below(100) {
                0..4 if !self.healed => 0,
                4..10 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let late = if self.rng.chance(1, 20) { 200 } else { 5 };
                let at = self.now + MS / 10 + self.rng.below(late * MS);
                self.at(at, What::Message { from: i, to, json: json.clone() });
            }
        }
        for (ticket, response) in ready.answers {
            let ticket =
                self.servers[i].tickets.remove(&ticket).expect("a request is answered once");
            if self.rng.chance(1, 100) && !self.healed {
                continue;
            }
            let at = self.now + MS / 10 + self.rng.below(3 * MS);
            self.at(at, What::Answer { ticket, response: Some(response) });
        }
    }

    fn turn(&mut self, i: usize) {
        if self.clients[i].turn_at > self.now || self.clients[i].is_done() {
            return;
        }
        let (rng, load, record) = (&mut self.rng, &mut self.load, &mut self.record);
        if let Some((to, ticket, request)) = self.clients[i].turn(self.now, rng, load, record) {
            self.waiting.insert(ticket, i);
            let at = self.now + MS / 10 + self.rng.below(3 * MS);
            self.at(at, What::Request { to, ticket, request });
        }
        if !self.clients[i].is_done() {
            let at = self.clients[i].turn_at;
            self.at(at, What::Turn(i));
        }
    }

    fn trouble(&mut self) {
        if self.now >= self.setup.trouble {
            return;
        }
        let next = self.now + 50 * MS + self.rng.below(1_500 * MS);
        self.at(next, What::Trouble);
        let until = self.now + 50 * MS + self.rng.below(2_000 * MS);
        match trouble::draw(self.servers.len(), &mut self.rng) {
            Trouble::Cut(links) => {
                self.troubles += 1;
                self.cuts.insert(self.troubles, links);
                self.at(until, What::Heal(self.troubles));
            }
            Trouble::Crash(nodes) => {
                nodes.into_iter().for_each(|i| self.crash(i, 20 * MS, 1_500 * MS))
            }
            Trouble::Pause(nodes) => {
                nodes.into_iter().for_each(|i| self.servers[i].paused_until = until);
            }
        }
    }

    fn crash(&mut self, i: usize, least: u64, most: u64) {
        self.servers[i].node = None;
        let at = self.now + least + self.rng.below(most - least);
        self.at(at, What::Start(i));
    }

    /// The end of all trouble: clients finish, and ask for what is asked in the end.
    fn close(&mut self) {
        self.healed = true;
        self.cuts.clear();
        self.servers.iter_mut().for_each(|s| s.paused_until = 0);
        for (i, client) in self.clients.iter_mut().enumerate() {
            client.close(if i == 0 { self.load.closing() } else { Vec::new() });
        }
    }
}

fn json(of: &impl serde::Serialize) -> String {
    serde_json::to_string(of).expect("it has JSON")
}
