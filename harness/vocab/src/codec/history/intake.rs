//! [`Intake`]: from rows, whatever format they come from, to a history.

use rustc_hash::FxHashMap;

use super::Options;
use super::repair::{Remark, Remarks};
use super::row::{Field, Row};
use super::{Tail, Trouble};
use crate::codec::FORMAT;
use crate::event::note;
use crate::history::token::{Datum, Tokens};
use crate::history::{Begin, End};
use crate::{FaultId, HistoryBuilder, IllFormed, NodeId, Note, Process, Time, Value};

/// Greater process ids are refused; the builder needs the rest.
const PROCESSES: i64 = 1 << 31;

/// Why a row was refused.
pub(super) struct Refusal {
    field: Option<Field>,
    message: String,
}

impl Refusal {
    fn at(field: Field, message: impl Into<String>) -> Self {
        Refusal { field: Some(field), message: message.into() }
    }

    /// The same at the field's name in the text of the row, which begins at `at`.
    pub(super) fn within(self, at: usize, text: &[u8]) -> Trouble {
        let offset = self.field.and_then(|field| {
            [format!("\"{}\"", field.name()), format!(":{} ", field.name())]
                .iter()
                .find_map(|name| memchr::memmem::find(text, name.as_bytes()))
        });
        Trouble::at(at + offset.unwrap_or(0), self.message)
    }
}

/// Who an event is of.
enum Who {
    Client(u32),
    Nobody,
    Nemesis,
}

/// Builds the history.
pub(super) struct Intake {
    pub(super) builder: HistoryBuilder,
    options: Options,
    /// Whether the end of an operation repeats its argument, as in Jepsen's files.
    repeats: bool,
    /// Whether danso itself wrote the file.
    native: bool,
    remarks: Remarks,
    /// Processes that stand for ones in the file.
    aliases: FxHashMap<u32, Process>,
    /// The open operation of no process.
    nobody: Option<Process>,
    timed: Option<bool>,
    /// The row in hand.
    at: usize,
}

impl Intake {
    pub(super) fn new(options: Options, repeats: bool) -> Self {
        Intake {
            builder: HistoryBuilder::new(),
            options,
            repeats,
            native: false,
            remarks: Remarks::default(),
            aliases: FxHashMap::default(),
            nobody: None,
            timed: None,
            at: 0,
        }
    }

    pub(super) fn torn_tail(&self) -> bool {
        self.options.tail == Tail::Torn
    }

    pub(super) fn remark(&mut self, remark: Remark, at: usize) {
        self.remarks.add(remark, at);
    }

    pub(super) fn settle(&mut self, line: impl Fn(usize) -> usize) {
        self.remarks.settle(line);
    }

    pub(super) fn notices(&self) -> Vec<String> {
        self.remarks.notices()
    }

    /// Takes the event that stands at byte `at` of the block in hand.
    pub(super) fn take(&mut self, row: &Row<'_>, at: usize) -> Result<(), Refusal> {
        self.at = at;
        if let Some(format) = row.get(Field::Format) {
            self.format(format)?;
        }
        self.index(row)?;
        let time = time(row)?;
        let process = match who(row)? {
            Who::Nemesis => return self.note(row, Time(time.unwrap_or(0))),
            Who::Client(process) => Some(process),
            Who::Nobody => {
                self.remark(Remark::NoProcess, at);
                None
            }
        };
        if time.is_none() {
            self.builder.untimed();
        }
        if *self.timed.get_or_insert(time.is_some()) != time.is_some() {
            self.remark(Remark::NoTime, at);
        }
        self.client(row, Time(time.unwrap_or(0)), process)
    }

    fn format(&mut self, format: Tokens<'_, '_>) -> Result<(), Refusal> {
        if format.int() != Some(i64::from(FORMAT)) {
            let format = format.value();
            return Err(Refusal::at(
                Field::Format,
                format!(
                    "format {format} is not known here (this danso reads format {FORMAT}): use the danso that wrote it"
                ),
            ));
        }
        self.native = true;
        Ok(())
    }

    fn index(&mut self, row: &Row<'_>) -> Result<(), Refusal> {
        // Jepsen writes -1 for none.
        let Some(index) = row.get(Field::Index).filter(|index| index.int() != Some(-1)) else {
            return Ok(());
        };
        let Some(index) = index.int().and_then(|i| u32::try_from(i).ok()) else {
            let index = index.value();
            return Err(Refusal::at(
                Field::Index,
                format!(
                    "index {index} is no number from 0 to 4294967294: number events 0, 1, 2, …"
                ),
            ));
        };
        match self.builder.index(index) {
            Err(IllFormed::Index { .. }) if self.options.lenient => {
                self.remark(Remark::Renumbered, self.at);
                Ok(())
            }
            other => other.map_err(|error| Refusal::at(Field::Index, error.to_string())),
        }
    }

