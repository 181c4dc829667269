//! [`Message`]: one line.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Who tells whom what.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Message {
    pub(super) src: String,
    pub(super) dest: String,
    pub(super) body: Map<String, Json>,
}

impl Message {
    /// The message on this line.
    ///
    /// # Errors
    /// If it is none: what is wrong with it.
    pub(super) fn read(line: &[u8]) -> Result<Message, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// A message as a line.
    pub(super) fn line(src: &str, dest: &str, body: Map<String, Json>) -> Vec<u8> {
        let message = serde_json::json!({ "src": src, "dest": dest, "body": body });
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        line
    }

    /// The message this one answers.
    pub(super) fn in_reply_to(&self) -> Option<i64> {
        self.body.get("in_reply_to")?.as_i64()
    }

    /// What kind of message it is.
    pub(super) fn kind(&self) -> &str {
        self.body.get("type").and_then(Json::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_are_messages() {
        let body = |text: &str| serde_json::from_str(text).unwrap();
        let line = Message::line("n1", "c2", body(r#"{"type":"read_ok","in_reply_to":7}"#));
        let message = Message::read(&line).unwrap();
        assert_eq!((&*message.src, &*message.dest, message.kind()), ("n1", "c2", "read_ok"));
        assert_eq!(message.in_reply_to(), Some(7));
        for bad in ["", "hello", "{}", "[]", r#"{"src":"n1","dest":"n2"}"#, "\u{0}\u{ff}"] {
            assert!(Message::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Message::read(br#"{"src":1,"dest":"n2","body":{}}"#).is_err());
        assert!(Message::read(br#"{"src":"n1","dest":"n2","body":[1]}"#).is_err());
        assert!(Message::read(br#"{"id":3,"src":"n1","dest":"n2","body":{"x":[1.5]}}"#).is_ok());
    }
}
