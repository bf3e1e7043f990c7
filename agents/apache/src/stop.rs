//! Stop: what this resource has started, and what has its configuration, ends; nothing else does.
#![forbid(unsafe_code)]

use ocf::daemon;
use ocf::prelude::*;

use crate::instance::{self, Instance};
use crate::record::Record;
use crate::server::Server;
use crate::settings::Identity;

/// Stops the server. It needs neither configuration nor program.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, identity: Option<&Identity>) -> Result<(), Failure> {
    let remembered = Record::load(context.invocation);
    let key = remembered.as_ref().map(|known| known.key.clone());
    // Without a memory of these parameters, for instance because another agent has started it.
    let other = identity.filter(|identity| key.as_ref() != Some(&identity.key()));
    let recorded = remembered.map(|known| Instance::new(context, known));
    daemon::stop(context, recorded, || Some(described(context, other?)))
}

/// Looks for what a stop would end.
///
/// # Errors
/// As [`daemon::probe`].
pub fn probe_without_params(
    context: &Context<'_>,
    identity: Option<&Identity>,
) -> Result<Status, Failure> {
    let recorded = Record::load(context.invocation).map(|known| Instance::new(context, known));
    daemon::probe(context, recorded, || Some(described(context, identity?)))
}

/// The instance that the parameters mean.
fn described(context: &Context<'_>, identity: &Identity) -> Instance {
    Instance::new(context, instance::describe(&Server::read(context, identity), identity))
}
