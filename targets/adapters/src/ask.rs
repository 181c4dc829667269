//! [`Ask`]: a question to a node, and whether its answer is yes.
//!
//! `GET http://{addr}/health` (any answer from 200 to 299), `tcp {addr}` (somebody listens),
//! `log TEXT` (the node has printed it since its start), `run COMMAND` (a shell command
//! succeeds). After ` => ` may follow how to read what came back, as in
//! `GET http://{addr}/role => json | at /role | expect leader`: yes unless that fails.

use std::path::Path;
use std::time::Duration;

use danso_engine::shell;
use danso_engine::target::Member;
use danso_vocab::Value;

use crate::reading::{Reading, Unread};
use crate::template::Template;

/// How long a question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER: usize = 1 << 20;

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    how: How,
    what: Template,
    then: Option<Reading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Get,
    Tcp,
    Log,
    Run,
}

impl Ask {
    /// Reads a question; `known` says which names it may use.
    ///
    /// # Errors
    /// If it is none: what there is.
    pub(crate) fn new(
        text: &str,
        known: &dyn Fn(&str) -> Result<(), String>,
    ) -> Result<Ask, String> {
        let (question, then) = match text.split_once(" => ") {
            Some((question, then)) => (question, Some(Reading::new(then)?)),
            None => (text, None),
        };
        let (word, what) = question.split_once(' ').unwrap_or((question, ""));
        let how = match word {
            "GET" => How::Get,
            "tcp" => How::Tcp,
            "log" => How::Log,
            "run" => How::Run,
            _ => {
                return Err(format!(
                    "`{text}` is no question: write GET http://{{addr}}/health, tcp {{addr}}, \
                     log TEXT or run COMMAND"
                ));
            }
        };
        if what.trim().is_empty() {
            return Err(format!("`{text}` lacks what to {word}"));
        }
        Ok(Ask { how, what: Template::new(what.trim(), known)?, then })
    }

    /// Asks once. `fill` gives the names' values; `member` is the node if danso starts it.
    ///
    /// # Errors
    /// If the answer is no, or there is none: why.
    pub(crate) async fn of(
        &self,
        member: Option<&Member>,
        dir: &Path,
        fill: &(dyn Fn(&str) -> Result<Value, String> + Sync),
    ) -> Result<(), String> {
        let what = self.what.fill(None, fill)?;
        let answer = match self.how {
            How::Get => get(&what).await?,
            How::Tcp => {
                let connecting = tokio::net::TcpStream::connect(&what);
                let connected = tokio::time::timeout(PATIENCE, connecting).await;
                connected
                    .map_err(|_| format!("{what} does not answer"))?
                    .map_err(|e| format!("{what}: {e}"))?;
                String::new()
            }
            How::Log => match member.map(|m| m.printed.says(&what)) {
                Some(true) => String::new(),
                Some(false) => return Err(format!("it has not printed `{what}` yet")),
                None => return Err("danso does not see what it prints".to_owned()),
            },
            How::Run => shell::run(&what, &[], Some(dir), PATIENCE).await?,
        };
        match self.then.as_ref().map(|then| then.of(Value::Str(answer))) {
            None => Ok(()),
            Some(Ok(Value::Nil | Value::Bool(false))) => Err("the answer is no".to_owned()),
            Some(Ok(_)) => Ok(()),
            Some(Err(Unread::Failed(why))) => Err(why.to_string()),
            Some(Err(Unread::Nonsense(why))) => Err(why),
        }
    }
}

/// The body, if the status is from 200 to 299.
async fn get(url: &str) -> Result<String, String> {
    // Over a connection of its own: the caller's runtime may be another one next time.
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let http = http.map_err(|e| format!("no HTTP client: {e}"))?;
    let mut response = http.get(url).send().await.map_err(|e| said(&e))?;
    let status = response.status();
    let too_long = || format!("GET {url} says more than {ANSWER} bytes");
    // What is announced need not be waited for.
    if response.content_length().is_some_and(|announced| announced > ANSWER as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| said(&e))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER {
            return Err(too_long());
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(body) } else { Err(format!("GET {url} says {status}: {body}")) }
}

/// An error with its causes, which say what matters.
fn said(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}
