//! What must hold of any bytes that are read as a history.

use danso_vocab::History;
use danso_vocab::codec::history::{Format, Options, Tail, read as read_history, sniff};

/// Reads bytes in a format, or in the one they look like, and checks what comes out.
///
/// # Panics
/// If it is not well formed, or if another way of reading gives another history.
pub fn read(format: Option<Format>, bytes: &[u8]) {
    let format = format.or_else(|| sniff(bytes));
    // Which keys to expect is no part of the bytes, but must not always be the same.
    let independent = [None, Some(true), Some(false)][bytes.len() % 3];
    let options = |lenient, tail| Options { format, lenient, tail, independent };
    let lenient = read_history(bytes, &options(true, Tail::Strict));
    if let Ok(loaded) = &lenient {
        well_formed(&loaded.history);
    }
    if let Ok(loaded) = read_history(bytes, &options(true, Tail::Torn)) {
        well_formed(&loaded.history);
    }
    let Ok(strict) = read_history(bytes, &options(false, Tail::Strict)) else { return };
    // What is well formed needs no repair.
    let lenient = lenient.expect("leniency refuses what is well formed");
    assert_eq!(words(&strict.history), words(&lenient.history));
}

fn words(history: &History) -> Vec<String> {
    let ranks = |op: danso_vocab::Op<'_>| format!("{op} {} {}", op.inv_rank(), op.res_rank());
    history.ops().map(ranks).chain(history.notes().map(|note| format!("{note:?}"))).collect()
}

/// Ranks are dense, rows in order of invocation, names found.
fn well_formed(history: &History) {
    let mut ranks: Vec<u32> = history
        .ops()
        .flat_map(|op| [op.inv_rank(), op.res_rank()])
        .filter(|rank| *rank != History::NEVER)
        .collect();
    ranks.sort_unstable();
    assert!(ranks.iter().copied().eq(0..ranks.len() as u32));
    let mut last = None;
    for op in history.ops() {
        assert!(op.inv_rank() < op.res_rank());
        assert!(last < Some(op.inv_rank()));
        last = Some(op.inv_rank());
        assert_eq!(history.op(op.id()).map(|found| found.row()), Some(op.row()));
    }
    assert!(history.bytes() >= history.len() * History::ROW_BYTES);
}
