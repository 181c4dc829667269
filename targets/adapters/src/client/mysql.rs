//! Client `mysql`: SQL for each operation, over the protocol of MySQL and MariaDB. What is shared
//! with other databases, and what an operation's end is, is in `sql`.
//!
//! A transaction that breaks off is `fail` only if the server has rolled it back without a
//! warning: tables of engines without transactions keep what was done to them, and the server
//! warns of that. Rows that an `UPDATE` finds count as affected even where nothing changes.
//!
//! Definite errors of what was asked to commit, a statement by itself or `COMMIT`:
//!
//! | code | why nothing is left |
//! | --- | --- |
//! | 1213 deadlock, or a Galera node that refuses what conflicts with another's | the transaction is rolled back |
//! | 1205 lock wait timeout | the statement is rolled back while it runs |
//! | 1020 record has changed since it was read (`innodb_snapshot_isolation`) | the statement is rolled back while it runs |
//! | 1047 a Galera node that is not part of a primary component | refused before anything is done |
//! | 1290, 1792, 1836 read-only server or transaction | refused before anything is done |
//! | 1054, 1064, 1146 no such column, no SQL, no such table | found before anything is done |
//!
//! Everything else is `info`, broken constraints too: engines without transactions keep the rows
//! inserted before the one that broke it. A test that knows better lists 1062 under `fail`.

use danso_vocab::Value;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Params, Value as Cell};

use super::Row;
use super::sql::{self, Answer, Database, Login, Session, Trouble};
use crate::template::plain;

/// The registry's row.
pub(super) const ROW: Row = Row {
    name: "mysql",
    about: "MySQL and MariaDB: statements and transactions in SQL",
    build: |table, _| sql::dialect::<MySql>(table),
};

/// Errors that prove that nothing is left.
const DEFINITE: &[u16] = &[1213, 1205, 1020, 1047, 1290, 1792, 1836, 1054, 1064, 1146];
/// Statements that a session remembers.
const PREPARED: usize = 256;

struct MySql {
    login: Login,
}

impl Database for MySql {
    type Session = Open;

    fn new(login: Login) -> MySql {
        MySql { login }
    }

    fn parameter(_: usize) -> String {
        "?".to_owned()
    }

    fn isolate(level: &str) -> String {
        format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")
    }

    async fn open(&self, address: &str) -> Result<Open, Trouble> {
        let split =
            address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = split.ok_or_else(|| Trouble::Broken("no address".to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let most = usize::try_from(self.login.most).unwrap_or(usize::MAX);
        let opts = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port)
            .user(Some(self.login.user.clone()))
            .pass(self.login.password.clone())
            .db_name(self.login.database.clone())
            // A socket the server names may be another server's, seen from here.
            .prefer_socket(false)
            .tcp_nodelay(true)
            .client_found_rows(true)
            .stmt_cache_size(PREPARED)
            .max_allowed_packet(Some(most))
            .wait_timeout(Some(28_800));
        let conn = Conn::new(Opts::from(opts)).await.map_err(|error| trouble(&error))?;
        Ok(Open { conn, most: self.login.most })
    }
}

/// What an error means.
fn trouble(error: &Error) -> Trouble {
    match error {
        Error::Server(said) => Trouble::Refused {
            code: said.code.to_string(),
            why: said.message.clone(),
            undone: DEFINITE.contains(&said.code),
        },
        _ => Trouble::Broken("connection-lost".to_owned()),
    }
}

/// An open session.
struct Open {
    conn: Conn,
    most: u64,
}

impl Session for Open {
    const ATOMIC: bool = false;

    async fn prepare(&mut self, sql: &str) -> Result<(), Trouble> {
        self.conn.prep(sql).await.map(drop).map_err(|error| trouble(&error))
    }

