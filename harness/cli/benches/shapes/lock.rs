//! Clients that share a lock that works.

use danso_vocab::{Call, Event, History, Outcome, Process, Rng, Time, Value};

/// Which lock, and how it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locks {
    /// How many may have it at a time: 1 for a mutex.
    pub(crate) permits: u64,
    /// Percent of clients that want it for themselves; 0 unless it is a read-write lock.
    pub(crate) writers: Option<u64>,
    /// Operations.
    pub(crate) ops: usize,
    /// Processes at a time.
    pub(crate) processes: usize,
    /// Percent of operations whose outcome stays unknown. None of these acquires happens, for
    /// nobody would release it; all of these releases do.
    pub(crate) unknown: u64,
    /// Percent of acquires that do not wait, and are refused if they would have to.
    pub(crate) tries: u64,
}

/// A mutex.
pub(crate) fn mutex(ops: usize, processes: usize, unknown: u64) -> Locks {
    Locks { permits: 1, writers: None, ops, processes, unknown, tries: 0 }
}

/// A semaphore.
pub(crate) fn semaphore(ops: usize, processes: usize, unknown: u64, permits: u64) -> Locks {
    Locks { permits, ..mutex(ops, processes, unknown) }
}

/// A read-write lock that every tenth client wants for writing.
pub(crate) fn rw_lock(ops: usize, processes: usize, unknown: u64) -> Locks {
    Locks { permits: u64::MAX, writers: Some(10), ..mutex(ops, processes, unknown) }
}

#[derive(Clone, Copy, PartialEq)]
enum Client {
    /// Without the lock, or with it.
    Idle(Option<u64>),
    /// Wants so much of it.
    Wants(u64, bool),
    /// Gives so much of it back.
    Gives(u64),
    /// Waits for the answer: it has so much of it, or was refused.
    Done(Option<u64>, bool),
}

impl Locks {
    /// A valid history.
    pub(crate) fn history(self) -> History {
        let mut rng = Rng::new(7);
        let mut clients = vec![Client::Idle(None); self.processes];
        let mut ids: Vec<u32> = (0..self.processes as u32).collect();
        let (mut left, mut begun) = (self.permits, 0);
        let mut events = Vec::with_capacity(2 * self.ops);
        while begun < self.ops || clients.iter().any(|c| !matches!(c, Client::Idle(None))) {
            let p = rng.below(self.processes as u64) as usize;
            let process = Process(ids[p]);
            let ends = |outcome| Event::Complete { process, outcome };
            clients[p] = match clients[p] {
                Client::Idle(None) if begun >= self.ops => Client::Idle(None),
                Client::Idle(has) => {
                    begun += 1;
                    let writes = self.writers.is_some_and(|percent| rng.chance(percent, 100));
                    let weight = has.unwrap_or(if writes { self.permits } else { 1 });
                    let tries = has.is_none() && rng.chance(self.tries, 100);
                    let call = Call::new(self.f(has.is_none(), weight), ());
                    events.push(Event::Invoke { process, node: None, call });
                    if has.is_some() { Client::Gives(weight) } else { Client::Wants(weight, tries) }
                }
                Client::Wants(weight, _) if weight <= left && !rng.chance(self.unknown, 100) => {
                    left -= weight;
                    Client::Done(Some(weight), true)
                }
                Client::Wants(weight, _) if weight <= left => {
                    events.push(ends(Outcome::Info("timeout".into())));
                    ids[p] += self.processes as u32;
                    Client::Idle(None)
                }
                Client::Wants(_, true) => Client::Done(None, false),
                wants @ Client::Wants(_, false) => wants,
                Client::Gives(weight) => {
                    left += weight;
                    if rng.chance(self.unknown, 100) {
                        events.push(ends(Outcome::Info("timeout".into())));
                        ids[p] += self.processes as u32;
                        Client::Idle(None)
                    } else {
                        Client::Done(None, true)
                    }
                }
                Client::Done(has, done) => {
                    let ret = if done { Value::Nil } else { Value::Bool(false) };
                    events.push(ends(Outcome::Ok(ret)));
                    Client::Idle(has)
                }
            };
        }
        History::of((1..).map(Time).zip(events)).expect("clients take turns")
    }

    fn f(self, takes: bool, weight: u64) -> &'static str {
        match (self.writers.is_some(), takes, weight == 1) {
            (false, true, _) => "acquire",
            (false, false, _) => "release",
            (true, true, true) => "acquire-read",
            (true, false, true) => "release-read",
            (true, true, false) => "acquire-write",
            (true, false, false) => "release-write",
        }
    }
}
