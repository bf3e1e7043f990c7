//! Does it run, and does it work?
#![forbid(unsafe_code)]

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::checks;
use crate::journal;
use crate::manager::{Manager, early};
use crate::name::UnitName;
use crate::params::Reloading;
use crate::record;
use crate::settings::{Identity, Settings};
use crate::state::{Facts, Unit, UnitState};

/// As many letters of a command line are shown.
const COMMAND: usize = 20;

/// Returns the state. A healthy unit at level 0 costs one D-Bus call.
///
/// # Errors
/// Why it is neither running nor cleanly stopped, or cannot be known.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let mut manager = Manager::new(context, &settings.identity)?;
    let wait_for_reload = settings.reloading == Reloading::Changing;
    let seen =
        settled(&mut manager, settings, early(early(context.budget.work())), wait_for_reload)?;
    let unit = &seen.unit;
    match unit.verdict() {
        UnitState::Running | UnitState::Reloading => {}
        UnitState::Stopped | UnitState::Failed => {
            return match record::earlier(context, &settings.identity)? {
                Some((_, earlier)) => Err(Failure::generic(format!(
                    "{earlier}, and was started with other parameters; stop the resource"
                ))),
                None => stopped(context, &mut manager, settings, unit),
            };
        }
        UnitState::Changing => return Err(stuck(&mut manager, settings, unit)),
        UnitState::Unknown => {
            return Err(Failure::generic(format!("{unit}: this state is not known to the agent")));
        }
    }
    required(&seen.others)?;
    let status = works(context, &mut manager, settings, unit)?;
    Ok(match status {
        Status::Running
            if unit.verdict() == UnitState::Reloading
                && settings.reloading == Reloading::Degraded =>
        {
            Status::Degraded(format!("{} reads its configuration again", unit.id))
        }
        status => status,
    })
}

/// Looks for the unit of faulty parameters: by its name alone.
///
/// # Errors
/// That it is on its way to another state, or that systemd does not answer.
pub fn probe_without_params(
    context: &Context<'_>,
    identity: Option<&Identity>,
) -> Result<Status, Failure> {
    let started = record::started(context);
    let Some(identity) = identity.or(started.as_ref()) else { return Ok(Status::STOPPED) };
    let mut manager = Manager::new(context, identity)?;
    let unit = match manager.look_at(&identity.unit) {
        Err(failure) if failure.kind == Kind::Installed => return Ok(Status::STOPPED),
        other => other?,
    };
    match unit.verdict() {
        UnitState::Running | UnitState::Reloading => Ok(Status::Running),
        UnitState::Stopped | UnitState::Failed => {
            let facts = manager.facts(&unit, &identity.unit);
            left(&mut manager, &unit, &facts).map(|()| Status::STOPPED)
        }
        UnitState::Changing | UnitState::Unknown => Err(Failure::generic(unit.to_string())),
    }
}

/// What was seen at one moment.
pub struct Seen {
    /// The unit.
    pub unit: Unit,
    /// Those that it needs.
    pub others: Vec<Unit>,
}

/// Looks at the unit and those that it needs.
///
/// # Errors
/// When systemd does not answer.
pub fn look(manager: &mut Manager, settings: &Settings) -> Result<Seen, Failure> {
    let names: Vec<&UnitName> =
        std::iter::once(&settings.identity.unit).chain(&settings.required).collect();
    let mut units = manager.look(&names)?.into_iter();
    let unit = units.next().ok_or_else(|| {
        Failure::generic(format!("{}: systemd says nothing about it", settings.identity.unit))
    })?;
    Ok(Seen { unit, others: units.collect() })
}

/// Looks until the unit is on the way to nowhere, at most until the limit; what was seen last.
///
/// # Errors
/// When systemd does not answer.
pub fn settled(
    manager: &mut Manager,
    settings: &Settings,
    limit: Deadline,
    reload: bool,
) -> Result<Seen, Failure> {
    until_settled(limit, reload, || look(manager, settings))
}

/// As [`settled`], for a unit whose checks and other units do not matter.
///
/// # Errors
/// When systemd does not answer.
pub fn settled_alone(
    manager: &mut Manager,
    unit: &UnitName,
    limit: Deadline,
) -> Result<Unit, Failure> {
    let look = || Ok(Seen { unit: manager.look_at(unit)?, others: Vec::new() });
    until_settled(limit, false, look).map(|seen| seen.unit)
}

fn until_settled(
    limit: Deadline,
    reload: bool,
    mut look: impl FnMut() -> Result<Seen, Failure>,
) -> Result<Seen, Failure> {
    let mut last = None;
    let result = limit.poll(|| match look() {
        Err(failure) => Some(Err(failure)),
        Ok(seen) => {
            let verdict = seen.unit.verdict();
            if verdict == UnitState::Changing || (reload && verdict == UnitState::Reloading) {
                last = Some(seen);
                None
            } else {
                Some(Ok(seen))
            }
        }
    });
    match (result, last) {
        (Some(result), _) => result,
        (None, Some(seen)) => Ok(seen),
        (None, None) => look(),
    }
}

