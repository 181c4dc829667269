//! What the operations of a history do to a register, by number of the value.

use danso_vocab::{History, Op, Status, Value};

use crate::models::register::{plain, refused, swap, versioned};
use crate::numbering::Numbering;

/// The operations a register knows.
#[derive(Clone, Debug)]
pub(super) struct Alphabet {
    /// The value before the first operation.
    pub(super) initial: Value,
    /// Beside `read` and `write`, also `cas` and `delete`.
    pub(super) swaps: bool,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing that anybody could see: it failed, or is a read of unknown result.
    Nothing,
    /// It saw this value.
    Reads(u32),
    /// It saw that this was not the value.
    Misses(u32),
    /// It leaves this value.
    Writes(u32),
    /// It needs the first value and leaves the second.
    Swaps(u32, u32),
}

impl Act {
    /// The value it needs.
    pub(super) fn needs(self) -> Option<u32> {
        match self {
            Act::Reads(v) | Act::Swaps(v, _) => Some(v),
            _ => None,
        }
    }

    /// The value it leaves.
    pub(super) fn leaves(self) -> Option<u32> {
        match self {
            Act::Writes(v) | Act::Swaps(_, v) => Some(v),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Swap,
    Delete,
    Foreign,
}

/// The number of the initial value.
pub(super) const INITIAL: u32 = 0;

/// Tells what operations do. Values are numbered as they come, the initial one first; so going
/// over the same rows again gives the same numbers.
pub(super) struct Reader<'v> {
    history: &'v History,
    kinds: Vec<Kind>,
    pub(super) numbers: Numbering<'v>,
    /// The result of a compare-and-set seen last, and whether it says "refused".
    answer: (u32, bool),
}

impl<'v> Reader<'v> {
    pub(super) fn new(of: &'v Alphabet, history: &'v History, ops: usize) -> Reader<'v> {
        let kind = |f| match f {
            "read" => Kind::Read,
            "write" => Kind::Write,
            "cas" if of.swaps => Kind::Swap,
            "delete" if of.swaps => Kind::Delete,
            _ => Kind::Foreign,
        };
        let mut numbers = Numbering::new(ops);
        numbers.value(&of.initial);
        let answer = (u32::MAX, false);
        Reader { history, kinds: history.fs().map(kind).collect(), numbers, answer }
    }

    /// What `op` does.
    ///
    /// # Errors
    /// If nobody can say.
    pub(super) fn act(&mut self, op: Op<'v>) -> Result<Act, String> {
        if op.status() == Status::Fail {
            return Ok(Act::Nothing);
        }
        let held = |id| is_small(id) || versioned(&self.history.value(id)).is_none();
        Ok(match self.kinds[usize::from(op.f_id())] {
            Kind::Read => match op.ret_id() {
                Some(ret) => Act::Reads(self.plain(ret)),
                None => Act::Nothing,
            },
            Kind::Write if held(op.arg_id()) => {
                Act::Writes(self.numbers.id(self.history, op.arg_id()))
            }
            Kind::Write => return Err(format!("{op} writes a value that carries a version")),
            Kind::Delete => Act::Writes(self.numbers.value(&Value::Nil)),
            Kind::Swap => return self.swap(op),
            Kind::Foreign => return Err(format!("a register does not know {op}")),
        })
    }

    fn plain(&mut self, ret: u32) -> u32 {
        if !is_small(ret)
            && let std::borrow::Cow::Borrowed(value) = self.history.value(ret)
            && value.map().is_some()
        {
            return self.numbers.value(plain(value));
        }
        self.numbers.id(self.history, ret)
    }

    fn swap(&mut self, op: Op<'v>) -> Result<Act, String> {
        let arg = match self.history.value(op.arg_id()) {
            std::borrow::Cow::Borrowed(arg) => swap(arg),
            std::borrow::Cow::Owned(_) => None,
        };
        let Some((old, new)) = arg else {
            return Err(format!("{op} does not say from which value to which"));
        };
        let (same, old) = (old == new, self.numbers.value(old));
        if op.ret_id().is_some_and(|ret| self.refuses(ret)) {
            return Ok(Act::Misses(old));
        }
        Ok(match (same, op.is_ok()) {
            (true, true) => Act::Reads(old),
            (true, false) => Act::Nothing,
            (false, _) => Act::Swaps(old, self.numbers.value(new)),
        })
    }

    fn refuses(&mut self, ret: u32) -> bool {
        if self.answer.0 != ret {
            self.answer = (ret, refused(&self.history.value(ret)));
        }
        self.answer.1
    }
}

/// Whether a value id is a small integer's.
fn is_small(id: u32) -> bool {
    id >= 1 << 31
}
