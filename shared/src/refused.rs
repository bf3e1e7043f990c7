//! A configuration that a running service could not load: remembered until it can be loaded.
//!
//! Pacemaker records a failed `reload-agent` as a failed start: it stops the resource and cannot
//! start it on any node that has the same faulty file. So a refused configuration costs nothing
//! here: reload-agent succeeds with a warning, the service goes on with its old configuration, and
//! monitors report 190 with the reason. Each of these monitors tries again, so that a mended file
//! is loaded and the report ends without another command.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use crate::agent::{Agent, Context};
use crate::failure::Failure;
use crate::outcome::{Reloaded, Status};
use crate::{state, watch};

/// The key of the reason in the state file.
const REASON: &str = "reason";

fn path<A: Agent>(context: &Context<'_>) -> PathBuf {
    state::path(context.invocation, A::SPEC.name, "refused")
}

/// Calls `reload-agent`, and remembers a configuration that was refused.
///
/// # Errors
/// As [`Agent::reload_agent`].
pub(crate) fn reload_agent<A: Agent>(
    context: &Context<'_>,
    params: &A::Params,
) -> Result<(), Failure> {
    match A::reload_agent(context, params)? {
        Reloaded::Done => forget::<A>(context),
        Reloaded::Refused(reason) => {
            context.log.warn(format_args!(
                "{reason}; monitors report 190 until the configuration can be loaded"
            ));
            if let Err(failure) = state::write(&path::<A>(context), &[(REASON, reason)]) {
                context.log.warn(format_args!(
                    "monitors will not report the refused configuration: {failure}"
                ));
            }
        }
    }
    Ok(())
}

/// Forgets a refused configuration: the service was started with it, or stopped.
pub(crate) fn forget<A: Agent>(context: &Context<'_>) {
    if let Err(failure) = state::forget(&path::<A>(context)) {
        context.log.debug(format_args!("{failure}"));
    }
}

/// The ordinary monitor. Of a service that runs and has refused its configuration it tries to load
/// it again.
///
/// # Errors
/// As [`Agent::monitor`], and [`Agent::reload_agent`] when the service no longer works after it.
pub(crate) fn monitor<A: Agent>(
    context: &Context<'_>,
    params: &A::Params,
) -> Result<Status, Failure> {
    let status = A::monitor(context, params)?;
    if matches!(status, Status::NotRunning(_)) {
        return Ok(status);
    }
    let Some(reason) = remembered::<A>(context) else { return Ok(status) };
    let may_change = !context.invocation.is_probe() && nix::unistd::geteuid().is_root();
    let reason = match may_change.then(|| A::reload_agent(context, params)).transpose()? {
        Some(Reloaded::Done) => {
            context.log.info(format_args!("the configuration that was refused is loaded now"));
            forget::<A>(context);
            watch::forget(A::SPEC, context);
            return A::monitor(context, params);
        }
        Some(Reloaded::Refused(reason)) => reason,
        None => reason,
    };
    Ok(with_reason(status, reason))
}

/// Why the configuration was refused at the last reload, if it was.
pub(crate) fn remembered<A: Agent>(context: &Context<'_>) -> Option<String> {
    let pairs = state::read(&path::<A>(context))?;
    pairs.into_iter().find(|(key, _)| key == REASON).map(|(_, reason)| reason)
}

/// The status of a running service that people should look at for this reason.
pub(crate) fn with_reason(status: Status, reason: String) -> Status {
    match status {
        Status::Running => Status::Degraded(reason),
        Status::Degraded(other) => Status::Degraded(format!("{reason}; {other}")),
        Status::NotRunning(why) => Status::NotRunning(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_degrades_what_runs_and_nothing_else() {
        let degraded = |status| with_reason(status, "a".into());
        assert_eq!(degraded(Status::Running), Status::Degraded("a".into()));
        assert_eq!(degraded(Status::Degraded("b".into())), Status::Degraded("a; b".into()));
        assert_eq!(degraded(Status::STOPPED), Status::STOPPED);
    }
}
