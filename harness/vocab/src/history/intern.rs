//! [`Interner`]: each distinct thing stored once, named by a dense `u32`.

use std::borrow::Borrow;
use std::hash::Hash;

use indexmap::{Equivalent, IndexSet};
use rustc_hash::FxBuildHasher;

/// A bijection between things and `0..len`, in order of first sight.
#[derive(Clone, Debug)]
pub struct Interner<T> {
    things: IndexSet<T, FxBuildHasher>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { things: IndexSet::default() }
    }
}

impl<T: Eq + Hash> Interner<T> {
    /// The id of `thing`, new or known. `None` once there are 2³²−1 things.
    pub fn intern(&mut self, thing: T) -> Option<u32> {
        let (id, _) = self.things.insert_full(thing);
        u32::try_from(id).ok().filter(|id| *id != u32::MAX)
    }

    /// The same from a borrowed form: allocates only at first sight.
    pub fn intern_ref<Q>(&mut self, thing: &Q) -> Option<u32>
    where
        Q: Hash + Equivalent<T> + ToOwned<Owned = T> + ?Sized,
        T: Borrow<Q>,
    {
        self.intern_with(thing, || thing.to_owned())
    }

    /// The id of what is equivalent to `thing`; made only at first sight.
    pub(super) fn intern_with<Q>(&mut self, thing: &Q, make: impl FnOnce() -> T) -> Option<u32>
    where
        Q: Hash + Equivalent<T> + ?Sized,
    {
        match self.things.get_index_of(thing) {
            Some(id) => u32::try_from(id).ok(),
            None => self.intern(make()),
        }
    }

    /// The id of `thing`, if it was seen.
    pub fn find<Q: Hash + Equivalent<T> + ?Sized>(&self, thing: &Q) -> Option<u32> {
        self.things.get_index_of(thing).and_then(|id| u32::try_from(id).ok())
    }

    /// The thing called `id`.
    ///
    /// # Panics
    /// If `id` was not given out by this interner.
    pub fn get(&self, id: u32) -> &T {
        &self.things[id as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.things.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter()
    }

    /// Gives back what growth left over.
    pub(super) fn shrink(&mut self) {
        self.things.shrink_to_fit();
    }

    /// Bytes of the table, without what the things own.
    pub(super) fn bytes(&self) -> usize {
        // An entry has its hash; a bucket of the index a position and a control byte, and an
        // eighth of the buckets is free.
        let entry = size_of::<T>() + size_of::<u64>();
        self.things.capacity() * (entry + (size_of::<usize>() + 1) * 8 / 7)
    }
}
