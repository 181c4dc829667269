//! Recorded histories with known verdicts. They lie beside the checkout; where they do not, the
//! tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod etcd;
mod knossos;
mod live;
mod locks;
mod queues;
mod stores;
mod users_model;

use std::path::{Path, PathBuf};

use danso_checkers::linearizable;
use danso_vocab::certificate::Proof;
use danso_vocab::{History, Limits, Model, Value, Verdict};

fn folder(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/histories").join(name);
    if !folder.is_dir() {
        println!("skipped: there are no recorded histories at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// Reads `nil`, `3` or `[1 2]`.
fn value(text: &str) -> Value {
    if let Some(list) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return Value::List(list.split_whitespace().map(value).collect());
    }
    text.parse().map_or(Value::Nil, Value::Int)
}

/// A verdict has a proof that holds.
fn certified<M: Model + 'static>(model: M, history: &History, verdict: Verdict) {
    let checker = linearizable(model);
    let certifier = checker.certifier().unwrap();
    let proof = certifier.prove(history, &Limits::default());
    if verdict == Verdict::Unknown {
        return assert!(proof.is_err());
    }
    let proof = proof.unwrap();
    if let Proof::Invalid(core) = &proof
        && std::env::var_os("DANSO_SHOW").is_some()
    {
        println!("{} of {} operations: {core:?}", core.ops.len(), history.len());
    }
    assert_eq!(certifier.verify(history, &proof).unwrap().verdict, verdict);
}
