//! Stop: what this resource has started, and what has its configuration, ends; nothing else does.
#![forbid(unsafe_code)]

use nix::sys::signal::Signal;
use ocf::daemon::{Daemon, Polite};
use ocf::prelude::*;

use crate::instance;
use crate::known::Known;
use crate::server::Server;
use crate::settings::Place;

/// What asks a master to close its addresses, to answer the requests that it has, and to end then.
const GRACEFUL: Signal = Signal::SIGWINCH;

/// Stops the server. It needs neither configuration nor program.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>) -> Result<(), Failure> {
    let place = Place::read(&context.invocation.values, context.invocation);
    let remembered = Known::load(context.invocation);
    let interrupted = remembered.is_some() && !Known::path(context.invocation, "master").exists();
    let mut instances: Vec<Known> = remembered.into_iter().collect();
    // Without a memory of these parameters, for instance because another agent has started it.
    if !instances.iter().any(|known| known.key == place.key()) {
        instances.push(instance::describe(&Server::read(context, &place), &place));
    }
    let ends = instances.iter().map(|known| instance::with(context, known, |daemon| end(context, daemon, interrupted)));
    match Failure::collect(ends.filter_map(Result::err).collect()) {
        Some(failure) => Err(failure),
        None => Known::forget(context.invocation),
    }
}

fn end(context: &Context<'_>, daemon: &Daemon<'_>, interrupted: bool) -> Result<(), Failure> {
    daemon.clear(context.budget.work())?;
    daemon.stop(Some(Polite::new(GRACEFUL, &context.invocation.values)), context.budget.work())?;
    if interrupted { daemon.stop_late(context.budget.work()) } else { Ok(()) }
}
