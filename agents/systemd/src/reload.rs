//! Makes the unit read its configuration again, where it can.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::manager::{Ended, Manager, Verb, early};
use crate::monitor;
use crate::settings::Settings;
use crate::state::{UnitState, job_failure};

/// How long a unit that is on its way to another state, or reads its configuration, is waited for.
const SETTLING: Duration = Duration::from_secs(30);

/// Reloads the unit. What does not run is not started.
///
/// # Errors
/// Why not; the unit goes on then, as it was.
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let mut manager = Manager::new(context, &settings.identity)?;
    let unit = monitor::settled(
        &mut manager,
        settings,
        Deadline::after(SETTLING).min(context.budget.work()),
        true,
    )?
    .unit;
    if unit.verdict() != UnitState::Running {
        return Err(Failure::generic(format!("{unit}: what does not run cannot be reloaded")));
    }
    let facts = manager.facts(&unit, &settings.identity.unit);
    if !facts.can_reload {
        let why =
            "the unit cannot be reloaded: it has no ExecReload=; restart the resource instead";
        return Err(Failure::new(Kind::Unimplemented, format!("{}: {why}", unit.id)));
    }
    let ended =
        manager.order(Verb::Reload, &unit, &settings.identity.job_mode, context.budget.work());
    let ended = ended.map_err(|error| error.into_failure(&format!("reload of {}", unit.id)))?;
    let why = match ended {
        Ended::With(result) => job_failure("reload", &unit.id, &result),
        Ended::Unheard => None,
        Ended::Late(job) => {
            let cancellation =
                if manager.cancel(&job) { "was cancelled" } else { "could not be cancelled" };
            Some(format!("the reload of {} did not end in time; our job {cancellation}", unit.id))
        }
    };
    let seen =
        monitor::settled(&mut manager, settings, early(early(context.budget.rollback())), true)?
            .unit;
    match why {
        Some(why) => {
            let facts = manager.facts(&seen, &settings.identity.unit);
            Err(Failure::generic(format!("{why}{}", monitor::story(context, &seen, &facts))))
        }
        None if seen.verdict() == UnitState::Running => Ok(()),
        None => Err(Failure::generic(format!("after the reload, {seen}"))),
    }
}

/// Takes over parameters: each action reads them anew.
///
/// # Errors
/// When the unit does not run.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let mut manager = Manager::new(context, &settings.identity)?;
    let unit = manager.look_at(&settings.identity.unit)?;
    match unit.verdict() {
        UnitState::Running | UnitState::Reloading => Ok(()),
        _ => Err(Failure::generic(format!("{unit}: it does not run on this node"))),
    }
}
