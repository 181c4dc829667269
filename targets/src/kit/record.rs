//! Records in a file: each is a header of twelve bytes and JSON.
//!
//! The header is the length of the JSON, its CRC-32, and a CRC-32 of those eight bytes, so that a
//! damaged length is noticed and does not swallow what follows.
//!
//! A crash in the middle of a write leaves an incomplete record at the end of the file, a *torn
//! tail*: nobody was told that it is durable, so it is dropped. A bad record that valid ones
//! follow is damage: what is missing may have been acknowledged, so it is an error.

use serde::Serialize;
use serde::de::DeserializeOwned;

const HEADER: usize = 12;

/// Adds a record to `out`.
pub(crate) fn write<T: Serialize>(out: &mut Vec<u8>, content: &T) -> serde_json::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    serde_json::to_writer(&mut *out, content)?;
    let json = &out[start + HEADER..];
    let (length, crc) = (json.len() as u32, crc32fast::hash(json));
    let header = &mut out[start..start + HEADER];
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32fast::hash(&header[..8]);
    header[8..].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// What a file of records contains.
#[derive(Debug)]
pub(crate) struct Contents<T> {
    pub(crate) records: Vec<T>,
    /// The bytes up to the torn tail; the file's length if there is none.
    pub(crate) sound: usize,
}

/// Reads all records; the error is where the damage is and what it is.
pub(crate) fn read_all<T: DeserializeOwned>(bytes: &[u8]) -> Result<Contents<T>, (usize, String)> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let Some(json) = record_at(bytes, at) else {
            let next = (at + 1..bytes.len()).find(|later| record_at(bytes, *later).is_some());
            return match next {
                None => Ok(Contents { records, sound: at }),
                Some(next) => {
                    Err((at, format!("a bad record, with good ones from byte {next} on")))
                }
            };
        };
        let record = serde_json::from_slice(json)
            .map_err(|e| (at, format!("a record that is not understood: {e}")))?;
        records.push(record);
        at += HEADER + json.len();
    }
    Ok(Contents { records, sound: at })
}

/// The JSON of the record that begins at `at`, if a sound one does.
fn record_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let word = |from: usize| {
        let four = bytes.get(from..from + 4)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    };
    let (length, crc, header_crc) = (word(at)?, word(at + 4)?, word(at + 8)?);
    // Every record holds some JSON: a run of zeros is no record.
    if length == 0 || crc32fast::hash(&bytes[at..at + 8]) != header_crc {
        return None;
    }
    let json = bytes.get(at + HEADER..)?.get(..length as usize)?;
    (crc32fast::hash(json) == crc).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(records: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for r in records {
            write(&mut out, r).unwrap();
        }
        out
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_dropped() {
        let whole = file(&["one", "two", "three"]);
        let two = file(&["one", "two"]).len();
        for end in two..whole.len() {
            let read = read_all::<String>(&whole[..end]).unwrap();
            assert_eq!(read.records, ["one", "two"], "cut at {end}");
            assert_eq!(read.sound, two);
        }
        assert_eq!(read_all::<String>(&whole).unwrap().records.len(), 3);
        let mut zeros = whole.clone();
        zeros.resize(whole.len() + 50, 0);
        assert_eq!(read_all::<String>(&zeros).unwrap().sound, whole.len());
    }

    #[test]
    fn any_flipped_byte_before_the_last_record_is_damage() {
        let whole = file(&["one", "two", "three"]);
        let two = file(&["one", "two"]).len();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            let read = read_all::<String>(&bytes);
            if at < two {
                assert!(read.is_err(), "byte {at}");
            } else {
                // In the last record a flipped byte cannot be told from a torn write.
                assert_eq!(read.unwrap().records, ["one", "two"], "byte {at}");
            }
        }
    }
}
