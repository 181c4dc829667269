//! [`Live`]: the same question while the history is still being recorded.
//!
//! Breadth first, one frontier a key: the set of configurations that explain everything so far.
//! It is empty as soon as the history so far is not linearizable, and not before; so the first
//! violation is seen at the very event that makes it one. Memory is what is open: frontiers since
//! the oldest open operation's invocation, and of operations of unknown outcome one number each.
//! What is between, states and values, is forgotten when nothing refers to it any more. A key
//! that is quiet keeps only the states it may be in.
//!
//! Without knowledge of what is still to come there are fewer reductions: observers as soon as
//! possible, twins by response, pools of operations of unknown outcome, dominance; and on a
//! register, a write takes effect early only where an operation that was invoked may observe it,
//! and may have been hidden by any write after its invocation. Where that is not enough and the
//! frontier grows too wide (queues with many operations open, which could answer anything), a key
//! is left to the check after the run.

mod closure;
mod kinds;
mod object;

use danso_vocab::{
    Event, Limits, LiveChecker, LiveViolation, Model, OpId, Outcome, Process, Time, Value,
};
use rustc_hash::FxHashMap;

use kinds::Call;
use object::{Effect, End, Lost, Watched};

/// Keys that are left out and named; of further ones only the number is told.
const NAMED: usize = 5;

/// Things remembered of a key below which nothing is forgotten.
const WORTH_FORGETTING: usize = 4_096;

/// Watches the objects of a history while it is recorded.
pub struct Live<'m, M: Model> {
    model: &'m M,
    limits: Limits,
    objects: Vec<Object<'m, M>>,
    ids: FxHashMap<Option<Value>, u32>,
    open: FxHashMap<Process, Open>,
    /// The events with the latest stamp.
    pending: Vec<Pending>,
    stamp: Time,
    /// Bytes the objects hold.
    bytes: usize,
    left_out: Vec<String>,
    more_left_out: usize,
    over: bool,
    pub(in crate::linearizable) worth_forgetting: usize,
}

struct Object<'m, M: Model> {
    key: Option<Value>,
    /// `None` once it is left to the check after the run.
    watched: Option<Box<Watched<'m, M>>>,
    bytes: usize,
}

#[derive(Clone)]
struct Open {
    object: u32,
    index: u32,
    process: Process,
    call: danso_vocab::Call,
}

enum Pending {
    Begin(Open),
    End(Open, Outcome),
}

impl<'m, M: Model> Live<'m, M> {
    /// Watches objects of this model. Of the limits, memory and the stop flag count.
    pub fn new(model: &'m M, limits: &Limits) -> Live<'m, M> {
        Live {
            model,
            limits: limits.clone(),
            objects: Vec::new(),
            ids: FxHashMap::default(),
            open: FxHashMap::default(),
            pending: Vec::new(),
            stamp: Time::ZERO,
            bytes: 0,
            left_out: Vec::new(),
            more_left_out: 0,
            over: false,
            worth_forgetting: WORTH_FORGETTING,
        }
    }

    /// Bytes held, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn note(&mut self, index: u32, event: &Event) {
        match event {
            Event::Invoke { process, call, .. } if !self.model.ignores(&call.f) => {
                let object = self.object(call.key.as_ref());
                let (process, call) = (*process, call.clone());
                let open = Open { object, index, process, call };
                self.open.insert(process, open.clone());
                self.pending.push(Pending::Begin(open));
            }
            Event::Complete { process, outcome } => {
                if let Some(open) = self.open.remove(process) {
                    self.pending.push(Pending::End(open, outcome.clone()));
                }
            }
            Event::Invoke { .. } | Event::Note(_) => {}
        }
    }

    fn object(&mut self, key: Option<&Value>) -> u32 {
        let key = key.cloned();
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.objects.len() as u32;
        let watched = Some(Box::new(Watched::new(self.model, self.worth_forgetting)));
        self.objects.push(Object { key: key.clone(), watched, bytes: 0 });
        self.ids.insert(key, id);
        if self.ids.len() > 1 && self.ids.contains_key(&None) {
            self.stop("some operations name a key and some do not".to_owned());
        }
        id
    }

    /// Takes the events with one stamp to their objects, invocations first.
    fn flush(&mut self) -> Option<LiveViolation> {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_by_key(|pending| matches!(pending, Pending::End(..)));
        pending.into_iter().find_map(|pending| self.take(pending))
    }

