//! The traffic log: a line a [`Message`], roughly in the order in which they were sent.
//!
//! ```text
//! {"format":1,"kind":"traffic"}
//! {"sent":1200,"arrived":9100,"from":"n1","to":"n2","protocol":"tcp","ports":[40112,2380],"bytes":64,"packets":1,"fate":"passed"}
//! {"sent":1900,"from":"n1","to":"n3","protocol":"tcp","ports":[40114,2380],"bytes":0,"packets":1,"flags":"S","fate":"dropped"}
//! {"left_out":0}
//! ```
//!
//! Times are nanoseconds since the network was opened. The last line says how many messages are
//! not here; where it is missing, the log was cut short.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{FORMAT, ReadError, check_format};
use crate::traffic::{Fate, Message};

/// The word that tells a traffic log from other files.
const KIND: &str = "traffic";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    sent: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    arrived: Option<u64>,
    from: String,
    to: String,
    protocol: String,
    ports: (u16, u16),
    bytes: u64,
    packets: u64,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    flags: String,
    fate: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    left_out: u64,
}

/// Writes a traffic log.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(mut out: W) -> io::Result<Writer<W>> {
        line(&mut out, &Head { format: FORMAT, kind: KIND.to_owned() })?;
        Ok(Writer { out })
    }

    /// Writes a message.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn message(&mut self, message: Message) -> io::Result<()> {
        let Message { sent, arrived, from, to, protocol, ports, bytes, packets, flags, fate } =
            message;
        let fate = fate.word().to_owned();
        let stored =
            Stored { sent, arrived, from, to, protocol, ports, bytes, packets, flags, fate };
        line(&mut self.out, &stored)
    }

    /// Ends the log: so many messages are not in it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self, left_out: u64) -> io::Result<W> {
        line(&mut self.out, &End { left_out })?;
        self.out.flush()?;
        Ok(self.out)
    }

    /// Hands on what has been written so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

/// A traffic log, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// In the order of the file.
    pub messages: Vec<Message>,
    /// How many are not there; `None` if the log was cut short.
    pub left_out: Option<u64>,
}

/// Reads a traffic log. A last line that was cut off is left out.
///
/// # Errors
/// The first line that does not belong there.
pub fn read(bytes: &[u8]) -> Result<Traffic, ReadError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let wrong = |number: usize, error: &serde_json::Error| ReadError {
        line: number + 1,
        ..ReadError::json(error)
    };
    let (_, head) = lines.next().ok_or_else(|| ReadError::whole("an empty file".to_owned()))?;
    let head: Head = serde_json::from_slice(head).map_err(|e| wrong(0, &e))?;
    check_format(head.format)?;
    if head.kind != KIND {
        return Err(ReadError::whole(format!("this is `{}`, and no traffic log", head.kind)));
    }
    let mut traffic = Traffic::default();
    for (number, line) in lines {
        if !line.ends_with(b"\n") {
            break;
        }
        if let Ok(end) = serde_json::from_slice::<End>(line) {
            traffic.left_out = Some(end.left_out);
            break;
        }
        let stored: Stored = serde_json::from_slice(line).map_err(|e| wrong(number, &e))?;
        let fate = Fate::ALL.into_iter().find(|fate| fate.word() == stored.fate);
        let fate = fate.ok_or_else(|| ReadError {
            line: number + 1,
            column: 1,
            message: format!("`{}` is no fate of a message", stored.fate),
        })?;
        let Stored { sent, arrived, from, to, protocol, ports, bytes, packets, flags, .. } = stored;
        traffic.messages.push(Message {
            sent,
            arrived,
            from,
            to,
            protocol,
            ports,
            bytes,
            packets,
            flags,
            fate,
        });
    }
    Ok(traffic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fate: Fate, flags: &str) -> Message {
        Message {
            sent: 1200,
            arrived: (fate < Fate::Rejected).then_some(9100),
            from: "n1".to_owned(),
            to: "clients".to_owned(),
            protocol: "tcp".to_owned(),
            ports: (40_112, 2380),
            bytes: 64,
            packets: 2,
            flags: flags.to_owned(),
            fate,
        }
    }

    #[test]
    fn logs_round_trip() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        let messages: Vec<_> =
            Fate::ALL.into_iter().zip(["", "S", "F", "R", "", "", "", "", "SF"]).collect();
        let messages: Vec<_> = messages.into_iter().map(|(f, flags)| message(f, flags)).collect();
        for message in &messages {
            writer.message(message.clone()).unwrap();
        }
        let bytes = writer.end(7).unwrap();
        assert_eq!(read(&bytes).unwrap(), Traffic { messages, left_out: Some(7) });
        assert!(bytes.starts_with(b"{\"format\":1,\"kind\":\"traffic\"}\n{\"sent\":1200,"));
        // A killed writer.
        let torn = read(&bytes[..bytes.len() - 20]).unwrap();
        assert_eq!((torn.messages.len(), torn.left_out), (8, None));
    }

    #[test]
    fn what_is_no_traffic_log_is_refused() {
        for (text, word) in [
            ("", "empty"),
            ("{\"format\":9,\"kind\":\"traffic\"}\n", "format 9"),
            ("{\"format\":1,\"kind\":\"other\"}\n", "no traffic log"),
            ("{\"format\":1,\"kind\":\"traffic\"}\n{\"sent\":1}\n", "line 2"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
