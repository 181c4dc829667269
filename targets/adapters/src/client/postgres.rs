//! Client `postgres`: SQL for each operation, over PostgreSQL's own protocol. What is shared with
//! other databases, and what an operation's end is, is in `sql`.
//!
//! A transaction that was not asked to commit has left nothing behind: PostgreSQL undoes it when
//! one of its statements is refused, when it is rolled back and when its session ends.
//!
//! Definite errors of what was asked to commit, a statement by itself or `COMMIT`:
//!
//! | SQLSTATE | why nothing is left |
//! | --- | --- |
//! | class 40: `40001` serialization failure, `40P01` deadlock, … | the transaction is rolled back: that is what the class says; but not `40003`, which says that nobody knows, as CockroachDB may |
//! | class 23: a constraint is broken | checked before the commit is written |
//! | class 22: a value that does not fit | found while the statement runs |
//! | class 42: no such table, column, right, … | found before anything is done |
//! | `25006` read-only transaction, as on a standby | refused before anything is done |
//! | `55P03` lock not available | given up while the statement runs |
//!
//! Everything else is `info`: `57P01` (shut down by an administrator) may come while a commit,
//! already written, waits for standbys. If that wait is given up because a query was cancelled or
//! a session is ended, the server only *warns* and reports success; so a success with a warning
//! is `info`, too. Functions that warn for reasons of their own make their calls `info`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use danso_vocab::Value;
use futures_util::{StreamExt, pin_mut};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Config, Connection, NoTls, Statement};

use self::cell::{Cell, Parameter};
use self::metered::Metered;
use super::Row;
use super::sql::{self, Answer, Database, Login, Session, Trouble};

mod cell;
mod metered;

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "postgres",
    about: "PostgreSQL: statements and transactions in SQL",
    build: |table, _| sql::dialect::<Postgres>(table),
};

struct Postgres {
    config: Config,
    most: u64,
}

impl Database for Postgres {
    type Session = Open;

    fn new(login: Login) -> Postgres {
        let mut config = Config::new();
        config.dbname(login.database.unwrap_or_else(|| login.user.clone()));
        config.user(login.user).application_name("danso");
        if let Some(password) = login.password {
            config.password(password);
        }
        Postgres { config, most: login.most }
    }

    fn parameter(number: usize) -> String {
        format!("${number}")
    }

    fn isolate(level: &str) -> String {
        format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
    }

    async fn open(&self, address: &str) -> Result<Open, Trouble> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|_| Trouble::Broken("refused".to_owned()))?;
        // If it cannot be had, answers only come a little later.
        let _ = stream.set_nodelay(true);
        let seen = Arc::new(Seen::default());
        seen.left.store(self.most, Ordering::Relaxed);
        let stream = Metered::new(stream, seen.clone());
        let connected = self.config.connect_raw(stream, NoTls).await;
        let (client, connection) = connected.map_err(|error| seen.trouble(&error))?;
        let driver = tokio::spawn(drive(connection, seen.clone())).abort_handle();
        Ok(Open { client, driver, seen, most: self.most, prepared: Vec::new() })
    }
}

/// What the connection sees beside answers.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes that may still be read of this answer.
    left: AtomicU64,
    /// Whether more came.
    over: AtomicBool,
    /// Whether the server has warned since the last statement was sent.
    warned: AtomicBool,
}

impl Seen {
    fn trouble(&self, error: &tokio_postgres::Error) -> Trouble {
        let Some(said) = error.as_db_error() else {
            let over = self.over.load(Ordering::Acquire);
            let word = if over { "response-too-long" } else { "connection-lost" };
            return Trouble::Broken(word.to_owned());
        };
        let (code, why) = (said.code().code().to_owned(), said.message().to_owned());
        match said.parsed_severity() {
            Some(Severity::Error) => {
                let undone = definite(&code);
                Trouble::Refused { code, why, undone }
            }
            // FATAL ends the session, PANIC the server.
            _ => Trouble::Broken(Trouble::Refused { code, why, undone: false }.word()),
        }
    }
}

