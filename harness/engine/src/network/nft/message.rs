//! Messages to the kernel's packet filter (`nfnetlink`, subsystem `nf_tables`), made by hand: the
//! `nft` program is not on every machine, and a table is to die with *our* socket.

/// `linux/netfilter/nfnetlink.h`: the subsystem, and the messages around a batch.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

/// struct nlmsghdr and struct nfgenmsg.
pub(super) const HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;
/// All our tables are for IPv4.
const FAMILY: u8 = libc::AF_INET as u8;

/// `NFTA_LIST_ELEM`.
pub(super) const ELEMENT: u16 = 1;
const NESTED: u16 = 0x8000;
const TYPE: u16 = 0x3fff;

/// What is to be done (`enum nf_tables_msg_types`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Verb {
    NewTable = 0,
    NewChain = 3,
    NewRule = 6,
    DeleteRule = 8,
    NewSet = 9,
    NewElement = 12,
    NewObject = 18,
    GetObject = 19,
}

/// Messages under construction; a batch is taken as a whole or not at all.
#[derive(Debug, Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    /// How many messages have been begun; each is numbered by it.
    count: u32,
    /// Where the last of them begins.
    last: usize,
}

impl Messages {
    /// A batch that `fill` fills. Its last order is to be acknowledged; refusals are told anyway.
    pub(super) fn batch(fill: impl FnOnce(&mut Messages)) -> Messages {
        let mut messages = Messages::default();
        messages.message(BATCH_BEGIN, 0, 0, SUBSYSTEM, |_| {});
        fill(&mut messages);
        if messages.count > 1 {
            let flags = &mut messages.bytes[messages.last + 6];
            *flags |= libc::NLM_F_ACK as u8;
        }
        messages.message(BATCH_END, 0, 0, SUBSYSTEM, |_| {});
        messages
    }

    /// A question, outside a batch.
    pub(super) fn ask(verb: Verb, fill: impl FnOnce(&mut Messages)) -> Messages {
        let mut messages = Messages::default();
        messages.message(kind(verb), 0, FAMILY, 0, fill);
        messages
    }

    /// Appends an order.
    pub(super) fn order(&mut self, verb: Verb, fill: impl FnOnce(&mut Messages)) {
        let flags = match verb {
            Verb::NewTable => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
            Verb::NewRule => libc::NLM_F_CREATE | libc::NLM_F_APPEND,
            _ => libc::NLM_F_CREATE,
        };
        self.message(kind(verb), flags, FAMILY, 0, fill);
    }

    fn message(
        &mut self,
        kind: u16,
        flags: libc::c_int,
        family: u8,
        resource: u16,
        fill: impl FnOnce(&mut Messages),
    ) {
        let start = self.bytes.len();
        self.last = start;
        self.count += 1;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(((libc::NLM_F_REQUEST | flags) as u16).to_ne_bytes());
        self.bytes.extend(self.count.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        fill(self);
        let length = u32::try_from(self.bytes.len() - start).expect("because messages are short");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Appends an attribute.
    pub(super) fn bytes(&mut self, attribute: u16, value: &[u8]) {
        self.attribute(attribute, |messages| messages.bytes.extend(value));
    }

    /// Appends a number, most significant byte first.
    pub(super) fn number(&mut self, attribute: u16, value: u32) {
        self.bytes(attribute, &value.to_be_bytes());
    }

    /// Appends a long number.
    pub(super) fn long(&mut self, attribute: u16, value: u64) {
        self.bytes(attribute, &value.to_be_bytes());
    }

    /// Appends a name.
    pub(super) fn name(&mut self, attribute: u16, name: &str) {
        self.bytes(attribute, &[name.as_bytes(), &[0]].concat());
    }

    /// Appends an attribute made of attributes.
    pub(super) fn nested(&mut self, attribute: u16, fill: impl FnOnce(&mut Messages)) {
        self.attribute(attribute | NESTED, fill);
    }

    /// Length without padding, type; then the value, padded to four bytes.
    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Messages)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("because no list in our messages has more than a few elements");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// What is to be sent.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many messages these are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

fn kind(verb: Verb) -> u16 {
    SUBSYSTEM << 8 | verb as u16
}

/// A message the kernel sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    /// What it is about: the number of the message it answers.
    pub(super) about: u32,
    /// An error's number, 0 for "done"; none if it carries data.
    pub(super) error: Option<i32>,
    /// Its attributes.
    pub(super) attributes: &'a [u8],
}

/// The messages in what the kernel sent at once.
pub(super) fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let message = bytes.get(..length).filter(|m| m.len() >= HEADER + FAMILY_HEADER)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        let kind = u16::from_ne_bytes([message[4], message[5]]);
        let code = i32::from_ne_bytes(message[HEADER..HEADER + 4].try_into().ok()?);
        Some(Answer {
            about: u32::from_ne_bytes(message[8..12].try_into().ok()?),
            error: (i32::from(kind) == libc::NLMSG_ERROR).then_some(-code),
            attributes: &message[HEADER + FAMILY_HEADER..],
        })
    })
}

/// The value of the first attribute of this type.
pub(super) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?) & TYPE;
        let value = attributes.get(4..length)?;
        if kind == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_true_and_what_is_written_is_found() {
        let batch = Messages::batch(|batch| {
            batch.order(Verb::NewTable, |m| {
                m.name(1, "danso");
                m.nested(4, |m| m.long(2, 7));
                m.number(3, 9);
            });
        });
        assert_eq!(batch.count(), 3);
        let found: Vec<_> = answers(batch.as_bytes()).collect();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|answer| answer.error.is_none()));
        let attributes = found[1].attributes;
        assert_eq!(find(attributes, 1), Some(b"danso\0".as_slice()));
        assert_eq!(find(attributes, 3), Some([0, 0, 0, 9].as_slice()));
        let inner = find(attributes, 4).unwrap();
        assert_eq!(find(inner, 2), Some(7_u64.to_be_bytes().as_slice()));
        assert_eq!(find(attributes, 5), None);
        assert_eq!(answers(&[9, 0, 0, 0]).count(), 0);
    }
}
