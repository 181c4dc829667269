//! Certificate files: [`Certificate`]. Orders are plain arrays of history indices, so that any
//! language can check them.

use serde::{Deserialize, Serialize};

use super::json::{In, Out};
use super::{FORMAT, ReadError, check_format};
use crate::certificate::{Core, Fingerprint, Proof, Step};
use crate::{Certificate, OpId, Verdict};

#[derive(Serialize, Deserialize)]
struct Stored<V> {
    format: u32,
    model: String,
    initial: V,
    history: StoredHistory,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    orders: Option<Vec<Vec<u32>>>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    core: Option<StoredCore<V>>,
}

#[derive(Serialize, Deserialize)]
struct StoredHistory {
    ops: u64,
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct StoredCore<V> {
    ops: Vec<u32>,
    upto: u32,
    #[serde(skip_serializing_if = "Vec::is_empty", default = "Vec::new")]
    parts: Vec<V>,
    steps: Vec<StoredStep>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum StoredStep {
    Cut(u32),
    Unseen(u32),
    Hidden { op: u32, by: u32 },
}

/// The bytes of a certificate file.
pub fn write(certificate: &Certificate) -> Vec<u8> {
    let numbers = |ops: &[OpId]| ops.iter().map(|op| op.0).collect::<Vec<_>>();
    let (orders, core) = match &certificate.proof {
        Proof::Valid(orders) => (Some(orders.iter().map(|order| numbers(order)).collect()), None),
        Proof::Invalid(core) => {
            let core = StoredCore {
                ops: numbers(&core.ops),
                upto: core.upto.0,
                parts: core.parts.iter().map(Out).collect(),
                steps: core.steps.iter().map(|step| store_step(*step)).collect(),
            };
            (None, Some(core))
        }
    };
    let stored = Stored {
        format: FORMAT,
        model: certificate.model.clone(),
        initial: Out(&certificate.initial),
        history: StoredHistory {
            ops: certificate.history.ops,
            hash: format!("{:016x}", certificate.history.hash),
        },
        verdict: certificate.proof.verdict().word().to_owned(),
        orders,
        core,
    };
    let mut bytes = serde_json::to_vec(&stored).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn store_step(step: Step) -> StoredStep {
    match step {
        Step::Cut(op) => StoredStep::Cut(op.0),
        Step::Unseen(op) => StoredStep::Unseen(op.0),
        Step::Hidden { op, by } => StoredStep::Hidden { op: op.0, by: by.0 },
    }
}

/// Reads a certificate file.
///
/// # Errors
/// If it is none of this format, or its verdict is not the one it has a proof for.
pub fn read(bytes: &[u8]) -> Result<Certificate, ReadError> {
    let stored: Stored<In> = serde_json::from_slice(bytes).map_err(|e| ReadError::json(&e))?;
    check_format(stored.format)?;
    let ids = |ops: Vec<u32>| ops.into_iter().map(OpId).collect::<Vec<_>>();
    let proof = match (Verdict::of_word(&stored.verdict), stored.orders, stored.core) {
        (Some(Verdict::Valid), Some(orders), None) => {
            Proof::Valid(orders.into_iter().map(ids).collect())
        }
        (Some(Verdict::Invalid), None, Some(core)) => Proof::Invalid(Core {
            ops: ids(core.ops),
            upto: OpId(core.upto),
            parts: core.parts.into_iter().map(|part| part.0).collect(),
            steps: core.steps.iter().map(load_step).collect(),
        }),
        _ => {
            return Err(ReadError::whole(format!(
                "verdict `{}`: a certificate is `valid` with `orders` or `invalid` with a `core`",
                stored.verdict
            )));
        }
    };
    let hash = u64::from_str_radix(&stored.history.hash, 16)
        .map_err(|_| ReadError::whole(format!("hash `{}` is no number", stored.history.hash)))?;
    Ok(Certificate {
        model: stored.model,
        initial: stored.initial.0,
        history: Fingerprint { ops: stored.history.ops, hash },
        proof,
    })
}

fn load_step(step: &StoredStep) -> Step {
    match *step {
        StoredStep::Cut(op) => Step::Cut(OpId(op)),
        StoredStep::Unseen(op) => Step::Unseen(OpId(op)),
        StoredStep::Hidden { op, by } => Step::Hidden { op: OpId(op), by: OpId(by) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    fn certificate(proof: Proof) -> Certificate {
        let history = Fingerprint { ops: 7, hash: u64::MAX - 1 };
        Certificate { model: "register".to_owned(), initial: Value::Nil, history, proof }
    }

    #[test]
    fn certificates_read_as_they_were_written() {
        let id = OpId;
        let core = Core {
            ops: vec![id(2), id(9)],
            upto: id(9),
            parts: vec!["a".into(), 3.into()],
            steps: vec![
                Step::Cut(id(2)),
                Step::Unseen(id(4)),
                Step::Hidden { op: id(5), by: id(7) },
            ],
        };
        let orders = vec![vec![id(0), id(3), id(1)], vec![id(8)]];
        for proof in [Proof::Valid(orders), Proof::Invalid(core)] {
            let certificate = certificate(proof);
            assert_eq!(read(&write(&certificate)).unwrap(), certificate);
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let good = String::from_utf8(write(&certificate(Proof::Valid(vec![])))).unwrap();
        assert!(read(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"format\":1", "\"format\":2"),
            ("\"verdict\":\"valid\"", "\"verdict\":\"invalid\""),
            ("\"verdict\":\"valid\"", "\"verdict\":\"unknown\""),
            ("\"orders\":[]", "\"orders\":null"),
            ("\"orders\":[]", "\"orders\":[[-1]]"),
            ("\"hash\":\"f", "\"hash\":\"x"),
            ("}", ""),
        ] {
            assert!(good.contains(from), "{from}");
            assert!(read(good.replace(from, to).as_bytes()).is_err(), "{from} -> {to}");
        }
    }
}
