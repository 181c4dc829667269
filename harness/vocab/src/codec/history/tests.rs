//! One file a concern; here what they share.

mod errors;
mod hostile;
mod independent;
mod meaning;
mod real;
mod repairs;
mod round;
mod sound;

use std::path::{Path, PathBuf};

use super::*;

fn strict(text: &str) -> Result<Loaded, ReadError> {
    read(text.as_bytes(), &Options::default())
}

fn lenient(text: &str) -> Result<Loaded, ReadError> {
    read(text.as_bytes(), &Options { lenient: true, ..Options::default() })
}

fn shown(history: &History) -> Vec<String> {
    history.ops().map(|op| op.to_string()).collect()
}

/// All of a history that algorithms see, in words.
fn seen(history: &History) -> Vec<String> {
    let ops = history.ops().map(|op| {
        let (inv, res) = (op.inv_rank(), op.res_rank());
        format!("{op} {inv} {res} {:?} {:?}", op.node(), op.res_index())
    });
    ops.chain(history.notes().map(|note| format!("{note:?}"))).collect()
}

/// Recorded histories lie beside the checkout.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/histories");
    if !folder.is_dir() {
        println!("skipped: there are no recorded histories at {}", folder.display());
        return None;
    }
    Some(folder)
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { todo.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
