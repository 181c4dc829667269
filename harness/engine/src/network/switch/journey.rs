//! A packet's way over a link, and where it leaves it.

/// What has been done to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(pub(super) u8);

impl Marks {
    pub(super) const HELD: Marks = Marks(1);
    pub(super) const DELAYED: Marks = Marks(2);
    pub(super) const OVERTAKEN: Marks = Marks(4);
    pub(super) const DOUBLED: Marks = Marks(8);
    pub(super) const CORRUPTED: Marks = Marks(16);
    pub(super) const RESET: Marks = Marks(32);

    pub(super) fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }

    pub(super) fn has(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }
}

/// A packet's way so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Journey {
    /// When it was sent, nanoseconds.
    pub(super) since: u64,
    /// What has been done to it.
    pub(super) marks: Marks,
}

/// Where packets leave a lane.
pub(super) trait Exit {
    /// To the receiver.
    fn deliver(&mut self, frame: &[u8], journey: Journey);
    /// Back to the sender.
    fn answer(&mut self, frame: &[u8]);
    /// Nowhere. `refused` if the sender is told.
    fn stop(&mut self, frame: &[u8], journey: Journey, refused: bool);
    /// Something was done to a packet for the first time.
    fn touch(&mut self);
    /// A packet waits for its link to open.
    fn hold(&mut self, frame: &[u8]);
    /// It waits no longer, and never arrives.
    fn discard(&mut self, frame: &[u8], journey: Journey);
    /// Asks for room for a waiting packet, of all links together.
    fn reserve(&mut self, bytes: usize) -> bool;
    /// Gives it back.
    fn release(&mut self, bytes: usize);
}
