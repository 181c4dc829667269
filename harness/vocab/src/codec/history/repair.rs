//! [`Remarks`]: what was repaired, assumed or left out, told once for each kind.

/// Something about an input that its reader should know. The order is that of the notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    /// Repaired: a process went on after an `info`.
    Reused,
    /// Repaired: a process began an operation while it had one open.
    Second,
    /// Repaired: a process ended an operation after it ended as `info`.
    Late,
    /// Repaired or assumed: an end without a beginning.
    Alone,
    /// Repaired: indices that do not grow.
    Renumbered,
    /// Repaired: an event of the harness of an unknown type.
    StrangeNote,
    /// Assumed: operations without f.
    NoF,
    /// Assumed: operations without process.
    NoProcess,
    /// Assumed: some events have stamps and some have none.
    NoTime,
    /// Left out: lines of a log that are no operations.
    OtherLine,
    /// The last line has no end.
    OpenLine,
}

impl Remark {
    const ALL: [Remark; 11] = [
        Remark::Reused,
        Remark::Second,
        Remark::Late,
        Remark::Alone,
        Remark::Renumbered,
        Remark::StrangeNote,
        Remark::NoF,
        Remark::NoProcess,
        Remark::NoTime,
        Remark::OtherLine,
        Remark::OpenLine,
    ];

    /// What happened and why it is safe.
    fn says(self) -> &'static str {
        match self {
            Remark::Reused => {
                "operations of a process that had an `info` were given to a new process: the unknown operation stays open, real-time order is untouched, and only checks of sessions see one session as two"
            }
            Remark::Second => {
                "operations begun while their process had one open were given to a new process, and the open one left unknown for ever, its end taken to be missing: that allows more orders and forbids none, so it may hide an anomaly but cannot invent one"
            }
            Remark::Late => {
                "ends of operations that had ended as `info` were dropped: the operation stays unknown, which allows more orders and forbids none, so it may hide an anomaly but cannot invent one"
            }
            Remark::Alone => {
                "ends without an invocation were taken for operations of their own, invoked before everything else: that allows more orders and forbids none, so it may hide an anomaly but cannot invent one"
            }
            Remark::Renumbered => {
                "indices that did not grow were replaced: the order of the lines was taken for the order of events, which is so wherever lines are written as things happen"
            }
            Remark::StrangeNote => {
                "events that are no client's and of unknown type were dropped: no check looks at them"
            }
            Remark::NoF => "events without f were taken for transactions (`txn`)",
            Remark::NoProcess => {
                "events without process were taken for one process an operation: no order within a session is assumed"
            }
            Remark::NoTime => {
                "events have no time though others have: the order of lines alone counts"
            }
            Remark::OtherLine => "other lines of the log were left out",
            Remark::OpenLine => {
                "the last line does not end with a line break: if it was cut off, nobody can tell"
            }
        }
    }
}

/// How often each remark was made, and where first.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    counts: [u64; Remark::ALL.len()],
    first: [First; Remark::ALL.len()],
}

#[derive(Clone, Copy, Debug, Default)]
enum First {
    #[default]
    Never,
    /// At this byte of the block in hand.
    Byte(usize),
    Line(usize),
}

impl Remarks {
    pub(super) fn add(&mut self, remark: Remark, at: usize) {
        self.counts[remark as usize] += 1;
        let first = &mut self.first[remark as usize];
        if matches!(first, First::Never) {
            *first = First::Byte(at);
        }
    }

    /// Before the block goes: turns places in it into lines.
    pub(super) fn settle(&mut self, line: impl Fn(usize) -> usize) {
        for first in &mut self.first {
            if let First::Byte(at) = *first {
                *first = First::Line(line(at));
            }
        }
    }

    /// The notices.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for remark in Remark::ALL {
            let count = self.counts[remark as usize];
            if count == 0 {
                continue;
            }
            notices.push(match self.first[remark as usize] {
                First::Line(line) => format!("{count}×, first in line {line}: {}", remark.says()),
                First::Never | First::Byte(_) => format!("{count}×: {}", remark.says()),
            });
        }
        notices
    }
}
