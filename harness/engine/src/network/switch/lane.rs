//! [`Lane`]: one directed link on which something is done to packets. Knows neither descriptors
//! nor the clock: time is told, and what leaves is handed to an [`Exit`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use danso_vocab::Rng;

use super::ending::{self, Parted};
use super::journey::{Exit, Journey, Marks};
use super::packet::Layout;
use super::{damage, reply};
use crate::network::draw::Luck;
use crate::network::{Block, Policy};

/// How long a packet waits to be overtaken where nothing else comes, nanoseconds.
const OVERTAKEN_WITHIN: u64 = 20_000_000;
/// How many may wait to be overtaken.
const MOST_PARKED: usize = 64;
/// What a bandwidth's queue holds: this long at its rate, nanoseconds, but not less than some
/// full packets, bytes.
const QUEUE_TIME: u64 = 100_000_000;
const QUEUE_BYTES: usize = 30 * 1500;
/// What may wait on one link, bytes.
const MOST_WAITING: usize = 32 << 20;
/// What a waiting packet costs beside its bytes.
const OVERHEAD: usize = 96;

/// Nanoseconds; centuries saturate.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}

struct Waiting {
    at: u64,
    journey: Journey,
    frame: Box<[u8]>,
}

/// A frame as it came, waiting for the link to open.
pub(super) struct Held {
    pub(super) journey: Journey,
    pub(super) frame: Vec<u8>,
}

/// The state of one directed link.
pub(super) struct Lane {
    /// Where the IP packet starts in a frame.
    offset: usize,
    rng: Rng,
    loss: Luck,
    duplicate: Luck,
    reorder: Luck,
    corrupt: Luck,
    reset: Luck,
    /// When the line has sent what it was given, nanoseconds.
    free_at: u64,
    /// When the last packet in order leaves.
    last_at: u64,
    /// In order of departure.
    queue: VecDeque<Waiting>,
    /// Ends of connections that linger, by departure and number.
    late: BTreeMap<(u64, u64), Waiting>,
    numbered: u64,
    /// Waiting to be overtaken, the first longest.
    parked: Vec<Waiting>,
    held: VecDeque<Held>,
    /// Of everything that waits here.
    bytes: usize,
}

impl Lane {
    /// Nothing on it. All its luck comes from `rng`.
    pub(super) fn new(offset: usize, rng: Rng) -> Lane {
        Lane {
            offset,
            rng,
            loss: Luck::default(),
            duplicate: Luck::default(),
            reorder: Luck::default(),
            corrupt: Luck::default(),
            reset: Luck::default(),
            free_at: 0,
            last_at: 0,
            queue: VecDeque::new(),
            late: BTreeMap::new(),
            numbered: 0,
            parked: Vec::new(),
            held: VecDeque::new(),
            bytes: 0,
        }
    }

    /// When something is to leave next, nanoseconds.
    pub(super) fn due(&self, policy: &Policy) -> Option<u64> {
        if policy.block == Block::Hold {
            return None;
        }
        let queued = self.queue.front().map(|w| w.at);
        let late = self.late.keys().next().map(|(at, _)| *at);
        let parked = self.parked.first().map(|w| w.at);
        queued.into_iter().chain(late).chain(parked).min()
    }

    /// A frame meets a closed link.
    pub(super) fn block(
        &mut self,
        block: Block,
        frame: &[u8],
        journey: Journey,
        exit: &mut impl Exit,
    ) {
        if block == Block::Hold && self.reserve(frame.len(), exit) {
            let journey = Journey { marks: journey.marks.with(Marks::HELD), ..journey };
            exit.hold(frame);
            self.held.push_back(Held { journey, frame: frame.to_vec() });
            return;
        }
        let refused = block == Block::Reject;
        exit.stop(frame, journey, refused);
        if refused && let Some(answer) = reply::refusal(frame, self.offset) {
            exit.answer(&answer);
        }
    }

