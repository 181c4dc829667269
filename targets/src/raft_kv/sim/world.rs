//! The simulated world and its one loop.

use std::collections::BTreeMap;

use danso_vocab::{NodeId, Rng};

use super::clients::Client;
use super::disk::Disk;
use super::nemesis::{self, Trouble};
use super::oracle::{Oracle, Violation};
use super::setup::{Setup, Summary};
use crate::kit::Now;
use crate::raft::answer::Answer;
use crate::raft::core::{Change, Config, Event};
use crate::raft::node::{Input, Limits, Parcel, Ready, Request, RequestOf};
use crate::raft_kv::kv::{Kv, Reply};

type Node = crate::raft::node::Node<Kv>;

const MS: u64 = 1_000_000;

/// All clocks are right.
fn clocks(now: u64) -> Now {
    Now { mono: now, wall: now }
}

enum What {
    Parcel { from: usize, to: usize, parcel: Parcel<Kv> },
    Request { to: usize, ticket: u64, request: RequestOf<Kv> },
    Answer { client: usize, ticket: u64, answer: Answer<Reply> },
    Trouble,
    Strike(Trouble),
    Heal(u64),
    Start(usize),
}

struct Server {
    node: Option<Node>,
    disk: Disk,
    /// When inputs that were stepped will be acted on: the disk takes its time.
    ready_at: Option<u64>,
    paused_until: u64,
}

pub(super) struct World {
    setup: Setup,
    rng: Rng,
    now: u64,
    queue: BTreeMap<(u64, u64), What>,
    queued: u64,
    servers: Vec<Server>,
    clients: Vec<Client>,
    tickets: u64,
    /// Which client waits for a ticket.
    waiting: BTreeMap<u64, usize>,
    /// Lost links by the number of the trouble that cut them.
    cuts: BTreeMap<u64, Vec<(usize, usize)>>,
    troubles: u64,
    /// Chances per thousand that a message is lost, doubled, late; that a write is cut short.
    lost: u64,
    doubled: u64,
    late: u64,
    /// The usual latency at most.
    latency: u64,
    oracle: Oracle,
    steps: u64,
    installed: u64,
}

impl World {
    /// Runs a world to its end.
    pub(super) fn run(setup: Setup) -> Result<Summary, Violation> {
        let mut rng = Rng::new(setup.seed);
        let calm = rng.chance(1, 3);
        let mut world = World {
            setup,
            now: 0,
            queue: BTreeMap::new(),
            queued: 0,
            servers: Vec::new(),
            clients: (0..4).map(|c| Client::new(c, setup.nodes, 400 * MS)).collect(),
            tickets: 0,
            waiting: BTreeMap::new(),
            cuts: BTreeMap::new(),
            troubles: 0,
            lost: if calm { 0 } else { rng.below(100) },
            doubled: if calm { 0 } else { rng.below(50) },
            late: rng.below(100),
            latency: if rng.chance(1, 3) { 25 * MS } else { 3 * MS },
            oracle: Oracle::new(),
            steps: 0,
            installed: 0,
            rng,
        };
        for i in 0..setup.nodes {
            let disk = Disk::new(setup.real_disk);
            world.servers.push(Server { node: None, disk, ready_at: None, paused_until: 0 });
            world.start(i);
        }
        if !setup.haunted {
            world.at(800 * MS, What::Trouble);
        }
        world.until(setup.trouble_ms * MS)?;
        world.calm_down();
        let before: Vec<u64> = world.clients.iter().map(|c| c.succeeded).collect();
        world.until((setup.trouble_ms + 6_000) * MS)?;
        setup.judge(world.oracle.finish())?;
        let stuck = world.clients.iter().zip(before).any(|(c, before)| c.succeeded < before + 3);
        if stuck && setup.bug.is_none() {
            return Err("liveness: a client is stuck though everything healed".to_owned());
        }
        Ok(Summary {
            steps: world.steps,
            commits: world.oracle.commits(),
            terms: world.oracle.terms(),
            installed: world.installed,
            succeeded: world.clients.iter().map(|c| c.succeeded).sum(),
        })
    }

    fn at(&mut self, time: u64, what: What) {
        self.queued += 1;
        self.queue.insert((time, self.queued), what);
    }

    /// When a server acts without being told to.
    fn wakes(server: &Server) -> u64 {
        let Some(node) = &server.node else { return u64::MAX };
        node.due().min(server.ready_at.unwrap_or(u64::MAX)).max(server.paused_until)
    }

