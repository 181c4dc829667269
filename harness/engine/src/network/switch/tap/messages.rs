//! [`Messages`]: packets of one flow that follow one another become one line of the traffic log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use danso_vocab::codec::traffic::Writer;
use danso_vocab::traffic::{Fate, Message};

use super::{Event, Missing};
use crate::network::switch::packet::{FIN, ICMP, ICMP6, RST, SYN, TCP, UDP};

/// A pause after which a flow's next packet is another message, nanoseconds.
const PAUSE: u64 = 1_000_000;
/// Messages that may be unfinished.
const MOST_OPEN: usize = 10_000;
/// What a line costs, not known exactly before it is written.
const LINE: u64 = 190;

/// Packets with one of these belong together: link, protocol, ports, fate.
type Flow = (usize, u8, (u16, u16), Fate);

/// The traffic log under way.
pub(super) struct Messages {
    /// `None` once writing has failed.
    out: Option<Writer<BufWriter<File>>>,
    names: Vec<String>,
    opened: u64,
    left: u64,
    open: BTreeMap<Flow, Open>,
    newest: u64,
    missing: Arc<Missing>,
}

struct Open {
    first: Event,
    last: u64,
}

impl Messages {
    /// Of parties with these names; times count from `opened`. At most so many bytes.
    pub(super) fn new(
        out: Writer<BufWriter<File>>,
        names: Vec<String>,
        opened: u64,
        most: u64,
        missing: Arc<Missing>,
    ) -> Messages {
        let open = BTreeMap::new();
        Messages { out: Some(out), names, opened, left: most, open, newest: 0, missing }
    }

    /// Takes note of a packet.
    pub(super) fn take(&mut self, event: &Event) {
        self.newest = self.newest.max(event.sent);
        if event.bytes > 0 {
            self.answered(event);
        }
        let flow = (event.link, event.protocol, event.ports, event.fate);
        if let Some(open) = self.open.get_mut(&flow) {
            if event.sent.saturating_sub(open.last) <= PAUSE {
                open.last = open.last.max(event.sent);
                open.first.bytes += event.bytes;
                open.first.packets += event.packets;
                open.first.flags |= event.flags;
                return;
            }
            let whole = self.open.remove(&flow);
            self.write_all(whole);
        }
        self.open.insert(flow, Open { first: *event, last: event.sent });
    }

    /// Data in one direction ends the message in the other: the next is an answer to it.
    fn answered(&mut self, event: &Event) {
        let parties = self.names.len();
        let back = event.link % parties * parties + event.link / parties;
        let ports = (event.ports.1, event.ports.0);
        let flow = |fate| (back, event.protocol, ports, fate);
        let both = flow(Fate::Passed)..=flow(Fate::Dropped);
        let ended: Vec<Flow> =
            self.open.range(both).filter(|(_, o)| o.first.bytes > 0).map(|(f, _)| *f).collect();
        for flow in ended {
            let whole = self.open.remove(&flow);
            self.write_all(whole);
        }
    }

    /// Writes what is finished.
    pub(super) fn sweep(&mut self) {
        let newest = self.newest;
        let done = |open: &Open| newest.saturating_sub(open.last) > PAUSE;
        if self.open.len() > MOST_OPEN {
            let all = std::mem::take(&mut self.open);
            self.write_all(all.into_values());
        } else {
            let done: Vec<_> = self.open.extract_if(.., |_, open| done(open)).collect();
            self.write_all(done.into_iter().map(|(_, open)| open));
        }
    }

    fn write_all(&mut self, messages: impl IntoIterator<Item = Open>) {
        let mut messages: Vec<Event> = messages.into_iter().map(|open| open.first).collect();
        messages.sort_by_key(|event| event.sent);
        for event in messages {
            let message = self.message(&event);
            let written = match &mut self.out {
                Some(out) if self.left >= LINE => out.message(message),
                _ => {
                    self.left = 0;
                    self.missing.logged.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            };
            self.left -= LINE;
            self.check(written);
        }
    }

    fn message(&self, event: &Event) -> Message {
        let parties = self.names.len();
        let since = |time: u64| time.saturating_sub(self.opened);
        let letters = [(SYN, 'S'), (FIN, 'F'), (RST, 'R')];
        let set = letters.into_iter().filter(|(flag, _)| event.flags & flag != 0);
        Message {
            sent: since(event.sent),
            arrived: event.arrived.map(since),
            from: self.names[event.link / parties].clone(),
            to: self.names[event.link % parties].clone(),
            protocol: match event.protocol {
                TCP => "tcp".to_owned(),
                UDP => "udp".to_owned(),
                ICMP | ICMP6 => "icmp".to_owned(),
                other => other.to_string(),
            },
            ports: event.ports,
            bytes: event.bytes,
            packets: event.packets,
            flags: set.map(|(_, letter)| letter).collect(),
            fate: event.fate,
        }
    }

    pub(super) fn flush(&mut self) {
        // Nothing has come for a while, so nothing will join.
        let all = std::mem::take(&mut self.open);
        self.write_all(all.into_values());
        let flushed = self.out.as_mut().map_or(Ok(()), Writer::flush);
        self.check(flushed);
    }

    /// Writes what is unfinished and the last line.
    pub(super) fn end(mut self) {
        self.flush();
        let missing = self.missing.logged.load(Ordering::Relaxed);
        if let Some(Err(error)) = self.out.take().map(|out| out.end(missing)) {
            tracing::warn!(%error, "the traffic log has no end");
        }
    }

    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!(%error, "the traffic log ends: it cannot be written");
            self.out = None;
        }
    }
}
