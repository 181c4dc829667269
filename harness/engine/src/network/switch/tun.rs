//! One end of the switch as a TUN interface: whole IP packets through a file descriptor.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::address::Addresses;
use super::failure::{Failure, Step};
use super::netlink::{Shape, Socket};
use super::packet::VNET_HEADER;
use super::{INTERFACE, MTU, QUEUE};

/// `linux/if_tun.h`: what the reader copes with. Checksums not yet filled in, and super-packets,
/// which makes a bulk transfer an order of magnitude cheaper.
const TUN_F_CSUM: libc::c_uint = 0x01;
const TUN_F_TSO4: libc::c_uint = 0x02;
const TUN_F_TSO6: libc::c_uint = 0x04;

mod ioctl {
    nix::ioctl_write_ptr_bad!(attach, libc::TUNSETIFF, libc::ifreq);
    nix::ioctl_write_ptr_bad!(header, libc::TUNSETVNETHDRSZ, libc::c_int);
    nix::ioctl_write_int_bad!(offload, libc::TUNSETOFFLOAD);
}

/// Makes the interface in the calling thread's namespace, up and with its addresses; and why not
/// with the IPv6 one.
pub(super) fn create(addresses: Addresses) -> Result<(OwnedFd, Option<Failure>), Failure> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let fd = open("/dev/net/tun", flags, Mode::empty()).map_err(|e| Step::OpenTun.failed(e))?;
    attach(&fd).map_err(|e| Step::AttachTun.failed(e))?;
    let socket = Socket::open()?;
    socket.bring_up(INTERFACE, Shape { mtu: Some(MTU), queue: Some(QUEUE), no_arp: false })?;
    let no_ipv6 = socket.add_addresses(INTERFACE, addresses)?;
    Ok((fd, no_ipv6))
}

fn attach(fd: &OwnedFd) -> Result<(), Errno> {
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(INTERFACE.bytes()) {
        *to = from as libc::c_char;
    }
    let request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags as libc::c_short },
    };
    let header = VNET_HEADER as libc::c_int;
    // SAFETY: the descriptor is open, each request takes what its ioctl reads, and both outlive
    // the calls.
    unsafe {
        ioctl::attach(fd.as_raw_fd(), &raw const request)?;
        ioctl::header(fd.as_raw_fd(), &raw const header)?;
        ioctl::offload(fd.as_raw_fd(), (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) as libc::c_int)?;
    }
    Ok(())
}
