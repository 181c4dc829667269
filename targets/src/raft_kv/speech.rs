//! How clients speak to `raft-kv`.
//!
//! | response | is |
//! | --- | --- |
//! | 200; 404 `absent` of a read | `ok` |
//! | 409 `mismatch` | `fail`: sessions give every attempt the first one's result |

use danso_vocab::{Call, Name, Outcome, Value};

use crate::kit::http::{Method, part};
use crate::raft::client::{Asked, Speech};

/// The alphabet of the workload `register`.
#[derive(Default)]
pub(crate) struct KvSpeech;

impl Speech for KvSpeech {
    fn ask(&mut self, call: &Call) -> Result<Asked, Name> {
        // A workload with one object only does not name it.
        let key = call.key.as_ref().map_or_else(|| "register".to_owned(), part);
        let path = format!("/kv/{key}");
        Ok(match call.f.as_ref() {
            "read" => Asked { method: Method::Get, path, body: None, writes: false },
            "write" => {
                let body = Some(Value::of([("value", call.arg.clone())]));
                Asked { method: Method::Put, path, body, writes: true }
            }
            "cas" => {
                let (old, new) = call.arg.pair().ok_or("bad-value")?;
                let body = Some(Value::of([("old", old.clone()), ("new", new.clone())]));
                Asked { method: Method::Post, path: path + "/cas", body, writes: true }
            }
            "delete" => Asked { method: Method::Delete, path, body: None, writes: true },
            _ => return Err("unsupported".into()),
        })
    }

    fn result(&mut self, call: &Call, status: u16, body: &Value) -> Option<Outcome> {
        let error = body.get("error").and_then(Value::str);
        match (status, call.f == "read") {
            (200, true) => body.get("value").cloned().map(Outcome::Ok),
            (404, true) if error == Some("absent") => Some(Outcome::Ok(Value::Nil)),
            (200, false) => Some(Outcome::Ok(Value::Nil)),
            (409, false) if error == Some("mismatch") => Some(Outcome::Fail("mismatch".into())),
            _ => None,
        }
    }
}