    fn note(&mut self, row: &Row<'_>, time: Time) -> Result<(), Refusal> {
        if !matches!(
            row.value(Field::Type).str().map(bare),
            Some("info" | "invoke" | "ok" | "fail")
        ) {
            if !self.options.lenient {
                return Err(strange_type(row));
            }
            self.remark(Remark::StrangeNote, self.at);
            return Ok(());
        }
        let f = row.value(Field::F).str().map_or("info", bare);
        if f == note::HISTORY && row.get(Field::Format).is_some() {
            return Ok(());
        }
        let mut nodes = Vec::new();
        if let Some(Value::List(names)) = row.get(Field::Nodes).map(Tokens::value) {
            for name in &names {
                nodes.extend(self.node(Field::Nodes, name)?);
            }
        }
        let fault = row.value(Field::Fault).int().and_then(|id| u32::try_from(id).ok());
        let note = Note {
            f: f.to_owned().into(),
            fault: fault.map(FaultId),
            nodes,
            value: row.value(Field::Value).value(),
        };
        self.builder.note(time, note).map_err(|e| Refusal::at(Field::Process, e.to_string()))
    }

    /// The node of this name. In files of others, whose nodes may have any name, only ours are
    /// known.
    fn node(&self, field: Field, name: &Value) -> Result<Option<NodeId>, Refusal> {
        let node = match name {
            Value::Str(name) => name.parse(),
            Value::Int(number) => format!("n{number}").parse(),
            other => Err(format!("`{other}` is no node: nodes are written n1, n2, …")),
        };
        match node {
            Ok(node) => Ok(Some(node)),
            Err(_) if !self.native => Ok(None),
            Err(message) => Err(Refusal::at(field, message)),
        }
    }

    fn client(&mut self, row: &Row<'_>, time: Time, process: Option<u32>) -> Result<(), Refusal> {
        let f = match row.get(Field::F) {
            Some(f) => match f.str() {
                Some(f) => bare(f),
                None => {
                    let f = f.value();
                    return Err(Refusal::at(Field::F, format!("f is `{f}`, but must be a word")));
                }
            },
            None if self.native => {
                return Err(Refusal::at(Field::F, "f is missing: name the operation"));
            }
            None => {
                self.remark(Remark::NoF, self.at);
                "txn"
            }
        };
        let kind = row.value(Field::Type).str().map(bare);
        if kind == Some("invoke") {
            return self.invoke(row, time, process, f);
        }
        let reason = || match row.get(Field::Error) {
            None => std::borrow::Cow::Borrowed(""),
            Some(error) => match error.str() {
                Some(text) => text.into(),
                None => error.value().to_string().into(),
            },
        };
        match kind {
            // Of a write an empty result says all there is to say.
            Some("ok") if f != "read" && row.get(Field::Value).is_none() => {
                let key = row.get(Field::Key).map(Datum::Lent);
                self.complete(row, time, process, f, key, End::Ok(Datum::Lent(Tokens::NIL)))
            }
            Some("ok") => {
                let (key, value) = self.split(row)?;
                self.complete(row, time, process, f, key, End::Ok(value))
            }
            Some("fail") => self.complete(row, time, process, f, None, End::Fail(&reason())),
            Some("info") => self.complete(row, time, process, f, None, End::Info(&reason())),
            _ => Err(strange_type(row)),
        }
    }

    /// The key and the value of a row.
    fn split<'t, 'a>(
        &self,
        row: &'t Row<'a>,
    ) -> Result<(Option<Datum<'t, 'a>>, Datum<'t, 'a>), Refusal> {
        let key = row.get(Field::Key).map(Datum::Lent);
        let value = row.value(Field::Value);
        if self.options.independent != Some(true) || key.is_some() {
            return Ok((key, Datum::Lent(value)));
        }
        match value.pair() {
            Some((key, value)) => Ok((Some(key), value)),
            None => {
                let value = value.value();
                Err(Refusal::at(
                    Field::Value,
                    format!(
                        "the value {value} is no [key value] pair: with independent keys every operation names its key; leave out --independent if there is one object"
                    ),
                ))
            }
        }
    }

    fn alias(&self, process: u32) -> Process {
        if self.aliases.is_empty() {
            return Process(process);
        }
        self.aliases.get(&process).copied().unwrap_or(Process(process))
    }

