//! Writing histories: append-only, one event at a time.

use std::io::{self, Write};

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::codec::{FORMAT, json::Out};
use crate::{Call, Event, Name, Note, Outcome, Process, Time, Value};

/// Appends events to a sink. Keeps the open calls, since a completion repeats them. Does not
/// buffer: give it a buffered sink and flush that.
pub struct Writer<W> {
    sink: W,
    index: u32,
    open: FxHashMap<Process, (Name, Option<Value>)>,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    index: u32,
    time: u64,
    process: Who,
    r#type: &'static str,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Out<'a>>,
    value: Out<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<String>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Who {
    Client(u32),
    Harness(&'static str),
}

impl<W: Write> Writer<W> {
    /// Opens a history on `sink` with its first line.
    ///
    /// # Errors
    /// If the sink fails.
    pub fn new(sink: W) -> io::Result<Self> {
        let mut writer = Writer { sink, index: 0, open: FxHashMap::default(), line: Vec::new() };
        let note = Note::new(crate::event::note::HISTORY, ());
        writer.put(Time::ZERO, &Event::Note(note), Some(FORMAT))?;
        Ok(writer)
    }

    /// Appends one event; returns its index.
    ///
    /// # Errors
    /// If the sink fails. The line may then be torn; readers drop a torn last line.
    pub fn write(&mut self, time: Time, event: &Event) -> io::Result<u32> {
        self.put(time, event, None)
    }

    /// Gives the next event this index, unless that has been given out already: a part of a
    /// history keeps the numbers of the whole.
    pub fn skip_to(&mut self, index: u32) {
        self.index = self.index.max(index);
    }

    /// The sink, to flush or sync it.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    fn put(&mut self, time: Time, event: &Event, format: Option<u32>) -> io::Result<u32> {
        const NIL: &Value = &Value::Nil;
        let index = self.index;
        let mut line = Line {
            format,
            index,
            time: time.0,
            process: Who::Harness("nemesis"),
            r#type: "info",
            f: "",
            key: None,
            value: Out(NIL),
            error: None,
            node: None,
            fault: None,
            nodes: Vec::new(),
        };
        let closed;
        match event {
            Event::Invoke { process, node, call: Call { f, key, arg } } => {
                line.process = Who::Client(process.0);
                line.r#type = "invoke";
                line.f = f;
                line.key = key.as_ref().map(Out);
                line.value = Out(arg);
                line.node = node.map(|n| n.to_string());
                self.open.insert(*process, (f.clone(), key.clone()));
            }
            Event::Complete { process, outcome } => {
                closed = self.open.remove(process).unwrap_or_default();
                line.process = Who::Client(process.0);
                line.f = &closed.0;
                line.key = closed.1.as_ref().map(Out);
                match outcome {
                    Outcome::Ok(value) => (line.r#type, line.value) = ("ok", Out(value)),
                    Outcome::Fail(reason) => (line.r#type, line.error) = ("fail", Some(&**reason)),
                    Outcome::Info(reason) => line.error = Some(reason),
                }
            }
            Event::Note(note) => {
                line.f = &note.f;
                line.value = Out(&note.value);
                line.fault = note.fault.map(|id| id.0);
                line.nodes = note.nodes.iter().map(ToString::to_string).collect();
            }
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, &line)?;
        self.line.push(b'\n');
        self.sink.write_all(&self.line)?;
        self.index += 1;
        Ok(index)
    }
}
