//! Join laws; and replicas that exchange messages which are lost, repeated and out of order, and
//! that crash: in the end all hold exactly what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Rng, Value};

use super::node::{Message, Record, Replica};
use super::object::Object;
use super::set::{Set, Tag};
use super::settings::Settings;
use crate::kit::http::Method;
use crate::kit::{Boot, Input, Node, Now, Request, Response, Ticket};

const MS: u64 = 1_000_000;

/// Some state that replicas can come to: what each has done is known to others up to some point.
fn state(rng: &mut Rng, key: &str) -> Object {
    let mut state = Object::empty(key);
    for node in 1..=3 {
        for number in 1..=rng.below(4) {
            match &mut state {
                Object::Counter(counter) => {
                    let delta = [3, -2, 5][number as usize - 1] * i64::from(node);
                    let change = counter.add(NodeId(node), delta);
                    counter.join(&change, None);
                }
                Object::Set(set) => {
                    let element = Value::Int((u64::from(node) * number % 3) as i64);
                    set.join(&Set::add(&element, Tag(node, number)), None);
                    if rng.chance(1, 3) {
                        let (change, _) = set.remove(&element);
                        set.join(&change, None);
                    }
                }
            }
        }
    }
    state
}

fn joined(a: &Object, b: &Object) -> Object {
    let mut state = a.clone();
    state.join(b, None);
    state
}

#[test]
fn joins_form_a_semilattice() {
    let mut rng = Rng::new(1);
    for key in ["counter/x", "set/x"] {
        for _ in 0..2_000 {
            let [a, b, c] = [(); 3].map(|()| state(&mut rng, key));
            assert_eq!(joined(&a, &a), a);
            assert_eq!(joined(&a, &b), joined(&b, &a));
            assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
            assert_eq!(joined(&a, &b).digest(), joined(&b, &a).digest());
        }
    }
}

/// Three replicas and the messages between them.
struct World {
    rng: Rng,
    now: Now,
    options: BTreeMap<String, Value>,
    nodes: Vec<Replica>,
    disks: Vec<Vec<Record>>,
    starts: u32,
    /// From, to, and what.
    flying: Vec<(NodeId, NodeId, Message)>,
    /// Nobody reaches this one.
    alone: Option<NodeId>,
    answer: Option<Response>,
}

impl World {
    fn new(seed: u64, bug: &str) -> World {
        let bug = if bug.is_empty() { Value::Nil } else { bug.into() };
        let mut world = World {
            rng: Rng::new(seed),
            now: Now::default(),
            options: [("bug".to_owned(), bug)].into(),
            nodes: Vec::new(),
            disks: vec![Vec::new(); 3],
            starts: 0,
            flying: Vec::new(),
            alone: None,
            answer: None,
        };
        world.nodes = NodeId::all(3).into_iter().map(|id| world.boot(id)).collect();
        world
    }

    fn boot(&mut self, id: NodeId) -> Replica {
        self.starts += 1;
        let (settings, start) = (Settings::new(&self.options).unwrap(), self.starts);
        let rng = self.rng.split(&format!("{id}-{start}"));
        let boot = Boot { id, all: NodeId::all(3), settings, rng, start };
        Replica::new(boot, self.disks[id.index()].clone(), self.now)
    }

    /// Does what a node asks for.
    fn carry_out(&mut self, id: NodeId) {
        let ready = self.nodes[id.index()].ready(self.now);
        // Records travel as JSON, so their encoding is tried, too.
        let records = ready
            .records
            .iter()
            .map(|record| serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap());
        self.disks[id.index()].extend(records);
        if self.rng.chance(1, 50) {
            self.disks[id.index()] = self.nodes[id.index()].compact();
        }
        self.flying.extend(ready.messages.into_iter().map(|(to, message)| (id, to, message)));
        self.answer = ready.answers.into_iter().map(|(_, answer)| answer).next();
    }