    /// A packet, and no super-packet, meets an open link.
    pub(super) fn pass(
        &mut self,
        policy: &Policy,
        now: u64,
        frame: &mut [u8],
        mut journey: Journey,
        exit: &mut impl Exit,
    ) {
        let rng = &mut self.rng;
        let reset = self.reset.strikes(policy.reset, rng);
        let lost = self.loss.strikes(policy.loss, rng);
        let corrupt = self.corrupt.strikes(policy.corrupt, rng);
        let twice = self.duplicate.strikes(policy.duplicate, rng);
        let overtakes = self.reorder.strikes(policy.reorder, rng);
        let length = frame.len() - self.offset;
        if lost || policy.longest.is_some_and(|longest| length > longest as usize) {
            exit.stop(frame, journey, false);
            return;
        }
        let layout = Layout::of(&frame[self.offset..]);
        if reset
            && let Some(layout) = layout
            && let Some(answer) = reply::reset(frame, self.offset, layout)
        {
            exit.touch();
            exit.answer(&answer);
            let onward = reply::abort(frame, self.offset, layout);
            journey.marks = journey.marks.with(Marks::RESET);
            self.queue_up(policy, now, &onward, journey, exit);
            return;
        }
        let mut end = None;
        if corrupt && let Some(layout) = layout {
            let packet = &mut frame[self.offset..];
            let flipped = if policy.corrupt_believably {
                damage::flip_believably(packet, layout, &mut self.rng)
            } else {
                damage::flip(packet, layout, &mut self.rng)
            };
            if flipped {
                mark(&mut journey, Marks::CORRUPTED, exit);
            }
        } else if !policy.linger.is_zero()
            && let Some(layout) = layout
        {
            end = ending::part(frame, self.offset, layout);
        }
        if let Some(Parted { data, end }) = end {
            let at = now.saturating_add(nanos(policy.linger));
            let mut journey = journey;
            mark(&mut journey, Marks::DELAYED, exit);
            self.linger(at, end, journey, exit);
            let Some(mut data) = data else { return };
            self.copies(policy, now, &mut data, journey, (twice, overtakes), exit);
        } else {
            self.copies(policy, now, frame, journey, (twice, overtakes), exit);
        }
    }

    fn copies(
        &mut self,
        policy: &Policy,
        now: u64,
        frame: &mut [u8],
        mut journey: Journey,
        (twice, overtakes): (bool, bool),
        exit: &mut impl Exit,
    ) {
        if twice {
            mark(&mut journey, Marks::DOUBLED, exit);
        }
        for _ in 0..=usize::from(twice) {
            let delayed = !policy.delay.mean.is_zero() || !policy.delay.jitter.is_zero();
            if overtakes && delayed {
                mark(&mut journey, Marks::OVERTAKEN, exit);
                exit.deliver(frame, journey);
            } else if overtakes && self.parked.len() < MOST_PARKED {
                self.park(now, frame, journey, exit);
            } else {
                self.queue_up(policy, now, frame, journey, exit);
                self.unpark(policy, now, exit);
            }
        }
    }

    /// In order: behind the line and behind what is delayed already.
    fn queue_up(
        &mut self,
        policy: &Policy,
        now: u64,
        frame: &[u8],
        mut journey: Journey,
        exit: &mut impl Exit,
    ) {
        let mut at = now;
        if let Some(rate) = policy.bandwidth {
            if self.free_at.saturating_sub(now) > room(rate) {
                exit.stop(frame, journey, false);
                return;
            }
            let time = line_time(frame.len() - self.offset, rate);
            self.free_at = self.free_at.max(now).saturating_add(time);
            at = self.free_at;
        }
        at = at.saturating_add(nanos(policy.delay.draw(&mut self.rng))).max(self.last_at);
        self.last_at = at;
        if at <= now && self.queue.is_empty() {
            exit.deliver(frame, journey);
        } else if self.reserve(frame.len(), exit) {
            mark(&mut journey, Marks::DELAYED, exit);
            self.queue.push_back(Waiting { at, journey, frame: frame.into() });
        } else {
            exit.stop(frame, journey, false);
        }
    }

    fn park(&mut self, now: u64, frame: &[u8], mut journey: Journey, exit: &mut impl Exit) {
        if !self.reserve(frame.len(), exit) {
            exit.stop(frame, journey, false);
            return;
        }
        mark(&mut journey, Marks::OVERTAKEN, exit);
        let at = now.saturating_add(OVERTAKEN_WITHIN);
        self.parked.push(Waiting { at, journey, frame: frame.into() });
    }

    /// What was parked has been overtaken, the last by the most.
    fn unpark(&mut self, policy: &Policy, now: u64, exit: &mut impl Exit) {
        while let Some(waiting) = self.parked.pop() {
            self.forget(waiting.frame.len(), exit);
            self.queue_up(policy, now, &waiting.frame, waiting.journey, exit);
        }
    }

    fn linger(&mut self, at: u64, end: Vec<u8>, journey: Journey, exit: &mut impl Exit) {
        if !self.reserve(end.len(), exit) {
            exit.stop(&end, journey, false);
            return;
        }
        self.numbered += 1;
        let waiting = Waiting { at, journey, frame: end.into() };
        self.late.insert((at, self.numbered), waiting);
    }

