//! How a server is asked to end, and what it may wait for.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Daemon;
use crate::param::{Param, time};
use crate::sys::clients::{self, Clients};
use crate::sys::clock::Deadline;
use crate::sys::process::Process;
use crate::values::Values;

/// How often it is looked what the clients of a server that ends are about.
const LISTENING: Duration = Duration::from_millis(100);

/// How long a server that ends may go on for those who are connected. It takes no new clients meanwhile, and the cluster
/// starts it nowhere else: all of them wait for the last one. That may be one who cannot go on, for its address is gone.
pub const STOP_GRACE: Param<Duration> = Param::new(
    "stop_grace",
    |text| time(text, Duration::from_secs(1)),
    "Time for requests at a stop",
    "How long requests that are being answered have to end at a stop, in seconds or with a unit: 30, 30s, 500ms, 2min; three \
     seconds less than the operation's time-out at most. Nobody else is served meanwhile, on any node. Clients that have \
     connected and not sent a byte get none of it.",
)
.or("3s")
.reloadable();

/// How a server is asked to end.
#[derive(Clone, Copy, Debug)]
pub struct Polite {
    /// The signal that its master understands so.
    pub signal: Signal,
    /// How long it may go on.
    pub grace: Duration,
}

impl Polite {
    /// With the time that [`STOP_GRACE`] says.
    #[must_use]
    pub fn new(signal: Signal, values: &Values) -> Self {
        // A faulty value is none; a stop has no time to complain.
        Self { signal, grace: values.get(&STOP_GRACE).unwrap_or(Duration::from_secs(3)) }
    }
}

impl Daemon<'_> {
    /// Asks a master to end once its requests are answered, and waits for that. A master may look after its workers only
    /// now and then (apache: every second), and has nothing left to do when they are gone. Nor is there anything to wait
    /// for where nobody has asked: a browser connects in advance, and nginx waits a minute for the first line of it.
    pub(super) fn ask(
        &self,
        master: &Process,
        signal: Signal,
        has_workers: bool,
        deadline: Deadline,
    ) -> io::Result<()> {
        let Some(handle) = master.open()? else { return Ok(()) };
        handle.signal(signal)?;
        let mut next = Deadline::after(LISTENING);
        let over = deadline.poll(|| match (master.lives(), master.descendants()) {
            (Ok(true), Ok(workers)) if has_workers && workers.is_empty() => Some(Ok(())),
            (Ok(true), Ok(workers)) if next.expired() => {
                next = Deadline::after(LISTENING);
                let all: Vec<Process> = workers.into_iter().chain([*master]).collect();
                // Where that cannot be told, the others are waited for.
                clients::of_all(&all).is_ok_and(|clients| clients == Clients::Silent).then_some(Ok(()))
            }
            (Ok(true), Ok(_)) => None,
            (Ok(false), _) => Some(Ok(())),
            (Err(error), _) | (_, Err(error)) => Some(Err(error)),
        });
        over.unwrap_or(Ok(()))
    }
}
