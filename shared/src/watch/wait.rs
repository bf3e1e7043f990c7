//! The sleep of a waiting monitor: until an event, a moment, or the end of the executor.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::sources::Sources;
use crate::sys::clock::Deadline;

/// The least time from one wake to the next: at most 20 wakes a second, whatever happens on the
/// machine.
const APART: Duration = Duration::from_millis(50);

/// How often sources without a descriptor are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Why the sleep has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time is over.
    Time,
    /// This happened; and how long it takes until things have settled.
    Event(String, Duration),
    /// No process reads our stdout any more: the executor has ended.
    ReaderGone,
    /// The kernel refused to wait.
    Failed(nix::Error),
}

/// When the last wake was.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
}

impl Pace {
    /// When the next wake may be.
    fn next(&self) -> Deadline {
        Deadline::at(self.last.map_or_else(Instant::now, |last| last + APART))
    }
}

/// Waits for an event until a moment.
pub fn wait(sources: &mut Sources, until: Deadline, pace: &mut Pace) -> Woken {
    loop {
        if pause(pace.next().min(until)) {
            return Woken::ReaderGone;
        }
        let looks = sources.list().iter().any(|source| source.fd().is_none());
        let limit = if looks { until.min(Deadline::after(LOOK)) } else { until };
        let ready = match sleep(sources, limit) {
            Ok(Slept::ReaderGone) => return Woken::ReaderGone,
            Ok(Slept::Ready(ready)) => ready,
            Err(error) => return Woken::Failed(error),
        };
        pace.last = Some(Instant::now());
        // Each of them is read. The one that is judged first is named: whatever settles can wait.
        let list = sources.list().iter_mut().enumerate().filter(|(at, _)| ready.contains(at));
        let events =
            list.filter_map(|(_, source)| source.event().map(|event| (event, source.settling())));
        if let Some((event, settling)) = events.min_by_key(|(_, settling)| *settling) {
            return Woken::Event(event, settling);
        }
        if until.expired() {
            return Woken::Time;
        }
    }
}

/// Waits until a moment, whatever happens; `true` when the executor has ended.
pub fn pause(until: Deadline) -> bool {
    while !until.expired() {
        match sleep(&mut Sources::default(), until) {
            Ok(Slept::ReaderGone) => return true,
            Ok(Slept::Ready(_)) => {}
            Err(_) => return false,
        }
    }
    false
}

enum Slept {
    ReaderGone,
    /// The numbers of the sources that may have an event; those without a descriptor always may.
    Ready(Vec<usize>),
}

/// One call of poll(2).
fn sleep(sources: &mut Sources, until: Deadline) -> nix::Result<Slept> {
    let stdout = std::io::stdout();
    // A pipe whose reader has gone says POLLERR, which is always looked for, a terminal POLLHUP.
    let mut all = vec![PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let fds: Vec<Option<BorrowedFd<'_>>> =
        sources.list().iter().map(|source| source.fd()).collect();
    all.extend(fds.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
    match poll(&mut all, limit(until.left())) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(error) => return Err(error),
    }
    let happened = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    if all[0].revents().is_some_and(|events| events.intersects(gone)) {
        return Ok(Slept::ReaderGone);
    }
    let mut states = all[1..].iter().map(happened);
    let ready = fds.iter().map(|fd| fd.is_none() || states.next().unwrap_or_default());
    Ok(Slept::Ready(ready.enumerate().filter_map(|(at, ready)| ready.then_some(at)).collect()))
}

/// Rounded up: a wait that ends before its time would be repeated at once.
fn limit(left: Duration) -> PollTimeout {
    let ms = left.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
    PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
}
