//! A journal put together from the pages in which clients read it.

use danso_vocab::{History, Value};

/// One successful read of a journal: entries from position `from`.
#[derive(Clone, Copy)]
pub(super) struct Page<'h> {
    pub(super) row: u32,
    pub(super) from: usize,
    pub(super) entries: &'h [Value],
    /// It was asked for as a whole, so it ends where the journal ended.
    pub(super) whole: bool,
}

/// What is known of a journal.
#[derive(Default)]
pub(super) struct Pages<'h> {
    /// Its entries in order, each with the row of the read that showed it first.
    pub(super) entries: Vec<(&'h Value, u32)>,
    /// The latest read that saw its end: it holds whatever had happened before that read began.
    pub(super) end: Option<u32>,
    /// Two reads that cannot both be true of a journal that only grows, with a position.
    pub(super) rewritten: Option<(usize, u32, u32)>,
    /// The first position nobody read, although a later one was.
    pub(super) gap: Option<usize>,
}

impl<'h> Pages<'h> {
    /// Puts pages together. O(n + p log p) for n entries in p pages.
    pub(super) fn join(history: &History, mut pages: Vec<Page<'h>>) -> Pages<'h> {
        let ended = |row: u32| history.row(row as usize).res_rank();
        pages.sort_by_key(|page| (page.from, ended(page.row)));
        let mut all = Pages::default();
        for page in &pages {
            if page.from > all.entries.len() {
                all.gap = Some(all.entries.len());
                break;
            }
            for (i, entry) in page.entries.iter().enumerate() {
                let at = page.from + i;
                let Some((known, row)) = all.entries.get_mut(at) else {
                    all.entries.push((entry, page.row));
                    continue;
                };
                if !std::ptr::eq(*known, entry) && *known != entry && all.rewritten.is_none() {
                    all.rewritten = Some((at, *row, page.row));
                }
                if ended(page.row) < ended(*row) {
                    *row = page.row;
                }
            }
        }
        all.see_ends(history, pages);
        all
    }

    /// Finds the reads that saw the end, and those that saw it too early.
    fn see_ends(&mut self, history: &History, mut pages: Vec<Page<'h>>) {
        let begun = |row: u32| history.row(row as usize).inv_rank();
        let ended = |row: u32| history.row(row as usize).res_rank();
        let mut ends: Vec<Page<'h>> =
            pages.iter().filter(|p| p.whole || p.entries.is_empty()).copied().collect();
        ends.sort_by_key(|page| begun(page.row));
        pages.sort_by_key(|page| ended(page.row));
        let mut earlier = pages.iter().peekable();
        // The longest journal seen so far, and by whom.
        let mut longest = (0, 0);
        for end in &ends {
            while let Some(page) = earlier.next_if(|p| ended(p.row) < begun(end.row)) {
                longest = longest.max((page.from + page.entries.len(), page.row));
            }
            let length = end.from + end.entries.len();
            if length < longest.0 && self.rewritten.is_none() {
                self.rewritten = Some((length, longest.1, end.row));
            }
            if length == self.entries.len() && self.gap.is_none() {
                self.end = Some(end.row);
            }
        }
    }
}
