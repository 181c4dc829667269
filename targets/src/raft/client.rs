//! The client of services on Raft: repeats a command, under one session number, until it has a
//! result.
//!
//! | what an attempt ends with | then |
//! | --- | --- |
//! | what the [`Speech`] takes for a result | that: sessions give every attempt the first one's |
//! | 400 | `fail`, unless an earlier attempt may have had an effect |
//! | an error the node calls definite; no connection | try again elsewhere |
//! | any other error, or no response in time | try again elsewhere; from now on nobody knows |
//!
//! After a while without a result a query is `fail`: it has no effect. So is a command of which no
//! attempt can have had an effect. A command that may have had one is repeated until the engine's
//! patience ends, and that is `info`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use danso_engine::target::{Client, Fut, Member};
use danso_vocab::{Call, Name, NodeId, Outcome, Process, Value};
use tokio::time::Instant;

use super::machine::Service;
use crate::kit::client::{Nodes, Reply};
use crate::kit::http::Method;
use crate::kit::target;

/// Pause before the next attempt after an error that came at once.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a node that did not answer is not asked first.
const SHUN: Duration = Duration::from_millis(500);

/// An attempt's patience doubles up to this many times the first one's.
const MAX_PATIENCE: u32 = 8;

/// How long a change of the membership is tried, and each attempt at it.
const HOOK: Duration = Duration::from_secs(12);
const HOOK_ATTEMPT: Duration = Duration::from_secs(1);

/// A definite failure is reported after this many times the first attempt's patience.
const GIVE_UP: u32 = 4;

/// A call as a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Begins with a slash and is encoded.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// Whether it changes anything.
    pub(crate) writes: bool,
}

/// How calls become requests, and responses outcomes. Remembers what it must between calls.
pub(crate) trait Speech: Send {
    /// The request for a call; the error is a reason to `fail`.
    fn ask(&mut self, call: &Call) -> Result<Asked, Name>;

    /// What a response is, if it is a result of the service; `None` if it is an error of Raft's,
    /// or makes no sense.
    fn result(&mut self, call: &Call, status: u16, body: &Value) -> Option<Outcome>;
}

/// A client of one process.
pub(crate) struct RaftClient<S> {
    speech: S,
    nodes: Nodes,
    /// The node that answered last.
    good: usize,
    shun_home_until: Option<Instant>,
    /// Unique for ever: sessions of two clients must not mix.
    name: String,
    seq: u64,
    patience: Duration,
}

/// What an attempt ended with.
enum Attempt {
    Result(Outcome),
    /// The node understood that it cannot be done.
    Bad(Name),
    /// No result. Whether that is all there is to say of this attempt, and who may know better.
    Error {
        name: Name,
        definite: bool,
        leader: Option<usize>,
    },
}

impl<S: Speech> RaftClient<S> {
    /// A client called `name` of these nodes.
    pub(crate) fn new(speech: S, nodes: Nodes, name: String, patience: Duration) -> RaftClient<S> {
        let good = nodes.home;
        RaftClient { speech, nodes, good, shun_home_until: None, name, seq: 0, patience }
    }

    async fn call(&mut self, call: &Call) -> Outcome {
        let mut asked = match self.speech.ask(call) {
            Ok(asked) => asked,
            Err(why) => return Outcome::Fail(why),
        };
        if asked.writes {
            // The number is taken even if nothing is sent in the end: it must never be used twice.
            self.seq += 1;
            let joint = if asked.path.contains('?') { '&' } else { '?' };
            asked.path += &format!("{joint}client={}&seq={}", self.name, self.seq);
        }
        let start = Instant::now();
        let mut certain = true;
        let mut at = self.first_choice(start);
        let mut patience = self.patience;
        loop {
            let asked_at = Instant::now();
            let (name, leader) = match self.attempt(call, &asked, at, patience).await {
                Attempt::Result(outcome) => {
                    self.good = at;
                    return outcome;
                }
                Attempt::Bad(why) if certain => return Outcome::Fail(why),
                Attempt::Bad(why) => (why, None),
                Attempt::Error { name, definite, leader } => {
                    certain &= definite;
                    (name, leader)
                }
            };
            if (certain || !asked.writes) && start.elapsed() >= self.patience * GIVE_UP {
                return Outcome::Fail(name);
            }
            if at == self.nodes.home {
                self.shun_home_until = Some(Instant::now() + SHUN);
            }
            if asked_at.elapsed() < patience {
                tokio::time::sleep(PAUSE).await;
            } else {
                // It may be slow and not gone; and whatever the next node knows by then of the
                // first attempt, it will say.
                patience = (patience * 2).min(self.patience * MAX_PATIENCE);
            }
            at = leader.filter(|l| *l != at).unwrap_or((at + 1) % self.nodes.len());
        }
    }

