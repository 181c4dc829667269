//! [`Ruleset`]: the table this network has in the kernel's packet filter.
//!
//! Whose packet it is, a rule can tell only where it is sent, by its socket's group, and only as
//! long as its socket has an owner. So the first packet of a connection notes in the map `flows`
//! who opened it between which ends, and every later packet, in either direction, with an owner
//! or without, is told by its ends. Policies apply where packets *arrive*: one that is dropped
//! where it is sent is an error to its sender, or tried again at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use super::message::{ELEMENT, Messages, Verb, find};
use super::program::{End, Program, Verdict, go_to, program, value};
use super::socket::Socket;
use crate::network::{Block, Link, Policy};

/// `NFT_OBJECT_COUNTER`.
pub(super) const COUNTER: u32 = 1;

/// Who opened a connection, by its ends.
const FLOWS: &str = "flows";
/// Every group, beside itself.
const SAME: &str = "same";
/// The chain of a packet from the one who called, by both.
const FORTH: &str = "forth";
/// The chain of a packet from the one who was called.
const BACK: &str = "back";
const SENT: &str = "sent";
const ARRIVED: &str = "arrived";

/// A flow is forgotten when it has been silent for so long. Milliseconds.
const SILENCE: u64 = 86_400_000;
/// Flows that are remembered. More than there are ports.
const FLOWS_MOST: u32 = 1 << 20;
/// The longest packet on loopback: less must be allowed to pass at once.
const PACKET: u32 = 65_536;

/// `NFT_TABLE_F_OWNER`: the table dies with the socket that made it.
const OWNED: u32 = 2;
/// `NFT_SET_MAP`, `NFT_SET_TIMEOUT`, `NFT_SET_EVAL`.
const MAP: u32 = 0x8;
const TIMEOUT: u32 = 0x10;
const FROM_RULES: u32 = 0x20;
/// What the `nft` program calls types: address and port, twice; a mark; a mark and an
/// address; two marks.
const ENDS_TYPE: u32 = ((7 << 6 | 13) << 6 | 7) << 6 | 13;
const MARK_TYPE: u32 = 19;
const PAIR_TYPE: u32 = 19 << 6 | 7;
const TWICE_TYPE: u32 = 19 << 6 | 19;
/// `NFT_DATA_VERDICT`.
const VERDICT_TYPE: u32 = 0xffff_ff00;
/// `NF_INET_LOCAL_IN`, `NF_INET_LOCAL_OUT`.
const INPUT: u32 = 1;
const OUTPUT: u32 = 3;

/// One who takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// The group its sockets belong to.
    pub(super) group: u32,
    /// Where it is called, if it can be.
    pub(super) address: Option<Ipv4Addr>,
}

/// A link and its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The link.
    pub(super) link: Link,
    /// Whoever sends.
    pub(super) from: Member,
    /// Whoever receives.
    pub(super) to: Member,
}

/// A table in the packet filter. It disappears with this value, or with the process.
#[derive(Debug)]
pub(super) struct Ruleset {
    table: String,
    socket: Mutex<Socket>,
}

