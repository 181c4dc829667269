//! A replica.
//!
//! **Changes** are made and answered here alone. What they change is a *delta*, a small state
//! that is joined to this replica's and sent to all others at once (Almeida, Shoker, Baquero,
//! *Efficient state-based CRDTs by delta-mutation*, 2015). Deltas may be lost.
//!
//! **Gossip** repairs that. Every now and then a replica offers some peer the digests of its
//! objects; the peer answers with its states of those that differ; and what then still differs is
//! sent back. Both have the join in the end.
//!
//! On stderr: `peer n2 is unreachable` and `peer n2 is back`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use danso_vocab::{NodeId, Rng, Value};
use serde::{Deserialize, Serialize};

use super::counter::Counter;
use super::object::Object;
use super::set::{Set, Tag};
use super::settings::{Bug, Settings};
use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Ready, Request, Response, Ticket};

/// What replicas tell each other. Keys are `counter/NAME` and `set/NAME`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Message {
    /// What just changed.
    Delta(Key, State),
    /// The digests of everything.
    Offer(Vec<(Key, u64)>),
    /// States that differ from those offered; whether they are to be answered with the join.
    States(Vec<(Key, State)>, bool),
}

/// The key of an object.
pub(crate) type Key = String;

/// The state of an object, or a part of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State(Object);

/// What survives.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// This state was joined to the key's.
    Join(Key, State),
    /// These removals were forgotten.
    Forget(Key, Vec<(u16, u64)>),
    /// So many tags were given.
    Tags(u64),
}

/// A replica.
pub(crate) struct Replica {
    id: NodeId,
    peers: Vec<NodeId>,
    settings: Settings,
    rng: Rng,
    objects: BTreeMap<Key, Object>,
    /// Tags given so far: none is given twice.
    tags: u64,
    /// When each peer was heard of last, in ns.
    heard: BTreeMap<NodeId, u64>,
    unreachable: BTreeSet<NodeId>,
    next_gossip: u64,
    /// Removals, and when this replica heard of them.
    buried: VecDeque<(u64, Key, BTreeSet<Tag>)>,
    ready: Ready<Message, Record>,
}

impl Node for Replica {
    type Settings = Settings;
    type Message = Message;
    type Record = Record;
    const NAME: &'static str = "crdt";

    fn settings(options: &BTreeMap<String, Value>) -> Result<Settings, String> {
        Settings::new(options)
    }

    fn fsync(settings: &Settings) -> bool {
        settings.fsync
    }

    fn new(boot: Boot<Settings>, records: Vec<Record>, now: Now) -> Replica {
        let peers: Vec<NodeId> = boot.all.into_iter().filter(|n| *n != boot.id).collect();
        let mut replica = Replica {
            id: boot.id,
            heard: peers.iter().map(|peer| (*peer, now.mono)).collect(),
            peers,
            settings: boot.settings,
            rng: boot.rng,
            objects: BTreeMap::new(),
            tags: 0,
            unreachable: BTreeSet::new(),
            next_gossip: now.mono,
            buried: VecDeque::new(),
            ready: Ready::default(),
        };
        for record in records {
            match record {
                Record::Join(key, State(state)) => drop(replica.join(now, &key, &state)),
                Record::Forget(key, tags) => {
                    let tags = tags.into_iter().map(|(node, number)| Tag(node, number)).collect();
                    replica.forget(&key, &tags);
                }
                Record::Tags(given) => replica.tags = replica.tags.max(given),
            }
        }
        replica
    }

    fn step(&mut self, now: Now, input: Input<Message>) {
        match input {
            Input::Request(ticket, request) => self.request(now, ticket, &request),
            Input::Message(from, message) => self.message(now, from, message),
        }
    }

    fn ready(&mut self, now: Now) -> Ready<Message, Record> {
        if now.mono >= self.next_gossip {
            self.next_gossip = now.mono + self.settings.gossip;
            self.suspect(now);
            self.gossip();
        }
        // A tombstone is needed as long as any replica may still offer what it is the tombstone
        // of, however long that one has been away.
        if self.settings.bug == Some(Bug::TombstoneLost) {
            self.forget_old(now);
        }
        std::mem::take(&mut self.ready)
    }

