//! The polite signal to a server's master, and what the server may wait for then.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::param::{Param, time};
use crate::sys::clients::{self, Clients, Ports};
use crate::sys::clock::Deadline;
use crate::sys::process::Process;
use crate::values::Values;

/// How often it is looked what the clients of a server that ends are about.
const LISTENING: Duration = Duration::from_millis(100);

/// How long a server that ends may go on for those who are connected. It takes no new clients
/// meanwhile, and the cluster starts it nowhere else: all of them wait for the last one.
pub const STOP_GRACE: Param<Duration> = Param::new(
    "stop_grace",
    |text| time(text, Duration::from_secs(1)),
    "Time for requests at a stop",
    "How long requests that are being answered have to end at a stop, in seconds or with a unit: \
     30, 30s, 500ms, 2min; three seconds less than the operation's time-out at most. No other \
     client is served meanwhile, on any node. Clients that have connected and not sent a byte get \
     none of it, nor do those of an address that the node does not have any more.",
)
.or("3s")
.reloadable();

/// The part of a stop's time that is kept for SIGTERM and SIGKILL, whatever a server may take to
/// end by itself.
const FORCE: Duration = Duration::from_secs(2);

/// The longest time for a server to finish what it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The signal that lets a master finish, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Polite {
    /// The signal that its master understands so.
    signal: Signal,
    /// How long it may go on.
    grace: Duration,
    /// Whether it goes on for its clients alone.
    for_clients: bool,
}

impl Polite {
    /// For a server that goes on for its clients: with the time that [`STOP_GRACE`] says.
    #[must_use]
    pub fn for_clients(signal: Signal, values: &Values) -> Self {
        // A faulty value is none; a stop has no time to complain.
        Self {
            signal,
            grace: values.get(&STOP_GRACE).unwrap_or(Duration::from_secs(3)),
            for_clients: true,
        }
    }

    /// For a server that has work of its own to finish.
    #[must_use]
    pub fn until_it_ends(signal: Signal) -> Self {
        Self { signal, grace: PATIENCE, for_clients: false }
    }
}

/// Asks a master to end, and waits for that. One that goes on for clients may look after its
/// workers only now and then (apache: every second), and has nothing left to do when they are gone.
/// Nor is there anything to wait for where no client has sent anything (a browser connects in
/// advance, and nginx waits a minute for the first line of it), or where those who have cannot be
/// reached any more, for their address is gone.
pub(super) fn ask(
    polite: &Polite,
    master: &Process,
    has_workers: bool,
    deadline: Deadline,
) -> io::Result<()> {
    let limit = Deadline::after(polite.grace).min(deadline.minus(FORCE));
    let Some(handle) = master.open()? else { return Ok(()) };
    if !polite.for_clients {
        handle.signal(polite.signal)?;
        return handle.wait(limit).map(drop);
    }
    // It closes them at the signal.
    let ports = master
        .descendants()
        .and_then(|workers| Ports::of(&with(workers, master)))
        .unwrap_or_else(|_| Ports::any());
    handle.signal(polite.signal)?;
    let mut next = Deadline::after(LISTENING);
    let over = limit.poll(|| match (master.lives(), master.descendants()) {
        (Ok(true), Ok(workers)) if has_workers && workers.is_empty() => Some(Ok(())),
        (Ok(true), Ok(workers)) if next.expired() => {
            next = Deadline::after(LISTENING);
            let clients = clients::of_all(&with(workers, master), &ports);
            // Where the kernel does not say, the others are waited for.
            clients.is_ok_and(|clients| clients == Clients::Silent).then_some(Ok(()))
        }
        (Ok(true), Ok(_)) => None,
        (Ok(false), _) => Some(Ok(())),
        (Err(error), _) | (_, Err(error)) => Some(Err(error)),
    });
    over.unwrap_or(Ok(()))
}

fn with(workers: Vec<Process>, master: &Process) -> Vec<Process> {
    workers.into_iter().chain([*master]).collect()
}