impl Ruleset {
    /// Makes the table, all links clean. `net` is an address of the part of loopback that is ours.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn create(table: String, net: Ipv4Addr, ways: &[Way]) -> Result<Ruleset, Errno> {
        let ruleset = Ruleset { table, socket: Mutex::new(Socket::open()?) };
        ruleset.carry_out(&Messages::batch(|batch| ruleset.lay_out(batch, net, ways)))?;
        Ok(ruleset)
    }

    /// Changes the policies of these links, all at once.
    ///
    /// # Errors
    /// What the kernel says; then nothing is changed.
    pub(super) fn set(&self, changes: &[(Link, Policy)]) -> Result<(), Errno> {
        if changes.is_empty() {
            return Ok(());
        }
        self.carry_out(&Messages::batch(|batch| {
            for (link, policy) in changes {
                let chain = chain(*link);
                batch.order(Verb::DeleteRule, |m| {
                    m.name(1, &self.table);
                    m.name(2, &chain);
                });
                self.policy(batch, &chain, policy);
            }
        }))
    }

    /// Packets that passed the link, and packets that did not.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn counts(&self, link: Link) -> Result<(u64, u64), Errno> {
        let chain = chain(link);
        let count = |counter: &str| {
            let question = Messages::ask(Verb::GetObject, |m| {
                m.name(1, &self.table);
                m.name(2, counter);
                m.number(3, COUNTER);
            });
            let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
            socket.ask(&question, |attributes| {
                // NFTA_OBJ_DATA, NFTA_COUNTER_PACKETS.
                let packets = find(find(attributes, 4)?, 2)?;
                Some(u64::from_be_bytes(packets.try_into().ok()?))
            })
        };
        Ok((count(&passed(&chain))?, count(&stopped(&chain))?))
    }

    fn carry_out(&self, batch: &Messages) -> Result<(), Errno> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).carry_out(batch)
    }

    fn lay_out(&self, batch: &mut Messages, net: Ipv4Addr, ways: &[Way]) {
        batch.order(Verb::NewTable, |m| {
            m.name(1, &self.table);
            m.number(2, OWNED);
        });
        self.map(batch, FLOWS, 1, MAP | TIMEOUT | FROM_RULES, |m| {
            m.number(4, ENDS_TYPE);
            m.number(5, 16);
            m.number(6, MARK_TYPE);
            m.number(7, 4);
            m.nested(9, |m| m.number(1, FLOWS_MOST));
            m.long(11, SILENCE);
        });
        self.map(batch, SAME, 4, 0, |m| {
            m.number(4, TWICE_TYPE);
            m.number(5, 8);
        });
        let groups: BTreeSet<_> = ways.iter().flat_map(|w| [w.from.group, w.to.group]).collect();
        for group in groups {
            self.element(batch, SAME, [group.to_ne_bytes(); 2], |_| {});
        }
        for way in ways {
            let chain = chain(way.link);
            for counter in [passed(&chain), stopped(&chain)] {
                batch.order(Verb::NewObject, |m| {
                    m.name(1, &self.table);
                    m.name(2, &counter);
                    m.number(3, COUNTER);
                    m.nested(4, |_| {});
                });
            }
            batch.order(Verb::NewChain, |m| {
                m.name(1, &self.table);
                m.name(3, &chain);
            });
            self.policy(batch, &chain, &Policy::default());
        }
        for (map, id) in [(FORTH, 2), (BACK, 3)] {
            self.map(batch, map, id, MAP, |m| {
                m.number(4, PAIR_TYPE);
                m.number(5, 8);
                m.number(6, VERDICT_TYPE);
                m.number(7, 4);
            });
        }
        for way in ways {
            let chain = chain(way.link);
            let ends = [(FORTH, way.from, way.to.address), (BACK, way.to, way.from.address)];
            for (map, opener, called) in ends {
                if let Some(called) = called {
                    // Registers hold groups as the machine does, addresses as packets do.
                    let key = [opener.group.to_ne_bytes(), called.octets()];
                    self.element(batch, map, key, |m| go_to(m, 2, &chain));
                }
            }
        }
        self.base(batch, SENT, OUTPUT);
        self.base(batch, ARRIVED, INPUT);
        self.notice(batch, net);
        self.apply(batch, net);
    }

    /// The rules that note who opens what.
    fn notice(&self, batch: &mut Messages, net: Ipv4Addr) {
        let tcp = |p: &mut Program<'_>| {
            p.within(End::Destination, net);
            p.protocol(libc::IPPROTO_TCP);
            p.opens();
        };
        // Every datagram may be the first, unless it is an answer.
        let udp = |p: &mut Program<'_>| {
            p.within(End::Destination, net);
            p.protocol(libc::IPPROTO_UDP);
            p.ends(End::Destination);
            p.unknown(FLOWS);
        };
        for opening in [&tcp as &dyn Fn(&mut Program<'_>), &udp] {
            // Somebody else has had this port.
            self.rule(batch, SENT, |p| {
                opening(p);
                p.ends(End::Source);
                p.known(FLOWS);
                p.is_another(SAME);
                p.forget(FLOWS);
            });
            self.rule(batch, SENT, |p| {
                opening(p);
                p.ends(End::Source);
                p.unknown(FLOWS);
                p.socket_group();
                p.remember(FLOWS);
            });
        }
        // Should the kernel fail to note it: the handshake is tried again.
        self.rule(batch, SENT, |p| {
            tcp(p);
            p.ends(End::Source);
            p.unknown(FLOWS);
            p.verdict(Verdict::Drop);
        });
    }

    /// The rules that find the link of what arrives.
    fn apply(&self, batch: &mut Messages, net: Ipv4Addr) {
        for (called, map) in [(End::Destination, FORTH), (End::Source, BACK)] {
            let caller = if called == End::Source { End::Destination } else { End::Source };
            self.rule(batch, ARRIVED, |p| {
                p.within(called, net);
                p.ends(caller);
                p.known(FLOWS);
                p.refresh(FLOWS);
                p.called(called);
                p.dispatch(map);
            });
        }
    }

    /// The rules of a link.
    fn policy(&self, batch: &mut Messages, chain: &str, policy: &Policy) {
        let (passed, stopped) = (passed(chain), stopped(chain));
        match policy.block {
            Block::Open | Block::Hold => {}
            Block::Drop => return self.drops(batch, chain, &stopped, |_| {}),
            Block::Reject => {
                // The reset that tells the sender of another link.
                self.rule(batch, chain, |p| {
                    p.protocol(libc::IPPROTO_TCP);
                    p.resets();
                    p.count(&passed);
                    p.verdict(Verdict::Accept);
                });
                self.rule(batch, chain, |p| {
                    p.protocol(libc::IPPROTO_TCP);
                    p.count(&stopped);
                    p.reject(true);
                });
                return self.rule(batch, chain, |p| {
                    p.count(&stopped);
                    p.reject(false);
                });
            }
        }
        if let Some(longest) = policy.longest.and_then(|longest| u16::try_from(longest).ok()) {
            self.drops(batch, chain, &stopped, |p| p.longer(longest));
        }
        if policy.loss.share > 0.0 {
            self.drops(batch, chain, &stopped, |p| p.share(policy.loss.share));
        }
        if let Some(rate) = policy.bandwidth {
            let bytes = (rate / 8).max(1);
            self.drops(batch, chain, &stopped, |p| p.exceeds(bytes, PACKET));
        }
        self.rule(batch, chain, |p| p.count(&passed));
    }

    fn drops(
        &self,
        batch: &mut Messages,
        chain: &str,
        counter: &str,
        which: impl FnOnce(&mut Program<'_>),
    ) {
        self.rule(batch, chain, |p| {
            which(p);
            p.count(counter);
            p.verdict(Verdict::Drop);
        });
    }

    fn rule(&self, batch: &mut Messages, chain: &str, write: impl FnOnce(&mut Program<'_>)) {
        batch.order(Verb::NewRule, |m| {
            m.name(1, &self.table);
            m.name(2, chain);
            program(m, write);
        });
    }

    /// A chain through which the kernel sends packets.
    fn base(&self, batch: &mut Messages, name: &str, hook: u32) {
        batch.order(Verb::NewChain, |m| {
            m.name(1, &self.table);
            m.name(3, name);
            m.nested(4, |m| {
                m.number(1, hook);
                m.number(2, 0);
            });
            m.number(5, Verdict::Accept as u32);
            m.name(7, "filter");
        });
    }

    fn map(
        &self,
        batch: &mut Messages,
        name: &str,
        id: u32,
        flags: u32,
        shape: impl FnOnce(&mut Messages),
    ) {
        batch.order(Verb::NewSet, |m| {
            m.name(1, &self.table);
            m.name(2, name);
            m.number(3, flags);
            shape(m);
            m.number(10, id);
        });
    }

    /// Adds to a set or map; `data` is what the map says.
    fn element(
        &self,
        batch: &mut Messages,
        map: &str,
        key: [[u8; 4]; 2],
        data: impl FnOnce(&mut Messages),
    ) {
        batch.order(Verb::NewElement, |m| {
            m.name(1, &self.table);
            m.name(2, map);
            m.nested(3, |m| {
                m.nested(ELEMENT, |m| {
                    value(m, 1, key.as_flattened());
                    data(m);
                });
            });
        });
    }
}

fn chain(link: Link) -> String {
    format!("{}_to_{}", link.from, link.to)
}

fn passed(chain: &str) -> String {
    format!("{chain}_passed")
}

fn stopped(chain: &str) -> String {
    format!("{chain}_stopped")
}
