//! [`Line`]: how one clock of a node runs against the machine's. Knows `core` only, since the
//! preloaded library is built from this very file.

/// A clock's readings as a function of the true ones. All zero: the true clock.
///
/// All times in nanoseconds; rates are nanoseconds gained per true nanosecond, times 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Line {
    /// The true reading from which the rates count.
    pub anchor: i64,
    /// Added to every reading.
    pub offset: i64,
    /// Gained after the anchor; -2^32 is a clock that stands still.
    pub rate: i64,
    /// Gained before the anchor: what held then, for readers who took the time a moment ago.
    pub before: i64,
    /// Gained after the anchor beside `rate`, for a while.
    pub slew: i64,
    /// How long after the anchor `slew` lasts.
    pub slew_for: i64,
    /// When strobing began.
    pub strobe_from: i64,
    /// `strobe_by` is added in every other span of this length, the first one included; 0: never.
    pub strobe_every: i64,
    /// What is added then.
    pub strobe_by: i64,
    /// Rounds the size up to a cache line.
    pub spare: [i64; 7],
}

/// Bytes of a line.
pub(super) const LINE: usize = 128;
/// Clocks that have a line: `CLOCK_REALTIME` (0) to `CLOCK_TAI` (11).
pub(super) const CLOCKS: usize = 12;
/// Where the lines of the first slot begin in the page.
pub(super) const SLOTS: usize = 0x400;
/// Bytes from the first slot to the second.
pub(super) const SLOT: usize = LINE * CLOCKS;
/// Where the page says how often it was changed; the parity chooses the slot.
pub(super) const GENERATION: usize = 8;
/// Bytes of the page.
pub(super) const PAGE: usize = SLOTS + 2 * SLOT;
/// The page's first eight bytes, as an integer.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"danso\0c1");

const _: () = assert!(size_of::<Line>() == LINE && PAGE == 4096);

impl Line {
    /// The reading when the true clock reads `t`. Never negative.
    pub fn at(&self, t: i64) -> i64 {
        let since = t.wrapping_sub(self.anchor);
        let gained = if since < 0 {
            scale(since, self.before)
        } else {
            let slewed = if since < self.slew_for { since } else { self.slew_for };
            scale(since, self.rate).wrapping_add(scale(slewed, self.slew))
        };
        let reading = t.wrapping_add(self.offset).wrapping_add(gained);
        let reading = reading.wrapping_add(self.strobe(t));
        if reading < 0 { 0 } else { reading }
    }

    /// What strobing adds at `t`.
    fn strobe(&self, t: i64) -> i64 {
        let since = t.wrapping_sub(self.strobe_from);
        if self.strobe_every <= 0 || since < 0 || (since / self.strobe_every) & 1 == 1 {
            return 0;
        }
        self.strobe_by
    }

    /// What it gains at `t`, times 2^32.
    pub fn slope(&self, t: i64) -> i64 {
        let since = t.wrapping_sub(self.anchor);
        match since {
            ..0 => self.before,
            _ if since < self.slew_for => self.rate.wrapping_add(self.slew),
            _ => self.rate,
        }
    }
}

/// `span` times `rate` over 2^32, rounded down.
pub(super) fn scale(span: i64, rate: i64) -> i64 {
    ((span as i128 * rate as i128) >> 32) as i64
}
