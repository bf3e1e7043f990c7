//! Stop: what this resource has started, and what has its configuration, ends; nothing else does.
#![forbid(unsafe_code)]

use nix::sys::signal::Signal;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::instance;
use crate::known::{self, Known};
use crate::server::Server;
use crate::settings::Place;

/// What asks a master to answer the requests that it has, and to end then.
const GRACEFUL: Signal = Signal::SIGWINCH;

/// Stops the server. It needs neither configuration nor program.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>) -> Result<(), Failure> {
    let place = Place::read(&context.invocation.values, context.invocation);
    let remembered = known::read(context.invocation);
    let mut instances: Vec<Known> = remembered.into_iter().collect();
    // Without a memory of these parameters, for instance because another agent has started it.
    if !instances.iter().any(|known| known.key == place.key()) {
        instances.push(instance::describe(&Server::read(context, &place), &place));
    }
    let mut failures = Vec::new();
    for known in &instances {
        let stopped = instance::with(context, known, |daemon| {
            daemon.clear(context.deadline.min(Deadline::after(instance::ORPHANS)))?;
            daemon.stop(Some(GRACEFUL), context.deadline)
        });
        failures.extend(stopped.err());
    }
    match Failure::collect(failures) {
        Some(failure) => Err(failure),
        None => known::forget(context.invocation),
    }
}
