//! Histories of EDN maps: Jepsen's, Knossos', Elle's, Porcupine's.

use super::intake::Intake;
use super::row::{Field, Row};
use super::{Chunks, Trouble};
use crate::codec::edn::{Edn, Fault};
use crate::history::token::Tokens;

/// Reads maps, one after the other or in one vector or list.
#[derive(Default)]
pub(super) struct Maps {
    /// What closes the collection around them.
    close: Option<u8>,
}

impl Chunks for Maps {
    fn chunk<'a>(
        &mut self,
        bytes: &'a [u8],
        last: bool,
        row: &mut Row<'a>,
        intake: &mut Intake,
    ) -> Result<usize, Trouble> {
        let (text, end) = text(bytes, last);
        let mut edn = Edn::new(text, end == End::Input);
        loop {
            let done = edn.at;
            let byte = match edn.blank() {
                Ok(Some(byte)) => byte,
                Ok(None) => match self.close {
                    None => return Ok(bytes.len()),
                    Some(close) => {
                        let close = char::from(close);
                        let message =
                            format!("the input ends before `{close}`: it is cut off, or add it");
                        return Err(Trouble { torn: Some(done), ..Trouble::at(edn.at, message) });
                    }
                },
                Err(fault) => return stop(fault, done, done, (text.len(), end)),
            };
            match byte {
                b'[' | b'(' if self.close.is_none() => {
                    self.close = Some(if byte == b'[' { b']' } else { b')' });
                    edn.at += 1;
                }
                _ if self.close == Some(byte) => {
                    self.close = None;
                    edn.at += 1;
                }
                b'{' | b'#' => {
                    let at = edn.at;
                    if let Err(fault) = map(&mut edn, row) {
                        return stop(fault, done, at, (text.len(), end));
                    }
                    intake.take(row, at).map_err(|r| r.within(at, &bytes[at..edn.at]))?;
                }
                _ => {
                    let message =
                        "an operation was expected here: a map like {:process 0, :type :ok, …}";
                    return Err(Trouble::at(edn.at, message));
                }
            }
        }
    }
}

/// What comes after the text in hand.
#[derive(Clone, Copy, PartialEq)]
enum End {
    More,
    Input,
    /// A byte that no text has.
    Broken,
    /// Half a character and then nothing.
    Half,
}

/// The text that bytes begin with.
fn text(bytes: &[u8], last: bool) -> (&str, End) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, if last { End::Input } else { End::More }),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            let end = match error.error_len() {
                Some(_) => End::Broken,
                None if last => End::Half,
                None => End::More,
            };
            (std::str::from_utf8(valid).unwrap_or_default(), end)
        }
    }
}

/// What to do where no more can be read: wait for more, or refuse.
fn stop(fault: Fault, done: usize, at: usize, (len, end): (usize, End)) -> Result<usize, Trouble> {
    match fault {
        Fault::Incomplete if end == End::More => Ok(done),
        Fault::Incomplete if end == End::Broken => {
            Err(Trouble::at(len, "this is not UTF-8: convert the file"))
        }
        Fault::Incomplete => {
            let message = "the input ends inside what begins here: it is cut off";
            Err(Trouble { torn: Some(done), ..Trouble::at(at, message) })
        }
        Fault::Wrong { at, message } => Err(Trouble::at(at, message)),
    }
}

/// Reads an operation, tagged or not.
fn map<'a>(edn: &mut Edn<'a>, row: &mut Row<'a>) -> Result<(), Fault> {
    row.clear();
    loop {
        match edn.blank()? {
            Some(b'{') => break,
            Some(b'#') => edn.tag()?,
            None => return Err(Fault::Incomplete),
            Some(_) => return edn.wrong(edn.at, "an operation was expected here: a map"),
        }
    }
    edn.at += 1;
    loop {
        match edn.blank()? {
            None => return Err(Fault::Incomplete),
            Some(b'}') => {
                edn.at += 1;
                return Ok(());
            }
            Some(_) => {}
        }
        let (start, at) = (row.tokens.len(), edn.at);
        let field = field(edn, row)?;
        edn.form(&mut row.tokens)?;
        match field.filter(|field| *field != Field::Format) {
            None => row.tokens.truncate(start),
            Some(field) => {
                if !row.set(field, start) {
                    return edn.wrong(at, format!("`:{}` is here twice", field.name()));
                }
            }
        }
    }
}

/// Reads a key of an operation.
fn field<'a>(edn: &mut Edn<'a>, row: &mut Row<'a>) -> Result<Option<Field>, Fault> {
    if edn.blank()? == Some(b':') {
        return Ok(Field::of(edn.word()?.trim_start_matches(':').as_bytes()));
    }
    let start = row.tokens.len();
    edn.form(&mut row.tokens)?;
    let field = Tokens(&row.tokens[start..]).str().and_then(|name| Field::of(name.as_bytes()));
    row.tokens.truncate(start);
    Ok(field)
}
