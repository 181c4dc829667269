//! [`Format`]: the kinds of history files, and how to tell them apart.

use std::fmt;
use std::str::FromStr;

use memchr::memmem;

/// A format of history files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object a line: danso's own, or any tool's in Jepsen's words.
    Jsonl,
    /// Jepsen's `history.edn`: maps, one a line or all in one vector or list.
    Edn,
    /// Jepsen's `history.txt`: process, type, f, value and error between tabs.
    Txt,
    /// Jepsen's `jepsen.log`, old and new, and with `--logging-json`.
    Log,
    /// Porcupine's key-value histories: EDN maps with `:key`.
    Kv,
    /// elle-cli's JSON: an array of objects, or objects one after the other.
    Json,
}

impl Format {
    /// All, with the names that `--format` takes.
    pub const ALL: [(&'static str, Format); 6] = [
        ("jsonl", Format::Jsonl),
        ("edn", Format::Edn),
        ("txt", Format::Txt),
        ("log", Format::Log),
        ("kv", Format::Kv),
        ("json", Format::Json),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Format::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Format::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
            format!("`{name}` is no format: use one of {}", names.join(", "))
        })
    }
}

/// The format of a history that begins with these bytes (unpacked; some kilobytes are enough),
/// if they look like any.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    let bytes = &bytes[..bytes.len().min(64 << 10)];
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let after = |at: usize| bytes.get(at..).unwrap_or_default().trim_ascii_start();
    let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    match bytes.first()? {
        b'{' if after(1).starts_with(b"\"") || after(1).starts_with(b"}") => {
            let has = |name: &[u8]| memmem::find(line, name).is_some();
            if (has(b"\"logger_name\"") || has(b"\"logger\"")) && !has(b"\"process\"") {
                Some(Format::Log)
            } else if line.trim_ascii_end().ends_with(b"}") || line.len() == bytes.len() {
                Some(Format::Jsonl)
            } else {
                Some(Format::Json)
            }
        }
        b'{' => Some(edn(bytes)),
        b'[' => match after(1) {
            [b'{', ..] => {
                let brace = bytes.iter().position(|b| *b == b'{').unwrap_or(0);
                let json =
                    after(brace + 1).starts_with(b"\"") || after(brace + 1).starts_with(b"}");
                Some(if json { Format::Json } else { edn(bytes) })
            }
            [b';' | b'#', ..] => Some(edn(bytes)),
            [b']', ..] => Some(Format::Json),
            _ => log(bytes),
        },
        b'(' | b';' | b'#' => Some(edn(bytes)),
        _ if is_txt(line) => Some(Format::Txt),
        _ => log(bytes),
    }
}

/// Porcupine's histories are the EDN whose operations have a key and are get, put and append.
fn edn(bytes: &[u8]) -> Format {
    let Some(open) = memchr::memchr(b'{', bytes) else { return Format::Edn };
    let map = &bytes[open..];
    let map = &map[..memchr::memchr(b'}', map).unwrap_or(map.len())];
    let has = |what: &[u8]| memmem::find(map, what).is_some();
    if has(b":key ") && (has(b":f :get") || has(b":f :put") || has(b":f :append")) {
        Format::Kv
    } else {
        Format::Edn
    }
}

/// Whether a line begins with a process and a type.
fn is_txt(line: &[u8]) -> bool {
    let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let (process, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (process == b":nemesis" || process.iter().all(u8::is_ascii_digit))
        && [&b":invoke"[..], b":ok", b":fail", b":info"].contains(&kind)
}

fn log(bytes: &[u8]) -> Option<Format> {
    let level = |line: &[u8]| {
        [&b"INFO"[..], b"WARN", b"ERROR", b"DEBUG"].iter().any(|l| line.starts_with(l))
    };
    (memmem::find(bytes, b"jepsen.util").is_some() || bytes.split(|b| *b == b'\n').any(level))
        .then_some(Format::Log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_beginning() {
        let cases: [(&str, Option<Format>); 20] = [
            ("{\"index\":0}\n{", Some(Format::Jsonl)),
            (" { \"index\": 0", Some(Format::Jsonl)),
            ("{\n  \"index\": 0,\n", Some(Format::Json)),
            ("{\"message\":\"0\\t:invoke\",\"logger_name\":\"jepsen.util\"}\n", Some(Format::Log)),
            ("[{\"index\":0}", Some(Format::Json)),
            ("[\n {\n \"index\":0}", Some(Format::Json)),
            ("[]", Some(Format::Json)),
            ("{:type :ok}", Some(Format::Edn)),
            ("; note\n[{:type :ok", Some(Format::Edn)),
            ("[{:type :ok", Some(Format::Edn)),
            ("({:type :ok", Some(Format::Edn)),
            ("#jepsen.history.Op{:type :ok", Some(Format::Edn)),
            ("{:process 0, :type :invoke, :f :get, :key \"7\", :value nil}", Some(Format::Kv)),
            ("0\t:invoke\t:read\tnil", Some(Format::Txt)),
            (":nemesis\t:info\t:start\tnil", Some(Format::Txt)),
            ("INFO  jepsen.util - 4\t:invoke\t:read\tnil", Some(Format::Log)),
            ("2026-01-01\tINFO\t[main] jepsen.core: hi", None),
            ("2026-01-01\tINFO\t[w 0] jepsen.util: 0\t:invoke\t:read\tnil", Some(Format::Log)),
            ("", None),
            ("hello", None),
        ];
        for (text, format) in cases {
            assert_eq!(sniff(text.as_bytes()), format, "{text}");
        }
        for (name, format) in Format::ALL {
            assert_eq!(name.parse(), Ok(format));
            assert_eq!(format.to_string(), name);
        }
        assert!("yaml".parse::<Format>().unwrap_err().contains("jsonl, edn"));
    }
}
