//! Recorded histories with known verdicts. They lie beside the checkout; where they do not, the
//! tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd;
mod knossos;
mod locks;
mod stores;
mod users_model;

use std::path::{Path, PathBuf};

use danso_vocab::Value;

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