    fn first_choice(&self, now: Instant) -> usize {
        let shunned = self.shun_home_until.is_some_and(|until| now < until);
        if shunned { self.good } else { self.nodes.home }
    }

    async fn attempt(
        &mut self,
        call: &Call,
        asked: &Asked,
        at: usize,
        patience: Duration,
    ) -> Attempt {
        let body = asked.body.as_ref();
        let reply = self.nodes.ask(at, asked.method, &asked.path, body, patience).await;
        if let Reply::Said { status, body } = &reply {
            if let Some(outcome) = self.speech.result(call, *status, body) {
                return Attempt::Result(outcome);
            }
            if *status == 400 {
                return Attempt::Bad("bad-request".into());
            }
        }
        let leader = match &reply {
            Reply::Said { body, .. } => body.get("leader").and_then(Value::str),
            _ => None,
        };
        let leader = leader.and_then(|l| l.parse::<NodeId>().ok()).map(|l| l.index());
        Attempt::Error {
            name: reply.error(),
            definite: reply.is_definite(),
            leader: leader.filter(|l| *l < self.nodes.len()),
        }
    }
}

impl<S: Speech> Client for RaftClient<S> {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(self.call(call))
    }
}

/// The nodes, those first that say they lead.
async fn leaders_first(all: &[Member]) -> Vec<&Member> {
    let asked: Vec<_> =
        all.iter().map(|m| (m, tokio::spawn(target::status(target::address(m))))).collect();
    let mut sorted = Vec::new();
    for (member, status) in asked {
        let leads = status.await.ok().flatten().is_some_and(|status| leads(&status));
        sorted.insert(if leads { 0 } else { sorted.len() }, member);
    }
    sorted
}

fn leads(status: &Value) -> bool {
    status.get("role").and_then(Value::str) == Some("leader")
}

/// The recipe of a target on Raft: `M` is replicated, `S` is how its clients speak.
pub(crate) struct Recipe<M, S> {
    options: BTreeMap<String, Value>,
    patience: Duration,
    speech: fn() -> S,
    machine: std::marker::PhantomData<fn() -> M>,
}

impl<M: Service, S> Recipe<M, S> {
    /// The recipe with these checked options, all of them; every client begins with a new
    /// `speech`. The error is one line.
    pub(crate) fn new(
        options: &crate::kit::options::Options,
        speech: fn() -> S,
    ) -> Result<Recipe<M, S>, String> {
        let options = options.all().clone();
        let (settings, _) = M::settings(&options)?;
        let patience = Duration::from_nanos(settings.attempt_timeout);
        Ok(Recipe { options, patience, speech, machine: std::marker::PhantomData })
    }
}

impl<M: Service, S: Speech + 'static> target::Recipe for Recipe<M, S> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn options(&self) -> &BTreeMap<String, Value> {
        &self.options
    }

    fn leads(&self, status: &Value) -> bool {
        leads(status)
    }

    fn hooks(&self) -> &'static [&'static str] {
        &["leave", "join"]
    }

    /// Any node may be asked, but one that cannot reach a majority can do nothing. So they are
    /// asked in turn, those that lead first, until one says that it is done.
    fn hook<'a>(
        &'a self,
        hook: &'a str,
        node: &'a Member,
        all: &'a [Member],
    ) -> Fut<'a, Result<String, String>> {
        Box::pin(async move {
            let start = Instant::now();
            let mut last = "nobody was asked".to_owned();
            while start.elapsed() < HOOK {
                for member in leaders_first(all).await {
                    let url = format!("http://{}/members/{}", target::address(member), node.id);
                    let http = target::http(HOOK_ATTEMPT)?;
                    let request = if hook == "join" { http.put(url) } else { http.delete(url) };
                    let said = match request.send().await {
                        Ok(response) => target::said(response).await,
                        Err(error) => Err(error.to_string()),
                    };
                    match said {
                        Ok(members) => return Ok(members),
                        Err(error) => last = error,
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(last)
        })
    }

    fn client(&self, nodes: Nodes, process: Process) -> Box<dyn Client> {
        static CLIENTS: AtomicU64 = AtomicU64::new(0);
        // Process ids are unique in a run; the rest makes the name unique beyond it.
        let nth = CLIENTS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{process}-{}-{nth}", std::process::id());
        Box::new(RaftClient::new((self.speech)(), nodes, name, self.patience))
    }
}
