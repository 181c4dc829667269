//! [`Ledger`]: who took what, and gave it back when.

use danso_vocab::{History, Op, Process, Ret, Status, Stop};
use rustc_hash::FxHashMap;

use super::super::{Decision, Part, Refutation};
use super::alphabet::{self, Answer, Word};
use super::{Kind, words};

/// No row, and no hold.
pub(super) const NONE: u32 = u32::MAX;

/// Holds of one process at a time that are looked through for the one a release is for.
const DEEP: usize = 64;

/// What one process took, until it gave it back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// The row of the acquire, which succeeded.
    pub(super) take: u32,
    /// The row of the release, which succeeded or may have; or [`NONE`].
    pub(super) give: u32,
    /// How much of the capacity it takes.
    pub(super) weight: u32,
    /// The hold of the same process below this one while both are open; or [`NONE`].
    below: u32,
}

/// The operations of a lock by what they mean.
pub(super) struct Ledger<'h> {
    pub(super) kind: Kind,
    history: &'h History,
    /// What may be taken at a time.
    pub(super) capacity: u64,
    /// By the beginning of the acquire.
    pub(super) holds: Vec<Hold>,
    /// Acquires that were refused.
    pub(super) refused: Vec<u32>,
    /// Acquires of unknown outcome that may have taken something.
    pub(super) crashed: Vec<u32>,
    /// What an owner of a reentrant lock did while it had it.
    pub(super) inside: Vec<u32>,
    /// A process that certainly was wronged, whatever others did.
    wronged: Option<Refutation>,
    /// An acquire that began, to the clock, when the operation before it had not ended.
    touching: Option<u32>,
}

/// What is open in one process.
#[derive(Clone, Copy)]
struct Seat {
    /// Its latest open hold, or [`NONE`].
    top: u32,
    /// How often it has its reentrant lock.
    depth: u32,
    /// The end of its latest operation.
    end: u32,
}