    fn until(&mut self, end: u64) -> Result<(), Violation> {
        loop {
            let event = self.queue.first_key_value().map_or(u64::MAX, |((t, _), _)| *t);
            let wakes = self.servers.iter().map(World::wakes);
            let (server, wake) = wakes.enumerate().min_by_key(|(_, t)| *t).unwrap_or((0, u64::MAX));
            let turns = self.clients.iter().map(|c| c.turn_at);
            let (client, turn) = turns.enumerate().min_by_key(|(_, t)| *t).unwrap_or((0, u64::MAX));
            let next = event.min(wake).min(turn);
            if next > end {
                self.now = end;
                return Ok(());
            }
            self.now = self.now.max(next);
            self.steps += 1;
            if next == event {
                if let Some((_, what)) = self.queue.pop_first() {
                    self.happen(what)?;
                }
            } else if next == wake {
                self.act(server)?;
            } else {
                self.take_turn(client);
            }
            if self.steps.is_multiple_of(64) {
                self.setup.judge(self.compare_logs())?;
            }
        }
    }

    fn happen(&mut self, what: What) -> Result<(), Violation> {
        match what {
            What::Parcel { from, to, parcel } => {
                self.deliver(to, Input::Parcel(NodeId(from as u16 + 1), parcel));
            }
            What::Request { to, ticket, request } => {
                self.deliver(to, Input::Request(ticket, request));
            }
            What::Answer { client, ticket, answer } => {
                let oracle = &mut self.oracle;
                let client = &mut self.clients[client];
                let told = client.answered(self.now, ticket, answer, &mut self.rng, oracle);
                self.setup.judge(told)?;
            }
            What::Trouble => {
                if self.now < self.setup.trouble_ms * MS {
                    let trouble = nemesis::draw(self.setup.nodes, &mut self.rng);
                    self.strike(trouble);
                    let next = self.now + self.rng.between(50, 1_000) * MS;
                    self.at(next, What::Trouble);
                }
            }
            What::Strike(trouble) => self.strike(trouble),
            What::Heal(trouble) => {
                self.cuts.remove(&trouble);
            }
            What::Start(i) => {
                if self.servers[i].node.is_none() {
                    self.start(i);
                }
            }
        }
        Ok(())
    }

    /// An input reaches a node; what follows from it is done when the disk is free.
    fn deliver(&mut self, to: usize, input: Input<Kv>) {
        let disk = self.now + self.rng.below(MS);
        let server = &mut self.servers[to];
        let Some(node) = &mut server.node else { return };
        // A paused node finds it in its sockets when it goes on; stepping it early, at the time
        // when it goes on, is the same.
        node.step(clocks(self.now.max(server.paused_until)), input);
        server.ready_at.get_or_insert(disk);
    }

    /// A node acts on what it was told.
    fn act(&mut self, i: usize) -> Result<(), Violation> {
        let server = &mut self.servers[i];
        server.ready_at = None;
        let Some(node) = &mut server.node else { return Ok(()) };
        let ready = node.ready(clocks(self.now));
        let looked = self.oracle.look(NodeId(i as u16 + 1), node, &ready.events);
        self.setup.judge(looked)?;
        // The only member knows at once what it has committed, before it is durable and before it
        // tells anybody; the oracle has seen it by then.
        let alone = node.inspect().0.members().len() == 1;
        let writes = !ready.records.is_empty() && !alone;
        if writes && self.now < self.setup.trouble_ms * MS && self.rng.chance(1, 500) {
            server.disk.persist_partly(&ready.records, &mut self.rng);
            self.crash(i);
            return Ok(());
        }
        server.disk.persist(&ready.records);
        if server.disk.len() > 300 {
            server.disk.compact(node.compact());
        }
        let installed = ready.events.iter().filter(|e| matches!(e, Event::Installed(_)));
        self.installed += installed.count() as u64;
        self.provoke(i, &ready.events);
        self.send(i, ready);
        Ok(())
    }

    fn send(&mut self, from: usize, ready: Ready<Kv>) {
        for (to, parcel) in ready.parcels {
            let to = to.index();
            if self.cuts.values().flatten().any(|cut| *cut == (from, to)) {
                continue;
            }
            let copies = match self.rng.below(1_000) {
                x if x < self.lost => 0,
                x if x < self.lost + self.doubled => 2,
                _ => 1,
            };
            for _ in 0..copies {
                let time = self.now + self.latency();
                self.at(time, What::Parcel { from, to, parcel: parcel.clone() });
            }
        }
        for (ticket, answer) in ready.answers {
            let Some(client) = self.waiting.remove(&ticket) else { continue };
            if !self.rng.chance(self.lost, 1_000) {
                let time = self.now + self.latency();
                self.at(time, What::Answer { client, ticket, answer });
            }
        }
    }

