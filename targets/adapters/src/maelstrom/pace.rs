//! [`Pace`]: how many datagrams may be under way to one node.
//!
//! Datagrams that find a buffer full are lost, and where no fault is at work no message may be.
//! So a sender waits once a certain amount is under way of which it does not know that it has
//! arrived. It does not wait long: if nothing is heard, the link may be cut, and then a message
//! is to be lost and not to be kept. From then on it sends without knowing, until it hears again.

use std::collections::VecDeque;

/// What a datagram costs beside its own bytes, about as a kernel counts it.
const OVERHEAD: usize = 2_048;
/// After so many datagrams without a question, one asks whether it has arrived.
const ASK_EVERY: u64 = 16;

/// What is under way to one node.
#[derive(Debug)]
pub(super) struct Pace {
    window: usize,
    next: u64,
    under_way: VecDeque<(u64, usize)>,
    cost: usize,
    /// It sends although it does not know.
    blind: bool,
    unasked: u64,
}

impl Pace {
    /// So many bytes may be under way.
    pub(super) fn new(window: usize) -> Pace {
        Pace { window, next: 1, under_way: VecDeque::new(), cost: 0, blind: false, unasked: 0 }
    }

    /// Whether a datagram of this length may be sent now.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.blind || self.under_way.is_empty() || self.cost + length + OVERHEAD <= self.window
    }

    /// A datagram of this length is sent: its number, and whether it asks for an answer.
    pub(super) fn send(&mut self, length: usize) -> (u64, bool) {
        let number = self.next;
        self.next += 1;
        if !self.blind {
            self.under_way.push_back((number, length + OVERHEAD));
            self.cost += length + OVERHEAD;
        }
        self.unasked += 1;
        let asks = self.unasked >= ASK_EVERY || self.cost >= self.window / 4;
        if asks {
            self.unasked = 0;
        }
        (number, asks)
    }

    /// The datagram of this number has arrived: all before it have, or will not.
    pub(super) fn arrived(&mut self, number: u64) {
        while let Some((first, cost)) = self.under_way.front().copied()
            && first <= number
        {
            self.under_way.pop_front();
            self.cost -= cost;
        }
        self.blind = false;
    }

    /// Nothing was heard for too long.
    pub(super) fn give_up(&mut self) {
        self.under_way.clear();
        self.cost = 0;
        self.blind = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_kept_until_nothing_is_heard() {
        let mut pace = Pace::new(8 * OVERHEAD);
        let mut asked = Vec::new();
        while pace.has_room(0) {
            let (number, asks) = pace.send(0);
            asked.extend(asks.then_some(number));
        }
        assert_eq!(asked, [2, 3, 4, 5, 6, 7, 8]);
        pace.arrived(3);
        assert!(pace.has_room(3 * OVERHEAD - OVERHEAD) && !pace.has_room(3 * OVERHEAD));
        pace.arrived(2);
        pace.give_up();
        let numbers: Vec<u64> = (0..100).map(|_| pace.send(0).0).collect();
        assert!(pace.has_room(1 << 30) && numbers == (9..109).collect::<Vec<_>>());
        pace.arrived(50);
        assert!(!pace.has_room(9 * OVERHEAD) || pace.under_way.is_empty());
        assert!(!pace.blind);
    }

    #[test]
    fn one_datagram_may_always_be_sent() {
        let mut pace = Pace::new(10);
        assert!(pace.has_room(60_000));
        assert_eq!(pace.send(60_000), (1, true));
        assert!(!pace.has_room(1));
        pace.arrived(1);
        assert!(pace.has_room(60_000));
    }

    #[test]
    fn a_quiet_link_asks_now_and_then() {
        let mut pace = Pace::new(1 << 30);
        assert_eq!((0..64).filter(|_| pace.send(1).1).count(), 4);
    }
}
