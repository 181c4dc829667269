//! A node: coordinator of the requests it is asked, replica of the keys it owns. No I/O.
//!
//! | file | what it is |
//! | --- | --- |
//! | `coordinate` | requests: quorums, read repair, sloppy quorums |
//! | `replica` | what other nodes ask |
//! | `handover` | hints and keys on their way to their owners; joining and leaving |
//! | `entropy` | replicas compare hash trees |

mod coordinate;
mod entropy;
mod handover;
mod replica;

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::{NodeId, Rng, Value};

use self::coordinate::Op;
use self::handover::Leaving;
use super::detector::Detector;
use super::members::Members;
use super::message::{Message, Record};
use super::ring::{Ring, position};
use super::settings::{Bug, Mode, Settings};
use super::state::{Origin, Stamp, State};
use super::store::Store;
use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Ready, Request, Response, Ticket};

const MS: u64 = 1_000_000;

/// Between two looks at what must be handed over.
const HAND_OVER: u64 = 150 * MS;

/// With [`Bug::AckBeforeWrite`]: how long a write stays in memory only.
const LATER: u64 = 2_000 * MS;

/// See the [module](self).
pub(crate) struct QuorumKv {
    id: NodeId,
    all: Vec<NodeId>,
    settings: Settings,
    members: Members,
    /// Whether this node was told to be on the ring, if it was told.
    wish: Option<bool>,
    ring: Ring,
    store: Store,
    detector: Detector,
    rng: Rng,
    life: u32,
    made: u64,
    /// The highest time ever seen in a stamp: the counter of the hybrid clock.
    clock: u64,
    ops: BTreeMap<u64, Op>,
    /// The digest that other owners are known to have, of keys that are handed over.
    handed: BTreeMap<(NodeId, String), u64>,
    leaving: Option<Leaving>,
    /// What the others know of the members.
    views: BTreeMap<NodeId, Members>,
    /// Messages to itself.
    inbox: VecDeque<Message>,
    ready: Ready<Message, Record>,
    /// With [`Bug::AckBeforeWrite`]: what is not on disk yet, and when it will be.
    unwritten: Vec<Record>,
    write_at: u64,
    beat_at: u64,
    hand_at: u64,
    compare_at: u64,
}

impl Node for QuorumKv {
    type Settings = Settings;
    type Message = Message;
    type Record = Record;
    const NAME: &'static str = "quorum-kv";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Settings::new(options)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, records: Vec<Record>, now: Now) -> QuorumKv {
        let Boot { id, all, settings, rng, start } = boot;
        let mut members = Members::all(&all);
        let mut store = Store::default();
        for record in records {
            match record {
                Record::Members { members: known } => members = known,
                of_the_store => {
                    store.restore(of_the_store);
                }
            }
        }
        let peers = all.iter().copied().filter(|n| *n != id);
        let clock = store.keys().map(|(_, _, entry)| entry.state.time()).max().unwrap_or(0);
        // The wall clock may be wrong; it only has to differ from that of a life before the disk
        // was emptied.
        let life = Rng::new(now.wall).split(&format!("life {start}")).bits() as u32;
        let mut node = QuorumKv {
            detector: Detector::new(settings.detector, peers, now.mono),
            compare_at: settings.anti_entropy.map_or(u64::MAX, |every| now.mono + every),
            id,
            all,
            settings,
            members,
            wish: None,
            ring: Ring::default(),
            store,
            rng,
            life,
            made: 0,
            clock,
            ops: BTreeMap::new(),
            handed: BTreeMap::new(),
            leaving: None,
            views: BTreeMap::new(),
            inbox: VecDeque::new(),
            ready: Ready::default(),
            unwritten: Vec::new(),
            write_at: u64::MAX,
            beat_at: now.mono,
            hand_at: now.mono + HAND_OVER,
        };
        node.place_tokens();
        node
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match input {
            Input::Request(ticket, request) => self.request(now, ticket, &request),
            Input::Message(from, message) => self.receive(now, from, message),
        }
        while let Some(message) = self.inbox.pop_front() {
            self.receive(now, self.id, message);
        }
    }

    fn ready(&mut self, now: Now) -> Ready<Message, Record> {
        if now.mono >= self.beat_at {
            self.beat(now.mono);
        }
        if now.mono >= self.hand_at {
            self.hand_at = now.mono + HAND_OVER;
            self.hand_over(now.mono);
        }
        if now.mono >= self.compare_at {
            self.compare(now.mono);
        }
        self.go_on(now);
        while let Some(message) = self.inbox.pop_front() {
            self.receive(now, self.id, message);
        }
        if now.mono >= self.write_at {
            self.write_at = u64::MAX;
            self.ready.records.append(&mut self.unwritten);
        }
        std::mem::take(&mut self.ready)
    }

    fn due(&self) -> u64 {
        let ops = self.ops.values().map(Op::due).min().unwrap_or(u64::MAX);
        ops.min(self.beat_at).min(self.hand_at).min(self.compare_at).min(self.write_at)
    }

    fn status(&self) -> Value {
        let names = |nodes: Vec<NodeId>| {
            Value::from(nodes.iter().map(NodeId::to_string).collect::<Vec<_>>())
        };
        Value::of([
            ("members", names(self.members.up().collect())),
            ("keys", (self.store.keys().count() as i64).into()),
            ("hints", (self.store.hints().count() as i64).into()),
            ("requests", (self.ops.len() as i64).into()),
            ("mode", self.settings.all.get("mode").cloned().unwrap_or_default()),
        ])
    }

    /// It can serve if it hears of as many nodes as a request takes.
    fn health(&self) -> Result<(), String> {
        // The next heartbeat is as good as now.
        let alive = 1 + self.detector.alive(self.beat_at);
        let want = self.settings.read_quorum.max(self.settings.write_quorum);
        if alive >= want.min(self.all.len()) {
            return Ok(());
        }
        Err(format!("only {alive} nodes are heard of, and a quorum is {want}"))
    }

    fn compact(&self) -> Vec<Record> {
        let mut records = self.store.records();
        records.push(Record::Members { members: self.members.clone() });
        records
    }
}

