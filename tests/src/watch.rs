//! When addresses appear and disappear on a machine, told by its kernel.

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket};

use crate::host::Host;
use crate::process::wait_until;

/// An address came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When we were told: never before it happened, and as a rule some microseconds after.
    pub at: SystemTime,
    /// It came (or changed); else it went.
    pub added: bool,
    /// Which.
    pub address: IpAddr,
    /// Its first eight flags (`IFA_F_*`).
    pub flags: u8,
}

/// A listener for changes of addresses. It listens from the moment it exists.
#[derive(Debug)]
pub struct AddressWatch {
    changes: Arc<Mutex<Vec<Change>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl AddressWatch {
    /// Begins to listen on `host`.
    #[must_use]
    pub fn on(host: &Host) -> AddressWatch {
        let socket = host.in_network(open).expect("netlink socket");
        let changes = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (list, flag) = (Arc::clone(&changes), Arc::clone(&over));
        let thread = std::thread::spawn(move || listen(&socket, &list, &flag));
        AddressWatch { changes, over, thread: Some(thread) }
    }

    /// All changes until now.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

impl Drop for AddressWatch {
    fn drop(&mut self) {
        // The thread looks at it at the latest when its receive times out.
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x10 | 0x100;

fn open() -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    let timeout = nix::sys::time::TimeVal::new(0, 50_000);
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::ReceiveTimeout, &timeout)?;
    Ok(socket)
}

fn listen(socket: &OwnedFd, list: &Mutex<Vec<Change>>, over: &AtomicBool) {
    let mut bytes = [0; 16384];
    while !over.load(Ordering::Relaxed) {
        // SAFETY: the buffer lives through the call and its length is right.
        let count = unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        let at = SystemTime::now();
        if count <= 0 {
            continue;
        }
        let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
        list.extend(decode(&bytes[..count as usize], at));
    }
}

/// The messages of one datagram: header of 16 bytes, `ifaddrmsg` of 8, attributes.
fn decode(mut bytes: &[u8], at: SystemTime) -> Vec<Change> {
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
    };
    let half = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 2).and_then(|half| half.try_into().ok()).map_or(0, u16::from_ne_bytes)
    };
    let mut changes = Vec::new();
    while bytes.len() >= 24 {
        let length = word(bytes, 0) as usize;
        let Some(message) = bytes.get(..length) else { break };
        let kind = half(message, 4);
        let mut attributes = message.get(24..).unwrap_or_default();
        let (mut local, mut any) = (None, None);
        while attributes.len() >= 4 {
            let size = usize::from(half(attributes, 0));
            let Some(value) = attributes.get(4..size) else { break };
            match half(attributes, 2) {
                1 => any = ip(value),
                2 => local = ip(value),
                _ => {}
            }
            attributes = attributes.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
        if let (20 | 21, Some(address)) = (kind, local.or(any)) {
            changes.push(Change { at, added: kind == 20, address, flags: message.get(18).copied().unwrap_or(0) });
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    changes
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let four: Option<[u8; 4]> = bytes.try_into().ok();
    let sixteen: Option<[u8; 16]> = bytes.try_into().ok();
    four.map(IpAddr::from).or(sixteen.map(IpAddr::from))
}
