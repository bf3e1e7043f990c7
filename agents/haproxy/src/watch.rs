//! What wakes a monitor that waits: the end of the master, and a changed configuration where that
//! is read again.
//!
//! The end of a worker is none: the master follows it, unless `no-exit-on-failure` is set. Each
//! reload ends one, too, and the master does not answer while it starts itself anew.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::daemon::Daemon;
use ocf::prelude::*;

use crate::instance::{self, Instance};
use crate::settings::{ReloadOn, Settings};

/// How long a change of one file may be followed by that of another, before the configuration is
/// read again.
const SETTLING: Duration = Duration::from_millis(500);

/// The event sources of a haproxy that is well.
///
/// # Errors
/// When they cannot be opened.
pub fn sources(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
    let recorded = Instance::recorded(context.invocation);
    let recorded = recorded.filter(|instance| instance.record.identity == settings.identity);
    let instance =
        recorded.unwrap_or_else(|| instance::describe(context.invocation, &settings.identity));
    let master = instance.observe(context.budget.work())?.master;
    let mut sources = Sources::of_master(master)?;
    if settings.reload_on == ReloadOn::Change {
        for file in &settings.identity.configs {
            sources.add_file(file, SETTLING)?;
        }
    }
    Ok(sources)
}
