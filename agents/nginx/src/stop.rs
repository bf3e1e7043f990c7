//! Ends the server, all of it, whatever the parameters and the configuration say by then.
#![forbid(unsafe_code)]

use ocf::daemon;
use ocf::prelude::*;
use ocf::sys::file;

use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::Identity;

/// Ends what was started, and what the parameters mean now if that is something else and known.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, identity: Option<&Identity>) -> Result<(), Failure> {
    let recorded = Instance::recorded(context.invocation);
    let known = recorded.as_ref().map(|instance| instance.record.identity.clone());
    let other = identity.filter(|identity| known.as_ref() != Some(*identity));
    daemon::stop(context, recorded, || Some(instance::describe(context, other?).instance))
}

/// Looks for what a stop would end.
///
/// # Errors
/// As [`daemon::probe`].
pub fn probe_without_params(
    context: &Context<'_>,
    identity: Option<&Identity>,
) -> Result<Status, Failure> {
    let meant = || Some(instance::describe(context, identity?).instance);
    daemon::probe(context, Instance::recorded(context.invocation), meant)
}

/// Takes away local sockets that no process listens on any more: nginx leaves them when it is
/// killed, and then cannot start.
pub fn sweep(context: &Context<'_>, record: &Record) {
    for path in &record.locals {
        if file::is_not_socket(path) {
            continue;
        }
        if let Err(error) = file::remove_socket(path) {
            context.log.warn(format_args!("{} stays: {error}", path.display()));
        }
    }
}