    fn invoke(
        &mut self,
        row: &Row<'_>,
        time: Time,
        named: Option<u32>,
        f: &str,
    ) -> Result<(), Refusal> {
        let node = match row.get(Field::Node) {
            Some(node) => self.node(Field::Node, &node.value())?,
            None => None,
        };
        let (key, arg) = self.split(row)?;
        let mut process = match named {
            Some(process) => self.alias(process),
            None => self.nobody.unwrap_or_else(|| self.builder.spare()),
        };
        let begin = |process| Begin { process, node, f, key: key.clone(), arg: arg.clone() };
        let mut result = self.builder.begin(time, begin(process));
        let remark = match &result {
            Err(IllFormed::StillOpen { .. }) => Some(Remark::Second),
            Err(IllFormed::Retired { .. }) => Some(Remark::Reused),
            _ => None,
        };
        if let Some(remark) = remark
            && self.options.lenient
        {
            self.remark(remark, self.at);
            process = self.builder.spare();
            if let Some(named) = named {
                self.aliases.insert(named, process);
            }
            result = self.builder.begin(time, begin(process));
        }
        result.map_err(|error| Refusal::at(Field::Process, error.to_string()))?;
        if named.is_none() {
            self.nobody = Some(process);
        }
        Ok(())
    }

    fn complete(
        &mut self,
        row: &Row<'_>,
        time: Time,
        named: Option<u32>,
        f: &str,
        key: Option<Datum<'_, '_>>,
        end: End<'_, Datum<'_, '_>>,
    ) -> Result<(), Refusal> {
        let ill = |error: IllFormed| Refusal::at(Field::Process, error.to_string());
        let process = match named {
            Some(process) => Some(self.alias(process)),
            None => self.nobody.take(),
        };
        // Elle's examples have transactions of which only the end is known, and no process.
        if let Some(process) = process {
            match self.builder.end(time, process, Some(f), key.as_ref(), end.clone()) {
                Err(IllFormed::NotOpen { .. }) if self.options.lenient => {}
                Err(IllFormed::Retired { .. }) if self.options.lenient => {
                    self.remark(Remark::Late, self.at);
                    return Ok(());
                }
                other => return other.map_err(ill),
            }
        }
        let (key, value) = self.split(row)?;
        let arg = if matches!(f, "read" | "get" | "r" | "peek" | "dequeue" | "drain") {
            Datum::Lent(Tokens::NIL)
        } else if value.is_nil() && !self.repeats {
            return Err(Refusal::at(
                Field::Process,
                format!(
                    "`{f}` ends without having been invoked, and its end does not say what it did: add the invocation"
                ),
            ));
        } else {
            value
        };
        self.remark(Remark::Alone, self.at);
        let process = self.builder.spare();
        self.builder.end_alone(time, Begin { process, node: None, f, key, arg }, end).map_err(ill)
    }
}

/// A word with or without its colon.
fn bare(word: &str) -> &str {
    word.strip_prefix(':').unwrap_or(word)
}

fn strange_type(row: &Row<'_>) -> Refusal {
    match row.get(Field::Type) {
        None => Refusal::at(
            Field::Process,
            "type is missing: an event's type is invoke, ok, fail or info",
        ),
        Some(kind) => {
            let kind = kind.value();
            let kind = kind.str().map_or_else(|| kind.to_string(), str::to_owned);
            Refusal::at(
                Field::Type,
                format!("unknown type `{kind}`: an event's type is invoke, ok, fail or info"),
            )
        }
    }
}

/// The stamp of an event, in ns.
fn time(row: &Row<'_>) -> Result<Option<u64>, Refusal> {
    let Some(time) = row.get(Field::Time) else { return Ok(None) };
    match time.int() {
        // Jepsen writes -1 for none.
        Some(-1) => Ok(None),
        Some(ns) if ns >= 0 => Ok(Some(ns.unsigned_abs())),
        _ => {
            let time = time.value();
            let message = format!("time {time} is no whole number of nanoseconds since the start");
            Err(Refusal::at(Field::Time, message))
        }
    }
}

fn who(row: &Row<'_>) -> Result<Who, Refusal> {
    let Some(process) = row.get(Field::Process) else { return Ok(Who::Nobody) };
    if let Some(number) = process.int() {
        return match u32::try_from(number) {
            Ok(process) if number < PROCESSES => Ok(Who::Client(process)),
            _ => Err(Refusal::at(
                Field::Process,
                format!(
                    "process {number} is not from 0 to 2147483647: number the clients 0, 1, 2, …"
                ),
            )),
        };
    }
    if process.str().map(bare) == Some("nemesis") {
        return Ok(Who::Nemesis);
    }
    let process = process.value();
    let process = process.str().map_or_else(|| process.to_string(), str::to_owned);
    Err(Refusal::at(
        Field::Process,
        format!(
            "process `{process}` is neither a number nor \"nemesis\": number the clients 0, 1, 2, …"
        ),
    ))
}
