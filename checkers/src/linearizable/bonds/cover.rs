//! [`Cover`]: whether an unconditional write lies between two moments.

/// The writes that stay, to find one in between.
pub(super) struct Cover {
    /// By invocation: when it began, and the earliest end of it and all after it.
    writes: Vec<(u32, u32)>,
}

impl Cover {
    pub(super) fn of(mut writes: Vec<(u32, u32)>) -> Cover {
        writes.sort_unstable();
        let mut earliest = u32::MAX;
        for (_, end) in writes.iter_mut().rev() {
            earliest = earliest.min(*end);
            *end = earliest;
        }
        Cover { writes }
    }

    /// Whether one began after `after` and ended before `before`.
    pub(super) fn between(&self, after: u32, before: u32) -> bool {
        let from = self.writes.partition_point(|(inv, _)| *inv <= after);
        self.writes.get(from).is_some_and(|(_, end)| *end < before)
    }
}