    fn due(&self) -> u64 {
        self.next_gossip
    }

    fn status(&self) -> Value {
        let count = |kind: &str| self.objects.keys().filter(|key| key.starts_with(kind)).count();
        let digest = self
            .objects
            .iter()
            .fold(0, |all, (key, object)| all ^ object.digest().rotate_left(key.len() as u32));
        let unreachable = self.unreachable.iter().map(|n| Value::from(n.to_string()));
        Value::of([
            ("counters", (count("counter/") as i64).into()),
            ("sets", (count("set/") as i64).into()),
            ("digest", format!("{digest:016x}").into()),
            ("unreachable", Value::List(unreachable.collect())),
        ])
    }

    fn compact(&self) -> Vec<Record> {
        let states = self.objects.iter().map(|(k, o)| Record::Join(k.clone(), State(o.clone())));
        states.chain([Record::Tags(self.tags)]).collect()
    }
}

impl Replica {
    fn request(&mut self, now: Now, ticket: Ticket, request: &Request) {
        let response = self.respond(now, request).unwrap_or_else(|refused| refused);
        self.ready.answer(ticket, response);
    }

    fn respond(&mut self, now: Now, request: &Request) -> Result<Response, Response> {
        let (method, path) = request.route();
        let [kind @ ("counter" | "set"), name] = path[..] else { return Err(Response::no_route()) };
        let key = format!("{kind}/{name}");
        match (method, kind) {
            (Method::Get, _) => {
                let object = self.objects.get(&key).cloned().unwrap_or_else(|| Object::empty(&key));
                let seen = Value::from(format!("{:016x}", object.digest()));
                Ok(Response::ok(Value::of([("value", object.value()), ("seen", seen)])))
            }
            (Method::Post, "counter") => {
                let delta = request.field("add")?.int();
                let delta = delta.ok_or_else(|| Response::bad("`add` must be an integer"))?;
                self.add_number(now, key, delta);
                Ok(Response::done())
            }
            (Method::Post, _) if request.body.get("remove").is_some() => {
                let tags = self.remove(now, key, request.field("remove")?);
                let tags: Vec<Value> = tags.into_iter().map(Tag::shown).collect();
                Ok(Response::ok(Value::of([("removed", tags.into())])))
            }
            (Method::Post, _) => {
                let tag = self.add_element(now, key, request.field("add")?);
                Ok(Response::ok(Value::of([("tag", tag.shown())])))
            }
            _ => Err(Response::no_route()),
        }
    }

    fn add_number(&mut self, now: Now, key: Key, delta: i64) {
        let change = match self.objects.get(&key) {
            Some(Object::Counter(counter)) => counter.add(self.id, delta),
            _ => Counter::default().add(self.id, delta),
        };
        self.change(now, key, Object::Counter(change));
    }

    fn add_element(&mut self, now: Now, key: Key, element: &Value) -> Tag {
        self.tags += 1;
        let tag = Tag(self.id.0, self.tags);
        self.change(now, key, Object::Set(Set::add(element, tag)));
        tag
    }

    fn remove(&mut self, now: Now, key: Key, element: &Value) -> Vec<Tag> {
        let Some(Object::Set(set)) = self.objects.get(&key) else { return Vec::new() };
        let (change, tags) = set.remove(element);
        if !tags.is_empty() {
            self.change(now, key, Object::Set(change));
        }
        tags
    }

    /// Makes a change of this replica's own: durable before it is answered, told to all others.
    fn change(&mut self, now: Now, key: Key, delta: Object) {
        self.join(now, &key, &delta);
        self.ready.records.push(Record::Join(key.clone(), State(delta.clone())));
        for peer in self.partners() {
            let message = Message::Delta(key.clone(), State(delta.clone()));
            self.ready.messages.push((peer, message));
        }
    }

    /// Joins a state to that of a key; whether that changed anything.
    fn join(&mut self, now: Now, key: &str, state: &Object) -> bool {
        let object = self.objects.entry(key.to_owned()).or_insert_with(|| Object::empty(key));
        let before = object.digest();
        object.join(state, self.settings.bug);
        let changed = object.digest() != before;
        if let Object::Set(set) = state {
            self.tags = self.tags.max(set.last_of(self.id));
            if changed && !set.removed().is_empty() {
                self.buried.push_back((now.mono, key.to_owned(), set.removed().clone()));
            }
        }
        changed
    }

