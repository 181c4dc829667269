use std::time::Duration;

use danso_vocab::Rng;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::super::packet::tests::{tcp, transport_checksum, udp};
use super::super::packet::{ACK, FIN, PSH, VNET_HEADER, long};
use super::*;
use crate::network::{Chance, Delay};

const MS: u64 = 1_000_000;

/// What left a lane.
#[derive(Default)]
struct Seen {
    delivered: Vec<Vec<u8>>,
    answered: usize,
    stopped: usize,
    touched: usize,
    held: usize,
    reserved: usize,
}

impl Exit for Seen {
    fn deliver(&mut self, frame: &[u8], _journey: Journey) {
        self.delivered.push(frame[VNET_HEADER..].to_vec());
    }

    fn answer(&mut self, _frame: &[u8]) {
        self.answered += 1;
    }

    fn stop(&mut self, _frame: &[u8], _journey: Journey, _refused: bool) {
        self.stopped += 1;
    }

    fn touch(&mut self) {
        self.touched += 1;
    }

    fn hold(&mut self, _frame: &[u8]) {
        self.held += 1;
    }

    fn discard(&mut self, _frame: &[u8], _journey: Journey) {}

    fn reserve(&mut self, bytes: usize) -> bool {
        self.reserved += bytes;
        true
    }

    fn release(&mut self, bytes: usize) {
        self.reserved -= bytes;
    }
}

impl Seen {
    /// The first payload bytes of what was delivered since last asked.
    fn numbers(&mut self) -> Vec<u8> {
        let packets = std::mem::take(&mut self.delivered);
        packets.iter().map(|p| p[Layout::of(p).unwrap().payload]).collect()
    }
}

fn lane() -> Lane {
    Lane::new(VNET_HEADER, Rng::new(1))
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&[0; VNET_HEADER], packet].concat()
}

fn pass(lane: &mut Lane, policy: &Policy, now: u64, number: u8, seen: &mut Seen) {
    let mut frame = framed(&udp(4, &[number, 1, 2, 3]));
    lane.pass(policy, now, &mut frame, Journey::default(), seen);
}

fn slow(ms: u64) -> Policy {
    let mean = Duration::from_millis(ms);
    Policy { delay: Delay { mean, ..Delay::default() }, ..Policy::default() }
}

#[test]
fn delayed_packets_leave_when_due() {
    let (mut lane, mut seen) = (lane(), Seen::default());
    pass(&mut lane, &slow(10), 0, 1, &mut seen);
    pass(&mut lane, &slow(10), 3 * MS, 2, &mut seen);
    assert_eq!(lane.due(&slow(10)), Some(10 * MS));
    lane.drain(&slow(10), 10 * MS - 1, &mut seen);
    assert_eq!(seen.numbers(), [0u8; 0]);
    lane.drain(&slow(10), 10 * MS, &mut seen);
    assert_eq!((seen.numbers(), lane.due(&slow(10))), (vec![1], Some(13 * MS)));
    // Not before those that are under way, though its own delay would be shorter.
    pass(&mut lane, &slow(1), 11 * MS, 3, &mut seen);
    lane.drain(&slow(1), 12 * MS, &mut seen);
    assert_eq!(seen.numbers(), [0u8; 0]);
    lane.drain(&slow(1), 13 * MS, &mut seen);
    assert_eq!((seen.numbers(), seen.touched, seen.reserved), (vec![2, 3], 3, 0));
}

#[test]
fn a_change_reaches_what_is_under_way() {
    let (mut lane, mut seen) = (lane(), Seen::default());
    for number in 0..3 {
        pass(&mut lane, &slow(1000), 0, number, &mut seen);
    }
    assert!(lane.change(&slow(5), 10 * MS, &mut seen).is_empty());
    assert_eq!(lane.due(&slow(5)), Some(15 * MS));
    let closed = Policy::blocked(Block::Hold);
    lane.change(&closed, 11 * MS, &mut seen);
    assert_eq!(lane.due(&closed), None);
    lane.block(Block::Hold, &framed(&udp(4, b"held")), Journey::default(), &mut seen);
    lane.drain(&closed, 99 * MS, &mut seen);
    assert_eq!(seen.numbers(), [0u8; 0]);
    let held = lane.change(&Policy::default(), 100 * MS, &mut seen);
    assert_eq!((seen.numbers(), held.len(), seen.reserved), (vec![0, 1, 2], 1, 0));
    assert!(held[0].journey.marks.has(Marks::HELD));
    for number in 0..3 {
        pass(&mut lane, &slow(1000), 100 * MS, number, &mut seen);
    }
    lane.change(&Policy::CUT, 101 * MS, &mut seen);
    lane.change(&Policy::default(), 102 * MS, &mut seen);
    assert_eq!((seen.numbers(), seen.stopped, seen.reserved), (vec![], 3, 0));
}

#[test]
fn each_is_overtaken_by_the_next() {
    let (mut lane, mut seen) = (lane(), Seen::default());
    let swaps = Policy { reorder: Chance::of(1.0), ..Policy::default() };
    pass(&mut lane, &swaps, 0, 1, &mut seen);
    pass(&mut lane, &swaps, 0, 2, &mut seen);
    pass(&mut lane, &slow(0), 0, 3, &mut seen);
    assert_eq!(seen.numbers(), [3, 2, 1]);
    pass(&mut lane, &swaps, 0, 4, &mut seen);
    assert_eq!(lane.due(&swaps), Some(OVERTAKEN_WITHIN));
    lane.drain(&swaps, OVERTAKEN_WITHIN, &mut seen);
    assert_eq!((seen.numbers(), seen.reserved), (vec![4], 0), "nobody waits for ever");
}

