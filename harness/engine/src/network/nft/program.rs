//! [`Program`]: what a rule of the packet filter does, expression by expression.

use std::net::Ipv4Addr;

use super::message::{ELEMENT, Messages};

/// The 32-bit registers, from `NFT_REG32_00`; 0 is the verdict's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(pub(super) u32);

/// Where a verdict goes.
const VERDICT: Register = Register(0);
/// Registers 0 to 3: the ends of a connection, as its opener sees them.
pub(super) const ENDS: Register = Register(8);
/// Register 4: who opened it.
pub(super) const OPENER: Register = Register(12);
/// Register 5, right behind it: the address that was called.
pub(super) const CALLED: Register = Register(13);
/// Register 6, for anything.
const SCRATCH: Register = Register(14);

/// `NFTA_RULE_EXPRESSIONS` and the attributes of an expression.
const EXPRESSIONS: u16 = 4;
const NAME: u16 = 1;
const DATA: u16 = 2;
/// `NFTA_DATA_VALUE`, `NFTA_DATA_VERDICT`, `NFTA_VERDICT_CODE`, `NFTA_VERDICT_CHAIN`.
const VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const CODE: u16 = 1;
const CHAIN: u16 = 2;

/// `enum nft_payload_bases`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
/// `NFT_META_PRIORITY`, `NFT_META_SKGID`, `NFT_META_L4PROTO`.
const PRIORITY: u32 = 2;
const SOCKET_GROUP: u32 = 11;
const PROTOCOL: u32 = 16;

/// `NFT_GOTO`.
const GOTO: i32 = -4;
/// Random numbers of the kernel are drawn below this.
const MILLION: u32 = 1_000_000;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const FIN_SYN_RST_ACK: u8 = 0x17;

/// How to compare (`enum nft_cmp_ops`).
#[derive(Clone, Copy)]
enum Compare {
    Equal = 0,
    Less = 2,
    Greater = 4,
}

/// An end of a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it comes from.
    Source,
    /// Where it goes.
    Destination,
}

impl End {
    fn other(self) -> End {
        match self {
            End::Source => End::Destination,
            End::Destination => End::Source,
        }
    }

    /// Of the address in the IP header.
    fn address(self) -> u32 {
        if self == End::Source { 12 } else { 16 }
    }

    /// Of the port in TCP's and UDP's header.
    fn port(self) -> u32 {
        if self == End::Source { 0 } else { 2 }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It vanishes.
    Drop = 0,
    /// It passes.
    Accept = 1,
}

/// The expressions of a rule. A rule is left at the first that does not hold.
pub(super) struct Program<'a> {
    messages: &'a mut Messages,
}

