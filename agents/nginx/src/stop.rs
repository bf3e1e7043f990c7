//! Ends the server, all of it, whatever the parameters and the configuration say by then.
#![forbid(unsafe_code)]

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::Polite;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::endpoint::{Endpoint, connect};
use ocf::sys::http::HttpErrorKind;

use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::{Identity, Settings};

/// A local socket answers at once or not at all.
const LOCAL: Duration = Duration::from_millis(200);

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
        let described = instance::describe(context, &identity);
        failures.extend(end(context, &described.instance, context.budget.work()).err());
    }
    match Failure::collect(failures) {
        Some(failure) => Err(failure),
        None => Record::forget(context.invocation),
    }
}

/// Ends an instance: requests that are being answered get some seconds.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end(context: &Context<'_>, instance: &Instance, deadline: Deadline) -> Result<(), Failure> {
    instance.with(|daemon| daemon.stop(Some(Polite::new(Signal::SIGQUIT, &context.invocation.values)), deadline))?;
    sweep(context, &instance.record);
    Ok(())
}

/// Takes away local sockets that nobody listens on any more: nginx leaves them when it is killed, and then cannot start.
pub fn sweep(context: &Context<'_>, record: &Record) {
    for path in &record.locals {
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if !is_socket {
            continue;
        }
        let asked = connect(&Endpoint::Unix(path.clone()), Deadline::after(LOCAL).min(context.budget.rollback()));
        if asked.is_err_and(|error| error.kind == HttpErrorKind::Connect)
            && let Err(error) = std::fs::remove_file(path)
        {
            context.log.warn(format_args!("{} stays: {error}", path.display()));
        }
    }
}
