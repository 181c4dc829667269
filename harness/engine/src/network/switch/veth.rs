//! One end of the switch as a veth pair, for users who may make namespaces but not open
//! `/dev/net/tun`: the far end is the party's interface, at the near end a packet socket reads
//! and writes Ethernet frames.
//!
//! All far ends have the same hardware address and resolve none, so that a frame one of them
//! sends is, untouched, a frame for any other.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};

use super::address::Addresses;
use super::failure::{Failure, Step};
use super::namespace::Namespace;
use super::netlink::{Shape, Socket, index};
use super::{INTERFACE, MTU};

/// Locally administered.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Bytes a port may have waiting in each direction, where the machine allows that much.
const BUFFER: usize = 16 << 20;

/// `linux/if_packet.h`: leave out what we have sent ourselves; not in libc.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// Makes the pair between `near`, the switch's own namespace, and `far`, and returns the packet
/// socket, and why the far end has no IPv6 address. `number` tells the near ends apart.
pub(super) fn create(
    near: &Namespace,
    far: &Namespace,
    number: usize,
    addresses: Addresses,
) -> Result<(OwnedFd, Option<Failure>), Failure> {
    let name = format!("port{number}");
    near.run(|| Socket::open()?.add_veth(&name, INTERFACE, MAC, far.as_fd()))?;
    let shape = Shape { mtu: Some(MTU), queue: None, no_arp: true };
    // The near end first. Whichever comes up first learns later, by a kernel thread that may have
    // better to do, that it has a carrier, and until then loses what is sent; the near end's
    // socket does not care.
    let fd = near.run(|| {
        Socket::open()?.bring_up(&name, shape)?;
        packets(index(&name)?)
    })?;
    let no_ipv6 = far.run(|| {
        let socket = Socket::open()?;
        socket.bring_up(INTERFACE, shape)?;
        socket.add_addresses(INTERFACE, addresses)
    })?;
    Ok((fd, no_ipv6))
}

/// A packet socket on one interface, with the header that lets super-packets through.
fn packets(interface: u32) -> Result<OwnedFd, Failure> {
    let failed = |e| Step::PacketSocket.failed(e);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None).map_err(failed)?;
    for option in [libc::PACKET_VNET_HDR, libc::PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING] {
        switch_on(&fd, option).map_err(failed)?;
    }
    // Beyond the machine's limit only for root; up to the limit for everyone.
    if setsockopt(&fd, sockopt::RcvBufForce, &BUFFER).is_err() {
        setsockopt(&fd, sockopt::RcvBuf, &BUFFER).map_err(failed)?;
    }
    if setsockopt(&fd, sockopt::SndBufForce, &BUFFER).is_err() {
        setsockopt(&fd, sockopt::SndBuf, &BUFFER).map_err(failed)?;
    }
    bind(&fd, interface).map_err(failed)?;
    Ok(fd)
}

fn switch_on(fd: &OwnedFd, option: libc::c_int) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and pointer and length describe `on`, which outlives the
    // call.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

fn bind(fd: &OwnedFd, interface: u32) -> Result<(), Errno> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: interface as libc::c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the descriptor is open, and pointer and length describe `address`, which outlives
    // the call.
    let done = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}
