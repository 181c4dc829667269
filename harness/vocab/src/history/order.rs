//! [`Order`]: ranks of events, given out as they arrive.

/// Gives each event its rank: its place in the file, but among neighbours with the same stamp
/// invocations come before completions, since operations that only touch are concurrent.
///
/// Only neighbours are compared, so a clock that steps back does not reorder events. A clock that
/// never moves is no clock: then, and if stamps are missing, the file's order alone counts. That
/// is known only at the end, so runs to be put in order are remembered until then.
#[derive(Debug, Default)]
pub(super) struct Order {
    next: u32,
    untimed: bool,
    /// Whether two stamps differ.
    moves: bool,
    stamp: u64,
    /// The events with the current stamp.
    run: Vec<u32>,
    /// Whether a completion, and after it an invocation, is among them.
    ended: bool,
    mixed: bool,
    /// Runs to be put in order: their first rank and their length; and their events.
    mixed_runs: Vec<(u32, u32)>,
    mixed_events: Vec<u32>,
}

/// An event: its operation's row and whether it is the completion.
fn event(row: u32, completion: bool) -> u32 {
    row << 1 | u32::from(completion)
}

impl Order {
    /// There are no stamps.
    pub(super) fn untimed(&mut self) {
        self.untimed = true;
        self.run = Vec::new();
        self.mixed_runs = Vec::new();
        self.mixed_events = Vec::new();
    }

    /// The rank of the next event, as it stands in the file.
    pub(super) fn place(&mut self, time: u64, row: u32, completion: bool) -> u32 {
        let rank = self.next;
        self.next += 1;
        if self.untimed {
            return rank;
        }
        if time != self.stamp && !self.run.is_empty() {
            self.close();
            self.moves = true;
        }
        self.stamp = time;
        self.run.push(event(row, completion));
        self.mixed |= self.ended && !completion;
        self.ended |= completion;
        rank
    }

    fn close(&mut self) {
        if self.mixed {
            let len = self.run.len() as u32;
            self.mixed_runs.push((self.next - 1 - len, len));
            self.mixed_events.extend_from_slice(&self.run);
        }
        self.run.clear();
        (self.ended, self.mixed) = (false, false);
    }

    /// Corrects the ranks of events with equal stamps.
    pub(super) fn finish(mut self, inv_rank: &mut [u32], res_rank: &mut [u32]) {
        // The last run ends before an event that does not come.
        self.next += 1;
        self.close();
        if self.untimed || !self.moves {
            return;
        }
        let mut events = self.mixed_events.as_slice();
        for (first, len) in self.mixed_runs {
            let (run, rest) = events.split_at(len as usize);
            let invocations = run.iter().filter(|e| **e & 1 == 0);
            let completions = run.iter().filter(|e| **e & 1 == 1);
            for (rank, event) in (first..).zip(invocations.chain(completions)) {
                let ranks = if event & 1 == 0 { &mut *inv_rank } else { &mut *res_rank };
                ranks[(event >> 1) as usize] = rank;
            }
            events = rest;
        }
    }
}
