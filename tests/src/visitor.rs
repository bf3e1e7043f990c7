//! A visitor of a web site: a new request at a steady rate, whatever became of the last one, so
//! that an outage shows in full.
//!
//! Each request has a connection of its own. An answer counts when it is complete, has status 200
//! and is in time; the time is less than TCP's first repetition (one second), so that a request
//! that found no server is a failure and not a late answer.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, socket, sockopt,
};

use crate::host::Host;
use crate::probe::{Outage, Probe};

/// Between two requests.
pub const INTERVAL: Duration = Duration::from_millis(20);

/// Until an answer must be complete.
pub const PATIENCE: Duration = Duration::from_millis(900);

/// The error of a request that had no complete answer in time, with or without a connection.
pub const NO_ANSWER: &str = "no answer";

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// When it began.
    pub sent: SystemTime,
    /// When it was over; `None` while it is under way.
    pub ended: Option<SystemTime>,
    /// The page's first line, or what went wrong.
    pub said: Result<String, String>,
}

impl Request {
    /// Whether it ended well with this page.
    #[must_use]
    pub fn shows(&self, page: &str) -> bool {
        self.said.as_deref() == Ok(page)
    }

    /// As a question that was answered or not.
    fn probe(&self) -> Probe {
        Probe { sent: self.sent, answered: self.ended.filter(|_| self.said.is_ok()) }
    }
}

/// What a visitor saw between two moments.
#[must_use]
pub fn outage(requests: &[Request], from: SystemTime, to: SystemTime) -> Outage {
    let probes: Vec<Probe> = requests.iter().map(Request::probe).collect();
    Outage::between(&probes, from, to)
}

/// A client that sends requests until it is dropped.
#[derive(Debug)]
pub struct Visitor {
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Visitor {
    /// Asks the web server at `address` for `/` from `host`, once in every [`INTERVAL`].
    #[must_use]
    pub fn on(host: &Host, address: SocketAddr) -> Visitor {
        Visitor::every(INTERVAL, host, address)
    }

    /// As [`Visitor::on`], with another interval: a slow machine has other work too.
    #[must_use]
    pub fn every(interval: Duration, host: &Host, address: SocketAddr) -> Visitor {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let (list, flag, network) = (Arc::clone(&requests), Arc::clone(&over), host.network());
        let thread =
            std::thread::spawn(move || network.run(|| visit(address, interval, &list, &flag)));
        Visitor { requests, over, thread: Some(thread) }
    }

    /// All requests that have begun until now, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests that began after `moment`.
    #[must_use]
    pub fn since(&self, moment: SystemTime) -> Vec<Request> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let first = requests.partition_point(|request| request.sent <= moment);
        requests[first..].to_vec()
    }

    /// The pages of the last `count` requests that are over, if there were so many and all went
    /// well.
    #[must_use]
    pub fn last_pages(&self, count: usize) -> Option<Vec<String>> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let over = requests.iter().rev().filter(|request| request.ended.is_some()).take(count);
        let pages: Vec<String> = over.filter_map(|request| request.said.clone().ok()).collect();
        (pages.len() == count).then_some(pages)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        // The thread looks at it at least once in an interval.
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A single request from `host`: the page's first line, or what went wrong.
pub fn get(host: &Host, address: SocketAddr, path: &str) -> Result<String, String> {
    host.in_network(|| {
        let mut visit = Visit::begin(address, 0)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(said) = visit.go_on(path) {
                return said;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NO_ANSWER.into());
            }
            let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let _ = poll(&mut [PollFd::new(visit.stream.as_fd(), visit.wants())], wait);
        }
    })
}

/// A request that is under way.
#[derive(Debug)]
struct Visit {
    stream: TcpStream,
    index: usize,
    is_sent: bool,
    answer: Vec<u8>,
}