impl<'h> Ledger<'h> {
    /// Reads the operations of a lock.
    ///
    /// # Errors
    /// With the decision, if it needs no more than one process to see it.
    pub(super) fn read(kind: Kind, part: &Part<'h>, stop: &Stop) -> Result<Ledger<'h>, Decision> {
        let capacity = match kind {
            Kind::Semaphore(permits) => u64::from(permits),
            // All others together weigh less than a writer.
            Kind::ReadWrite => part.rows.len() as u64 + 1,
            _ => 1,
        };
        let history = part.history;
        let mut ledger = Ledger {
            kind,
            history,
            capacity,
            holds: Vec::with_capacity(part.rows.len() / 2),
            refused: Vec::new(),
            crashed: Vec::new(),
            inside: Vec::new(),
            wronged: None,
            touching: None,
        };
        let dictionary: Vec<Option<Word>> = history.fs().map(|f| word(kind, f)).collect();
        let mut seats = Seats::new(part);
        for (i, &row) in part.rows.iter().enumerate() {
            if i % (1 << 16) == 0 && stop.is_tripped() {
                return Err(Decision::Stopped);
            }
            let op = history.row(row as usize);
            let word = dictionary.get(usize::from(op.f_id())).copied().flatten();
            if let Some(word) = word.filter(|_| op.status() != Status::Fail) {
                ledger.enter(op, word, seats.of(op.process()))?;
            }
        }
        ledger.order_is_clear()?;
        ledger.refusals_are_clear()?;
        match ledger.wronged.take() {
            Some(refutation) => Err(Decision::Refuted(refutation)),
            None => Ok(ledger),
        }
    }

    fn enter(&mut self, op: Op<'h>, word: Word, seat: &mut Seat) -> Result<(), Decision> {
        let ret = op.ret();
        let answer = Answer::of(ret.as_deref().map_or(Ret::Unknown, Ret::Saw));
        let weight = self.weight(op, word)?;
        let row = op.row() as u32;
        let touches = op.inv_rank() < seat.end;
        seat.end = op.res_rank();
        match word {
            Word::Give | Word::GiveShared if touches => {
                return Err(unfit(op, "began when what its process did before had not ended"));
            }
            Word::Take | Word::TakeShared if touches => self.touching = Some(row),
            _ => {}
        }
        match word {
            Word::Take | Word::TakeShared => match answer {
                Answer::Refused if self.kind == Kind::Reentrant && seat.top != NONE => {
                    let refutation = words::refused_inside(self, row, seat.top);
                    self.wronged.get_or_insert(refutation);
                }
                Answer::Refused => self.refused.push(row),
                Answer::Unknown if self.kind == Kind::Reentrant && seat.top != NONE => {}
                Answer::Unknown => self.crashed.push(row),
                Answer::Done if self.kind == Kind::Reentrant && seat.top != NONE => {
                    seat.depth += 1;
                    self.inside.push(row);
                }
                Answer::Done => {
                    self.holds.push(Hold { take: row, give: NONE, weight, below: seat.top });
                    (seat.top, seat.depth) = (self.holds.len() as u32 - 1, 1);
                }
            },
            Word::Give | Word::GiveShared if answer == Answer::Refused => {
                return Err(unfit(op, "was refused"));
            }
            Word::Give | Word::GiveShared if seat.top != NONE && seat.depth > 1 => {
                if answer == Answer::Done {
                    seat.depth -= 1;
                    self.inside.push(row);
                }
            }
            Word::Give | Word::GiveShared => self.give(op, weight, seat)?,
        }
        Ok(())
    }

    fn give(&mut self, op: Op<'h>, weight: u32, seat: &mut Seat) -> Result<(), Decision> {
        let (mut above, mut place) = (NONE, seat.top);
        for depth in 0.. {
            if place == NONE {
                return self.gives_nothing(op);
            }
            if depth == DEEP {
                return Err(unfit(op, "gives back what was taken many holds ago"));
            }
            let hold = &mut self.holds[place as usize];
            if hold.weight == weight {
                hold.give = op.row() as u32;
                break;
            }
            (above, place) = (place, hold.below);
        }
        let below = self.holds[place as usize].below;
        match above {
            NONE => seat.top = below,
            above => self.holds[above as usize].below = below,
        }
        Ok(())
    }

    /// A release by a process that has nothing of the kind.
    fn gives_nothing(&mut self, op: Op<'h>) -> Result<(), Decision> {
        match self.kind {
            Kind::Reentrant | Kind::ReadWrite if op.is_ok() => {
                self.wronged.get_or_insert_with(|| words::gives_nothing(op));
                Ok(())
            }
            // It cannot have been done.
            Kind::Reentrant | Kind::ReadWrite => Ok(()),
            _ => Err(unfit(op, "gives back what its process did not take")),
        }
    }

    fn weight(&self, op: Op<'h>, word: Word) -> Result<u32, Decision> {
        match (self.kind, word) {
            (Kind::Semaphore(_), _) => {
                alphabet::permits(&op.arg()).ok_or_else(|| unfit(op, "is not about permits"))
            }
            (Kind::ReadWrite, Word::Take | Word::Give) => {
                u32::try_from(self.capacity).map_err(|_| unfit(op, "is one of too many"))
            }
            _ => Ok(1),
        }
    }

    /// Whether what a process did is in order, as far as that matters: operations that only touch
    /// are concurrent even if they are of one process.
    fn order_is_clear(&self) -> Result<(), Decision> {
        let matters = matches!(self.kind, Kind::Reentrant | Kind::ReadWrite);
        match self.touching {
            Some(row) if matters || !self.refused.is_empty() => {
                Err(unfit(self.op(row), "began when what its process did before had not ended"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be told when a refusal is right: if only one can have the lock at a time.
    fn refusals_are_clear(&self) -> Result<(), Decision> {
        let Some(&row) = self.refused.first() else { return Ok(()) };
        let op = self.op(row);
        match self.kind {
            Kind::ReadWrite => Err(unfit(op, "was refused by a read-write lock")),
            Kind::Semaphore(permits) => {
                let weight = |row: &u32| alphabet::permits(&self.op(*row).arg());
                let one = weight(&row).filter(|w| *w <= permits && permits - w < *w);
                let asked = self.refused.iter().chain(&self.crashed).map(weight);
                let held = self.holds.iter().map(|hold| Some(hold.weight));
                match one.is_some() && asked.chain(held).all(|w| w == one) {
                    true => Ok(()),
                    false => Err(unfit(op, "was refused by a semaphore of several permits")),
                }
            }
            _ => Ok(()),
        }
    }

    /// The operation in a row.
    pub(super) fn op(&self, row: u32) -> Op<'h> {
        self.history.row(row as usize)
    }

    /// The rank of its beginning.
    pub(super) fn begin(&self, row: u32) -> u32 {
        self.op(row).inv_rank()
    }

    /// The rank of its end.
    pub(super) fn end(&self, row: u32) -> u32 {
        self.op(row).res_rank()
    }

    /// The rank from which on a hold certainly is.
    pub(super) fn from(&self, hold: &Hold) -> u32 {
        self.end(hold.take)
    }

    /// The rank until which a hold certainly is.
    pub(super) fn until(&self, hold: &Hold) -> u32 {
        if hold.give == NONE { History::NEVER } else { self.begin(hold.give) }
    }

    /// The rank until which a hold may be.
    pub(super) fn possibly_until(&self, hold: &Hold) -> u32 {
        if hold.give == NONE { History::NEVER } else { self.end(hold.give) }
    }

    /// The fencing token of a hold.
    pub(super) fn token(&self, hold: u32) -> Option<i64> {
        alphabet::token(&*self.op(self.holds[hold as usize].take).ret()?)
    }
}

/// What `f` asks of a lock of this kind.
fn word(kind: Kind, f: &str) -> Option<Word> {
    match kind {
        Kind::ReadWrite => alphabet::of_rw_lock(f),
        Kind::Semaphore(_) => alphabet::of_semaphore(f),
        _ => alphabet::of_lock(f),
    }
}

fn unfit(op: Op<'_>, what: &str) -> Decision {
    Decision::Unfit(format!("{op} {what}"))
}

/// What is open, by process.
enum Seats {
    /// By the process itself: most histories number them from 0.
    Direct(Vec<Seat>),
    ByProcess(FxHashMap<Process, Seat>),
}

const EMPTY: Seat = Seat { top: NONE, depth: 0, end: 0 };

impl Seats {
    fn new(part: &Part<'_>) -> Seats {
        let processes = part.rows.iter().map(|row| part.history.row(*row as usize).process().0);
        match processes.max() {
            Some(last) if (last as usize) < 4 * part.rows.len() + 64 => {
                Seats::Direct(vec![EMPTY; last as usize + 1])
            }
            _ => Seats::ByProcess(FxHashMap::default()),
        }
    }

    fn of(&mut self, process: Process) -> &mut Seat {
        match self {
            Seats::Direct(seats) => &mut seats[process.0 as usize],
            Seats::ByProcess(seats) => seats.entry(process).or_insert(EMPTY),
        }
    }
}

/// What comes with these distinct ranks, in order.
pub(super) fn by_rank<I: Iterator<Item = (u32, u32)>>(items: impl Fn() -> I) -> Vec<u32> {
    let (mut count, mut low, mut high) = (0, u32::MAX, 0);
    for (rank, _) in items() {
        (count, low, high) = (count + 1, low.min(rank), high.max(rank));
    }
    if count == 0 {
        return Vec::new();
    }
    let span = (high - low) as usize + 1;
    if span > 8 * count + 64 {
        let mut items: Vec<(u32, u32)> = items().collect();
        items.sort_unstable();
        return items.into_iter().map(|(_, item)| item).collect();
    }
    let mut slots = vec![NONE; span];
    for (rank, item) in items() {
        slots[(rank - low) as usize] = item;
    }
    slots.retain(|item| *item != NONE);
    slots
}

/// What a refutation says.
pub(super) fn refutation(rows: Vec<u32>, name: &'static str, because: String) -> Refutation {
    Refutation { rows, name: name.into(), because }
}