#[test]
fn a_line_has_its_rate_and_its_queue() {
    let (mut lane, mut seen) = (lane(), Seen::default());
    // 32 bytes: 256 bits, a millisecond each; the queue holds 45 kB.
    let line = Policy { bandwidth: Some(256_000), ..Policy::default() };
    for _ in 0..2000 {
        pass(&mut lane, &line, 0, 7, &mut seen);
    }
    assert_eq!(lane.due(&line), Some(MS));
    assert!((590..600).contains(&seen.stopped), "{}", seen.stopped);
    lane.drain(&line, 500 * MS, &mut seen);
    assert_eq!(seen.delivered.len(), 500);
    lane.change(&Policy::default(), 500 * MS, &mut seen);
    assert_eq!(seen.delivered.len() + seen.stopped, 2000);
}

#[test]
fn the_end_comes_after_its_data() {
    for version in [4, 6] {
        let (mut lane, mut seen) = (lane(), Seen::default());
        let policy = Policy { linger: Duration::from_millis(9), ..Policy::default() };
        let mut frame = framed(&tcp(version, 100, FIN | PSH | ACK, b"bye"));
        lane.pass(&policy, 0, &mut frame, Journey::default(), &mut seen);
        assert_eq!((seen.delivered.len(), lane.due(&policy)), (1, Some(9 * MS)));
        lane.drain(&policy, 9 * MS, &mut seen);
        let [data, end] = &seen.delivered[..] else { panic!("two") };
        for (packet, flags, seq, length) in [(data, PSH | ACK, 100, 3), (end, FIN | ACK, 103, 0)] {
            let layout = Layout::of(packet).unwrap();
            assert_eq!((layout.flags(packet), layout.length()), (flags, length));
            assert_eq!(long(packet, layout.transport + 4), seq);
            assert_eq!(transport_checksum(packet, layout), 0);
            assert_eq!(layout.end, packet.len());
        }
    }
}

#[test]
fn what_waits_is_bounded() {
    let (mut lane, mut seen) = (lane(), Seen::default());
    for _ in 0..30_000 {
        let mut frame = framed(&udp(4, &[0; 1400]));
        lane.pass(&slow(1000), 0, &mut frame, Journey::default(), &mut seen);
    }
    assert!(seen.stopped > 0 && seen.reserved <= MOST_WAITING);
}

proptest! {
    /// Whatever is done and changed, packets are delivered or stopped, and room is given back.
    #[test]
    fn nothing_is_forgotten(
        steps in prop::collection::vec((0..6u8, 0..20u64, 0.0..1.0f64), 1..60), seed in any::<u64>(),
    ) {
        let mut lane = Lane::new(VNET_HEADER, Rng::new(seed));
        let (mut seen, mut policy, mut now) = (Seen::default(), Policy::default(), 0);
        let (mut sent, mut released) = (0, 0);
        for (number, (step, ms, share)) in steps.into_iter().enumerate() {
            now += ms * MS;
            lane.drain(&policy, now, &mut seen);
            let chance = Chance { share, correlation: share };
            let next = match step {
                0 => Some(Policy { reorder: chance, loss: chance, ..slow(ms) }),
                1 => Some(Policy::blocked(Block::Hold)),
                2 => Some(Policy { duplicate: chance, bandwidth: Some(100_000), ..slow(0) }),
                3 => Some(if ms % 2 == 0 { Policy::CUT } else { Policy::default() }),
                _ => None,
            };
            if let Some(next) = next {
                if policy != next {
                    released += lane.change(&next, now, &mut seen).len();
                }
                policy = next;
            }
            sent += 1;
            match policy.block {
                Block::Open => pass(&mut lane, &policy, now, number as u8, &mut seen),
                block => {
                    let frame = framed(&udp(6, &[number as u8]));
                    lane.block(block, &frame, Journey::default(), &mut seen);
                }
            }
        }
        lane.change(&Policy::CUT, now, &mut seen);
        prop_assert_eq!((seen.reserved, lane.due(&Policy::default())), (0, None));
        prop_assert!(seen.delivered.len() + seen.stopped + seen.held >= sent);
        prop_assert!(released <= seen.held);
    }

    /// Nodes may send anything, whole or not.
    #[test]
    fn no_frame_is_too_strange(
        bytes in prop::collection::vec(any::<u8>(), 0..120), kind in 0..4u8, seed in any::<u64>(),
        believably in any::<bool>(), flip in any::<(usize, u8)>(),
    ) {
        let half = Chance::of(0.5);
        let policy = Policy {
            loss: Chance::of(0.1),
            duplicate: half,
            reorder: half,
            corrupt: half,
            corrupt_believably: believably,
            reset: half,
            linger: Duration::from_millis(1),
            ..slow(1)
        };
        // Something that looks right at first, with a byte that is not.
        let mut packet = match kind {
            0 => bytes,
            1 => tcp(4, 1, bytes.first().copied().unwrap_or(FIN), &bytes),
            2 => tcp(6, 1, bytes.first().copied().unwrap_or(FIN), &bytes),
            _ => udp(if believably { 4 } else { 6 }, &bytes),
        };
        if !packet.is_empty() {
            let at = flip.0 % packet.len().min(60);
            packet[at] ^= flip.1;
        }
        let mut lane = Lane::new(VNET_HEADER, Rng::new(seed));
        let mut seen = Seen::default();
        for now in 0..8 {
            let mut frame = framed(&packet);
            lane.pass(&policy, now, &mut frame, Journey::default(), &mut seen);
            lane.block(Block::Reject, &frame, Journey::default(), &mut seen);
        }
        lane.drain(&policy, u64::MAX, &mut seen);
        prop_assert_eq!(seen.reserved, 0);
    }
}