impl Visit {
    fn begin(address: SocketAddr, index: usize) -> Result<Visit, String> {
        let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(family, SockType::Stream, flags, None)
            .map_err(|error| error.desc().to_owned())?;
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.desc().to_owned()),
        }
        Ok(Visit { stream: TcpStream::from(socket), index, is_sent: false, answer: Vec::new() })
    }

    fn wants(&self) -> PollFlags {
        if self.is_sent { PollFlags::POLLIN } else { PollFlags::POLLOUT }
    }

    /// Does what can be done at once; the end, if this was it.
    fn go_on(&mut self, path: &str) -> Option<Result<String, String>> {
        if !self.is_sent {
            match getsockopt(&self.stream, sockopt::SocketError) {
                Ok(0) => {}
                Ok(errno) => return Some(Err(Errno::from_raw(errno).desc().to_owned())),
                Err(error) => return Some(Err(error.desc().to_owned())),
            }
            let written = write!(
                self.stream,
                "GET {path} HTTP/1.0\r\nHost: site\r\nConnection: close\r\n\r\n"
            );
            match written {
                Ok(()) => self.is_sent = true,
                // Not connected yet.
                Err(error)
                    if [io::ErrorKind::NotConnected, io::ErrorKind::WouldBlock]
                        .contains(&error.kind()) =>
                {
                    return None;
                }
                Err(error) => return Some(Err(described(&error))),
            }
        }
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Some(page(&self.answer)),
                Ok(count) => self.answer.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(described(&error))),
            }
        }
    }
}

fn described(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |errno| Errno::from_raw(errno).desc().to_owned())
}

/// The first line of the page in an answer with status 200.
fn page(answer: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(answer);
    let status = text.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    match (status, text.split_once("\r\n\r\n")) {
        ("200", Some((_, body))) if !body.trim().is_empty() => {
            Ok(body.trim().lines().next().unwrap_or_default().to_owned())
        }
        ("200", _) => Err("an empty page".into()),
        ("", _) => Err("connection closed".into()),
        (other, _) => Err(format!("status {other}")),
    }
}

fn visit(address: SocketAddr, interval: Duration, list: &Mutex<Vec<Request>>, over: &AtomicBool) {
    let mut under_way: Vec<(Instant, Visit)> = Vec::new();
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        if Instant::now() >= next {
            let mut requests = list.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = SystemTime::now();
            match Visit::begin(address, requests.len()) {
                Ok(visit) => {
                    under_way.push((Instant::now() + PATIENCE, visit));
                    requests.push(Request { sent, ended: None, said: Err("under way".into()) });
                }
                Err(why) => requests.push(Request { sent, ended: Some(sent), said: Err(why) }),
            }
            next += interval;
            // What was missed is not caught up: it would be a burst.
            next = next.max(Instant::now());
        }
        let ready: Vec<bool> = {
            let wait = PollTimeout::try_from(
                next.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000) as i32,
            );
            let mut watched: Vec<PollFd<'_>> = under_way
                .iter()
                .map(|(_, visit)| PollFd::new(visit.stream.as_fd(), visit.wants()))
                .collect();
            let _ = poll(&mut watched, wait.unwrap_or(PollTimeout::ZERO));
            watched
                .iter()
                .map(|one| one.revents().is_some_and(|events| !events.is_empty()))
                .collect()
        };
        let (now, mut ready) = (Instant::now(), ready.into_iter());
        let mut ended = Vec::new();
        under_way.retain_mut(|(deadline, visit)| {
            let said = match ready.next() {
                Some(true) => visit.go_on("/"),
                _ => None,
            };
            let said = said.or_else(|| (now >= *deadline).then(|| Err(NO_ANSWER.into())));
            let goes_on = said.is_none();
            ended.extend(said.map(|said| (visit.index, said)));
            goes_on
        });
        let at = SystemTime::now();
        let mut requests = list.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, said) in ended {
            (requests[index].ended, requests[index].said) = (Some(at), said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_page_with_status_200_counts() {
        assert_eq!(page(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nnode1\nmore"), Ok("node1".into()));
        assert_eq!(page(b"HTTP/1.1 503 no\r\n\r\nnode1"), Err("status 503".into()));
        assert_eq!(page(b"HTTP/1.1 200 OK\r\n\r\n"), Err("an empty page".into()));
        assert_eq!(page(b""), Err("connection closed".into()));
    }
}
