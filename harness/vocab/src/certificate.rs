//! [`Certificate`]: a verdict with its proof, for whoever does not want to trust the checker.
//!
//! A history is linearizable because here is an order; it is not because here are a few
//! operations that no order satisfies, and here is why the others cannot help. Either is checked
//! by a short program that searches nothing it was not given.

use std::fmt::{self, Write};

use crate::{History, Limits, OpId, Value, Verdict};

/// A verdict about one history with respect to one model, with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The model's name on the command line.
    pub model: String,
    /// The object's value before the first operation.
    pub initial: Value,
    /// The history it is about.
    pub history: Fingerprint,
    /// Why.
    pub proof: Proof,
}

/// Why a verdict holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Linearizations: for each object one order of all its operations that happened and of some
    /// that may have; or several, if the object has independent parts and each order has some of
    /// these for itself.
    Valid(Vec<Vec<OpId>>),
    /// Operations of one object that no order satisfies.
    Invalid(Core),
}

impl Proof {
    /// What it proves.
    pub fn verdict(&self) -> Verdict {
        match self {
            Proof::Valid(_) => Verdict::Valid,
            Proof::Invalid(_) => Verdict::Invalid,
        }
    }
}

/// A part of one object that is not linearizable, and how the rest was taken away: so that a
/// linearization of the whole would leave one of the core. In this order:
///
/// 1. what began after [`Core::upto`] had ended; what ended later need not happen;
/// 2. observers that are not in the core;
/// 3. independent parts of the object;
/// 4. units (elements with all that happens to them) of which nothing is in the core;
/// 5. on a register, single operations, by [`Core::steps`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// What is left, by invocation. An exhaustive search finds no order of it.
    pub ops: Vec<OpId>,
    /// The operation whose completion is the last event that counts.
    pub upto: OpId,
    /// The parts that are looked at; if empty, all.
    pub parts: Vec<Value>,
    /// How a register's other operations were taken away, one after the other.
    pub steps: Vec<Step>,
}

/// A way to take operations away from a register such that a linearization of the whole leaves
/// one of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All that had ended before this unconditional write began, and all observers that began
    /// before it ended. No compare-and-set that happened may overlap the write: of what is left,
    /// only writes must then be put before it, and it hides them.
    Cut(OpId),
    /// One that leaves a value no operation left observes, unless that one ended before it began.
    Unseen(OpId),
    /// One that ended before `by` began, which ended before the first operation left began that
    /// observes its value and did not end before it began: by then the value was gone.
    Hidden {
        /// What is taken away.
        op: OpId,
        /// What shows that.
        by: OpId,
    },
}

/// What a verified certificate claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The verdict proved.
    pub verdict: Verdict,
    /// Operations that were put in order, or that have none.
    pub ops: usize,
    /// Objects they are of.
    pub objects: usize,
}

/// Why a certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It proves nothing.
    Wrong(String),
    /// It may be right, but checking it is too much work.
    TooLarge(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refused::Wrong(why) | Refused::TooLarge(why)) = self;
        out.write_str(why)
    }
}

/// A checker whose verdicts can be proved.
pub trait Certifier {
    /// The name of the model the proofs are about.
    fn model(&self) -> &'static str;

    /// Decides, with a proof that [`Certifier::verify`] accepts.
    ///
    /// # Errors
    /// With the reason if nothing was decided or the proof would be too large to check.
    fn prove(&self, history: &History, limits: &Limits) -> Result<Proof, String>;

    /// Checks a proof, with nothing of what found it.
    ///
    /// # Errors
    /// If it does not hold for this history, or cannot be checked.
    fn verify(&self, history: &History, proof: &Proof) -> Result<Claim, Refused>;
}

/// Tells histories apart: by everything a verdict depends on. No protection against forgery, and
/// none is needed, since a proof is checked against the history itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The number of operations.
    pub ops: u64,
    /// 64-bit FNV-1a.
    pub hash: u64,
}

impl Fingerprint {
    /// The fingerprint of a history.
    pub fn of(history: &History) -> Fingerprint {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for op in history.ops() {
            let (key, ret) = (op.key(), op.ret());
            hash.number(op.id().0);
            hash.number(op.process().0);
            hash.number(op.status() as u32);
            hash.number(op.inv_rank());
            hash.number(op.res_rank());
            hash.text(&op.f());
            hash.text(&op.arg());
            hash.number(u32::from(key.is_some()) << 1 | u32::from(ret.is_some()));
            key.iter().chain(&ret).for_each(|value| hash.text(value));
        }
        Fingerprint { ops: history.len() as u64, hash: hash.0 }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} operations, {:016x}", self.ops, self.hash)
    }
}

struct Fnv(u64);

impl Fnv {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    fn number(&mut self, number: u32) {
        number.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    /// Text with an end.
    fn text(&mut self, text: &dyn fmt::Display) {
        // Hashing cannot fail.
        let _ = write!(self, "{text}");
        self.byte(0);
    }
}

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}