/// All that the unit needs must be active.
///
/// # Errors
/// The first that is not, with its state.
pub fn required(others: &[Unit]) -> Result<(), Failure> {
    let active = |unit: &&Unit| matches!(unit.verdict(), UnitState::Running | UnitState::Reloading);
    installed(others)?;
    match others.iter().find(|unit| !active(unit)) {
        Some(unit) => Err(Failure::generic(format!("required_units: {unit}"))),
        None => Ok(()),
    }
}

/// All that the unit needs must be there: to wait for what cannot be started is no use.
///
/// # Errors
/// The first that cannot be started.
pub fn installed(others: &[Unit]) -> Result<(), Failure> {
    match others.iter().find_map(|unit| unit.unusable("")) {
        Some(why) => Err(Failure::installed(format!("required_units: {why}"))),
        None => Ok(()),
    }
}

/// Whether what runs does its work, as far as the check level asks.
fn works(
    context: &Context<'_>,
    manager: &mut Manager,
    settings: &Settings,
    unit: &Unit,
) -> Result<Status, Failure> {
    if context.depth < 10 {
        return Ok(Status::Running);
    }
    // Numbers of processes mean something on this machine only.
    if manager.bus.is_own
        && let Some(pid) = manager.main_pid(unit, &settings.identity.unit)
    {
        checks::process(pid).map_err(|failure| failure.wrap(&unit.id))?;
    }
    let checked =
        checks::run(context, &settings.checks, context.depth >= 20, context.budget.work());
    let status = checked
        .map_err(|failure| failure.wrap(format!("{} is active, but does not work", unit.id)))?;
    if unit.sub == "exited"
        && !checks::any(&settings.checks)
        && manager.facts(unit, &settings.identity.unit).hides_its_end()
        && manager.processes(unit)?.is_empty()
    {
        return Ok(Status::Degraded(format!(
            "{}: no process of it is left, and RemainAfterExit=yes hides that; set check_tcp or \
             check_http",
            unit.id
        )));
    }
    Ok(status)
}

/// A unit that does nothing: cleanly so, unless processes are left that a stop should have ended.
fn stopped(
    context: &Context<'_>,
    manager: &mut Manager,
    settings: &Settings,
    unit: &Unit,
) -> Result<Status, Failure> {
    let facts = manager.facts(unit, &settings.identity.unit);
    left(manager, unit, &facts)?;
    if unit.verdict() == UnitState::Failed {
        return Ok(Status::NotRunning(Some(format!("{unit}{}", story(context, unit, &facts)))));
    }
    // Recurring monitors are of what should run: what has happened to it?
    let known = unit.unusable(&facts.load_error).or_else(|| {
        let ended = facts.end().map(|end| format!("{unit}: {end}"));
        ended.or_else(|| {
            (!context.invocation.is_probe()).then(|| {
                let said = facts
                    .main_ended_first
                    .is_none()
                    .then(|| journal::last_of_systemd(context, unit))
                    .flatten();
                let said = said.map_or_else(String::new, |line| format!("; systemd: {line}"));
                format!("{unit}: {}{said}", facts.clean_end())
            })
        })
    });
    Ok(Status::NotRunning(known))
}

/// Processes of a unit that is stopped, though its stop is meant to end all of them.
///
/// # Errors
/// Which they are.
pub fn left(manager: &mut Manager, unit: &Unit, facts: &Facts) -> Result<(), Failure> {
    if facts.leaves_processes() || unit.load == "not-found" {
        return Ok(());
    }
    let left = manager.processes(unit)?;
    let Some((pid, line)) = left.first() else { return Ok(()) };
    let line = line
        .char_indices()
        .nth(COMMAND)
        .map_or(line.clone(), |(end, _)| format!("{}…", &line[..end]));
    let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
    Err(Failure::generic(format!(
        "{unit}, but process {pid} of it ({line}){more} is still there; end it"
    )))
}

/// A unit on the way to another state, which it has not reached in time.
fn stuck(manager: &mut Manager, settings: &Settings, unit: &Unit) -> Failure {
    let facts = manager.facts(unit, &settings.identity.unit);
    let queued =
        unit.job.as_ref().map_or_else(String::new, |job| format!(", with a {} job", job.verb));
    let end = facts.end().map_or_else(String::new, |end| format!("; {end}"));
    let advice = if unit.restarts() {
        "systemd restarts it again and again: Restart=no, or drop_in=yes, leaves that to the \
         cluster"
    } else {
        "it is stuck, or needs more time than the operation has: look at systemctl status"
    };
    Failure::generic(format!("{unit}{queued}{end}: {advice}"))
}

/// What has become of a unit, for a reason that names it: the end of its main process, and the last
/// line.
pub fn story(context: &Context<'_>, unit: &Unit, facts: &Facts) -> String {
    let mut story = String::new();
    if let Some(end) = facts.end() {
        story.push_str(&format!(": {end}"));
    }
    match journal::last_line(context, unit, facts) {
        Some(line) => story.push_str(&format!("; it wrote: {line}")),
        None => story.push_str(&format!("; see journalctl -u {}", unit.id)),
    }
    story
}
