//! Tables of texts: each value and reason once, cut where it is long.

use std::io::{self, Write};

use danso_vocab::codec::json::Out;
use danso_vocab::{History, Op, Value};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::column::zigzag;

/// How long a text may be, in bytes; the next if all texts together take more than [`ROOM`].
const LIMITS: [usize; 6] = [16_384, 4096, 1024, 256, 96, 32];
/// What all texts may take together, in bytes.
const ROOM: usize = 6 << 20;
/// What those that anomalies are about may take together, which stay whole.
const ROOM_FOR_WHOLE: usize = 2 << 20;
/// Integers up to here need no table.
const INLINE: i64 = 1 << 30;

/// A text of a table.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Text {
    /// All of it.
    Whole(String),
    /// Its beginning, and how many bytes it has.
    Cut(String, usize),
}

/// Values as JSON texts, by the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Values {
    ids: Vec<u32>,
    places: FxHashMap<u32, u64>,
    /// Those to be kept whole if there is room.
    whole: FxHashSet<u32>,
}

impl Values {
    /// An anomaly is about this operation.
    pub(super) fn keep(&mut self, op: Op<'_>) {
        self.whole.extend([op.key_id(), Some(op.arg_id()), op.ret_id()].into_iter().flatten());
    }

    /// The number that stands for a value: 0 for none, odd for an integer itself, even for a
    /// place in the table.
    pub(super) fn number(&mut self, history: &History, id: Option<u32>) -> u64 {
        let Some(id) = id else { return 0 };
        match history.value(id).as_ref() {
            Value::Int(i) if (-INLINE..INLINE).contains(i) => 2 * zigzag(*i) + 1,
            _ => {
                let next = self.ids.len() as u64;
                let place = *self.places.entry(id).or_insert(next);
                if place == next {
                    self.ids.push(id);
                }
                2 * place + 2
            }
        }
    }

    fn values<'h>(&self, history: &'h History) -> impl Iterator<Item = impl AsRef<Value> + 'h> {
        self.ids.iter().map(|id| history.value(*id))
    }
}

/// Texts by number, from 1.
#[derive(Debug, Default)]
pub(super) struct Words<'h> {
    words: Vec<&'h str>,
    places: FxHashMap<&'h str, u64>,
}

impl<'h> Words<'h> {
    /// 0 for none.
    pub(super) fn number(&mut self, word: Option<&'h str>) -> u64 {
        let Some(word) = word else { return 0 };
        let next = self.words.len() as u64 + 1;
        let number = *self.places.entry(word).or_insert(next);
        if number == next {
            self.words.push(word);
        }
        number
    }
}

/// All tables, cut to what there is room for.
#[derive(Debug, Serialize)]
pub(super) struct Tables {
    /// The longest text that is there whole, in bytes.
    limit: usize,
    /// Values, as JSON.
    values: Vec<Text>,
    /// Reasons of failures.
    reasons: Vec<Text>,
}

impl Tables {
    pub(super) fn of(history: &History, values: &Values, reasons: &Words<'_>) -> Tables {
        // Lengths first: a history may hold more text than there is memory for twice.
        let of_values = values.values(history).map(|value| json(value.as_ref(), 0).1);
        let lengths: Vec<usize> =
            of_values.chain(reasons.words.iter().map(|word| word.len())).collect();
        let fits = |limit: usize| lengths.iter().map(|l| limit.min(*l) + 3).sum::<usize>() <= ROOM;
        let least = LIMITS[LIMITS.len() - 1];
        let limit = LIMITS.into_iter().find(|limit| fits(*limit)).unwrap_or(least);
        let mut room = ROOM_FOR_WHOLE;
        let mut text = |((id, value), length): ((&u32, _), &usize)| {
            let whole = values.whole.contains(id) && *length <= room;
            room -= if whole { *length } else { 0 };
            let limit = if whole { *length } else { limit };
            match json(AsRef::<Value>::as_ref(&value), limit).0 {
                text if text.len() < *length => Text::Cut(text, *length),
                text => Text::Whole(text),
            }
        };
        let ids = values.ids.iter().zip(values.values(history));
        let values = ids.zip(&lengths).map(&mut text).collect();
        Tables { limit, values, reasons: reasons.words.iter().map(|w| cut(w, limit)).collect() }
    }
}

/// A text of at most `limit` bytes.
pub(super) fn cut(text: &str, limit: usize) -> Text {
    if text.len() <= limit {
        return Text::Whole(text.to_owned());
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::Cut(text[..end].to_owned(), text.len())
}

/// The first `limit` bytes of a value's JSON, and how many it has.
fn json(value: &Value, limit: usize) -> (String, usize) {
    let mut sink = Head { kept: Vec::new(), limit, length: 0 };
    // The sink never fails, and a value has nothing that is no JSON.
    let _ = serde_json::to_writer(&mut sink, &Out(value));
    let valid = match std::str::from_utf8(&sink.kept) {
        Ok(all) => all.len(),
        Err(error) => error.valid_up_to(),
    };
    sink.kept.truncate(valid);
    (String::from_utf8(sink.kept).unwrap_or_default(), sink.length)
}

/// Keeps the beginning of what is written, and counts all of it.
struct Head {
    kept: Vec<u8>,
    limit: usize,
    length: usize,
}

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.limit.saturating_sub(self.kept.len()).min(bytes.len());
        // Once something was left out nothing follows it.
        if self.kept.len() == self.length {
            self.kept.extend_from_slice(&bytes[..room]);
        }
        self.length += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert!(matches!(cut("ééé", 5), Text::Cut(t, 6) if t == "éé"));
        assert!(matches!(cut("ééé", 6), Text::Whole(t) if t == "ééé"));
        let value = Value::from("éé");
        assert_eq!(json(&value, 4), ("\"é".to_owned(), 6));
        assert_eq!(json(&value, 6), ("\"éé\"".to_owned(), 6));
    }
}