/// See the table above.
fn definite(code: &str) -> bool {
    let class = matches!(code.get(..2), Some("40" | "23" | "22" | "42"));
    matches!(code, "25006" | "55P03") || class && code != "40003"
}

/// Carries messages until the session is dropped.
async fn drive(
    mut connection: Connection<Metered<TcpStream>, tokio_postgres::tls::NoTlsStream>,
    seen: Arc<Seen>,
) {
    let mut next = std::pin::pin!(futures_util::stream::poll_fn(move |context| {
        connection.poll_message(context)
    }));
    while let Some(Ok(message)) = next.next().await {
        // It comes before the end of the answer it belongs to, so whoever has that sees this.
        if let AsyncMessage::Notice(said) = message {
            let mild = [Severity::Notice, Severity::Info, Severity::Log, Severity::Debug];
            if !said.parsed_severity().is_some_and(|severity| mild.contains(&severity)) {
                seen.warned.store(true, Ordering::Release);
            }
        }
    }
}

/// An open session.
struct Open {
    client: tokio_postgres::Client,
    driver: AbortHandle,
    seen: Arc<Seen>,
    most: u64,
    /// Statements the server knows, by their text.
    prepared: Vec<(String, Statement)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // The connection closes at once, even if an answer is outstanding.
        self.driver.abort();
    }
}

impl Open {
    /// Something is about to be sent.
    fn mark(&self) {
        self.seen.left.store(self.most, Ordering::Release);
        self.seen.warned.store(false, Ordering::Release);
    }
}

impl Session for Open {
    const ATOMIC: bool = true;

    async fn prepare(&mut self, sql: &str) -> Result<(), Trouble> {
        if self.prepared.iter().any(|(text, _)| text == sql) {
            return Ok(());
        }
        self.mark();
        let statement = self.client.prepare(sql).await.map_err(|e| self.seen.trouble(&e))?;
        if let Some(column) = statement.columns().iter().find(|c| !cell::read(c.type_())) {
            return Err(unread(column.name(), column.type_()));
        }
        self.prepared.push((sql.to_owned(), statement));
        Ok(())
    }

    async fn run(&mut self, sql: &str, args: &[Value]) -> Result<Answer, Trouble> {
        self.prepare(sql).await?;
        let found = self.prepared.iter().find(|(text, _)| text == sql);
        let Some((_, statement)) = found else {
            return Err(Trouble::Broken("unprepared".to_owned()));
        };
        self.mark();
        let trouble = |error| self.seen.trouble(&error);
        let args = args.iter().map(Parameter);
        let rows = self.client.query_raw(statement, args).await.map_err(trouble)?;
        pin_mut!(rows);
        let mut answer = Answer::default();
        // To the very end: what commits by itself has done so only then.
        while let Some(row) = rows.next().await {
            let row = row.map_err(trouble)?;
            let cells = (0..row.len()).map(|i| row.try_get::<_, Cell>(i).map(|cell| cell.0));
            answer.rows.push(cells.collect::<Result<_, _>>().map_err(trouble)?);
        }
        answer.affected = rows.rows_affected().unwrap_or_default();
        Ok(answer)
    }

    async fn command(&mut self, sql: &str) -> Result<(), Trouble> {
        self.mark();
        self.client.batch_execute(sql).await.map_err(|e| self.seen.trouble(&e))
    }

    async fn rollback(&mut self) -> Result<bool, Trouble> {
        self.command("ROLLBACK").await.map(|()| true)
    }

    async fn primary(&mut self) -> Result<bool, Trouble> {
        let answer = self.run("SELECT pg_is_in_recovery()", &[]).await?;
        Ok(answer.rows == [[Value::Bool(false)]])
    }

    fn doubt(&self) -> Option<String> {
        let warned = self.seen.warned.load(Ordering::Acquire);
        warned.then(|| "warned: the server has doubts about the commit".to_owned())
    }
}

/// A column whose type has no value of ours.
fn unread(column: &str, kind: &Type) -> Trouble {
    let why = format!("column {column} is {kind}: cast it to bigint, text or boolean");
    Trouble::Refused { code: "unread".to_owned(), why, undone: true }
}

impl fmt::Debug for Open {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Open").field("seen", &self.seen).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