/// Writes a rule's expressions into its message.
pub(super) fn program(messages: &mut Messages, write: impl FnOnce(&mut Program<'_>)) {
    messages.nested(EXPRESSIONS, |messages| write(&mut Program { messages }));
}

/// Writes what a map says of a packet: to go on in `chain`.
pub(super) fn go_to(messages: &mut Messages, attribute: u16, chain: &str) {
    messages.nested(attribute, |m| {
        m.nested(DATA_VERDICT, |m| {
            m.bytes(CODE, &GOTO.to_be_bytes());
            m.name(CHAIN, chain);
        });
    });
}

/// Writes a value.
pub(super) fn value(messages: &mut Messages, attribute: u16, bytes: &[u8]) {
    messages.nested(attribute, |m| m.bytes(VALUE, bytes));
}

impl Program<'_> {
    fn expression(&mut self, name: &str, fill: impl FnOnce(&mut Messages)) {
        self.messages.nested(ELEMENT, |m| {
            m.name(NAME, name);
            m.nested(DATA, fill);
        });
    }

    fn payload(&mut self, base: u32, offset: u32, length: u32, into: Register) {
        self.expression("payload", |m| {
            m.number(1, into.0);
            m.number(2, base);
            m.number(3, offset);
            m.number(4, length);
        });
    }

    fn meta(&mut self, key: u32, into: Register) {
        self.expression("meta", |m| {
            m.number(1, into.0);
            m.number(2, key);
        });
    }

    fn mask(&mut self, mask: &[u8]) {
        self.expression("bitwise", |m| {
            m.number(1, SCRATCH.0);
            m.number(2, SCRATCH.0);
            m.number(3, mask.len() as u32);
            value(m, 4, mask);
            value(m, 5, &vec![0; mask.len()]);
        });
    }

    fn compare(&mut self, how: Compare, with: &[u8]) {
        self.expression("cmp", |m| {
            m.number(1, SCRATCH.0);
            m.number(2, how as u32);
            value(m, 3, with);
        });
    }

    /// Holds for packets of this protocol.
    pub(super) fn protocol(&mut self, protocol: libc::c_int) {
        self.meta(PROTOCOL, SCRATCH);
        self.compare(Compare::Equal, &[protocol as u8]);
    }

    /// Holds if this end's address has the same first 16 bits as `like`.
    pub(super) fn within(&mut self, end: End, like: Ipv4Addr) {
        let [first, second, ..] = like.octets();
        self.payload(NETWORK, end.address(), 4, SCRATCH);
        self.mask(&[255, 255, 0, 0]);
        self.compare(Compare::Equal, &[first, second, 0, 0]);
    }

    /// Holds for the packet that opens a TCP connection.
    pub(super) fn opens(&mut self) {
        self.payload(TRANSPORT, 13, 1, SCRATCH);
        self.mask(&[FIN_SYN_RST_ACK]);
        self.compare(Compare::Equal, &[SYN]);
    }

    /// Holds for a TCP reset.
    pub(super) fn resets(&mut self) {
        self.payload(TRANSPORT, 13, 1, SCRATCH);
        self.mask(&[RST]);
        self.compare(Compare::Equal, &[RST]);
    }

    /// Holds for IP packets longer than that.
    pub(super) fn longer(&mut self, bytes: u16) {
        self.payload(NETWORK, 2, 2, SCRATCH);
        self.compare(Compare::Greater, &bytes.to_be_bytes());
    }

    /// Holds for this share of packets; the kernel draws.
    pub(super) fn share(&mut self, share: f64) {
        self.expression("numgen", |m| {
            m.number(1, SCRATCH.0);
            m.number(2, MILLION);
            // Random.
            m.number(3, 1);
            m.number(4, 0);
        });
        // Comparisons want the most significant byte first.
        self.expression("byteorder", |m| {
            m.number(1, SCRATCH.0);
            m.number(2, SCRATCH.0);
            m.number(3, 1);
            m.number(4, 4);
            m.number(5, 4);
        });
        let part = (share * f64::from(MILLION)).round() as u32;
        self.compare(Compare::Less, &part.to_be_bytes());
    }

    /// Holds for what exceeds so many bytes a second, `burst` bytes at once apart.
    pub(super) fn exceeds(&mut self, bytes_per_second: u64, burst: u32) {
        self.expression("limit", |m| {
            m.long(1, bytes_per_second);
            m.long(2, 1);
            m.number(3, burst);
            // Bytes, and inverted: holds above the limit.
            m.number(4, 1);
            m.number(5, 1);
        });
    }

    /// Holds if the packet's socket is known; its group becomes the opener.
    pub(super) fn socket_group(&mut self) {
        self.meta(SOCKET_GROUP, OPENER);
    }

    /// Holds if the packet's socket is known, and is not of the opener's group: the set has every
    /// group, twice in one.
    pub(super) fn is_another(&mut self, set: &str) {
        self.meta(SOCKET_GROUP, CALLED);
        self.look_up(set, OPENER, None, true);
    }

    /// Takes the packet's ends, those of whoever called first.
    pub(super) fn ends(&mut self, caller: End) {
        for (register, end) in [(ENDS, caller), (Register(ENDS.0 + 2), caller.other())] {
            self.payload(NETWORK, end.address(), 4, register);
            self.payload(TRANSPORT, end.port(), 2, Register(register.0 + 1));
        }
    }

    /// Takes the address that was called.
    pub(super) fn called(&mut self, end: End) {
        self.payload(NETWORK, end.address(), 4, CALLED);
    }

    /// Holds if `map` knows these ends; what it says becomes the opener.
    pub(super) fn known(&mut self, map: &str) {
        self.look_up(map, ENDS, Some(SCRATCH), false);
        // The way round by the packet's priority, which nobody looks at on loopback, is for the
        // `nft` program: it fails on rules that look up what they have looked up.
        self.expression("meta", |m| {
            m.number(2, PRIORITY);
            m.number(3, SCRATCH.0);
        });
        self.meta(PRIORITY, OPENER);
    }

    /// Holds if `map` does not know these ends.
    pub(super) fn unknown(&mut self, map: &str) {
        self.look_up(map, ENDS, None, true);
    }

    /// Goes where `map` says of the opener and the address that was called.
    pub(super) fn dispatch(&mut self, map: &str) {
        self.look_up(map, OPENER, Some(VERDICT), false);
    }

    fn look_up(&mut self, map: &str, key: Register, into: Option<Register>, inverted: bool) {
        self.expression("lookup", |m| {
            m.name(1, map);
            m.number(2, key.0);
            if let Some(into) = into {
                m.number(3, into.0);
            }
            if inverted {
                m.number(5, 1);
            }
        });
    }

    /// Notes in `map` who opened between these ends, if it does not know.
    pub(super) fn remember(&mut self, map: &str) {
        const ADD: u32 = 0;
        self.change(map, ADD);
    }

    /// Makes `map` forget who opened between these ends.
    pub(super) fn forget(&mut self, map: &str) {
        const DELETE: u32 = 2;
        self.change(map, DELETE);
    }

    /// Makes `map` remember these ends for longer.
    pub(super) fn refresh(&mut self, map: &str) {
        const UPDATE: u32 = 1;
        self.change(map, UPDATE);
    }

    fn change(&mut self, map: &str, operation: u32) {
        self.expression("dynset", |m| {
            m.name(1, map);
            m.number(3, operation);
            m.number(4, ENDS.0);
            m.number(5, OPENER.0);
        });
    }

    /// Counts.
    pub(super) fn count(&mut self, counter: &str) {
        self.expression("objref", |m| {
            m.number(1, super::ruleset::COUNTER);
            m.name(2, counter);
        });
    }

    /// Ends here.
    pub(super) fn verdict(&mut self, verdict: Verdict) {
        self.expression("immediate", |m| {
            m.number(1, VERDICT.0);
            m.nested(2, |m| m.nested(DATA_VERDICT, |m| m.number(CODE, verdict as u32)));
        });
    }

    /// Ends here, and tells the sender: by a reset, or by "port unreachable".
    pub(super) fn reject(&mut self, by_reset: bool) {
        const PORT_UNREACHABLE: u8 = 3;
        self.expression("reject", |m| {
            m.number(1, by_reset.into());
            if !by_reset {
                m.bytes(2, &[PORT_UNREACHABLE]);
            }
        });
    }
}
