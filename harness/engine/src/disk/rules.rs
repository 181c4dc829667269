//! [`Rule`]: something that goes wrong with some operations on some files; [`Rules`]: all in
//! force, and how often each has bitten.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use danso_vocab::Rng;
use glob::{MatchOptions, Pattern};
use nix::errno::Errno;

use super::pages::WHOLE;
use crate::progress::lock;

/// The longest an operation may be delayed: a node that is killed meanwhile waits for it.
pub const LONGEST: Duration = Duration::from_secs(2);
/// Places remembered per rule.
const PLACES: usize = 32;

/// What a node does to its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Opening a file.
    Open,
    /// Making a file, directory, node or link.
    Create,
    /// Reading.
    Read,
    /// Writing, or reserving room.
    Write,
    /// Making durable: fsync, fdatasync, also of directories.
    Sync,
    /// Setting a file's size.
    Truncate,
    /// Removing a name.
    Remove,
    /// Renaming.
    Rename,
    /// Changing owner, mode or times.
    Change,
}

impl Op {
    /// All of them.
    pub const ALL: [Op; 9] = [
        Op::Open,
        Op::Create,
        Op::Read,
        Op::Write,
        Op::Sync,
        Op::Truncate,
        Op::Remove,
        Op::Rename,
        Op::Change,
    ];

    /// Its name among arguments.
    pub fn word(self) -> &'static str {
        match self {
            Op::Open => "open",
            Op::Create => "create",
            Op::Read => "read",
            Op::Write => "write",
            Op::Sync => "fsync",
            Op::Truncate => "truncate",
            Op::Remove => "remove",
            Op::Rename => "rename",
            Op::Change => "change",
        }
    }

    /// The one of this name.
    pub fn named(word: &str) -> Option<Op> {
        Op::ALL.into_iter().find(|op| op.word() == word)
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The operation fails with this error number, without effect.
    Fail(i32),
    /// It takes this much longer: any time from the least to the most, at most [`LONGEST`].
    Slow(Duration, Duration),
    /// A sync says it has been done, and has not.
    Lie,
    /// One bit is another in what is read or written.
    Flip,
    /// There is no room for anything new: only what is there already can be overwritten.
    Full,
    /// Nothing can be changed.
    ReadOnly,
}

/// Something that goes wrong, where, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The operations.
    pub ops: Vec<Op>,
    /// Patterns of file names, as `*.wal`, or of paths below the data directory, as `wal/*`. All
    /// files if empty.
    pub files: Vec<String>,
    /// What.
    pub harm: Harm,
    /// The chance of each operation, in millionths.
    pub chance: u64,
    /// At most so often.
    pub times: Option<u64>,
    /// The stream for its chances, delays and bits.
    pub seed: u64,
}

/// How a rule has bitten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often, for each kind of operation.
    pub hits: Vec<(Op, u64)>,
    /// How much it delayed in all.
    pub delayed: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// The first places: files, with offsets where there are any.
    pub places: Vec<String>,
}

impl Tally {
    /// How often in all.
    pub fn total(&self) -> u64 {
        self.hits.iter().map(|(_, n)| n).sum()
    }

    fn hit(&mut self, op: Op) {
        match self.hits.iter_mut().find(|(o, _)| *o == op) {
            Some((_, count)) => *count += 1,
            None => self.hits.push((op, 1)),
        }
    }
}

/// What an operation has to expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) errno: Option<Errno>,
    pub(super) delay: Duration,
    pub(super) lie: bool,
    /// Where the bit is: a random number for whoever knows the length.
    pub(super) flip: Option<(u64, u64)>,
}

impl Verdict {
    /// The error, if there is to be one.
    pub(super) fn allow(self) -> nix::Result<Verdict> {
        self.errno.map_or(Ok(self), Err)
    }
}

#[derive(Debug)]
struct Active {
    id: u64,
    rule: Rule,
    files: Vec<Pattern>,
    rng: Rng,
    tally: Tally,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Rules {
    active: Mutex<(u64, Vec<Active>)>,
    /// How many, so that none costs nothing.
    count: AtomicUsize,
}

impl Rules {
    /// Puts a rule in force. Returns its number.
    pub(super) fn add(&self, rule: Rule) -> Result<u64, String> {
        let pattern = |p: &String| Pattern::new(p).map_err(|e| format!("files: `{p}`: {e}"));
        let files = rule.files.iter().map(pattern).collect::<Result<_, _>>()?;
        let mut active = lock(&self.active);
        active.0 += 1;
        let id = active.0;
        let rng = Rng::new(rule.seed);
        active.1.push(Active { id, rule, files, rng, tally: Tally::default() });
        self.count.store(active.1.len(), Ordering::Release);
        Ok(id)
    }

    /// Lifts a rule. Returns how it has bitten.
    pub(super) fn lift(&self, id: u64) -> Option<Tally> {
        let mut active = lock(&self.active);
        let at = active.1.iter().position(|a| a.id == id)?;
        let rule = active.1.remove(at);
        self.count.store(active.1.len(), Ordering::Release);
        Some(rule.tally)
    }