    fn latency(&mut self) -> u64 {
        if self.rng.chance(self.late, 1_000) {
            self.rng.below(400 * MS)
        } else {
            self.rng.between(MS / 10, self.latency)
        }
    }

    fn take_turn(&mut self, client: usize) {
        let oracle = &mut self.oracle;
        let (to, ticket, request) =
            self.clients[client].turn(self.now, &mut self.tickets, &mut self.rng, oracle);
        self.waiting.insert(ticket, client);
        if !self.rng.chance(self.lost, 1_000) {
            let time = self.now + self.latency();
            self.at(time, What::Request { to, ticket, request });
        }
    }

    fn strike(&mut self, trouble: Trouble) {
        self.troubles += 1;
        let number = self.troubles;
        let lasts = self.rng.between(20, 1_500) * MS;
        match trouble {
            Trouble::Cut(links) => {
                self.cuts.insert(number, links);
                self.at(self.now + lasts, What::Heal(number));
            }
            Trouble::Change(to, change) => {
                self.tickets += 1;
                self.deliver(to, Input::Request(self.tickets, Request::Change(change)));
            }
            Trouble::Crash(nodes) => nodes.into_iter().for_each(|i| self.crash(i)),
            Trouble::Pause(nodes) => {
                for i in nodes {
                    self.servers[i].paused_until = self.now + lasts;
                }
            }
        }
    }

    /// Faults at the worst moments.
    fn provoke(&mut self, i: usize, events: &[Event]) {
        if self.now >= self.setup.trouble_ms * MS {
            return;
        }
        let draw = if self.setup.haunted { nemesis::haunted } else { nemesis::provoked };
        match draw(i, events, self.setup.nodes, &mut self.rng) {
            Some((0, trouble)) => self.strike(trouble),
            Some((delay, trouble)) => self.at(self.now + delay, What::Strike(trouble)),
            None => {}
        }
    }

    fn crash(&mut self, i: usize) {
        self.servers[i].node = None;
        self.servers[i].ready_at = None;
        self.servers[i].paused_until = 0;
        self.oracle.stopped(NodeId(i as u16 + 1));
        let back = self.now + self.rng.between(1, 600) * MS;
        self.at(back, What::Start(i));
    }

    fn start(&mut self, i: usize) {
        let id = NodeId(i as u16 + 1);
        let all = NodeId::all(self.setup.nodes as u16);
        let config = Config {
            id,
            peers: all.into_iter().filter(|p| *p != id).collect(),
            election_min: 150 * MS,
            election_max: 300 * MS,
            heartbeat: 40 * MS,
            max_entries: self.setup.max_entries,
            pre_vote: self.setup.pre_vote,
            lease: self.setup.lease.then_some(150 * MS),
            bug: self.setup.bug,
        };
        let disk = &mut self.servers[i].disk;
        let restored = disk.start();
        let limits = Limits {
            snapshot_every: self.setup.snapshot_every,
            request_timeout: 1_000 * MS,
            boot: disk.boots,
        };
        let rng = Rng::new(self.setup.seed).split(&format!("{id} start {}", disk.boots));
        self.servers[i].node = Some(Node::new(config, limits, (), rng, restored, clocks(self.now)));
    }

    fn calm_down(&mut self) {
        self.cuts.clear();
        self.lost = 0;
        self.doubled = 0;
        self.late = 0;
        for server in &mut self.servers {
            server.paused_until = server.paused_until.min(self.now);
        }
        // Everybody shall be a member again, and whoever leads is told so until it is true.
        let nodes = self.setup.nodes;
        for turn in 0..2 * nodes * nodes * nodes {
            let (to, who) = (turn % nodes, turn / nodes % nodes);
            let join = Trouble::Change(to, Change::Join(who as u16 + 1));
            self.at(self.now + (500 + 5 * turn as u64) * MS, What::Strike(join));
        }
    }

    fn compare_logs(&self) -> Result<(), Violation> {
        let nodes: Vec<&Node> = self.servers.iter().filter_map(|s| s.node.as_ref()).collect();
        for (i, a) in nodes.iter().enumerate() {
            nodes[..i].iter().try_for_each(|b| self.oracle.compare(a, b))?;
        }
        Ok(())
    }
}
