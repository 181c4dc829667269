//! The few rtnetlink messages the switch needs, made by hand: a link's state and size, an
//! address, a veth pair. Netlink and not `ioctl`, because inside a user namespace only netlink
//! may set a queue's length; and no `ip` program, because not every machine has one.

use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::address::{Addresses, PREFIX4, PREFIX6};
use super::failure::{Failure, Step};

const HEADER: usize = 16;
/// How long the kernel may take to make a route.
const ROUTED_WITHIN: Duration = Duration::from_secs(2);
/// `linux/ipv6_route.h`: a route to an address of this machine; not in libc.
const RTF_LOCAL: u32 = 0x8000_0000;
/// `linux/veth.h`; not in libc.
const VETH_INFO_PEER: u16 = 1;

/// What an interface shall be like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Largest packet, if not the default.
    pub(super) mtu: Option<u32>,
    /// Packets queued before the sender's are dropped, if not the default.
    pub(super) queue: Option<u32>,
    /// No address resolution: all neighbours share one address.
    pub(super) no_arp: bool,
}

/// A route socket of the namespace it was opened in.
pub(super) struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens one in the calling thread's namespace.
    pub(super) fn open() -> Result<Socket, Failure> {
        let flags = SockFlag::SOCK_CLOEXEC;
        socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
            .map(|fd| Socket { fd })
            .map_err(|e| Step::Interface.failed(e))
    }

    /// Gives the interface its shape and brings it up.
    pub(super) fn bring_up(&self, name: &str, shape: Shape) -> Result<(), Failure> {
        let index = index(name)?;
        let noarp = if shape.no_arp { libc::IFF_NOARP } else { 0 };
        let mut message = Message::new(libc::RTM_NEWLINK, 0);
        message.link(index, libc::IFF_UP | noarp);
        if let Some(mtu) = shape.mtu {
            message.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        }
        if let Some(queue) = shape.queue {
            message.attribute(libc::IFLA_TXQLEN, &queue.to_ne_bytes());
        }
        self.ask(message).map_err(|e| Step::Interface.failed(e))
    }

    /// Gives the interface its addresses, and with them the routes to the rest of the subnets.
    /// Returns why it has no IPv6 address, if it has none: not every kernel does IPv6.
    pub(super) fn add_addresses(
        &self,
        name: &str,
        addresses: Addresses,
    ) -> Result<Option<Failure>, Failure> {
        let index = index(name)?;
        self.add_address(index, libc::AF_INET, PREFIX4, &addresses.v4.octets())
            .map_err(|e| Step::Interface.failed(e))?;
        let v6 = self.add_address(index, libc::AF_INET6, PREFIX6, &addresses.v6.octets());
        if v6.is_ok() {
            until_routed(addresses.v6);
        }
        Ok(v6.err().map(|e| Step::Ipv6.failed(e)))
    }

    fn add_address(
        &self,
        index: u32,
        family: libc::c_int,
        prefix: u8,
        address: &[u8],
    ) -> Result<(), Errno> {
        let mut message = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        // struct ifaddrmsg: family, prefix length, flags, scope, index. No search for duplicates:
        // the address can be used at once.
        message.put(&[family as u8, prefix, libc::IFA_F_NODAD as u8, 0]);
        message.put(&index.to_ne_bytes());
        message.attribute(libc::IFA_LOCAL, address);
        message.attribute(libc::IFA_ADDRESS, address);
        self.ask(message)
    }

    /// Makes a veth pair: `name` here, `peer` in `namespace` with the hardware address `mac`.
    pub(super) fn add_veth(
        &self,
        name: &str,
        peer: &str,
        mac: [u8; 6],
        namespace: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let mut message = Message::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        message.link(0, 0);
        message.name(name);
        message.nested(libc::IFLA_LINKINFO, |message| {
            message.attribute(libc::IFLA_INFO_KIND, b"veth");
            message.nested(libc::IFLA_INFO_DATA, |message| {
                message.nested(VETH_INFO_PEER, |message| {
                    message.link(0, 0);
                    message.name(peer);
                    message.attribute(libc::IFLA_ADDRESS, &mac);
                    let fd = namespace.as_raw_fd().to_ne_bytes();
                    message.attribute(libc::IFLA_NET_NS_FD, &fd);
                });
            });
        });
        self.ask(message).map_err(|e| Step::Veth.failed(e))
    }

    /// Sends and waits for the kernel's answer, an error code.
    fn ask(&self, message: Message) -> Result<(), Errno> {
        let bytes = message.finish();
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut answer = [0u8; 4096];
        let length = recv(self.fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        // struct nlmsgerr follows the header: a negative errno, or 0.
        let code = answer[..length].get(HEADER..HEADER + 4).ok_or(Errno::EBADMSG)?;
        match i32::from_ne_bytes([code[0], code[1], code[2], code[3]]) {
            0 => Ok(()),
            code => Err(Errno::from_raw(-code)),
        }
    }
}

