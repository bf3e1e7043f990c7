//! Ends haproxy, all of it: the master, its workers, and the old ones that still serve clients,
//! whatever the parameters and the configuration say by then.
#![forbid(unsafe_code)]

use ocf::daemon::{self, Daemon, Found};
use ocf::prelude::*;

use crate::instance::{self, Instance};
use crate::settings::Identity;

/// Ends what was started, and what the parameters mean now if that is something else.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
    let recorded = Instance::recorded(context.invocation);
    let is_same = recorded.as_ref().is_some_and(|instance| instance.record.identity == *identity);
    daemon::stop(context, recorded, || (!is_same).then(|| meant(context, identity)))
}

/// The instance that the parameters mean, with the files of the haproxy that runs, if one does: it
/// may have been started by other means, or while the resource had another name.
fn meant(context: &Context<'_>, identity: &Identity) -> Instance {
    let described = instance::describe(context.invocation, identity);
    match described.observe(context.budget.work()) {
        Ok(Found { master: Some(master), .. }) => described.taken_from(&master),
        _ => described,
    }
}

/// Looks for what a stop would end.
///
/// # Errors
/// As [`daemon::probe`].
pub fn probe_without_params(context: &Context<'_>, identity: &Identity) -> Result<Status, Failure> {
    let meant = || instance::describe(context.invocation, identity);
    daemon::probe(context, Instance::recorded(context.invocation), || Some(meant()))
}
