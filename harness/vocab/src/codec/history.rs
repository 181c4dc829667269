//! Reading histories of any known format: one door, one pass, in blocks.
//!
//! ```
//! use danso_vocab::codec::history::{Format, Options, read};
//!
//! let edn = "{:process 0, :type :invoke, :f :read, :value nil}
//!            {:process 0, :type :ok, :f :read, :value 3}";
//! let loaded = read(edn.as_bytes(), &Options::default())?;
//! assert_eq!(loaded.format, Format::Edn);
//! assert_eq!(loaded.history.row(0).to_string(), "#0 p0 read -> 3");
//! # Ok::<(), danso_vocab::codec::ReadError>(())
//! ```
//!
//! What the end of an operation says is kept as it stands: where a tool repeats the argument of a
//! write in its `ok`, that is its result. An input that makes no well-formed history is refused
//! with line, column and the mend; [`Options::lenient`] repairs what can be repaired without
//! inventing an anomaly, and says what it did.

mod edn;
mod format;
mod independent;
mod intake;
mod json;
mod repair;
mod row;
mod source;
mod text;

pub use format::{Format, sniff};

use std::io::Read;

use independent::Shape;
use intake::Intake;
use row::Row;
use source::Source;

use super::ReadError;
use crate::History;

/// What to do about a last event that was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// Refuse it: somebody gave us half a file.
    #[default]
    Strict,
    /// Drop it and say so: the recorder was killed while writing it.
    Torn,
}

/// How to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The format; `None` tells it by the first bytes.
    pub format: Option<Format>,
    /// Repair what can be repaired safely, instead of refusing it.
    pub lenient: bool,
    /// What to do about a last event that was cut off.
    pub tail: Tail,
    /// Whether values are `[key value]` pairs of independent objects; `None` decides by the
    /// operations' arity.
    pub independent: Option<bool>,
}

/// A history and what was noticed while reading it.
#[derive(Debug)]
pub struct Loaded {
    /// The history.
    pub history: History,
    /// What it was written in.
    pub format: Format,
    /// What was repaired, assumed or left out, each with its reason.
    pub notices: Vec<String>,
    /// Bytes of a torn last event that were dropped.
    pub torn_bytes: usize,
}

/// A reader of one format.
trait Chunks {
    /// Reads what is whole in `bytes` into `intake`; `last` if nothing comes after them. Says how
    /// many bytes it is done with: the rest comes again, with more after it.
    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        last: bool,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<usize, Trouble>;
}

/// Why a reader cannot go on.
struct Trouble {
    /// Where in the block.
    at: usize,
    message: String,
    /// Where the last event begins, if this may be because it was cut off.
    torn: Option<usize>,
}

impl Trouble {
    fn at(at: usize, message: impl Into<String>) -> Self {
        Trouble { at, message: message.into(), torn: None }
    }
}

/// Reads a history. gzip and zstd are unpacked on the way. Never holds more of the input than a
/// block and the longest event.
///
/// # Errors
/// The first place that is no event or does not fit what came before, with the mend.
pub fn read(input: impl Read, options: &Options) -> Result<Loaded, ReadError> {
    let mut source = Source::open(input)?;
    let format = match options.format {
        Some(format) => format,
        None => guess(&mut source)?,
    };
    let mut reader: Box<dyn Chunks> = match format {
        Format::Jsonl => Box::new(json::Lines),
        Format::Json => Box::<json::Objects>::default(),
        Format::Edn | Format::Kv => Box::<edn::Maps>::default(),
        Format::Txt => Box::new(text::Lines { log: false }),
        Format::Log => Box::new(text::Lines { log: true }),
    };
    let mut intake = Intake::new(*options, format != Format::Jsonl);
    let mut torn_bytes = 0;
    let mut spare = Row::default();
    loop {
        let (bytes, last) = (source.rest(), source.ended());
        let mut row = spare.recycle();
        let result = reader.chunk(bytes, last, &mut row, &mut intake);
        spare = row.recycle();
        intake.settle(|at| source.line(at));
        match result {
            Ok(_) if last => break,
            Ok(done) => {
                source.consume(done);
                // A long event is not looked at again before there is twice as much of it.
                let rest = source.rest().len();
                source.fill_to((rest + 1).max(if done == 0 { 2 * rest } else { 0 }))?;
            }
            Err(Trouble { torn: Some(from), .. }) if last && options.tail == Tail::Torn => {
                torn_bytes = source.rest().len() - from;
                break;
            }
            Err(trouble) => return Err(source.error(trouble.at, trouble.message)),
        }
    }
    let mut notices = intake.notices();
    let mut history = intake.builder.finish();
    if options.independent.is_none() {
        match independent::shape(&history) {
            Shape::Plain => {}
            Shape::Keyed => {
                history.split_keys();
                notices.push("every value is a [key value] pair, so each key is an object of its own; --independent=false takes them as they are".to_owned());
            }
            Shape::Pairs => notices.push("every value is a pair; if they are [key value] of independent objects, say --independent".to_owned()),
        }
    }
    if history.is_empty() {
        notices.push("there are no operations in it".to_owned());
    }
    Ok(Loaded { history, format, notices, torn_bytes })
}

fn guess(source: &mut Source<'_>) -> Result<Format, ReadError> {
    let bytes = source.peek()?;
    match sniff(bytes) {
        Some(format) => Ok(format),
        None if bytes.trim_ascii().is_empty() => Ok(Format::Jsonl),
        None => {
            let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            let message = format!(
                "this looks like no history danso knows: name its format with --format ({names})"
            );
            Err(source.error(0, message))
        }
    }
}

#[cfg(test)]
mod tests;