    fn message(&mut self, now: Now, from: NodeId, message: Message) {
        self.heard.insert(from, now.mono);
        match message {
            Message::Delta(key, state) => self.learn(now, key, state),
            Message::Offer(digests) => {
                let states = self.differing(&digests);
                self.ready.messages.push((from, Message::States(states, true)));
            }
            Message::States(states, answer) => {
                let offered: Vec<(Key, u64)> =
                    states.iter().map(|(key, state)| (key.clone(), state.0.digest())).collect();
                for (key, state) in states {
                    self.learn(now, key, state);
                }
                let still = self.objects.iter().filter(|(key, object)| {
                    offered.iter().any(|(k, digest)| k == *key && *digest != object.digest())
                });
                let still: Vec<_> = still.map(|(k, o)| (k.clone(), State(o.clone()))).collect();
                if answer && !still.is_empty() {
                    self.ready.messages.push((from, Message::States(still, false)));
                }
            }
        }
    }

    /// Joins what another replica said, durable before anybody sees it here.
    fn learn(&mut self, now: Now, key: Key, State(state): State) {
        if self.join(now, &key, &state) {
            self.ready.records.push(Record::Join(key, State(state)));
        }
    }

    /// This replica's states of all keys whose digests are others than these.
    fn differing(&self, digests: &[(Key, u64)]) -> Vec<(Key, State)> {
        let theirs: BTreeMap<&Key, u64> =
            digests.iter().map(|(key, digest)| (key, *digest)).collect();
        let keys: BTreeSet<&Key> = theirs.keys().copied().chain(self.objects.keys()).collect();
        let state = |key: &Key| {
            let ours = self.objects.get(key).cloned().unwrap_or_else(|| Object::empty(key));
            (theirs.get(key) != Some(&ours.digest())).then(|| (key.clone(), State(ours)))
        };
        keys.into_iter().filter_map(state).collect()
    }

    /// Notes who was not heard of for long.
    fn suspect(&mut self, now: Now) {
        for (peer, heard) in &self.heard {
            let silent = now.mono.saturating_sub(*heard) >= self.settings.suspect;
            if silent && self.unreachable.insert(*peer) {
                self.ready.lines.push(format!("peer {peer} is unreachable"));
            } else if !silent && self.settings.bug != Some(Bug::NoGossipAfterHeal) {
                // It may have been the network, so it is asked all the same; and it is back.
                if self.unreachable.remove(peer) {
                    self.ready.lines.push(format!("peer {peer} is back"));
                }
            }
        }
    }

    /// Those who are told of changes and gossiped with.
    fn partners(&self) -> Vec<NodeId> {
        if self.settings.bug == Some(Bug::NoGossipAfterHeal) {
            // Taken off the list when it was unreachable, and never put back.
            return self.peers.iter().copied().filter(|p| !self.unreachable.contains(p)).collect();
        }
        self.peers.clone()
    }

    /// Offers some peer the digests of everything.
    fn gossip(&mut self) {
        let partners = self.partners();
        if let Some(peer) = self.rng.pick(&partners) {
            let digests = self.objects.iter().map(|(key, object)| (key.clone(), object.digest()));
            self.ready.messages.push((*peer, Message::Offer(digests.collect())));
        }
    }

    /// Forgets removals that are older than is good for them.
    fn forget_old(&mut self, now: Now) {
        while let Some((heard, _, _)) = self.buried.front()
            && now.mono.saturating_sub(*heard) >= self.settings.tombstone
            && let Some((_, key, tags)) = self.buried.pop_front()
        {
            self.forget(&key, &tags);
            let tags = tags.into_iter().map(|Tag(node, number)| (node, number)).collect();
            self.ready.records.push(Record::Forget(key, tags));
        }
    }

    fn forget(&mut self, key: &str, tags: &BTreeSet<Tag>) {
        if let Some(Object::Set(set)) = self.objects.get_mut(key) {
            set.forget(tags);
        }
    }
}
