//! Ears at the far end of the wire: what arrives at a machine's network device, with the kernel's
//! time of arrival.

use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};

use crate::frame::{Frame, Mac, checksum_holds, decode};
use crate::host::Host;

/// One frame that arrived.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When the kernel got it.
    pub at: SystemTime,
    /// Ethernet destination.
    pub to: Mac,
    /// Ethernet source.
    pub from: Mac,
    /// What it says.
    pub frame: Frame,
    /// Whether the checksum is right (always true for ARP, which has none).
    pub intact: bool,
}

/// A capture on one device. It listens from the moment it exists; frames wait in the socket until
/// they are read.
#[derive(Debug)]
pub struct Capture {
    socket: OwnedFd,
    heard: Vec<Heard>,
}

/// Everything that arrives, whatever its protocol.
const ALL: u16 = libc::ETH_P_ALL as u16;

impl Capture {
    /// Begins to listen on the device `nic` of `host`. Frames that `host` itself sends are not
    /// heard.
    #[must_use]
    pub fn on(host: &Host, nic: &str) -> Capture {
        let socket = host
            .in_network(|| open(nic))
            .unwrap_or_else(|error| panic!("capture on {nic}: {error}"));
        Capture { socket, heard: Vec::new() }
    }

    /// All that has arrived until now.
    pub fn heard(&mut self) -> &[Heard] {
        while let Some(frame) = self.receive() {
            self.heard.extend(frame);
        }
        &self.heard
    }

    /// Waits until `enough` says so about all that has arrived, or `limit` passes; returns what has
    /// arrived either way.
    pub fn wait_until(&mut self, limit: Duration, enough: impl Fn(&[Heard]) -> bool) -> &[Heard] {
        let deadline = Instant::now() + limit;
        while !enough(self.heard()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let wait =
                PollTimeout::try_from(left.as_millis() as i32 + 1).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], wait);
        }
        self.heard()
    }

    /// The announcements of an address that have arrived: ARP with it as sender and target, or its
    /// advertisements.
    pub fn announcements(&mut self, address: &str) -> Vec<Heard> {
        let address: IpAddr = address.parse().expect("an address");
        self.heard().iter().filter(|heard| announces(&heard.frame, address)).cloned().collect()
    }

    /// Waits until `count` announcements of an address have arrived; panics after `limit`.
    pub fn expect_announcements(
        &mut self,
        address: &str,
        count: usize,
        limit: Duration,
    ) -> Vec<Heard> {
        let wanted: IpAddr = address.parse().expect("an address");
        let of = |heard: &[Heard]| {
            heard.iter().filter(|heard| announces(&heard.frame, wanted)).count() >= count
        };
        self.wait_until(limit, of);
        let found = self.announcements(address);
        assert!(
            found.len() >= count,
            "{count} announcements of {address} within {limit:?} are expected: {found:#?}"
        );
        found
    }

    /// Nothing: there was no more. Some(None): a frame of no interest.
    fn receive(&mut self) -> Option<Option<Heard>> {
        let mut bytes = [0; 2048];
        let mut control = nix::cmsg_space!(libc::timespec);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = loop {
            let flags = MsgFlags::MSG_DONTWAIT;
            match recvmsg::<LinkAddr>(
                self.socket.as_raw_fd(),
                &mut parts,
                Some(&mut control),
                flags,
            ) {
                Ok(received) => break received,
                Err(nix::errno::Errno::EINTR) => {}
                // ENETDOWN is reported once when the device goes down; the socket stays good.
                Err(nix::errno::Errno::ENETDOWN) => return Some(None),
                Err(_) => return None,
            }
        };
        let length = received.bytes;
        let own =
            received.address.is_none_or(|address| packet_type(&address) == libc::PACKET_OUTGOING);
        let at = received.cmsgs().ok()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => {
                Some(UNIX_EPOCH + Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32))
            }
            _ => None,
        });
        let bytes = &bytes[..length];
        let Some((to, from, frame)) = decode(bytes).filter(|_| !own) else { return Some(None) };
        let intact = matches!(frame, Frame::Arp { .. }) || checksum_holds(bytes);
        Some(at.map(|at| Heard { at, to, from, frame, intact }))
    }
}

fn packet_type(address: &LinkAddr) -> u8 {
    let raw: &libc::sockaddr_ll = address.as_ref();
    raw.sll_pkttype
}

/// Whether a frame is a gratuitous announcement of an address.
#[must_use]
pub fn announces(frame: &Frame, address: IpAddr) -> bool {
    match (frame, address) {
        (Frame::Arp { sender_ip, target_ip, .. }, IpAddr::V4(address)) => {
            *sender_ip == address && *target_ip == address
        }
        (Frame::Advertisement { target, solicited, .. }, IpAddr::V6(address)) => {
            *target == address && !solicited
        }
        _ => false,
    }
}

/// Whether a frame names an IPv4 address as its sender's.
#[must_use]
pub fn is_from(frame: &Frame, address: Ipv4Addr) -> bool {
    matches!(frame, Frame::Arp { sender_ip, .. } if *sender_ip == address)
}

/// The members of the group of all IPv6 nodes.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// A packet socket on one device, in the network namespace of the calling thread.
fn open(nic: &str) -> nix::Result<OwnedFd> {
    let index = nix::net::if_::if_nametoindex(nic)?;
    // Protocol 0: nothing arrives before the bind, so that no other device is heard either.
    let none: Option<SockProtocol> = None;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, none)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20));
    // Without root the buffer stays small: what is of no interest may not fill it.
    only_announcements(&socket)?;
    // SAFETY: all-zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ALL.to_be();
    address.sll_ifindex = index as i32;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address lives through the call and its length is right.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    nix::errno::Errno::result(bound)?;
    Ok(socket)
}

/// Keeps all frames away but ARP and neighbour solicitations and advertisements.
fn only_announcements(socket: &OwnedFd) -> nix::Result<()> {
    // Classic BPF: load (half, byte) at an offset; compare and skip so many instructions if equal,
    // if not; return.
    let load = |size: u16, at| libc::sock_filter { code: 0x20 | size, jt: 0, jf: 0, k: at };
    let equal = |k, jt, jf| libc::sock_filter { code: 0x15, jt, jf, k };
    let give = |length| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: length };
    let mut program = [
        load(0x08, 12),      // type of the frame
        equal(0x0806, 6, 0), // ARP
        equal(0x86dd, 0, 6), // IPv6
        load(0x10, 14 + 6),  // its next header
        equal(58, 0, 4),     // ICMPv6
        load(0x10, 14 + 40), // its type
        equal(135, 1, 0),    // solicitation
        equal(136, 0, 1),    // advertisement
        give(0xffff),
        give(0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the program lives through the call, and its length is right.
    let attached = unsafe {
        let fd = socket.as_raw_fd();
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            length,
        )
    };
    nix::errno::Errno::result(attached).map(drop)
}
