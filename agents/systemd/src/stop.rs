//! Stops the unit, and returns when it is gone.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::dropin;
use crate::manager::{Ended, Manager, Verb, early};
use crate::monitor;
use crate::record::{self, Record};
use crate::settings::Identity;
use crate::state::{Facts, Unit, UnitState, job_failure};

/// How long what was killed may take to end. So much of the time for a stop is kept for it, if
/// killing is wanted.
const KILLING: Duration = Duration::from_secs(1);

/// How long a unit that others start again is watched after its stop: a path that exists, a
/// connection that waits and `Upholds=` start it within milliseconds.
const AGAIN: Duration = Duration::from_millis(500);

/// Stops the unit of the parameters, and the one that was started where that is another.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, identity: Option<&Identity>) -> Result<(), Failure> {
    let started =
        record::started(context).filter(|it| identity.is_none_or(|meant| meant.unit != it.unit));
    if started.is_none() && identity.is_none() {
        context.log.warn(format_args!(
            "the parameters name no unit and none is on record: there is nothing to stop"
        ));
    }
    let units = started.as_ref().into_iter().chain(identity);
    let failures: Vec<_> = units.filter_map(|unit| stop_unit(context, unit).err()).collect();
    if let Some(failure) = Failure::collect(failures) {
        return Err(failure);
    }
    if let Err(failure) = Record::forget(context.invocation) {
        context.log.warn(format_args!("{failure}"));
    }
    Ok(())
}

/// Stops one unit.
///
/// # Errors
/// As [`stop`].
pub fn stop_unit(context: &Context<'_>, identity: &Identity) -> Result<(), Failure> {
    let mut manager = Manager::new(context, identity)?;
    let latest = early(early(context.budget.work()));
    let limit = identity.stop_timeout.map_or(latest, |time| Deadline::after(time).min(latest));
    let unit = match manager.look_at(&identity.unit) {
        // A machine without systemd runs no units.
        Err(failure) if failure.kind == Kind::Installed => return Ok(()),
        other => other?,
    };
    let is_down =
        unit.job.is_none() && matches!(unit.verdict(), UnitState::Stopped | UnitState::Failed);
    if !is_down {
        if identity.drop_in
            && let Err(failure) = dropin::release(&mut manager, &unit, &identity.unit)
        {
            context
                .log
                .warn(format_args!("the stop of {} may wait for Pacemaker's: {failure}", unit.id));
        }
        end(context, &mut manager, identity, &unit, limit)?;
    }
    let unit = manager.look_at(&identity.unit)?;
    let facts = manager.facts(&unit, &identity.unit);
    if !is_down && facts.has_starters() {
        stays_down(&mut manager, identity, limit)?;
    }
    monitor::left(&mut manager, &unit, &facts)?;
    // The unit is down: that is what a stop is for.
    if let Err(failure) = dropin::remove(&mut manager, &unit) {
        context.log.warn(format_args!("the settings for the time in the cluster stay: {failure}"));
    }
    Ok(())
}

/// Gives the order and waits for the end of the unit. The job is not cancelled when it is late:
/// what is to end must not be left running.
fn end(
    context: &Context<'_>,
    manager: &mut Manager,
    identity: &Identity,
    unit: &Unit,
    limit: Deadline,
) -> Result<(), Failure> {
    let patience = if identity.stop_force { limit.minus(KILLING) } else { limit };
    // Where there is no time for that, killing comes first.
    let is_late = identity.stop_force && patience.expired();
    let mut ended = if is_late {
        Some(Ended::Late(String::new()))
    } else {
        order(manager, identity, unit, patience)?
    };
    if identity.stop_force && matches!(ended, Some(Ended::Late(_))) {
        context
            .log
            .warn(format_args!("{} does not end by itself: its processes are killed", unit.id));
        manager.kill(unit)?;
        ended = order(manager, identity, unit, limit)?;
    }
    // Where the order ended without a word, or with one that does not say so, the unit has the last
    // one.
    let seen = match &ended {
        Some(Ended::Late(_)) => manager.look_at(&identity.unit)?,
        _ => monitor::settled_alone(manager, &identity.unit, limit)?,
    };
    match (seen.verdict(), ended) {
        (UnitState::Stopped | UnitState::Failed, _) => Ok(()),
        (_, Some(Ended::With(result))) if result != "done" => {
            let why = job_failure("stop", &unit.id, &result).unwrap_or_default();
            Err(Failure::generic(format!("{why}; {seen}")))
        }
        (UnitState::Changing, _) => Err(Failure::generic(format!(
            "{seen} and does not end; set stop_force=yes, or a shorter TimeoutStopSec in the unit"
        ))),
        _ => Err(Failure::generic(started_again(&seen, &manager.facts(&seen, &identity.unit)))),
    }
}

/// Whether a unit that others start again stays down.
fn stays_down(manager: &mut Manager, identity: &Identity, limit: Deadline) -> Result<(), Failure> {
    let is_down = |unit: &Unit| matches!(unit.verdict(), UnitState::Stopped | UnitState::Failed);
    let back = Deadline::after(AGAIN).min(limit).poll(|| match manager.look_at(&identity.unit) {
        Ok(unit) if is_down(&unit) => None,
        seen => Some(seen),
    });
    let Some(seen) = back else { return Ok(()) };
    let seen = seen?;
    Err(Failure::generic(started_again(&seen, &manager.facts(&seen, &identity.unit))))
}

/// Why a unit is active after its stop.
fn started_again(unit: &Unit, facts: &Facts) -> String {
    match (&facts.started_by, facts.starters()) {
        (Some(trigger), _) => {
            format!(
                "{unit} in spite of the stop: {trigger} has started it again; stop or manage that"
            )
        }
        (None, Some(all)) => format!(
            "{unit} in spite of the stop: it is started again by {all}; stop or manage that"
        ),
        (None, None) => {
            format!("{unit} in spite of the stop: it was started again; look at systemctl status")
        }
    }
}

/// Orders the stop; `None` when systemd has no such unit any more.
fn order(
    manager: &mut Manager,
    identity: &Identity,
    unit: &Unit,
    limit: Deadline,
) -> Result<Option<Ended>, Failure> {
    match manager.order(Verb::Stop, unit, &identity.job_mode, limit) {
        Ok(ended) => Ok(Some(ended)),
        Err(error) if error.is("NoSuchUnit") => Ok(None),
        Err(error) if error.is("OnlyByDependency") => Err(Failure::generic(format!(
            "{} cannot be stopped by itself: remove RefuseManualStop=yes from the unit, or stop \
             what it belongs to",
            unit.id
        ))),
        Err(error) => Err(error.into_failure(&format!("stop of {}", unit.id))),
    }
}