    fn take(&mut self, pending: Pending) -> Option<LiveViolation> {
        let (Pending::Begin(open) | Pending::End(open, _)) = &pending;
        let (open, by_process) = (open.clone(), self.model.by_process());
        let object = &mut self.objects[open.object as usize];
        let watched = object.watched.as_mut()?;
        let call = |ret| {
            let arg = open.call.arg.clone();
            let process = i64::from(open.process.0);
            let arg = if by_process { Value::List(vec![process.into(), arg]) } else { arg };
            Call { f: open.call.f.clone(), arg, ret }
        };
        let (effect, said) = match pending {
            Pending::Begin(_) => (watched.begin(open.index, call(None)).map(|()| None), None),
            Pending::End(_, outcome) => {
                let end = match &outcome {
                    Outcome::Ok(ret) => End::Ok(call(Some(ret.clone()))),
                    Outcome::Fail(_) => End::Fail,
                    Outcome::Info(_) => End::Info,
                };
                let states = watched.end(open.index, end);
                (states.map(Some), Some(outcome))
            }
        };
        match (effect, said) {
            (Ok(Some(Effect::Violated { states })), Some(outcome)) => {
                self.over = true;
                Some(self.violation(&open, &outcome, states))
            }
            (Ok(_), _) => {
                self.account(open.object);
                None
            }
            (Err(lost), _) => {
                self.leave_out(open.object, &open, lost);
                None
            }
        }
    }

    /// Brings the number of bytes held up to date.
    fn account(&mut self, object: u32) {
        let object = &mut self.objects[object as usize];
        let bytes = object.watched.as_ref().map_or(0, |watched| watched.bytes());
        self.bytes = self.bytes + bytes - object.bytes;
        object.bytes = bytes;
        if self.bytes as u64 > self.limits.memory {
            self.stop("the memory limit of live checking was reached".to_owned());
        }
    }

    fn leave_out(&mut self, number: u32, open: &Open, lost: Lost) {
        self.objects[number as usize].watched = None;
        self.account(number);
        let key = &self.objects[number as usize].key;
        let key = key.as_ref().map_or(String::new(), |key| format!("key {key}: "));
        let index = OpId(open.index);
        let why = match lost {
            Lost::Wide => format!("there are too many ways to explain it up to operation {index}"),
            Lost::Crowded => format!("too many operations are open at once at {index}"),
            Lost::Foreign => format!(
                "the model `{}` does not know operation {index} {}",
                self.model.name(),
                open.call
            ),
        };
        if self.left_out.len() < NAMED {
            self.left_out.push(format!("{key}{why}"));
        } else {
            self.more_left_out += 1;
        }
    }

    /// Gives up on everything.
    fn stop(&mut self, why: String) {
        self.over = true;
        self.left_out.insert(0, why);
        self.objects.iter_mut().for_each(|object| object.watched = None);
        self.pending.clear();
        self.bytes = 0;
    }

    fn violation(&self, open: &Open, outcome: &Outcome, states: Vec<String>) -> LiveViolation {
        let op = OpId(open.index);
        let who = format!("operation {op} {} {}", open.process, open.call);
        let possible = match states.as_slice() {
            [] => String::new(),
            [one] => format!("; just before, the state was {one}"),
            some => format!("; just before, the state could be {}", either(some)),
        };
        let unexplained = "fits nowhere in any order of the operations so far";
        let because = match outcome {
            Outcome::Ok(ret) if ret.is_nil() && !open.call.arg.is_nil() => {
                format!("{who} -> ok {unexplained}{possible}")
            }
            Outcome::Ok(ret) => format!("{who} -> {ret} {unexplained}{possible}"),
            _ => format!("{who} failed, but without it no order explains the answers so far"),
        };
        let key = self.objects[open.object as usize].key.clone();
        LiveViolation { key, op, time: self.stamp, states, because }
    }
}

/// The first few of these, as a person would list them.
fn either(states: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut shown = states[..states.len().min(SHOWN)].join(" or ");
    if states.len() > SHOWN {
        shown += &format!(" or {} others", states.len() - SHOWN);
    }
    shown
}

impl<M: Model> LiveChecker for Live<'_, M> {
    fn event(&mut self, index: u32, time: Time, event: &Event) -> Option<LiveViolation> {
        if self.over {
            return None;
        }
        if self.limits.stop.is_tripped() {
            self.stop("it was told to stop".to_owned());
            return None;
        }
        let violation = if time == self.stamp { None } else { self.flush() };
        if violation.is_none() {
            self.stamp = time;
            self.note(index, event);
        }
        violation
    }

    fn finish(&mut self) -> Option<LiveViolation> {
        let violation = if self.over { None } else { self.flush() };
        self.over = true;
        violation
    }

    fn left_out(&self) -> Vec<String> {
        let mut all = self.left_out.clone();
        if self.more_left_out > 0 {
            all.push(format!("and {} more keys", self.more_left_out));
        }
        all
    }
}
