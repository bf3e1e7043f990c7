//! Ends haproxy, all of it: the master, its workers, and the old ones that still serve somebody, whatever the parameters and
//! the configuration say by then.
#![forbid(unsafe_code)]

use nix::sys::signal::Signal;
use ocf::daemon::Polite;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::{Identity, Settings};

/// Ends what was started, and what the parameters mean now if that is something else.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, settings: Option<&Settings>) -> Result<(), Failure> {
    let identity = match settings {
        Some(settings) => settings.identity.clone(),
        None => Identity::of(&context.invocation.values),
    };
    let mut failures = Vec::new();
    let recorded = Instance::recorded(context.invocation);
    let is_same = recorded.as_ref().is_some_and(|instance| instance.record.identity == identity);
    if let Some(instance) = recorded {
        let late = || instance.with(|daemon| daemon.stop_late(context.budget.work()));
        // A start that was killed has left a record, and no note of a master.
        let ended =
            end(context, &instance, context.budget.work()).and_then(|()| if instance.was_up { Ok(()) } else { late() });
        failures.extend(ended.err());
    }
    if !is_same {
        let described = instance::describe(context.invocation, &identity);
        failures.extend(end(context, &described, context.budget.work()).err());
    }
    match Failure::collect(failures) {
        Some(failure) => Err(failure),
        None => Record::forget(context.invocation),
    }
}

/// Ends an instance: those who are connected get some seconds.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end(context: &Context<'_>, instance: &Instance, deadline: Deadline) -> Result<(), Failure> {
    instance.with(|daemon| daemon.stop(Some(Polite::new(Signal::SIGUSR1, &context.invocation.values)), deadline))?;
    instance.sweep(context.invocation)
}
