//! [`Worker`]: a client: which node it asks, and how an operation ends.
//!
//! | what comes back | outcome |
//! | --- | --- |
//! | no session came about, or a statement was refused when prepared | `fail`: nothing was sent |
//! | an error that the database's table, or `fail`, calls definite | `fail` |
//! | any other error of a statement that commits by itself, or of a commit | `info` |
//! | an error before the commit of a transaction was sent, or an `expect` | `fail` if the server vouches that nothing is left of it, else `info` |
//! | a success the server has doubts about | `info` |
//! | a session that breaks | `fail` if it could not have committed by then, else `info` |
//! | success | `ok` with what was read |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_engine::target::{Client, Fut};
use danso_vocab::{Call, Outcome, Value};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::session::{Database, Session, Trouble};
use super::statement::Op;
use crate::place::Place;
use crate::reading::Unread;

/// How long it may take until a session is open. If it is not, nothing was sent.
const OPEN: Duration = Duration::from_millis(700);

/// Which node is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum To {
    /// The client's own, and no other.
    #[default]
    Home,
    /// Whoever says first that it accepts writes, asked in turn from the client's own node on.
    /// It stays the one until the session breaks or it says that it accepts none. Where several
    /// say so, different clients may ask different ones: as applications would.
    Primary,
}

/// What all clients share.
pub(super) struct Shared<D> {
    pub(super) database: D,
    pub(super) ops: BTreeMap<String, Op>,
    pub(super) port: Option<u16>,
    pub(super) to: To,
    /// Sets the isolation level.
    pub(super) isolate: Option<String>,
    /// Codes of errors that the user calls definite.
    pub(super) fail: Vec<String>,
    pub(super) init: Vec<String>,
    /// Whether `init` has been run.
    pub(super) begun: Mutex<bool>,
}

/// Why a transaction is not asked to commit.
enum Broke {
    /// What was read says so.
    Off(String),
    /// A statement did not succeed.
    Down(Trouble),
}

/// A client.
pub(super) struct Worker<D: Database> {
    shared: Arc<Shared<D>>,
    place: Place,
    /// The node to ask next.
    at: usize,
    /// Taken out while it is used, so that a call that is dropped takes it along.
    session: Option<D::Session>,
}

/// An operation's end, and the session if it is still of use.
type End<S> = (Outcome, Option<S>);

fn fail<S>(why: String, session: Option<S>) -> End<S> {
    (Outcome::Fail(why.into()), session)
}

fn info<S>(why: String, session: Option<S>) -> End<S> {
    (Outcome::Info(why.into()), session)
}

impl<D: Database> Client for Worker<D> {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            let shared = self.shared.clone();
            let Some(op) = shared.ops.get(&*call.f) else {
                return Outcome::Fail("unsupported".into());
            };
            let open = match self.session.take() {
                Some(open) => Ok(open),
                None => self.open().await,
            };
            let session = match open {
                Ok(session) => session,
                Err(why) => return Outcome::Fail(format!("no-connection: {why}").into()),
            };
            let (outcome, session) = match op.transaction {
                true => self.transaction(session, op, call).await,
                false => self.statement(session, op, call).await,
            };
            self.session = session;
            outcome
        })
    }
}

impl<D: Database> Worker<D> {
    pub(super) fn new(shared: Arc<Shared<D>>, place: Place) -> Worker<D> {
        Worker { shared, at: place.home, place, session: None }
    }

    /// A session with the node to ask.
    async fn open(&mut self) -> Result<D::Session, String> {
        let hosts = self.place.hosts.len();
        let mut why = "nobody to ask".to_owned();
        for _ in 0..hosts {
            let at = self.at;
            // Before it is tried: if this call's time runs out, the next one goes on from here.
            if self.shared.to == To::Primary {
                self.at = (at + 1) % hosts;
            }
            let address = self.place.hosts[at].address(self.shared.port);
            match tokio::time::timeout(OPEN, self.log_in(&address)).await {
                Ok(Ok(mut session)) => {
                    self.at = at;
                    self.begin(&mut session).await?;
                    return Ok(session);
                }
                Ok(Err(refused)) => why = refused,
                Err(_) => why = "no answer".to_owned(),
            }
            if self.shared.to == To::Home {
                break;
            }
        }
        Err(why)
    }

    async fn log_in(&self, address: &str) -> Result<D::Session, String> {
        let word = |trouble: Trouble| trouble.word();
        let mut session = self.shared.database.open(address).await.map_err(word)?;
        if self.shared.to == To::Primary && !session.primary().await.map_err(word)? {
            return Err("no primary".to_owned());
        }
        if let Some(isolate) = &self.shared.isolate {
            session.command(isolate).await.map_err(word)?;
        }
        Ok(session)
    }

