//! [`Mask`]: which open operations are linearized, one bit a slot.

use std::hash::Hash;

/// A set of slots. Machine words for the common widths, a boxed slice beyond.
pub(super) trait Mask: Clone + Eq + Hash + Send {
    /// The empty set of `slots` possible slots.
    fn empty(slots: usize) -> Self;
    /// Whether `slot` is in it.
    fn has(&self, slot: u32) -> bool;
    /// Puts `slot` in.
    fn put(&mut self, slot: u32);
    /// Takes `slot` out.
    fn take(&mut self, slot: u32);
    /// The slots of it that are not in `other`.
    fn without(&self, other: &Self) -> Self;
    /// Whether all slots of `other` are in it.
    fn covers(&self, other: &Self) -> bool;
    /// Bytes it holds beside its own size.
    fn heap(&self) -> usize {
        0
    }
}

impl Mask for u64 {
    fn empty(slots: usize) -> Self {
        debug_assert!(slots <= 64);
        0
    }

    fn has(&self, slot: u32) -> bool {
        self >> slot & 1 == 1
    }

    fn put(&mut self, slot: u32) {
        *self |= 1 << slot;
    }

    fn take(&mut self, slot: u32) {
        *self &= !(1 << slot);
    }

    fn without(&self, other: &Self) -> Self {
        self & !other
    }

    fn covers(&self, other: &Self) -> bool {
        other & !self == 0
    }
}

impl Mask for u128 {
    fn empty(slots: usize) -> Self {
        debug_assert!(slots <= 128);
        0
    }

    fn has(&self, slot: u32) -> bool {
        self >> slot & 1 == 1
    }

    fn put(&mut self, slot: u32) {
        *self |= 1 << slot;
    }

    fn take(&mut self, slot: u32) {
        *self &= !(1 << slot);
    }

    fn without(&self, other: &Self) -> Self {
        self & !other
    }

    fn covers(&self, other: &Self) -> bool {
        other & !self == 0
    }
}

/// Any number of slots.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Wide(Box<[u64]>);

impl Mask for Wide {
    fn empty(slots: usize) -> Self {
        Wide(vec![0; slots.div_ceil(64)].into())
    }

    fn has(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn put(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn take(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    fn without(&self, other: &Self) -> Self {
        Wide(self.0.iter().zip(&*other.0).map(|(mine, other)| mine & !other).collect())
    }

    fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&*other.0).all(|(mine, other)| other & !mine == 0)
    }

    fn heap(&self) -> usize {
        size_of_val(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaves<M: Mask>(slots: u32) {
        let mut mask = M::empty(slots as usize);
        for slot in 0..slots {
            assert!(!mask.has(slot));
            mask.put(slot);
            assert!(mask.has(slot));
        }
        for slot in (0..slots).step_by(2) {
            mask.take(slot);
        }
        for slot in 0..slots {
            assert_eq!(mask.has(slot), slot % 2 == 1, "{slot}");
        }
    }

    #[test]
    fn sets_of_slots() {
        behaves::<u64>(64);
        behaves::<u128>(128);
        behaves::<Wide>(300);
    }
}