    /// How a rule has bitten so far.
    pub(super) fn tally(&self, id: u64) -> Option<Tally> {
        lock(&self.active).1.iter().find(|a| a.id == id).map(|a| a.tally.clone())
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Whether any is about reading.
    pub(super) fn reading(&self) -> bool {
        self.any() && lock(&self.active).1.iter().any(|a| a.rule.ops.contains(&Op::Read))
    }

    /// Whether there is no room.
    pub(super) fn full(&self) -> bool {
        self.any() && lock(&self.active).1.iter().any(|a| a.rule.harm == Harm::Full)
    }

    /// What an operation on the file at `path` has to expect. `grows` says whether it needs room
    /// that is not there yet; of opening, whether it is for writing.
    pub(super) fn judge(&self, op: Op, path: &str, grows: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for active in &mut lock(&self.active).1 {
            if !active.concerns(op, path, grows) {
                continue;
            }
            active.tally.hit(op);
            let mut place = path.to_owned();
            match active.rule.harm {
                Harm::Fail(errno) => verdict.errno = Some(Errno::from_raw(errno)),
                Harm::Full => verdict.errno = Some(Errno::ENOSPC),
                Harm::ReadOnly => verdict.errno = Some(Errno::EROFS),
                Harm::Lie => verdict.lie = true,
                Harm::Flip => {
                    verdict.flip = Some((active.id, active.rng.bits()));
                    // The place is told with its offset, once that is known.
                    place.clear();
                }
                Harm::Slow(least, most) => {
                    let nanos = active.rng.between(least.as_nanos() as u64, most.as_nanos() as u64);
                    let delay = Duration::from_nanos(nanos).min(LONGEST);
                    verdict.delay = (verdict.delay + delay).min(LONGEST);
                    active.tally.delayed += delay;
                    active.tally.longest = active.tally.longest.max(delay);
                }
            }
            active.place(place);
        }
        verdict
    }

    /// Tells where a bit was flipped.
    pub(super) fn flipped(&self, id: u64, place: String) {
        if let Some(active) = lock(&self.active).1.iter_mut().find(|a| a.id == id) {
            active.place(place);
        }
    }
}

impl Active {
    /// Whether the operation is to suffer; a chance is drawn only if it could.
    fn concerns(&mut self, op: Op, path: &str, grows: bool) -> bool {
        if !self.rule.ops.contains(&op)
            || self.rule.times == Some(0)
            || (self.rule.harm == Harm::Full && !grows)
            || (self.rule.harm == Harm::ReadOnly && op == Op::Open && !grows)
            || !matches(&self.files, path)
            || !self.rng.chance(self.rule.chance, WHOLE)
        {
            return false;
        }
        if let Some(times) = &mut self.rule.times {
            *times -= 1;
        }
        true
    }

    fn place(&mut self, place: String) {
        let places = &mut self.tally.places;
        if !place.is_empty() && places.len() < PLACES && !places.contains(&place) {
            places.push(place);
        }
    }
}

/// Whether any pattern fits: one with a slash the whole path, others the name.
pub(super) fn matches(patterns: &[Pattern], path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    patterns.is_empty()
        || patterns.iter().any(|pattern| {
            let whole = pattern.as_str().contains('/');
            pattern.matches_with(if whole { path } else { name }, options)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(harm: Harm, ops: &[Op], files: &[&str]) -> Rule {
        Rule {
            ops: ops.to_vec(),
            files: files.iter().map(|f| (*f).to_owned()).collect(),
            harm,
            chance: WHOLE,
            times: None,
            seed: 1,
        }
    }

    #[test]
    fn rules_bite_only_what_they_name() {
        let rules = Rules::default();
        assert!(!rules.any());
        let id = rules.add(rule(Harm::Fail(5), &[Op::Write, Op::Sync], &["*.wal", "a/*"])).unwrap();
        assert_eq!(rules.judge(Op::Write, "x/1.wal", false).errno, Some(Errno::EIO));
        assert_eq!(rules.judge(Op::Sync, "a/data", false).errno, Some(Errno::EIO));
        assert_eq!(rules.judge(Op::Read, "1.wal", false), Verdict::default());
        assert_eq!(rules.judge(Op::Write, "a/b/data", false), Verdict::default());
        let tally = rules.lift(id).unwrap();
        assert_eq!(tally.hits, [(Op::Write, 1), (Op::Sync, 1)]);
        assert_eq!(tally.places, ["x/1.wal", "a/data"]);
        assert!(!rules.any() && rules.lift(id).is_none());
    }

    #[test]
    fn a_full_disk_can_be_overwritten() {
        let rules = Rules::default();
        rules.add(rule(Harm::Full, &[Op::Write, Op::Create], &[])).unwrap();
        assert_eq!(rules.judge(Op::Write, "f", true).errno, Some(Errno::ENOSPC));
        assert_eq!(rules.judge(Op::Write, "f", false).errno, None);
    }

    #[test]
    fn chances_counts_and_delays_are_kept() {
        let rules = Rules::default();
        let mut few = rule(Harm::Fail(28), &[Op::Write], &[]);
        few.times = Some(3);
        rules.add(few).unwrap();
        let hits = (0..10).filter(|_| rules.judge(Op::Write, "f", true).errno.is_some()).count();
        assert_eq!(hits, 3);
        let mut some = rule(Harm::Fail(5), &[Op::Read], &[]);
        some.chance = WHOLE / 4;
        rules.add(some).unwrap();
        let hits = (0..1000).filter(|_| rules.judge(Op::Read, "f", false).errno.is_some()).count();
        assert!((150..350).contains(&hits), "{hits}");
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(60));
        let slow = rules.add(rule(Harm::Slow(least, most), &[Op::Sync], &[])).unwrap();
        for _ in 0..100 {
            let delay = rules.judge(Op::Sync, "f", false).delay;
            assert!(delay >= least && delay <= LONGEST);
        }
        let tally = rules.lift(slow).unwrap();
        assert!(tally.longest == LONGEST && tally.delayed > tally.longest && tally.total() == 100);
        assert!(rules.add(rule(Harm::Lie, &[Op::Sync], &["[a"])).is_err());
    }
}