    /// Runs `init`, if nobody has.
    async fn begin(&self, session: &mut D::Session) -> Result<(), String> {
        let mut begun = self.shared.begun.lock().await;
        if !*begun {
            for statement in &self.shared.init {
                let done = session.command(statement).await;
                done.map_err(|trouble| format!("init: {}", trouble.word()))?;
            }
            *begun = true;
        }
        Ok(())
    }

    /// Whether this proves that what the server was asked to commit left nothing behind.
    fn definite(&self, trouble: &Trouble) -> bool {
        match trouble {
            Trouble::Refused { code, undone, .. } => *undone || self.shared.fail.contains(code),
            Trouble::Broken(_) => false,
        }
    }

    /// An operation of one statement, which commits by itself.
    async fn statement(&self, mut session: D::Session, op: &Op, call: &Call) -> End<D::Session> {
        let step = &op.steps[0];
        let args = match step.args(call, self.place.process, &BTreeMap::new()) {
            Ok(args) => args,
            Err(why) => return fail(why, Some(session)),
        };
        if let Err(trouble) = session.prepare(&step.sql).await {
            return self.unsent(&trouble, session);
        }
        match session.run(&step.sql, &args).await {
            Ok(answer) => match session.doubt() {
                Some(doubt) => info(doubt, Some(session)),
                None => {
                    (op.ok.of(&answer).map_or_else(Unread::outcome, Outcome::Ok), Some(session))
                }
            },
            Err(trouble) if self.definite(&trouble) => {
                fail(trouble.word(), self.still(session, &trouble))
            }
            Err(trouble) => info(trouble.word(), None),
        }
    }

    /// An operation that is a transaction.
    async fn transaction(&self, mut session: D::Session, op: &Op, call: &Call) -> End<D::Session> {
        for step in &op.steps {
            if let Err(trouble) = session.prepare(&step.sql).await {
                return self.unsent(&trouble, session);
            }
        }
        if let Err(trouble) = session.command("BEGIN").await {
            return self.unsent(&trouble, session);
        }
        let value = match self.steps(&mut session, op, call).await {
            Ok(value) => value,
            Err(Broke::Off(why)) => return Self::roll_back(session, why).await,
            Err(Broke::Down(Trouble::Broken(why))) if D::Session::ATOMIC => return fail(why, None),
            Err(Broke::Down(Trouble::Broken(why))) => return info(why, None),
            Err(Broke::Down(trouble)) => {
                let (outcome, session) = Self::roll_back(session, trouble.word()).await;
                return (outcome, session.and_then(|session| self.still(session, &trouble)));
            }
        };
        match session.command("COMMIT").await {
            Ok(()) => match session.doubt() {
                Some(doubt) => info(doubt, Some(session)),
                None => (Outcome::Ok(value), Some(session)),
            },
            Err(trouble) if self.definite(&trouble) => {
                fail(trouble.word(), self.still(session, &trouble))
            }
            Err(trouble) => info(trouble.word(), None),
        }
    }

    /// Everything between begin and commit; what the last answer means.
    async fn steps(&self, session: &mut D::Session, op: &Op, call: &Call) -> Result<Value, Broke> {
        let mut saved = BTreeMap::new();
        let mut value = Value::Nil;
        let off = |unread: Unread| match unread {
            Unread::Failed(why) => Broke::Off(why.to_string()),
            Unread::Nonsense(why) => Broke::Off(format!("bad-response: {why}")),
        };
        for (i, step) in op.steps.iter().enumerate() {
            let args = step.args(call, self.place.process, &saved).map_err(Broke::Off)?;
            let answer = session.run(&step.sql, &args).await.map_err(Broke::Down)?;
            if let Some(ok) = &step.ok {
                ok.of(&answer).map_err(off)?;
            }
            for (name, take) in &step.save {
                saved.insert(name.clone(), take.of(&answer).map_err(off)?);
            }
            if i + 1 == op.steps.len() {
                value = op.ok.of(&answer).map_err(off)?;
            }
        }
        Ok(value)
    }

    /// Ends a transaction that was not asked to commit.
    async fn roll_back(mut session: D::Session, why: String) -> End<D::Session> {
        match session.rollback().await {
            Ok(true) => fail(why, Some(session)),
            _ if D::Session::ATOMIC => fail(why, None),
            _ => info(why, None),
        }
    }

    /// Nothing that could have an effect was sent.
    fn unsent(&self, trouble: &Trouble, session: D::Session) -> End<D::Session> {
        fail(trouble.word(), self.still(session, trouble))
    }

    /// The session, if it may be used again. Whoever refused something may have ceased to be the
    /// primary: it is asked anew.
    fn still(&self, session: D::Session, trouble: &Trouble) -> Option<D::Session> {
        let goes_on = matches!(trouble, Trouble::Refused { .. }) && self.shared.to == To::Home;
        goes_on.then_some(session)
    }
}

#[cfg(test)]
mod tests;
