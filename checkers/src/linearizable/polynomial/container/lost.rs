//! What removals of unknown result may have taken.

use super::{Container, NONE};

impl Container {
    /// The row of what takes an element out, in a solution.
    pub(in super::super) fn taker(&self, v: usize) -> Option<u32> {
        let lost = self.lost.get(v).copied().unwrap_or(NONE);
        [self.taken[v], lost].into_iter().find(|row| *row != NONE)
    }

    /// Lets removals of unknown result take what was left: the element that was inside *k*-th the
    /// *k*-th of them. They may do so at any time later.
    pub(in super::super) fn give_to_crashed(&mut self) {
        if self.crashed.is_empty() {
            return;
        }
        let mut left = self.left();
        left.sort_unstable_by_key(|v| self.b[*v]);
        self.give(&left);
    }

    /// The same of those elements only that must be gone by some time, and in that order: because
    /// something found nothing after an element was inside, or because another element, for which
    /// `under` is less than `comes` of the one that was left, was taken out after that one was
    /// inside. A good guess, but not the only one possible. Whether there are enough.
    pub(in super::super) fn give_if_needed(&mut self, comes: &[u32], under: &[u32]) -> bool {
        let mut left = self.left();
        left.sort_unstable_by_key(|v| comes[*v]);
        let mut taken: Vec<usize> = (0..self.len()).filter(|v| self.taken[*v] != NONE).collect();
        taken.sort_unstable_by_key(|v| under[*v]);
        let mut ends = EarliestEnds::new(self.events);
        let mut empty_ends = EarliestEnds::new(self.events);
        self.empties.iter().for_each(|empty| empty_ends.add(empty.inv, empty.res));
        let mut taken = taken.into_iter().peekable();
        let mut needed: Vec<(u32, usize)> = Vec::new();
        for v in left {
            while let Some(w) = taken.next_if(|w| under[*w] < comes[v]) {
                ends.add(self.c[w], self.d[w]);
            }
            let end = ends.after(self.b[v]).min(empty_ends.after(self.b[v]));
            needed.extend((end != NONE).then_some((end, v)));
        }
        needed.sort_unstable();
        let needed: Vec<usize> = needed.into_iter().map(|(_, v)| v).collect();
        self.give(&needed);
        needed.len() <= self.crashed.len()
    }

    fn left(&self) -> Vec<usize> {
        (0..self.len()).filter(|v| self.taken[*v] == NONE).collect()
    }

    /// Gives these to the removals of unknown result, one each, in order.
    fn give(&mut self, elements: &[usize]) {
        let mut seen = vec![0; self.len()];
        for peek in &self.peeks {
            let last = &mut seen[peek.element as usize];
            *last = peek.inv.max(*last);
        }
        self.lost = vec![NONE; self.len()];
        for (&v, crashed) in elements.iter().zip(&self.crashed) {
            self.lost[v] = crashed.row;
            self.c[v] = crashed.inv.max(self.a[v]).max(seen[v]);
        }
    }
}

/// Of operations, the earliest end of those that begin after an event: a Fenwick tree.
struct EarliestEnds {
    ends: Vec<u32>,
}

impl EarliestEnds {
    fn new(events: u32) -> EarliestEnds {
        EarliestEnds { ends: vec![NONE; events as usize + 1] }
    }

    fn add(&mut self, inv: u32, res: u32) {
        // What begins later comes first.
        let mut at = self.ends.len() - 1 - inv as usize;
        while let Some(end) = self.ends.get_mut(at) {
            *end = res.min(*end);
            at += at & at.wrapping_neg();
        }
    }

    fn after(&self, event: u32) -> u32 {
        let mut at = self.ends.len().saturating_sub(2 + event as usize);
        let mut end = NONE;
        while at > 0 {
            end = self.ends[at].min(end);
            at &= at - 1;
        }
        end
    }
}