    async fn run(&mut self, sql: &str, args: &[Value]) -> Result<Answer, Trouble> {
        let trouble = |error| trouble(&error);
        let args = match args {
            [] => Params::Empty,
            args => Params::Positional(args.iter().map(parameter).collect()),
        };
        let mut result = self.conn.exec_iter(sql, args).await.map_err(trouble)?;
        // What a statement without rows did before is not what this one found.
        let shows = !result.columns_ref().is_empty();
        let (mut answer, mut left) = (Answer::default(), self.most);
        while let Some(row) = result.next().await.map_err(trouble)? {
            let mut cells = Vec::new();
            for cell in row.unwrap() {
                let (value, size) = value(cell)?;
                left = left.checked_sub(size).ok_or(Trouble::Broken("response-too-long".into()))?;
                cells.push(value);
            }
            answer.rows.push(cells);
        }
        answer.affected = if shows { answer.rows.len() as u64 } else { result.affected_rows() };
        result.drop_result().await.map_err(trouble)?;
        Ok(answer)
    }

    async fn command(&mut self, sql: &str) -> Result<(), Trouble> {
        self.conn.query_drop(sql).await.map_err(|error| trouble(&error))
    }

    async fn rollback(&mut self) -> Result<bool, Trouble> {
        self.command("ROLLBACK").await?;
        Ok(self.conn.get_warnings() == 0)
    }

    async fn primary(&mut self) -> Result<bool, Trouble> {
        let answer = self.run("SELECT @@global.read_only = 0", &[]).await?;
        Ok(answer.rows == [[Value::Int(1)]])
    }
}

/// A value to be bound.
fn parameter(value: &Value) -> Cell {
    match value {
        Value::Nil => Cell::NULL,
        Value::Bool(yes) => Cell::Int((*yes).into()),
        Value::Int(number) => Cell::Int(*number),
        text => Cell::Bytes(plain(text).into_bytes()),
    }
}

/// A value that was read, and how large it is.
fn value(cell: Cell) -> Result<(Value, u64), Trouble> {
    let odd =
        |what: &str| Trouble::Broken(format!("bad-response: {what}: cast it to a number or text"));
    Ok(match cell {
        Cell::NULL => (Value::Nil, 16),
        Cell::Int(number) => (Value::Int(number), 16),
        Cell::UInt(number) => {
            (Value::Int(i64::try_from(number).map_err(|_| odd("a number too large"))?), 16)
        }
        Cell::Bytes(bytes) => {
            let size = 16 + bytes.len() as u64;
            let text = String::from_utf8(bytes);
            (Value::Str(text.map_err(|_| odd("bytes that are no UTF-8"))?), size)
        }
        Cell::Float(_) | Cell::Double(_) => return Err(odd("a fraction")),
        Cell::Date(..) | Cell::Time(..) => return Err(odd("a time")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_went() {
        for (ours, theirs) in [
            (Value::Nil, Cell::NULL),
            (Value::Int(-3), Cell::Int(-3)),
            ("it's".into(), Cell::Bytes(b"it's".to_vec())),
        ] {
            assert_eq!(parameter(&ours), theirs);
            assert_eq!(value(theirs).unwrap().0, ours);
        }
        assert_eq!(parameter(&Value::from([1, 2])), Cell::Bytes(b"[1,2]".to_vec()));
        assert_eq!(parameter(&true.into()), Cell::Int(1));
        for odd in [Cell::Double(0.5), Cell::UInt(u64::MAX), Cell::Bytes(vec![0xff])] {
            assert!(matches!(value(odd), Err(Trouble::Broken(_))));
        }
    }

    #[test]
    fn only_listed_errors_are_definite() {
        let undone = |code| {
            let said = mysql_async::ServerError { code, message: "no".into(), state: "X".into() };
            match trouble(&Error::Server(said)) {
                Trouble::Refused { undone, .. } => undone,
                Trouble::Broken(_) => panic!("the session goes on"),
            }
        };
        assert!(undone(1213) && undone(1047));
        // A constraint, an error of a commit, a statement that was killed.
        assert!(!undone(1062) && !undone(1180) && !undone(1317));
        let closed = Error::Driver(mysql_async::DriverError::ConnectionClosed);
        assert!(matches!(trouble(&closed), Trouble::Broken(_)));
    }
}
