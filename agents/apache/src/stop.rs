//! Stop: what this resource has started, and what has its configuration, ends; nothing else does.
#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::Daemon;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::process::{Process, everybody};

use crate::instance;
use crate::known::{self, Known};
use crate::server::Server;
use crate::settings::Place;

/// The share of the time in which requests may come to their end.
const GRACE: f64 = 0.6;

/// How long a server that is held, by SIGSTOP or a debugger, is given: it hears nothing but SIGKILL.
const HELD: Duration = Duration::from_secs(1);

/// How long a program may take from the decision to start it until it can be seen.
const APPEARING: Duration = Duration::from_millis(100);

/// Stops the server. It needs neither configuration nor program.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>) -> Result<(), Failure> {
    let place = Place::read(&context.invocation.values, context.invocation);
    let remembered = known::read(context.invocation);
    let interrupted = remembered.is_some() && !known::path(context.invocation, "master").exists();
    let mut instances: Vec<Known> = remembered.into_iter().collect();
    // Without a memory of these parameters, for instance because another agent has started it.
    if !instances.iter().any(|known| known.key == place.key()) {
        instances.push(instance::describe(&Server::read(context, &place), &place));
    }
    let ends = instances.iter().map(|known| instance::with(context, known, |daemon| end(context, daemon, interrupted)));
    match Failure::collect(ends.filter_map(Result::err).collect()) {
        Some(failure) => Err(failure),
        None => known::forget(context.invocation),
    }
}

fn end(context: &Context<'_>, daemon: &Daemon<'_>, interrupted: bool) -> Result<(), Failure> {
    daemon.clear(context.deadline.min(Deadline::after(instance::ORPHANS)))?;
    if is_held(daemon)? {
        daemon.stop(&[], context.deadline.min(Deadline::after(HELD)))?;
    }
    if let Some(master) = daemon.observe()?.master {
        let_requests_end(&master, context.deadline.share(GRACE)).or_fail(daemon.name)?;
    }
    daemon.stop(&[], context.deadline)?;
    // A start that was killed at the moment when it was about to become the server shows nothing of it for an instant.
    let appeared = interrupted && Deadline::after(APPEARING).min(context.deadline).poll(|| is_there(daemon)).is_some();
    if appeared { daemon.stop(&[], context.deadline.min(Deadline::after(HELD))) } else { Ok(()) }
}

/// Asks the master to close its addresses and to answer the requests that it has. Its workers end then; it looks for that
/// once in a second only, so what counts is that it has none any more.
fn let_requests_end(master: &Process, deadline: Deadline) -> io::Result<()> {
    let Some(handle) = master.open()? else { return Ok(()) };
    handle.signal(Signal::SIGWINCH)?;
    let ended = deadline.poll(|| match (master.lives(), master.descendants()) {
        (Ok(true), Ok(workers)) if !workers.is_empty() => None,
        (Err(error), _) | (_, Err(error)) => Some(Err(error)),
        _ => Some(Ok(())),
    });
    ended.unwrap_or(Ok(()))
}

fn is_there(daemon: &Daemon<'_>) -> Option<()> {
    let found = daemon.observe().ok()?;
    (found.master.is_some() || !found.orphans.is_empty()).then_some(())
}

fn is_held(daemon: &Daemon<'_>) -> Result<bool, Failure> {
    let Some(master) = daemon.observe()?.master else { return Ok(false) };
    Ok(everybody().or_fail("/proc")?.iter().any(|member| member.process == master && member.held))
}
