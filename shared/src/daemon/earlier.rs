//! A server that was started with other parameters: they were changed while the cluster did not
//! look, as in maintenance mode, and so nothing has stopped it.
#![forbid(unsafe_code)]

use super::{Daemon, STARTING};
use crate::agent::Context;
use crate::failure::{Failure, OrFail as _};

/// Fails where it still runs: "not running" would let the cluster start another one elsewhere, and
/// no stop would ever end this one. `earlier` is the instance on record, if its parameters are not
/// those of now.
///
/// # Errors
/// That it runs, or could not be looked for.
pub fn none_of_earlier<S: Daemon>(
    context: &Context<'_>,
    earlier: Option<S>,
) -> Result<(), Failure> {
    let Some(server) = earlier else { return Ok(()) };
    match server.observe(context.budget.work())?.master {
        Some(master) if master.lives().or_fail("/proc")? => Err(Failure::generic(format!(
            "{} of earlier parameters still runs, process {}; stop the resource",
            server.name(),
            master.pid
        ))),
        _ => Ok(()),
    }
}

/// Ends it before a start, whose record will take the place of its own.
///
/// # Errors
/// As [`Daemon::end`].
pub fn end_earlier<S: Daemon>(context: &Context<'_>, earlier: Option<S>) -> Result<(), Failure> {
    let Some(server) = earlier else { return Ok(()) };
    if server.observe(context.budget.work())?.is_empty() {
        return Ok(());
    }
    context.log.info(format_args!("ending {} of earlier parameters first", server.name()));
    server.end_politely(context, context.budget.work().minus(STARTING))
}
