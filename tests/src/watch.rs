//! When addresses appear and disappear on a machine, and what it learns of its neighbours, as its
//! kernel reports it.

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};

use crate::frame::Mac;
use crate::host::Host;
use crate::process::wait_until;

/// An address came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When the kernel reported it: never before it happened, and as a rule some microseconds
    /// after.
    pub at: SystemTime,
    /// It came (or changed); else it went.
    pub added: bool,
    /// Which.
    pub address: IpAddr,
    /// Its first eight flags (`IFA_F_*`).
    pub flags: u8,
}

/// A neighbour became known, or known otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// When the kernel reported it.
    pub at: SystemTime,
    /// Whose Ethernet address it is.
    pub address: IpAddr,
    /// The Ethernet address, once it is known.
    pub mac: Option<Mac>,
}

/// A listener for one kind of news. It listens from the moment it exists.
#[derive(Debug)]
struct Listener<T> {
    news: Arc<Mutex<Vec<T>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl<T: Clone + Send + 'static> Listener<T> {
    fn on(host: &Host, groups: u32, read: fn(u16, &[u8], SystemTime) -> Option<T>) -> Listener<T> {
        let socket = host.in_network(|| open(groups)).expect("netlink socket");
        let news = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (list, flag) = (Arc::clone(&news), Arc::clone(&over));
        let thread = std::thread::spawn(move || listen(&socket, read, &list, &flag));
        Listener { news, over, thread: Some(thread) }
    }

    fn all(&self) -> Vec<T> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Drop for Listener<T> {
    fn drop(&mut self) {
        // The thread looks at it at the latest when its receive times out.
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A listener for changes of addresses. It listens from the moment it exists.
#[derive(Debug)]
pub struct AddressWatch(Listener<Change>);

impl AddressWatch {
    /// Begins to listen on `host`.
    #[must_use]
    pub fn on(host: &Host) -> AddressWatch {
        // RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR.
        AddressWatch(Listener::on(host, 0x10 | 0x100, change))
    }

    /// All changes until now.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.0.all()
    }

    /// When the address first came; panics when it does not within two seconds.
    #[must_use]
    pub fn added(&self, address: &str) -> SystemTime {
        let wanted: IpAddr = address.parse().expect("an address");
        let found = wait_until(Duration::from_secs(2), || {
            self.changes().into_iter().find(|change| change.added && change.address == wanted)
        });
        found.unwrap_or_else(|| panic!("{address} was never added: {:#?}", self.changes())).at
    }
}

/// A listener for changes of the neighbour cache. It listens from the moment it exists.
#[derive(Debug)]
pub struct NeighbourWatch(Listener<Neighbour>);

impl NeighbourWatch {
    /// Begins to listen on `host`.
    #[must_use]
    pub fn on(host: &Host) -> NeighbourWatch {
        // RTMGRP_NEIGH.
        NeighbourWatch(Listener::on(host, 0x4, neighbour))
    }

    /// All news until now about an address.
    #[must_use]
    pub fn about(&self, address: IpAddr) -> Vec<Neighbour> {
        self.0.all().into_iter().filter(|news| news.address == address).collect()
    }
}

fn open(groups: u32) -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    let timeout = nix::sys::time::TimeVal::new(0, 50_000);
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimeout, &timeout)?;
    Ok(socket)
}

fn listen<T>(
    socket: &OwnedFd,
    read: fn(u16, &[u8], SystemTime) -> Option<T>,
    list: &Mutex<Vec<T>>,
    over: &AtomicBool,
) {
    let mut bytes = [0; 16384];
    while !over.load(Ordering::Relaxed) {
        // SAFETY: the buffer lives through the call and its length is right.
        let count =
            unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        let at = SystemTime::now();
        if count <= 0 {
            continue;
        }
        let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = &bytes[..count as usize];
        // A datagram holds messages, each with a header of 16 bytes: length, kind, ...
        while left.len() >= 16 {
            let length = word(left, 0) as usize;
            let Some(message) = left.get(16..length) else { break };
            list.extend(read(half(left, 4), message, at));
            left = left.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|half| half.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

/// The value of an attribute, among those that begin at `from`.
fn attribute(message: &[u8], from: usize, kind: u16) -> Option<&[u8]> {
    let mut left = message.get(from..)?;
    while left.len() >= 4 {
        let size = usize::from(half(left, 0));
        let value = left.get(4..size)?;
        if half(left, 2) == kind {
            return Some(value);
        }
        left = left.get(size.next_multiple_of(4)..)?;
    }
    None
}

/// `RTM_NEWADDR` and `RTM_DELADDR`: `ifaddrmsg` of 8 bytes, then `IFA_LOCAL` or else `IFA_ADDRESS`.
fn change(kind: u16, message: &[u8], at: SystemTime) -> Option<Change> {
    let added = match kind {
        20 => true,
        21 => false,
        _ => return None,
    };
    let address = attribute(message, 8, 2).or(attribute(message, 8, 1)).and_then(ip)?;
    Some(Change { at, added, address, flags: *message.get(2)? })
}

/// `RTM_NEWNEIGH`: `ndmsg` of 12 bytes, then `NDA_DST` and `NDA_LLADDR`.
fn neighbour(kind: u16, message: &[u8], at: SystemTime) -> Option<Neighbour> {
    if kind != 28 {
        return None;
    }
    let address = attribute(message, 12, 1).and_then(ip)?;
    let mac = attribute(message, 12, 2).and_then(|mac| mac.try_into().ok()).map(Mac);
    Some(Neighbour { at, address, mac })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four: Option<[u8; 4]> = bytes.try_into().ok();
    let sixteen: Option<[u8; 16]> = bytes.try_into().ok();
    four.map(IpAddr::from).or(sixteen.map(IpAddr::from))
}
