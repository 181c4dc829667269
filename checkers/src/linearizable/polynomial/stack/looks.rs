//! Peeks at a stack: they may happen while their element alone is inside.

use std::ops::Range;

use super::super::container::{Container, NONE};
use super::Line;
use super::peel::Waiting;
use super::trees::Ends;

/// The peeks that wait, by element.
pub(super) struct Looks {
    /// By element, then by first place: the first place and which of those waiting it is.
    peeks: Vec<(u32, u32)>,
    /// By element: where its peeks begin, and at last where they end.
    first: Vec<u32>,
    /// The last place of each and one more.
    ends: Ends,
    /// Of those waiting: the place in `peeks`.
    back: Vec<u32>,
    /// A Fenwick tree of the numbers of the elements inside, combined by exclusive or: where one
    /// is alone, this tells which.
    inside: Vec<u32>,
    /// Places that were reached with one element left, or begin without any.
    reached: Vec<bool>,
}

impl Looks {
    /// Lowers what is not 0 in `heights` by one.
    pub(super) fn new(
        stack: &Container,
        line: &Line,
        waiting: &[Waiting],
        heights: &mut [i32],
    ) -> Looks {
        let reached = heights.iter().map(|height| *height == 0).collect();
        heights.iter_mut().for_each(|height| *height = (*height - 1).max(0));
        let mut order: Vec<u32> = (0..waiting.len() as u32).collect();
        order.retain(|i| waiting[*i as usize].peek != NONE);
        // Stable: they are by first place already.
        order.sort_by_key(|i| waiting[*i as usize].element);
        let of = |i: &u32| waiting[*i as usize];
        let first = (0..=stack.len() as u32)
            .map(|v| order.partition_point(|i| of(i).element < v) as u32)
            .collect();
        let ends: Vec<u32> = order.iter().map(|i| of(i).upto + 1).collect();
        let mut back = vec![NONE; waiting.len()];
        for (at, i) in order.iter().enumerate() {
            back[*i as usize] = at as u32;
        }
        let mut looks = Looks {
            peeks: order.iter().map(|i| (of(i).from, *i)).collect(),
            first,
            ends: Ends::new(&ends),
            back,
            inside: vec![0; line.len() + 2],
            reached,
        };
        for v in (0..stack.len()).filter(|v| stack.is_inside(*v)) {
            looks.take_away(v, line.inside(stack, v));
        }
        looks
    }

    /// The element that is alone at this place, if it is reached for the first time.
    pub(super) fn alone(&mut self, place: usize) -> Option<usize> {
        if std::mem::replace(&mut self.reached[place], true) {
            return None;
        }
        let (mut at, mut number) = (place + 1, 0);
        while at > 0 {
            number ^= self.inside[at];
            at &= at - 1;
        }
        Some(number as usize)
    }

    /// A peek at this element that waits and may happen here.
    pub(super) fn of(&self, v: usize, place: usize) -> Option<usize> {
        let mine = self.first[v] as usize..self.first[v + 1] as usize;
        let begun = self.peeks[mine.clone()].partition_point(|(from, _)| *from <= place as u32);
        let at = self.ends.last(mine.start + begun, place as u32 + 1)?;
        mine.contains(&at).then(|| self.peeks[at].1 as usize)
    }

    /// One of those waiting does no longer.
    pub(super) fn clear(&mut self, waiting: usize) {
        if self.back[waiting] != NONE {
            self.ends.clear(self.back[waiting] as usize);
        }
    }

    /// An element is no longer inside at these places (or is, if it was not).
    pub(super) fn take_away(&mut self, v: usize, inside: Range<usize>) {
        for end in [inside.start, inside.end] {
            let mut at = end + 1;
            while let Some(number) = self.inside.get_mut(at) {
                *number ^= v as u32;
                at += at & at.wrapping_neg();
            }
        }
    }
}
