//! Reading histories, with line-numbered errors.

use std::borrow::Cow;

use serde::Deserialize;

use crate::codec::json::In;
use crate::codec::{FORMAT, ReadError};
use crate::event::note;
use crate::{FaultId, History, HistoryBuilder, IllFormed, Note, Outcome, Process, Time};

/// What to do about a last line that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Refuse it: somebody gave us half a file.
    Strict,
    /// Drop it and say so: the recorder was killed while writing it.
    Torn,
}

/// A history and what was noticed while reading it.
#[derive(Debug)]
pub struct Loaded {
    /// The history.
    pub history: History,
    /// Bytes of a torn last line that were dropped.
    pub torn_bytes: usize,
}

#[derive(Deserialize)]
struct Line<'a> {
    format: Option<u32>,
    index: Option<u32>,
    time: Option<u64>,
    #[serde(borrow)]
    process: Who<'a>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    f: Cow<'a, str>,
    key: Option<In>,
    #[serde(default)]
    value: In,
    error: Option<In>,
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    fault: Option<u32>,
    #[serde(borrow, default)]
    nodes: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Who<'a> {
    Client(u32),
    #[serde(borrow)]
    Harness(Cow<'a, str>),
}

/// Reads a history.
///
/// # Errors
/// The first line that is no event or does not fit what came before, with the mend.
pub fn read(bytes: &[u8], tail: Tail) -> Result<Loaded, ReadError> {
    let mut builder = HistoryBuilder::new();
    let mut torn_bytes = 0;
    let mut rest = bytes;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let end = rest.iter().position(|b| *b == b'\n');
        let (line, after) = match end {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &[][..]),
        };
        if !line.trim_ascii().is_empty() {
            match event(line, number, &mut builder) {
                Err(_) if end.is_none() && tail == Tail::Torn => torn_bytes = line.len(),
                other => other?,
            }
        }
        rest = after;
    }
    Ok(Loaded { history: builder.finish(), torn_bytes })
}

fn event(line: &[u8], number: usize, builder: &mut HistoryBuilder) -> Result<(), ReadError> {
    let refuse = |column: usize, message: String| ReadError { line: number, column, message };
    let event: Line<'_> = serde_json::from_slice(line)
        .map_err(|error| ReadError { line: number, ..ReadError::json(&error) })?;
    if let Some(format) = event.format
        && format != FORMAT
    {
        return Err(refuse(
            1,
            format!(
                "format {format} is not known here (this danso reads format {FORMAT}): use the danso that wrote it"
            ),
        ));
    }
    let at = |field: &str| column_of(line, field);
    let ill = |error: IllFormed| {
        let field = if matches!(error, IllFormed::Index { .. }) { "index" } else { "process" };
        refuse(at(field), error.to_string())
    };
    if let Some(index) = event.index {
        builder.index(index).map_err(ill)?;
    }
    if event.time.is_none() {
        builder.untimed();
    }
    let time = Time(event.time.unwrap_or(0));
    let process = match event.process {
        Who::Client(process) => Process(process),
        Who::Harness(who) if who == "nemesis" => {
            if event.f == note::HISTORY && event.format.is_some() {
                return Ok(());
            }
            let mut nodes = Vec::new();
            for node in &event.nodes {
                nodes.push(node.parse().map_err(|e| refuse(at("nodes"), e))?);
            }
            let note = Note {
                f: event.f.into_owned().into(),
                fault: event.fault.map(FaultId),
                nodes,
                value: event.value.0,
            };
            return builder.note(time, note).map_err(ill);
        }
        Who::Harness(who) => {
            return Err(refuse(
                at("process"),
                format!(
                    "process `{who}` is neither a number nor \"nemesis\": number the clients 0, 1, 2, …"
                ),
            ));
        }
    };
    let reason = || match event.error {
        Some(In(crate::Value::Str(text))) => text,
        Some(In(value)) => value.to_string(),
        None => String::new(),
    };
    let outcome = match &*event.r#type {
        "invoke" => {
            let node = match event.node {
                Some(node) => Some(node.parse().map_err(|e| refuse(at("node"), e))?),
                None => None,
            };
            let key = event.key.map(|k| k.0);
            return builder
                .invoke(time, process, node, &event.f, key, event.value.0)
                .map(drop)
                .map_err(ill);
        }
        "ok" => Outcome::Ok(event.value.0),
        "fail" => Outcome::Fail(reason().into()),
        "info" => Outcome::Info(reason().into()),
        other => {
            return Err(refuse(
                at("type"),
                format!("unknown type `{other}`: an event's type is invoke, ok, fail or info"),
            ));
        }
    };
    builder.complete(time, process, Some(&event.f), outcome).map_err(ill)
}

/// The column of a field's name in a line of JSON; 1 if it cannot be told.
fn column_of(line: &[u8], field: &str) -> usize {
    let name = format!("\"{field}\"");
    line.windows(name.len()).position(|w| w == name.as_bytes()).map_or(1, |at| at + 1)
}