impl QuorumKv {
    fn request(&mut self, now: Now, ticket: Ticket, request: &Request) {
        let refused = match request.route() {
            (Method::Get, path) if path.len() == 2 && path[0] == "ring" => {
                let owners = self.owners(path[1]);
                let owners: Vec<String> = owners.iter().map(NodeId::to_string).collect();
                self.ready.answer(ticket, Response::ok(Value::of([("owners", owners.into())])));
                Ok(())
            }
            (Method::Post, path) if path == ["join"] => self.join(now.mono, ticket),
            (Method::Post, path) if path == ["leave"] => self.leave(now.mono, ticket),
            (_, path) if path.len() == 2 && path[0] == "kv" => self.begin(now, ticket, request),
            _ => Err(Response::no_route()),
        };
        if let Err(response) = refused {
            self.ready.answer(ticket, response);
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        if to == self.id {
            self.inbox.push_back(message);
        } else {
            self.ready.messages.push((to, message));
        }
    }

    /// Makes a record durable before anything that rests on it is said.
    fn persist(&mut self, now: u64, record: Record) {
        if self.settings.bug == Some(Bug::AckBeforeWrite) {
            self.unwritten.push(record);
            self.write_at = self.write_at.min(now + LATER);
            return;
        }
        self.ready.records.push(record);
    }

    /// The nodes that keep `key`.
    fn owners(&self, key: &str) -> Vec<NodeId> {
        self.ring.owners(position(key), self.settings.replicas)
    }

    fn place_tokens(&mut self) {
        let off_by_one = self.settings.bug == Some(Bug::RingOffByOne);
        self.ring = self.members.ring(self.id, self.settings.virtual_nodes, off_by_one);
    }

    fn origin(&mut self) -> Origin {
        self.made += 1;
        Origin { node: self.id.0, life: self.life, nth: self.made }
    }

    /// The stamp of a new write, where a quorum has none later than `highest`.
    fn stamp(&mut self, now: Now, highest: u64) -> Stamp {
        let time = if self.settings.bug == Some(Bug::ClockWins) {
            now.wall
        } else if self.settings.mode == Mode::Abd {
            // Lynch and Shvartsman 1997, §3: one above the highest of a quorum.
            highest + 1
        } else {
            // A hybrid clock (Kulkarni et al. 2014): not behind anything this node has seen.
            now.wall.max(self.clock + 1)
        };
        self.clock = self.clock.max(time);
        Stamp { time, origin: self.origin() }
    }

    /// Hybrid clocks move on with what is received.
    fn see(&mut self, state: &State) {
        self.clock = self.clock.max(state.time());
    }

    fn beat(&mut self, now: u64) {
        self.beat_at = now + self.settings.heartbeat;
        for peer in self.all.clone() {
            if peer != self.id {
                self.send(peer, Message::Beat { members: self.members.clone() });
            }
        }
    }
}
