//! [`Policy`]: what happens to traffic on one directed link. Data; backends carry it out.

use std::time::Duration;

use super::Ability;

/// What happens to traffic on a directed link. The default lets everything pass untouched.
/// "Packet" means a real packet behind the switch; a relay has no packets, and says by its
/// [`Ability`]s what it can do instead.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Policy {
    /// Whether anything passes at all.
    pub block: Block,
    /// How late packets arrive.
    pub delay: Delay,
    /// Packets that vanish.
    pub loss: Chance,
    /// Packets that arrive twice.
    pub duplicate: Chance,
    /// Packets that overtake those delayed before them; without a delay, packets that are
    /// overtaken by the next.
    pub reorder: Chance,
    /// Packets of which one bit flips behind the IP header.
    pub corrupt: Chance,
    /// The bit flips in the payload, and the packet gets a checksum that fits, so that the receiver
    /// believes it. Packets without a payload stay as they are.
    pub corrupt_believably: bool,
    /// Bits per second that pass; more wait in a queue and are dropped when it is full.
    pub bandwidth: Option<u64>,
    /// Longer IP packets vanish, and nobody is told (a path-MTU black hole). Bytes.
    pub longest: Option<u32>,
    /// TCP segments that are answered by a reset to both ends.
    pub reset: Chance,
    /// How much later than its data the end of a connection arrives.
    pub linger: Duration,
    /// HTTP responses that come out wrong.
    pub http: Option<Http>,
}

/// Whether anything passes. Where faults meet on a link, the greater wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Block {
    /// Everything does.
    #[default]
    Open,
    /// Nothing; it waits and passes in order when the link opens again.
    Hold,
    /// Nothing, and senders are told: a reset, or "unreachable".
    Reject,
    /// Nothing; packets vanish, connections stall, nobody is told.
    Drop,
}

/// How often something happens to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chance {
    /// The share of packets, 0 to 1.
    pub share: f64,
    /// How much each packet's luck is that of the one before, 0 (not at all) to below 1: faults
    /// come in bursts, and their share stays what it is.
    pub correlation: f64,
}

/// A delay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delay {
    /// Its mean.
    pub mean: Duration,
    /// How far it strays: half the width (uniform), the standard deviation (normal), the scale of
    /// the tail (pareto).
    pub jitter: Duration,
    /// How it strays.
    pub distribution: Distribution,
}

/// The shape of a delay's jitter. Draws below zero count as zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Every delay in the range is as likely.
    #[default]
    Uniform,
    /// A bell.
    Normal,
    /// Mostly close to the mean, now and then far beyond (shape 3).
    Pareto,
}

/// What goes wrong with HTTP responses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Http {
    /// With how many.
    pub share: f64,
    /// What.
    pub mishap: Mishap,
}

/// A wrong HTTP response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mishap {
    /// This status and no body instead of the node's answer. The node has done the work.
    Status(u16),
    /// The answer comes later.
    Delay(Duration),
    /// The body ends after so many bytes, then the connection does.
    Truncate(u32),
}

impl Policy {
    /// Nothing passes, and nobody is told.
    pub const CUT: Policy = Policy::blocked(Block::Drop);

    /// Nothing passes.
    pub const fn blocked(block: Block) -> Policy {
        const NEVER: Chance = Chance { share: 0.0, correlation: 0.0 };
        const DELAY: Delay = Delay {
            mean: Duration::ZERO,
            jitter: Duration::ZERO,
            distribution: Distribution::Uniform,
        };
        Policy {
            block,
            delay: DELAY,
            loss: NEVER,
            duplicate: NEVER,
            reorder: NEVER,
            corrupt: NEVER,
            corrupt_believably: false,
            bandwidth: None,
            longest: None,
            reset: NEVER,
            linger: Duration::ZERO,
            http: None,
        }
    }

    /// Whether traffic passes untouched.
    pub fn is_clean(&self) -> bool {
        *self == Policy::default()
    }

    /// Both at once: delays add, independent chances combine, of two limits the tighter holds.
    #[must_use]
    pub fn and(self, other: Policy) -> Policy {
        let tighter = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Policy {
            block: self.block.max(other.block),
            delay: self.delay.and(other.delay),
            loss: self.loss.and(other.loss),
            duplicate: self.duplicate.and(other.duplicate),
            reorder: self.reorder.and(other.reorder),
            corrupt: self.corrupt.and(other.corrupt),
            corrupt_believably: self.corrupt_believably || other.corrupt_believably,
            bandwidth: tighter(self.bandwidth, other.bandwidth),
            longest: self.longest.into_iter().chain(other.longest).min(),
            reset: self.reset.and(other.reset),
            linger: self.linger + other.linger,
            http: other.http.or(self.http),
        }
    }

    /// What a backend must be able to do for this.
    pub fn needs(&self) -> impl Iterator<Item = Ability> {
        let happens = |c: Chance| c.share > 0.0;
        [
            (self.block == Block::Drop, Ability::Cut),
            (self.block == Block::Reject, Ability::Reject),
            (self.block == Block::Hold, Ability::Hold),
            (self.delay != Delay::default(), Ability::Delay),
            (happens(self.loss), Ability::Loss),
            (happens(self.duplicate), Ability::Duplicate),
            (happens(self.reorder), Ability::Reorder),
            (happens(self.corrupt), Ability::Corrupt),
            (self.bandwidth.is_some(), Ability::Bandwidth),
            (self.longest.is_some(), Ability::Longest),
            (happens(self.reset), Ability::Reset),
            (!self.linger.is_zero(), Ability::Linger),
            (self.http.is_some(), Ability::Http),
        ]
        .into_iter()
        .filter_map(|(wanted, ability)| wanted.then_some(ability))
    }
}

impl Chance {
    /// This share of packets, each by itself.
    pub const fn of(share: f64) -> Chance {
        Chance { share, correlation: 0.0 }
    }

    fn and(self, other: Chance) -> Chance {
        Chance {
            share: 1.0 - (1.0 - self.share) * (1.0 - other.share),
            correlation: self.correlation.max(other.correlation),
        }
    }
}

impl Delay {
    fn and(self, other: Delay) -> Delay {
        let shape = if other.jitter > self.jitter { other } else { self };
        Delay {
            mean: self.mean + other.mean,
            jitter: self.jitter + other.jitter,
            distribution: shape.distribution,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_needs_nothing_and_changes_nothing() {
        let policy = Policy { loss: Chance::of(0.5), longest: Some(900), ..Policy::CUT };
        assert_eq!(policy.and(Policy::default()), policy);
        assert_eq!(Policy::default().and(policy), policy);
        assert_eq!(Policy::default().needs().count(), 0);
        assert!(Policy::default().is_clean() && !policy.is_clean());
    }

    #[test]
    fn both_at_once_is_the_worse_of_both() {
        let slow = Policy { bandwidth: Some(9), loss: Chance::of(0.5), ..Policy::default() };
        let slower = Policy { bandwidth: Some(5), loss: Chance::of(0.5), ..Policy::default() };
        let both = slow.and(slower);
        assert_eq!((both.bandwidth, both.loss.share), (Some(5), 0.75));
        assert_eq!(Policy::blocked(Block::Hold).and(Policy::CUT).block, Block::Drop);
        assert_eq!(both.needs().collect::<Vec<_>>(), [Ability::Loss, Ability::Bandwidth]);
    }
}