    fn ask(&mut self, id: NodeId, method: Method, path: &str, body: Value) -> Value {
        let request = Request::new(method, path, body);
        self.nodes[id.index()].step(self.now, Input::Request(Ticket(1), request));
        self.carry_out(id);
        let answer = self.answer.take().expect("every request is answered at once");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Time goes by: messages arrive or not, clocks tick.
    fn pass(&mut self, time: u64, lossless: bool) {
        let until = self.now.mono + time;
        while self.now.mono < until {
            self.now.mono += 5 * MS;
            for id in NodeId::all(3) {
                if self.nodes[id.index()].due() <= self.now.mono {
                    self.carry_out(id);
                }
            }
            let mut flying = std::mem::take(&mut self.flying);
            self.rng.shuffle(&mut flying);
            for (from, to, message) in flying {
                let cut = [from, to].iter().any(|n| self.alone == Some(*n));
                if cut || (!lossless && self.rng.chance(1, 5)) {
                    continue;
                }
                let copies = if self.rng.chance(1, 10) { 2 } else { 1 };
                for _ in 0..copies {
                    let message = message.clone();
                    self.nodes[to.index()].step(self.now, Input::Message(from, message));
                    self.carry_out(to);
                }
            }
        }
    }

    fn restart(&mut self, id: NodeId) {
        self.nodes[id.index()] = self.boot(id);
    }

    fn values(&mut self, path: &str) -> Vec<Value> {
        let nodes = NodeId::all(3).into_iter();
        nodes
            .map(|id| self.ask(id, Method::Get, path, Value::Nil).get("value").cloned().unwrap())
            .collect()
    }
}

/// What must be there, by what was acknowledged.
#[derive(Default)]
struct Truth {
    sum: i64,
    added: BTreeMap<Value, BTreeSet<Value>>,
    removed: BTreeSet<Value>,
}

impl Truth {
    fn set(&self) -> Value {
        let is_in = |tags: &BTreeSet<Value>| !tags.is_subset(&self.removed);
        let elements = self.added.iter().filter(|(_, tags)| is_in(tags));
        Value::List(elements.map(|(element, _)| element.clone()).collect())
    }

    fn change(&mut self, world: &mut World) {
        let id = NodeId(world.rng.between(1, 3) as u16);
        let element = Value::Int(world.rng.below(9) as i64);
        match world.rng.below(3) {
            0 => {
                let delta = world.rng.between(0, 8) as i64 - 3;
                world.ask(id, Method::Post, "/counter/x", Value::of([("add", delta.into())]));
                self.sum += delta;
            }
            1 => {
                let add = Value::of([("add", element.clone())]);
                let tag = world.ask(id, Method::Post, "/set/x", add).get("tag").cloned().unwrap();
                let new = self.added.entry(element).or_default().insert(tag.clone());
                assert!(new && !self.removed.contains(&tag), "{tag} is given twice");
            }
            _ => {
                let remove = Value::of([("remove", element)]);
                let answer = world.ask(id, Method::Post, "/set/x", remove);
                self.removed.extend(answer.get("removed").and_then(Value::list).unwrap().to_vec());
            }
        }
    }
}

/// A world's whole life; what is there in the end and what should be.
fn live(seed: u64, bug: &str) -> ([Vec<Value>; 2], [Value; 2]) {
    let (mut world, mut truth) = (World::new(seed, bug), Truth::default());
    for _ in 0..60 {
        truth.change(&mut world);
        let time = world.rng.below(200) * MS;
        world.pass(time, false);
        let one = NodeId(world.rng.between(1, 3) as u16);
        match world.rng.below(8) {
            0 => world.restart(one),
            1 => world.alone = Some(one),
            2 => world.alone = None,
            _ => {}
        }
    }
    world.alone = None;
    world.pass(2_000 * MS, true);
    let values = [world.values("/counter/x"), world.values("/set/x")];
    (values, [Value::Int(truth.sum), truth.set()])
}

#[test]
fn replicas_come_to_hold_what_was_acknowledged() {
    for seed in 0..150 {
        let (values, truth) = live(seed, "");
        for (values, truth) in values.iter().zip(&truth) {
            assert!(
                values.iter().all(|value| value == truth),
                "seed {seed}: {values:?}, not {truth}"
            );
        }
    }
}

#[test]
fn every_mistake_shows() {
    for bug in ["merge-drops", "tombstone-lost", "no-gossip-after-heal"] {
        let shows = |seed: u64| {
            let (values, truth) = live(seed, bug);
            values.iter().zip(&truth).any(|(values, truth)| values.iter().any(|v| v != truth))
        };
        assert!((0..200).any(shows), "{bug} shows in none of 200 worlds");
    }
}
