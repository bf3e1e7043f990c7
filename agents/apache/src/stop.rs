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
pub fn stop(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
    let remembered = Record::load(context.invocation);
    let is_same = remembered.as_ref().is_some_and(|known| known.key == identity.key());
    let instance = |known| Instance::new(context, known);
    // Without a memory of these parameters, for instance because another agent has started it.
    let described = || instance(instance::describe(&Server::read(context, identity), identity));
    daemon::stop(context, remembered.map(instance), || (!is_same).then(described))
}

/// Looks for what a stop would end.
///
/// # Errors
/// As [`daemon::probe`].
pub fn probe_without_params(context: &Context<'_>, identity: &Identity) -> Result<Status, Failure> {
    let instance = |known| Instance::new(context, known);
    let meant = || instance(instance::describe(&Server::read(context, identity), identity));
    daemon::probe(context, Record::load(context.invocation).map(instance), || Some(meant()))
}
