//! [`Seats`]: which operation each process has open, or died in.

use rustc_hash::FxHashMap;

/// Process ids below this are looked up by position.
const LOW: u32 = 1 << 20;

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// Nothing.
    Free,
    /// The operation in this row.
    Open(u32),
    /// Nothing ever again: the operation in this row ended as `info`.
    Retired(u32),
}

/// The seats of all processes. Each is a `u32`: 0 free, else row·2 + retired + 1.
#[derive(Debug, Default)]
pub(super) struct Seats {
    low: Vec<u32>,
    high: FxHashMap<u32, u32>,
}

impl Seats {
    pub(super) fn get(&self, process: u32) -> Seat {
        let code = match self.low.get(process as usize) {
            Some(code) => *code,
            None if process < LOW => 0,
            None => self.high.get(&process).copied().unwrap_or(0),
        };
        match code.checked_sub(1) {
            None => Seat::Free,
            Some(code) if code & 1 == 0 => Seat::Open(code >> 1),
            Some(code) => Seat::Retired(code >> 1),
        }
    }

    pub(super) fn set(&mut self, process: u32, seat: Seat) {
        let code = match seat {
            Seat::Free => 0,
            Seat::Open(row) => (row << 1) + 1,
            Seat::Retired(row) => (row << 1 | 1) + 1,
        };
        if process < LOW {
            let at = process as usize;
            if self.low.len() <= at {
                self.low.resize(at + 1, 0);
            }
            self.low[at] = code;
        } else if code == 0 {
            self.high.remove(&process);
        } else {
            self.high.insert(process, code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_keep_what_was_set() {
        let mut seats = Seats::default();
        for process in [0, 7, LOW - 1, LOW, u32::MAX] {
            assert_eq!(seats.get(process), Seat::Free);
            for seat in [Seat::Open(0), Seat::Retired(0), Seat::Open(u32::MAX / 2 - 2), Seat::Free]
            {
                seats.set(process, seat);
                assert_eq!(seats.get(process), seat);
            }
        }
    }
}
