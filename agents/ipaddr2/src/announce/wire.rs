//! Sends and receives the packets of [`crate::announce::frame`]: two kinds of sockets and nothing
//! else.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::libc;
use nix::net::if_::if_indextoname;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, recv, sendto,
    setsockopt, socket, sockopt,
};

use ocf::sys::clock::Deadline;

use crate::announce::frame::Arp;

/// The longest link-layer address (`MAX_ADDR_LEN`).
const LONGEST_HW: usize = 32;

/// `struct sockaddr_ll` with room for any link-layer address; libc's has room for eight bytes, the
/// kernel reads as many as the length says (`packet_sendmsg`).
#[repr(C)]
struct LinkAddress {
    family: u16,
    protocol: u16,
    index: i32,
    hardware: u16,
    packet: u8,
    length: u8,
    address: [u8; LONGEST_HW],
}

impl LinkAddress {
    fn new(index: u32, address: &[u8]) -> io::Result<Self> {
        let mut bytes = [0; LONGEST_HW];
        bytes
            .get_mut(..address.len())
            .ok_or_else(|| io::Error::other("link-layer address is too long"))?
            .copy_from_slice(address);
        Ok(Self {
            family: libc::AF_PACKET as u16,
            protocol: (libc::ETH_P_ARP as u16).to_be(),
            index: i32::try_from(index).map_err(io::Error::other)?,
            hardware: 0,
            packet: 0,
            length: address.len() as u8,
            address: bytes,
        })
    }
}

/// A socket for ARP on one interface.
///
/// Closing the last descriptor of one waits for a grace period of the kernel, 8 to 16 ms: it is
/// left to the background where time matters.
#[derive(Debug)]
pub struct ArpSocket {
    fd: OwnedFd,
    index: u32,
}

impl AsRawFd for ArpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl ArpSocket {
    /// A socket that only sends. Protocol 0, so that the kernel queues no packets for it.
    ///
    /// # Errors
    /// The kernel's; without CAP_NET_RAW it refuses.
    pub fn sending(index: u32) -> io::Result<Self> {
        let fd = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        Ok(Self { fd, index })
    }

    /// A socket that sends, and receives the interface's ARP packets from now on.
    ///
    /// # Errors
    /// As [`Self::sending`].
    pub fn receiving(index: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Packet, SockType::Datagram, flags, None)?;
        let address = LinkAddress::new(index, &[])?;
        // SAFETY: `address` is laid out as struct sockaddr_ll, and its whole size is passed.
        let bound = unsafe {
            libc::bind(
                fd.as_raw_fd(),
                std::ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound == 0 { Ok(Self { fd, index }) } else { Err(io::Error::last_os_error()) }
    }

    /// Sends a packet to a link-layer address.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, packet: &Arp, to: &[u8]) -> io::Result<()> {
        let address = LinkAddress::new(self.index, to)?;
        let bytes = packet.to_bytes();
        // SAFETY: `bytes` and `address` outlive the call, and their own sizes are passed.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                0,
                std::ptr::from_ref(&address).cast(),
                size_of::<LinkAddress>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next ARP packet; `None` when none comes in time. What is not a whole ARP packet for IPv4
    /// is skipped.
    ///
    /// # Errors
    /// The kernel's.
    pub fn receive(&self, until: Deadline) -> io::Result<Option<Arp>> {
        receive(&self.fd, until, Arp::parse)
    }
}

/// A socket for ICMPv6 on one interface. The kernel adds the IPv6 header, the checksum, and the
/// link-layer header of whatever kind of interface it is.
#[derive(Debug)]
pub struct AdvertisementSocket {
    fd: OwnedFd,
    index: u32,
}

impl AsRawFd for AdvertisementSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AdvertisementSocket {
    /// Opens one that sends from an address that this host has.
    ///
    /// # Errors
    /// The kernel's; without CAP_NET_RAW it refuses.
    pub fn open(ip: Ipv6Addr, index: u32) -> io::Result<Self> {
        let socket = Self::anonymous(index)?;
        let own = SockaddrIn6::from(SocketAddrV6::new(ip, 0, 0, index));
        nix::sys::socket::bind(socket.fd.as_raw_fd(), &own)?;
        Ok(socket)
    }

    /// Opens one that sends from the interface's link-local address, and receives.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn anonymous(index: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Inet6, SockType::Raw, flags, SockProtocol::IcmpV6)?;
        // Neighbours drop any other hop limit (RFC 4861, section 7.1.2).
        setsockopt(&fd, sockopt::Ipv6MulticastHops, &255)?;
        setsockopt(&fd, sockopt::Ipv6Ttl, &255)?;
        // An interface that is a part of a VRF has its addresses to itself: they can be used only
        // by a socket that is bound to the device (`ipv6_chk_addr`, l3mdev).
        setsockopt(
            &fd,
            sockopt::BindToDevice,
            &OsString::from(if_indextoname(index)?.to_string_lossy().as_ref()),
        )?;
        Ok(Self { fd, index })
    }

    /// Sends a packet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send(&self, packet: &[u8], to: Ipv6Addr) -> io::Result<()> {
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, self.index));
        sendto(self.fd.as_raw_fd(), packet, &to, MsgFlags::empty())?;
        Ok(())
    }

    /// Receives packets until one is what `wanted` looks for; `None` when none comes in time.
    ///
    /// # Errors
    /// The kernel's.
    pub fn receive<T>(
        &self,
        until: Deadline,
        wanted: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        receive(&self.fd, until, wanted)
    }
}

/// The next packet of a socket that is what `wanted` looks for; `None` when none comes in time.
fn receive<T>(
    fd: &OwnedFd,
    until: Deadline,
    wanted: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    let mut buffer = [0; 512];
    loop {
        let milliseconds = until.left().as_micros().div_ceil(1000).min(60_000) as u16;
        let mut wait = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        if poll(&mut wait, PollTimeout::from(milliseconds))? == 0 {
            return Ok(None);
        }
        match recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => {
                if let Some(found) = wanted(&buffer[..length]) {
                    return Ok(Some(found));
                }
            }
            Err(nix::Error::EAGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        if until.expired() {
            return Ok(None);
        }
    }
}
