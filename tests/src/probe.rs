//! Requests at a steady rate, whatever became of the last one.
//!
//! Open loop: a client that waits for each answer asks less while there is none, and so hides the
//! outage it should measure. The questions are ICMP echo requests; answers carry the kernel's time
//! of arrival.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType,
    SockaddrStorage, connect, recvmsg, send, setsockopt, socket, sockopt,
};

use crate::host::Host;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// When it was sent.
    pub sent: SystemTime,
    /// When the answer arrived.
    pub answered: Option<SystemTime>,
}

/// What a client saw of an address during some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Questions sent.
    pub sent: usize,
    /// Questions that were never answered.
    pub lost: usize,
    /// The longest time between two answers that followed each other.
    pub longest_gap: Duration,
}

impl Outage {
    /// Judges the questions that were sent between two moments.
    #[must_use]
    pub fn between(probes: &[Probe], from: SystemTime, to: SystemTime) -> Outage {
        let inside = || probes.iter().filter(|probe| probe.sent >= from && probe.sent <= to);
        let mut answers: Vec<SystemTime> = inside().filter_map(|probe| probe.answered).collect();
        answers.sort_unstable();
        let gaps =
            answers.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default());
        // With no answer at all, the gap is at least all of the time.
        let all = to.duration_since(from).unwrap_or_default();
        Outage {
            sent: inside().count(),
            lost: inside().filter(|probe| probe.answered.is_none()).count(),
            longest_gap: gaps.max().unwrap_or(all),
        }
    }
}

/// A client that asks, from the moment it exists until it is dropped.
#[derive(Debug)]
pub struct Prober {
    probes: Arc<Mutex<Vec<Probe>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Prober {
    /// Asks `address` from `host` once in every `interval`.
    #[must_use]
    pub fn on(host: &Host, address: IpAddr, interval: Duration) -> Prober {
        let socket = host
            .in_network(|| open(address))
            .unwrap_or_else(|error| panic!("socket that asks {address}: {error}"));
        let probes = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (list, flag) = (Arc::clone(&probes), Arc::clone(&over));
        let thread =
            std::thread::spawn(move || ask(&socket, address.is_ipv6(), interval, &list, &flag));
        Prober { probes, over, thread: Some(thread) }
    }

    /// All questions until now, in order.
    #[must_use]
    pub fn probes(&self) -> Vec<Probe> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a question that was sent after `moment` has been answered.
    #[must_use]
    pub fn answered_since(&self, moment: SystemTime) -> bool {
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes
            .iter()
            .rev()
            .take_while(|probe| probe.sent > moment)
            .any(|probe| probe.answered.is_some())
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        // The thread looks at it at least once in an interval.
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A raw socket that speaks with one address, in the network namespace of the calling thread.
fn open(address: IpAddr) -> nix::Result<OwnedFd> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let socket =
        socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, protocol)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, 0)))?;
    Ok(socket)
}

fn ask(
    socket: &OwnedFd,
    six: bool,
    interval: Duration,
    list: &Mutex<Vec<Probe>>,
    over: &AtomicBool,
) {
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let left = next.saturating_duration_since(Instant::now());
        let wait = PollTimeout::try_from(left.as_micros().div_ceil(1000) as i32)
            .unwrap_or(PollTimeout::ZERO);
        let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], wait);
        let mut probes = list.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((number, at)) = answer(socket, six) {
            // Numbers are 16 bits wide: it is the newest question that has this one.
            let newest = probes.len().wrapping_sub(1);
            let back = usize::from((newest as u16).wrapping_sub(number));
            if let Some(probe) = newest.checked_sub(back).and_then(|index| probes.get_mut(index)) {
                probe.answered.get_or_insert(at);
            }
        }
        if Instant::now() >= next {
            let request = request(six, probes.len() as u16);
            probes.push(Probe { sent: SystemTime::now(), answered: None });
            // Nowhere to send it to is no answer.
            let _ = send(socket.as_raw_fd(), &request, MsgFlags::empty());
            next += interval;
            // What was missed is not caught up: it would be a burst.
            if next < Instant::now() {
                next = Instant::now() + interval;
            }
        }
    }
}

/// Distinguishes our questions from everybody else's on the same machine.
const IDENTIFIER: u16 = 0x0cf0;

fn request(six: bool, number: u16) -> [u8; 16] {
    let mut message = [0; 16];
    message[0] = if six { 128 } else { 8 };
    message[4..6].copy_from_slice(&IDENTIFIER.to_be_bytes());
    message[6..8].copy_from_slice(&number.to_be_bytes());
    if !six {
        // For ICMPv6 the kernel does it.
        let sum: u32 =
            message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        message[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    }
    message
}

/// The number of the next answer that waits, and when it arrived. Other messages are passed over.
fn answer(socket: &OwnedFd, six: bool) -> Option<(u16, SystemTime)> {
    loop {
        let mut bytes = [0; 256];
        let mut control = nix::cmsg_space!(libc::timespec);
        let (length, at) = {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
            let received = match recvmsg::<()>(fd, &mut parts, Some(&mut control), flags) {
                Ok(received) => received,
                // An error that the kernel learnt of: reported once.
                Err(nix::errno::Errno::EAGAIN) => return None,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(_) => return None,
            };
            let at = received.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(time) => Some(
                        UNIX_EPOCH + Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32),
                    ),
                    _ => None,
                })
            });
            (received.bytes, at)
        };
        // IPv4 raw sockets give the IP header too.
        let header = if six { 0 } else { usize::from(bytes[0] & 0xf) * 4 };
        let Some(message) = bytes.get(header..length).filter(|message| message.len() >= 8) else {
            continue;
        };
        let reply = message[0] == if six { 129 } else { 0 };
        if reply && message[4..6] == IDENTIFIER.to_be_bytes() {
            let number = u16::from_be_bytes([message[6], message[7]]);
            return Some((number, at.unwrap_or_else(SystemTime::now)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_counted_and_measured() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        let probe =
            |ms, answered: bool| Probe { sent: at(ms), answered: answered.then(|| at(ms + 1)) };
        let probes =
            [probe(0, true), probe(10, true), probe(20, false), probe(30, false), probe(40, true)];
        let outage = Outage::between(&probes, at(5), at(100));
        assert_eq!(outage, Outage { sent: 4, lost: 2, longest_gap: Duration::from_millis(30) });
        assert_eq!(Outage::between(&probes, at(15), at(35)).longest_gap, Duration::from_millis(20));
    }

    #[test]
    fn the_checksum_of_a_request_is_right() {
        let sum: u32 = request(false, 0x1234)
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
