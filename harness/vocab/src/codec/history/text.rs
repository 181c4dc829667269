//! Histories between tabs or spaces: Jepsen's `history.txt`, and `jepsen.log` around it.

use serde::Deserialize;

use super::intake::Intake;
use super::repair::Remark;
use super::row::{Field, Row};
use super::{Chunks, Trouble};
use crate::Value;
use crate::codec::edn::{Edn, Fault};
use crate::history::token::Token;

/// Reads lines of process, type, f, value and perhaps error.
pub(super) struct Lines {
    /// Whether they stand among other lines, after `jepsen.util`.
    pub(super) log: bool,
}

impl Chunks for Lines {
    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        last: bool,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<usize, Trouble> {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            let (line, next) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], at + end + 1),
                None if !last => return Ok(at),
                None if rest.trim_ascii().is_empty() => return Ok(bytes.len()),
                None => (rest, bytes.len()),
            };
            let whole = next > at + line.len();
            // Half a number is a number too: whether an open line is whole nobody knows.
            if !whole && intake.torn_tail() {
                return Err(Trouble { torn: Some(at), ..Trouble::at(at, "cut off") });
            }
            if self.line(line, at, row, intake)? && !whole {
                intake.remark(Remark::OpenLine, at);
            }
            at = next;
        }
    }
}

/// A line of `--logging-json`.
#[derive(Deserialize)]
struct Logged {
    logger_name: Option<String>,
    logger: Option<String>,
    #[serde(default)]
    message: String,
}

impl Lines {
    /// Whether the line was an operation.
    fn line<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<bool, Trouble> {
        if line.trim_ascii().is_empty() {
            return Ok(false);
        }
        if !self.log {
            let line = utf8(line).map_err(|fault| trouble(fault, at))?;
            return match cells(line, row) {
                Ok(true) => intake.take(row, at).map(|()| true).map_err(|r| r.within(at, &[])),
                Ok(false) => {
                    let message = "a line is process, type, f and value: `0  :invoke  :read  nil`";
                    Err(Trouble::at(at, message))
                }
                Err(fault) => Err(trouble(fault, at)),
            };
        }
        if line.starts_with(b"{") {
            let logged: Logged = match serde_json::from_slice(line) {
                Ok(logged) => logged,
                Err(error) if error.is_data() => {
                    intake.remark(Remark::OtherLine, at);
                    return Ok(false);
                }
                Err(error) => {
                    let message = format!("this line is no JSON: {error}");
                    return Err(Trouble::at(at, message));
                }
            };
            let mut row = Row::default();
            let logger = logged.logger_name.or(logged.logger);
            if logger.as_deref() != Some("jepsen.util")
                || !cells(&logged.message, &mut row).map_err(|f| trouble(f, at))?
            {
                intake.remark(Remark::OtherLine, at);
                return Ok(false);
            }
            return intake.take(&row, at).map(|()| true).map_err(|r| r.within(at, &[]));
        }
        const MARK: &[u8] = b"jepsen.util";
        let from = memchr::memmem::find(line, MARK).map_or(line.len(), |at| at + MARK.len());
        // What stands between the logger's name and the process: ` - `, `: ` or a space.
        let mut rest = &line[from..];
        if let Some(after) = rest.strip_prefix(b":") {
            rest = after;
        }
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"-") {
            rest = after;
        }
        let skipped = line.len() - rest.len();
        match utf8(rest).and_then(|rest| cells(rest, row)) {
            Ok(true) => intake.take(row, at).map(|()| true).map_err(|r| r.within(at, &[])),
            Ok(false) => {
                intake.remark(Remark::OtherLine, at);
                Ok(false)
            }
            Err(fault) => Err(trouble(fault, at + skipped)),
        }
    }
}

fn trouble(fault: Fault, base: usize) -> Trouble {
    match fault {
        Fault::Incomplete => Trouble::at(base, "this line is cut off"),
        Fault::Wrong { at, message } => Trouble::at(base + at, message),
    }
}

fn utf8(line: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(line).map_err(|error| Fault::Wrong {
        at: error.valid_up_to(),
        message: "this is not UTF-8: convert the file".to_owned(),
    })
}

/// Reads process, type, f, value and error. False if it is no such line at all.
fn cells<'a>(line: &'a str, row: &mut Row<'a>) -> Result<bool, Fault> {
    row.clear();
    let mut edn = Edn::new(line, true);
    // Other messages begin like anything.
    let mut head = |field| {
        let start = row.tokens.len();
        edn.form(&mut row.tokens).is_ok() && row.set(field, start)
    };
    if !head(Field::Process) || !head(Field::Type) {
        return Ok(false);
    }
    let process = matches!(row.tokens[0], Token::Int(_) | Token::Str("nemesis"));
    let Some(kind @ ("invoke" | "ok" | "fail" | "info")) = row.value(Field::Type).str() else {
        return Ok(false);
    };
    if !process {
        return Ok(false);
    }
    // What went wrong may be printed in any way.
    let free = matches!(kind, "fail" | "info");
    for field in [Field::F, Field::Value, Field::Error] {
        let Ok(Some(byte)) = edn.blank() else {
            if field == Field::F || (field == Field::Value && !free) {
                return edn.wrong(edn.at, format!("this line ends before its {}", field.name()));
            }
            break;
        };
        let (start, at) = (row.tokens.len(), edn.at);
        let read = edn.form(&mut row.tokens);
        if read.is_err() && free && field != Field::F {
            row.tokens.truncate(start);
            let text = line.get(at..).unwrap_or_default().trim().to_owned();
            row.tokens.push(Token::Owned(Value::Str(text)));
            row.set(Field::Error, start);
            return Ok(true);
        }
        read?;
        row.set(field, start);
        // Old logs put the error where the value was: `:info :write :timed-out`.
        if free && field == Field::Value && byte == b':' {
            row.copy(Field::Value, Field::Error);
        }
    }
    match edn.blank() {
        Ok(Some(_)) if !free => edn.wrong(edn.at, "more than f, value and error stands here"),
        _ => Ok(true),
    }
}
