//! The registers of one node, and the log they are read from at start: a line of JSON for each
//! change, with its checksum in front. A torn last line is a change that was never acknowledged;
//! anything else that does not fit its checksum ends the node.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use danso_vocab::Value;
use danso_vocab::codec::json;

/// Registers on disk.
pub(super) struct Store {
    registers: BTreeMap<String, Value>,
    log: File,
    fsync: bool,
    /// Bytes handed to the disk since the start of this process.
    pub(super) written: u64,
    /// Of those, bytes the disk says it has.
    pub(super) durable: u64,
    /// Changes the disk refused.
    pub(super) refused: u64,
}

impl Store {
    /// Reads the log in this folder.
    pub(super) fn open(dir: &Path, fsync: bool) -> Result<Store, String> {
        let path = dir.join("registers.log");
        let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let mut log = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|e| wrong(&e))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes).map_err(|e| wrong(&e))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let mut registers = BTreeMap::new();
        for (number, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
            let (key, value) =
                decode(line).ok_or_else(|| wrong(&format!("line {} is damaged", number + 1)))?;
            registers.insert(key, value);
        }
        if whole < bytes.len() {
            log.set_len(whole as u64).map_err(|e| wrong(&e))?;
        }
        // The folder's entry for the log must be durable before anything in it can be.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| wrong(&e))?;
        Ok(Store { registers, log, fsync, written: 0, durable: 0, refused: 0 })
    }

    /// What is under `key`.
    pub(super) fn get(&self, key: &str) -> Value {
        self.registers.get(key).cloned().unwrap_or_default()
    }

    /// Puts it there, durably.
    ///
    /// # Errors
    /// If the disk refuses: nobody knows then what a restart will find.
    pub(super) fn put(&mut self, key: &str, value: Value) -> io::Result<()> {
        let line = encode(key, &value);
        let done = self.log.write_all(&line).and_then(|()| {
            self.written += line.len() as u64;
            if self.fsync { self.log.sync_data() } else { Ok(()) }
        });
        match done {
            Ok(()) if self.fsync => self.durable = self.written,
            Ok(()) => {}
            Err(error) => {
                self.refused += 1;
                return Err(error);
            }
        }
        self.registers.insert(key.to_owned(), value);
        Ok(())
    }
}

fn encode(key: &str, value: &Value) -> Vec<u8> {
    let text = json::to_string(&Value::List(vec![key.into(), value.clone()]));
    format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes())).into_bytes()
}

fn decode(line: &[u8]) -> Option<(String, Value)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, text) = line.split_once(' ')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(text.as_bytes()) {
        return None;
    }
    let json::In(pair) = serde_json::from_str(text).ok()?;
    let (key, value) = pair.pair()?;
    Some((key.str()?.to_owned(), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_after_a_restart_and_damage_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), true).unwrap();
        store.put("a", 1.into()).unwrap();
        store.put("b", "two\n".into()).unwrap();
        store.put("a", Value::Nil).unwrap();
        assert_eq!((store.written, store.refused), (store.durable, 0));
        let store = Store::open(dir.path(), true).unwrap();
        assert_eq!((store.get("a"), store.get("b")), (Value::Nil, "two\n".into()));
        let path = dir.path().join("registers.log");
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(b"0123 [\"a\",");
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(Store::open(dir.path(), true).unwrap().get("b"), "two\n".into());
        assert_eq!(std::fs::read(&path).unwrap(), whole, "what was torn is cut off");
        for at in 0..whole.len() - 1 {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            std::fs::write(&path, &damaged).unwrap();
            assert!(Store::open(dir.path(), true).is_err(), "byte {at}");
        }
    }
}
