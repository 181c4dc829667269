//! [`Pipe`]: requests to the browser, and what it answers and reports.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the browser may take for one answer. A loaded machine is slow; a dead browser is
/// noticed at once.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection. Messages are JSON, each ended by a NUL.
#[derive(Debug)]
pub(crate) struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
    /// What was reported and not asked for yet, with the session it belongs to.
    events: Vec<Event>,
}

/// Something the browser reports by itself.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) session: String,
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl Pipe {
    pub(crate) fn new(to: ChildStdin, from: ChildStdout) -> Pipe {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Pipe { to, from: receiver, last: 0, events: Vec::new() }
    }

    /// Asks and waits for the answer, which must not be a refusal.
    #[track_caller]
    pub(crate) fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.ask(session, method, params).unwrap_or_else(|said| panic!("{method}: {said}"))
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// If the browser refuses, for the reason it gives.
    #[track_caller]
    pub(crate) fn ask(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.send(session, method, params);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.receive(deadline, method);
            if message["id"] == id {
                let error = &message["error"];
                return match error.is_null() {
                    true => Ok(message["result"].clone()),
                    false => Err(error.to_string()),
                };
            }
            self.keep(message);
        }
    }

    /// Waits for a report.
    #[track_caller]
    pub(crate) fn await_event(&mut self, session: &str, method: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.events.iter().any(|e| e.session == session && e.method == method) {
            let message = self.receive(deadline, method);
            self.keep(message);
        }
    }

    /// Takes the reports of a session that came in so far.
    pub(crate) fn take_events(&mut self, session: &str) -> Vec<Event> {
        self.events.extract_if(.., |event| event.session == session).collect()
    }

    /// Asks the browser to leave.
    pub(crate) fn close(&mut self) {
        // One that has left already needs no asking.
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
    }

    fn send(&mut self, session: Option<&str>, method: &str, params: Value) -> u64 {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap_or_else(|e| panic!("{method}: the browser is gone: {e}"));
        self.last
    }

    #[track_caller]
    fn receive(&mut self, deadline: Instant, what: &str) -> Value {
        let left = deadline.saturating_duration_since(Instant::now());
        let message = self.from.recv_timeout(left);
        message.unwrap_or_else(|e| panic!("{what}: no answer from the browser: {e}"))
    }

    fn keep(&mut self, mut message: Value) {
        let session = message["sessionId"].as_str().unwrap_or_default().to_owned();
        let Some(method) = message["method"].as_str().map(str::to_owned) else { return };
        if method == "Page.javascriptDialogOpening" {
            // The page would wait for ever. What it said is told among the complaints.
            let accept = json!({ "accept": false });
            self.send(Some(&session), "Page.handleJavaScriptDialog", accept);
        }
        self.events.push(Event { session, method, params: message["params"].take() });
    }
}