/// Waits until the kernel takes packets for this address of the calling thread's namespace: it
/// makes the route to it a moment after it has answered, later still on a busy machine.
fn until_routed(address: Ipv6Addr) {
    let octets = address.octets();
    let hex: String = octets.iter().map(|byte| format!("{byte:02x}")).collect();
    let deadline = Instant::now() + ROUTED_WITHIN;
    loop {
        let Ok(routes) = std::fs::read_to_string("/proc/thread-self/net/ipv6_route") else {
            tracing::debug!("the routes cannot be read, so nobody waits for them");
            return;
        };
        // Destination, prefix length, …, flags, device.
        let is_ours = |line: &str| {
            let flags =
                line.split_whitespace().nth(8).and_then(|f| u32::from_str_radix(f, 16).ok());
            line.starts_with(&hex) && flags.is_some_and(|f| f & RTF_LOCAL != 0)
        };
        if routes.lines().any(is_ours) {
            return;
        }
        if Instant::now() >= deadline {
            tracing::warn!(%address, "the kernel has made no route to this address yet");
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The number of an interface of the calling thread's namespace.
pub(super) fn index(name: &str) -> Result<u32, Failure> {
    if_nametoindex(name).map_err(|e| Step::Interface.failed(e))
}

/// A message under construction.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// struct nlmsghdr: length (filled in at the end), type, flags, sequence, port.
    fn new(kind: u16, flags: libc::c_int) -> Message {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        let mut message = Message { bytes: Vec::with_capacity(256) };
        message.put(&[0; 4]);
        message.put(&kind.to_ne_bytes());
        message.put(&flags.to_ne_bytes());
        message.put(&[0; 8]);
        message
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// struct ifinfomsg: family, padding, type, index, flags, mask of the flags to change.
    fn link(&mut self, index: u32, flags: libc::c_int) {
        self.put(&[0; 4]);
        self.put(&index.to_ne_bytes());
        self.put(&flags.to_ne_bytes());
        self.put(&flags.to_ne_bytes());
    }

    fn name(&mut self, name: &str) {
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        self.attribute(libc::IFLA_IFNAME, &text);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |message| message.put(value));
    }

    /// struct rtattr: length without padding, type; then the value, padded to four bytes.
    fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Message)) {
        let start = self.bytes.len();
        self.put(&[0; 2]);
        self.put(&kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.bytes.len() - start)
            .expect("because all our attributes are a few dozen bytes");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("because messages are short");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested_lengths_are_true() {
        let mut message = Message::new(libc::RTM_NEWLINK, 0);
        message.nested(7, |message| message.attribute(3, b"veth!"));
        let bytes = message.finish();
        assert_eq!(bytes.len(), HEADER + 4 + 4 + 8);
        assert_eq!(bytes[..4], 32u32.to_ne_bytes());
        assert_eq!(bytes[16..20], [16u16.to_ne_bytes(), 7u16.to_ne_bytes()].concat());
        assert_eq!(bytes[20..24], [9u16.to_ne_bytes(), 3u16.to_ne_bytes()].concat());
        assert_eq!(&bytes[24..], b"veth!\0\0\0");
    }
}