    /// Lets out what is due.
    pub(super) fn drain(&mut self, policy: &Policy, now: u64, exit: &mut impl Exit) {
        if policy.block == Block::Hold {
            return;
        }
        if self.parked.first().is_some_and(|first| first.at <= now) {
            self.unpark(policy, now, exit);
        }
        while let Some(waiting) = self.queue.pop_front_if(|first| first.at <= now) {
            self.forget(waiting.frame.len(), exit);
            exit.deliver(&waiting.frame, waiting.journey);
        }
        while let Some(first) = self.late.first_entry()
            && first.key().0 <= now
        {
            let waiting = first.remove();
            self.forget(waiting.frame.len(), exit);
            exit.deliver(&waiting.frame, waiting.journey);
        }
    }

    /// The policy is another from now on. What was held comes back, to be sent once more.
    pub(super) fn change(
        &mut self,
        policy: &Policy,
        now: u64,
        exit: &mut impl Exit,
    ) -> VecDeque<Held> {
        match policy.block {
            // Frozen as it is.
            Block::Hold => return VecDeque::new(),
            Block::Drop | Block::Reject => self.clear(exit),
            Block::Open if policy.is_clean() => {
                self.make_due(now);
                self.late_due(now);
                self.drain(policy, now, exit);
                (self.free_at, self.last_at) = (0, 0);
            }
            Block::Open => {
                // Nobody waits longer than one who comes now may have to.
                let line = now.saturating_add(policy.bandwidth.map_or(0, room));
                self.free_at = self.free_at.min(line);
                let delay = nanos(policy.delay.mean) + nanos(policy.delay.jitter);
                self.make_due(line.saturating_add(delay));
                if policy.linger.is_zero() {
                    self.late_due(now);
                }
                self.drain(policy, now, exit);
            }
        }
        let held = std::mem::take(&mut self.held);
        for held in &held {
            self.forget(held.frame.len(), exit);
        }
        held
    }

    /// Everything in order leaves at `at` or before.
    fn make_due(&mut self, at: u64) {
        self.last_at = self.last_at.min(at);
        for waiting in self.queue.iter_mut().chain(&mut self.parked) {
            waiting.at = waiting.at.min(at);
        }
    }

    fn late_due(&mut self, at: u64) {
        let late = std::mem::take(&mut self.late);
        self.late = late.into_iter().map(|((due, n), w)| ((due.min(at), n), w)).collect();
    }

    /// Nothing that is under way arrives.
    fn clear(&mut self, exit: &mut impl Exit) {
        let queue = std::mem::take(&mut self.queue);
        let late = std::mem::take(&mut self.late).into_values();
        let parked = std::mem::take(&mut self.parked);
        for waiting in queue.into_iter().chain(late).chain(parked) {
            exit.stop(&waiting.frame, waiting.journey, false);
        }
        for held in std::mem::take(&mut self.held) {
            exit.discard(&held.frame, held.journey);
        }
        exit.release(self.bytes);
        (self.bytes, self.free_at, self.last_at) = (0, 0, 0);
    }

    fn reserve(&mut self, length: usize, exit: &mut impl Exit) -> bool {
        let cost = length + OVERHEAD;
        let granted = self.bytes + cost <= MOST_WAITING && exit.reserve(cost);
        self.bytes += if granted { cost } else { 0 };
        granted
    }

    fn forget(&mut self, length: usize, exit: &mut impl Exit) {
        self.bytes -= length + OVERHEAD;
        exit.release(length + OVERHEAD);
    }
}

/// How long a line of `rate` bits per second takes for so many bytes, nanoseconds.
fn line_time(bytes: usize, rate: u64) -> u64 {
    let time = bytes as u128 * 8 * 1_000_000_000 / u128::from(rate.max(1));
    u64::try_from(time).unwrap_or(u64::MAX / 4)
}

/// How far a line of this rate may lag behind, nanoseconds.
fn room(rate: u64) -> u64 {
    QUEUE_TIME.max(line_time(QUEUE_BYTES, rate))
}

/// Marks a packet; the first mark counts.
fn mark(journey: &mut Journey, marks: Marks, exit: &mut impl Exit) {
    if journey.marks.0 & !Marks::HELD.0 == 0 {
        exit.touch();
    }
    journey.marks = journey.marks.with(marks);
}

#[cfg(test)]
mod tests;
