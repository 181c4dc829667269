//! [`Elements`]: what was put into a set, when, and what its reads show.

use std::borrow::Cow;

use danso_vocab::{History, NodeId, Op, Process, Status, Value};

use crate::numbering::Numbering;
use crate::objects::Object;

const NONE: u32 = u32::MAX;

/// One element: 20 bytes.
#[derive(Clone, Copy)]
pub(super) struct Element {
    /// The row of the add to show: the first acknowledged, else the first; none if there is none.
    row: u32,
    /// The rank from which on it may be in the set: the first invocation of an add that may have
    /// happened. [`History::NEVER`] if there is none.
    pub(super) begun: u32,
    /// The rank from which on it must be: the first end of an acknowledged add, or never.
    pub(super) acknowledged: u32,
    /// The first end of a read that shows it, or never.
    pub(super) seen: u32,
    /// It was reported as read although it cannot have been.
    reported: bool,
}

impl Element {
    const BLANK: Element = Element {
        row: NONE,
        begun: History::NEVER,
        acknowledged: History::NEVER,
        seen: History::NEVER,
        reported: false,
    };

    /// Whether some add of it was acknowledged.
    pub(super) fn is_acknowledged(self) -> bool {
        self.acknowledged != History::NEVER
    }

    /// Whether an add of it may have happened, and nobody knows of one that did.
    pub(super) fn is_unknown(self) -> bool {
        self.begun != History::NEVER && !self.is_acknowledged()
    }

    /// Since when it is known to be there: acknowledged or read, whichever was first.
    pub(super) fn known(self) -> u32 {
        self.acknowledged.min(self.seen)
    }
}

/// Who answers for a replica: the node that was asked, or else the process that asked, as
/// processes keep to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speaker {
    Node(NodeId),
    Process(Process),
}

impl Speaker {
    pub(super) fn of(op: Op<'_>) -> Speaker {
        op.node().map_or(Speaker::Process(op.process()), Speaker::Node)
    }
}

impl std::fmt::Display for Speaker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Speaker::Node(node) => node.fmt(out),
            Speaker::Process(process) => process.fmt(out),
        }
    }
}

/// What a read shows that it cannot.
pub(super) enum Strange {
    /// Nobody ever added this.
    Unexpected,
    /// It was added, but later: the row of the add.
    Early(u32),
    /// All who tried to add it were told that it did not happen: the row of one of them.
    Aborted(u32),
}

/// The elements of one object, by number.
pub(super) struct Elements<'h> {
    history: &'h History,
    numbers: Numbering<'h>,
    all: Vec<Element>,
    /// The last end of an acknowledged add.
    pub(super) last: Option<u32>,
    /// How many were acknowledged.
    pub(super) acknowledged: usize,
    /// How many may have been added.
    pub(super) attempted: usize,
}

impl<'h> Elements<'h> {
    /// What the adds of an object say.
    pub(super) fn of(history: &'h History, object: &Object) -> Elements<'h> {
        let mut elements = Elements {
            history,
            numbers: Numbering::new(object.rows.len()),
            all: Vec::new(),
            last: None,
            acknowledged: 0,
            attempted: 0,
        };
        for &row in &object.rows {
            let op = history.row(row as usize);
            if op.f() == "add" {
                elements.add(op);
            }
        }
        elements
    }

    fn add(&mut self, op: Op<'h>) {
        let number = self.numbers.id(self.history, op.arg_id());
        let element = self.at(number);
        if element.row == NONE || op.is_ok() && !element.is_acknowledged() {
            element.row = op.row() as u32;
        }
        let fresh = element.begun == History::NEVER;
        if op.status() != Status::Fail {
            element.begun = element.begun.min(op.inv_rank());
            self.attempted += usize::from(fresh);
        }
        if op.is_ok() {
            let element = self.at(number);
            let fresh = !element.is_acknowledged();
            element.acknowledged = element.acknowledged.min(op.res_rank());
            self.acknowledged += usize::from(fresh);
            self.last = self.last.max(Some(op.res_rank()));
        }
    }

    fn at(&mut self, number: u32) -> &mut Element {
        let place = number as usize;
        if place >= self.all.len() {
            self.all.resize(place + 1, Element::BLANK);
        }
        &mut self.all[place]
    }

    /// The number of what an operation adds.
    pub(super) fn added(&mut self, add: Op<'h>) -> u32 {
        self.numbers.id(self.history, add.arg_id())
    }

    /// The number of a value that a read shows.
    pub(super) fn number(&mut self, value: &'h Value) -> u32 {
        self.numbers.value(value)
    }

    /// Every element, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, Element)> {
        (0..).zip(self.all.iter().copied())
    }

    /// The element with this number.
    pub(super) fn get(&self, number: u32) -> Element {
        self.all[number as usize]
    }

    /// The add to show for an element that somebody added.
    pub(super) fn shown(&self, element: Element) -> Option<Op<'h>> {
        (element.row != NONE).then(|| self.history.row(element.row as usize))
    }

    /// What is wrong with one value that `read` shows, told once an element; and its number.
    pub(super) fn see(&mut self, read: Op<'_>, value: &'h Value) -> (u32, Option<Strange>) {
        let number = self.numbers.value(value);
        let element = self.at(number);
        element.seen = element.seen.min(read.res_rank());
        // A read that ends while an add of it is open may show it.
        if element.begun < read.res_rank() || element.reported {
            return (number, None);
        }
        element.reported = true;
        let strange = match (element.row, element.begun) {
            (NONE, _) => Strange::Unexpected,
            (row, History::NEVER) => Strange::Aborted(row),
            (row, _) => Strange::Early(row),
        };
        (number, Some(strange))
    }
}

/// The elements that an acknowledged read shows; `None` if its result is no list.
pub(super) fn shown<'h>(read: Op<'h>) -> Option<&'h [Value]> {
    match read.ret()? {
        Cow::Borrowed(value) => value.list(),
        // Only integers are not borrowed.
        Cow::Owned(_) => None,
    }
}

/// A set of numbers: one bit each.
#[derive(Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number; whether it is new.
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let place = number as usize / 64;
        if place >= self.0.len() {
            self.0.resize(place + 1, 0);
        }
        let bit = 1 << (number % 64);
        let new = self.0[place] & bit == 0;
        self.0[place] |= bit;
        new
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}
