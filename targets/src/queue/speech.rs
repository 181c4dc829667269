//! How clients speak to `queue`: the alphabet of the workload `queue`. Its key is the partition;
//! all consumers are of one group.
//!
//! | response | is |
//! | --- | --- |
//! | 200 | `ok`; a delivery with what the broker says of it |
//! | 204 of a dequeue | `ok` nil |
//! | 409 `expired`, 429 `full` | `fail`: sessions give every attempt the first one's reply |

use danso_vocab::{Call, Name, Outcome, Value};

use crate::kit::http::{Method, part};
use crate::raft::client::{Asked, Speech};

/// The alphabet of the workload `queue`.
#[derive(Default)]
pub(crate) struct QueueSpeech;

impl Speech for QueueSpeech {
    fn ask(&mut self, call: &Call) -> Result<Asked, Name> {
        let partition = call.key.as_ref().map_or_else(|| "0".to_owned(), part);
        let topic = format!("/topics/messages/{partition}");
        let group = format!("/groups/workers/messages/{partition}");
        let body = |name: &str| Some(Value::of([(name, call.arg.clone())]));
        let (path, body) = match &*call.f {
            "enqueue" => (topic, body("value")),
            "dequeue" if call.arg.is_nil() => (group + "/receive", None),
            // Acknowledged as it is handed out.
            "dequeue" => (group + "/receive", body("ack")),
            "ack" => (group + "/ack", body("delivery")),
            "nack" => (group + "/nack", body("delivery")),
            "drain" => (group + "/drain", None),
            "dead-letters" => {
                let path = group + "/dead";
                return Ok(Asked { method: Method::Get, path, body: None, writes: false });
            }
            _ => return Err("unsupported".into()),
        };
        Ok(Asked { method: Method::Post, path, body, writes: true })
    }

    fn result(&mut self, call: &Call, status: u16, body: &Value) -> Option<Outcome> {
        let error = body.get("error").and_then(Value::str);
        match (status, &*call.f) {
            (200, "dequeue" | "drain") => Some(Outcome::Ok(body.clone())),
            (200, "dead-letters") => body.get("values").cloned().map(Outcome::Ok),
            (200, _) => Some(Outcome::Ok(Value::Nil)),
            (204, "dequeue") => Some(Outcome::Ok(Value::Nil)),
            (409, "ack" | "nack") if error == Some("expired") => {
                Some(Outcome::Fail("expired".into()))
            }
            (429, "enqueue") if error == Some("full") => Some(Outcome::Fail("full".into())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_requests() {
        let mut speech = QueueSpeech;
        let mut ask = |call: Call| {
            let asked = speech.ask(&call.on(Value::Int(3))).unwrap();
            (asked.path, asked.body.unwrap_or_default().to_string(), asked.writes)
        };
        let is = |path: &str, body: &str, writes| (path.to_owned(), body.to_owned(), writes);
        assert_eq!(ask(Call::new("enqueue", 7)), is("/topics/messages/3", "{value: 7}", true));
        let group = "/groups/workers/messages/3/";
        let path = |what: &str| format!("{group}{what}");
        assert_eq!(ask(Call::new("dequeue", ())), is(&path("receive"), "nil", true));
        assert_eq!(ask(Call::new("dequeue", "auto")), is(&path("receive"), "{ack: auto}", true));
        assert_eq!(ask(Call::new("ack", 4)), is(&path("ack"), "{delivery: 4}", true));
        assert_eq!(ask(Call::new("dead-letters", ())), is(&path("dead"), "nil", false));
        assert!(speech.ask(&Call::new("read", ())).is_err());
    }

    #[test]
    fn responses_are_outcomes() {
        let mut speech = QueueSpeech;
        let error = |name: &str| Value::of([("error", name.into())]);
        let mut result =
            |f: &'static str, status, body: Value| speech.result(&Call::new(f, ()), status, &body);
        assert_eq!(result("dequeue", 204, Value::Nil), Some(Outcome::Ok(Value::Nil)));
        assert_eq!(result("ack", 409, error("expired")), Some(Outcome::Fail("expired".into())));
        assert_eq!(result("enqueue", 429, error("full")), Some(Outcome::Fail("full".into())));
        assert_eq!(result("enqueue", 429, error("overloaded")), None);
        assert_eq!(result("enqueue", 503, error("no-leader")), None);
    }
}
