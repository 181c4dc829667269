//! [`Session`]: what a database does, and [`Trouble`]: what can go wrong with it.

use danso_vocab::Value;

use super::statement::Answer;

/// A database, as its protocol is spoken.
pub(in crate::client) trait Database: Send + Sync + Sized + 'static {
    /// An open session.
    type Session: Session;

    /// Knows how to log in.
    fn new(login: Login) -> Self;

    /// The parameter of this number, from 1, as a statement's text has it.
    fn parameter(number: usize) -> String;

    /// The statement that sets the isolation level of a session's transactions.
    fn isolate(level: &str) -> String;

    /// Connects and logs in.
    fn open(&self, address: &str) -> impl Future<Output = Result<Self::Session, Trouble>> + Send;
}

/// An open session. One that is dropped in the middle of a call is of no further use.
pub(in crate::client) trait Session: Send + Sync {
    /// Whether a transaction that breaks off before its commit was sent has certainly left
    /// nothing behind.
    const ATOMIC: bool;

    /// Has the server look at a statement without running it.
    fn prepare(&mut self, sql: &str) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Runs a statement and reads its whole answer.
    fn run(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> impl Future<Output = Result<Answer, Trouble>> + Send;

    /// Runs a statement that has neither parameters nor an answer.
    fn command(&mut self, sql: &str) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Ends a transaction. Whether the server vouches that nothing is left of it.
    fn rollback(&mut self) -> impl Future<Output = Result<bool, Trouble>> + Send;

    /// Whether the server says that it accepts writes.
    fn primary(&mut self) -> impl Future<Output = Result<bool, Trouble>> + Send;

    /// Why what ran last may not be committed as promised although the server said it was.
    fn doubt(&self) -> Option<String> {
        None
    }
}

/// Why something did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) enum Trouble {
    /// The server refused it, and goes on with the session.
    Refused {
        /// Its code for it.
        code: String,
        /// Its words for it.
        why: String,
        /// Whether the code proves that what was refused left nothing behind.
        undone: bool,
    },
    /// The session is of no use any more.
    Broken(String),
}

impl Trouble {
    /// In one word or two, for the history.
    pub(in crate::client) fn word(&self) -> String {
        match self {
            Trouble::Refused { code, why, .. } => {
                format!("{code}: {}", &why[..why.floor_char_boundary(80)])
            }
            Trouble::Broken(why) => why.clone(),
        }
    }
}

/// How to log in, and how much to take from whoever answers.
#[derive(Clone, Debug)]
pub(in crate::client) struct Login {
    /// The user.
    pub(in crate::client) user: String,
    /// Their password.
    pub(in crate::client) password: Option<String>,
    /// The database.
    pub(in crate::client) database: Option<String>,
    /// The most bytes of an answer.
    pub(in crate::client) most: u64,
}
