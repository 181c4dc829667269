//! How clients speak to `lock`.
//!
//! | response | is |
//! | --- | --- |
//! | 200 | `ok` |
//! | 409 `held`, `not-held`, `stale-token`, `led` | `fail`: sessions give every attempt the first one's result |
//! | 404 `absent` of a read | `ok` nil |

use danso_vocab::{Call, Name, Outcome, Value};

use crate::kit::http::{Method, part};
use crate::raft::client::{Asked, Speech};

/// The alphabets of the workloads `lock` and `leader`.
#[derive(Default)]
pub(crate) struct LockSpeech;

impl Speech for LockSpeech {
    fn ask(&mut self, call: &Call) -> Result<Asked, Name> {
        let key = part(call.key.as_ref().ok_or("bad-key")?);
        let post = |path: String| Asked {
            method: Method::Post,
            path,
            body: Some(call.arg.clone()),
            writes: true,
        };
        let get = |path: String| Asked { method: Method::Get, path, body: None, writes: false };
        Ok(match call.f.as_ref() {
            "acquire" => post(format!("/lock/{key}")),
            "release" => {
                let token = call.arg.int().ok_or("bad-value")?;
                let path = format!("/lock/{key}?token={token}");
                Asked { method: Method::Delete, path, body: None, writes: true }
            }
            "write" => post(format!("/guarded/{key}")),
            "read" => get(format!("/guarded/{key}")),
            "campaign" => post(format!("/elections/{key}")),
            "leader" => get(format!("/elections/{key}")),
            _ => return Err("unsupported".into()),
        })
    }

    fn result(&mut self, call: &Call, status: u16, body: &Value) -> Option<Outcome> {
        let error = body.get("error").and_then(Value::str);
        let reads = matches!(call.f.as_ref(), "read" | "leader");
        match (status, error) {
            (200, _) if matches!(call.f.as_ref(), "release" | "write") => {
                Some(Outcome::Ok(Value::Nil))
            }
            (200, _) => (!body.is_nil()).then(|| Outcome::Ok(body.clone())),
            (404, Some("absent")) if reads => Some(Outcome::Ok(Value::Nil)),
            (409, Some(why @ ("held" | "not-held" | "stale-token" | "led"))) => {
                Some(Outcome::Fail(why.to_owned().into()))
            }
            _ => None,
        }
    }
}
