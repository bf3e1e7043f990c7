//! Starts the unit, and returns when it is active and works.
#![forbid(unsafe_code)]

use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::checks;
use crate::dropin;
use crate::manager::{Ended, Manager, Verb};
use crate::monitor::{self, story};
use crate::name::Kind as UnitKind;
use crate::record::{self, Record};
use crate::settings::Settings;
use crate::state::{Unit, UnitState, job_failure};
use crate::stop;

/// Starts the unit. One that is active already is adopted.
///
/// # Errors
/// Why it does not run. Nothing of the attempt is left then, or on its way to an end.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    if let Some((earlier, unit)) = record::earlier(context, &settings.identity)? {
        context.log.info(format_args!("{unit}, and was started with other parameters: ending it"));
        stop::stop_unit(context, &earlier)?;
    }
    let mut manager = Manager::new(context, &settings.identity)?;
    let mut limit = context.budget.work();
    if let Some(time) = settings.start_timeout {
        limit = limit.min(Deadline::after(time));
    }
    let monitor::Seen { unit, others } = monitor::look(&mut manager, settings)?;
    monitor::installed(&others)?;
    let is_up = matches!(unit.verdict(), UnitState::Running | UnitState::Reloading);
    if !is_up {
        startable(&unit, settings, || manager.facts(&unit, &settings.identity.unit).load_error)?;
    }
    // Read before the start, which then ends the sooner.
    let facts = match settings.identity.drop_in {
        true => dropin::ensure(context, &mut manager, &unit, &settings.identity.unit)?,
        false => manager.facts(&unit, &settings.identity.unit),
    };
    if facts.refuses_stop && !is_up {
        return Err(refuses_stop(&unit));
    }
    // A stop with the parameters finds the unit without it.
    Record::of(&settings.identity)
        .save_or_warn(context, "a stop without parameters will not find the unit");
    let notifies = facts.notifies_when_ready();
    let mut attempt = Attempt { context, settings, manager, unit, limit, notifies };
    if !is_up {
        attempt.run()?;
    }
    attempt.confirm()
}

/// Whether the unit can be started, as far as that is known before; `problem` is systemd's own word
/// about a unit that it could not load.
///
/// # Errors
/// Why not.
pub fn startable(
    unit: &Unit,
    settings: &Settings,
    problem: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if unit.unusable("").is_some()
        && let Some(why) = unit.unusable(&problem())
    {
        return Err(Failure::installed(why));
    }
    if settings.identity.unit.kind == UnitKind::Scope {
        let why = "a scope is made by the program that runs processes in it, and cannot be started";
        return Err(Failure::generic(format!("{}: {why}", unit.id)));
    }
    Ok(())
}

/// A unit that systemd stops only together with others: the cluster could start it, and then not
/// stop it.
pub fn refuses_stop(unit: &Unit) -> Failure {
    Failure::installed(format!(
        "{} has RefuseManualStop=yes, so the cluster could not stop it: remove that",
        unit.id
    ))
}

/// A start under way.
struct Attempt<'a> {
    context: &'a Context<'a>,
    settings: &'a Settings,
    manager: Manager,
    unit: Unit,
    limit: Deadline,
    /// Whether the unit notifies systemd when it is ready.
    notifies: bool,
}

impl Attempt<'_> {
    /// Gives the order, and waits for the job.
    fn run(&mut self) -> Result<(), Failure> {
        self.manager.hold(&self.unit);
        self.manager.reset_failed(&self.unit);
        let ended = self.manager.order(
            Verb::Start,
            &self.unit,
            &self.settings.identity.job_mode,
            self.limit,
        );
        match ended.map_err(|error| error.into_failure(&format!("start of {}", self.unit.id)))? {
            Ended::With(result) => match job_failure("start", &self.unit.id, &result) {
                Some(why) if result == "failed" => Err(self.failed(&why)),
                Some(why) => Err(Failure::generic(why)),
                None => Ok(()),
            },
            Ended::Unheard => Ok(()),
            Ended::Late(job) => {
                let cancelled = self.manager.cancel(&job);
                let cancellation = if cancelled {
                    "our job was cancelled"
                } else {
                    "our job could not be cancelled"
                };
                Err(self.withdraw(&format!("was not active in time; {cancellation}")))
            }
        }
    }

    /// Waits until the unit is what a monitor would call running, and the application works.
    fn confirm(&mut self) -> Result<(), Failure> {
        let seen = monitor::settled(&mut self.manager, self.settings, self.limit, false)?;
        self.unit = seen.unit;
        self.expect_active()?;
        if !checks::any(&self.settings.checks) && self.settings.required.is_empty() {
            return self.watch();
        }
        let mut last = None;
        let well = self.limit.poll(|| match self.look() {
            Err(failure) => Some(Err(failure)),
            Ok(Err(failure)) => {
                last = Some(failure);
                None
            }
            Ok(Ok(())) => Some(Ok(())),
        });
        match (well, last) {
            (Some(result), _) => result,
            (None, Some(failure)) => {
                Err(self.withdraw(&format!("did not work in time: {failure}")))
            }
            (None, None) => Err(self.withdraw("did not work in time")),
        }
    }

    /// Looks once at the unit, those that it needs, and the application. The outer failure is
    /// final.
    fn look(&mut self) -> Result<Result<(), Failure>, Failure> {
        let seen = monitor::look(&mut self.manager, self.settings)?;
        self.unit = seen.unit;
        self.expect_active()?;
        let checked = checks::run(self.context, &self.settings.checks, true, self.limit);
        Ok(monitor::required(&seen.others).and_then(|()| checked.map(drop)))
    }

    /// Of some services systemd knows only that a process was begun: a moment shows whether it
    /// could.
    fn watch(&mut self) -> Result<(), Failure> {
        if self.notifies {
            return Ok(());
        }
        let moment = Deadline::after(self.settings.start_settle).min(self.limit);
        let ended = moment.poll(|| match self.manager.look_at(&self.settings.identity.unit) {
            Ok(unit) if unit.verdict() == UnitState::Running => None,
            other => Some(other),
        });
        if let Some(seen) = ended {
            self.unit = seen?;
            // On the way to its end, perhaps.
            self.unit = monitor::settled(&mut self.manager, self.settings, self.limit, false)?.unit;
        }
        self.expect_active()
    }

    /// The unit must be active now.
    fn expect_active(&mut self) -> Result<(), Failure> {
        match self.unit.verdict() {
            UnitState::Running | UnitState::Reloading => Ok(()),
            UnitState::Changing => {
                let state = self.unit.to_string();
                Err(self.withdraw(&format!("was not active in time ({state})")))
            }
            UnitState::Stopped | UnitState::Failed | UnitState::Unknown => {
                let why = format!("{} does not stay active", self.unit.id);
                Err(self.failed(&why))
            }
        }
    }

    /// The reason of a unit that has ended by itself.
    fn failed(&mut self, why: &str) -> Failure {
        if let Ok(unit) = self.manager.look_at(&self.settings.identity.unit) {
            self.unit = unit;
        }
        let facts = self.manager.facts(&self.unit, &self.settings.identity.unit);
        if facts.condition == Some(false) {
            let conditions = facts.conditions.join(" ");
            return Failure::generic(format!(
                "{}: a condition of the unit does not hold: {conditions}",
                self.unit.id
            ));
        }
        if self.unit.verdict() == UnitState::Stopped
            && facts.end().is_none()
            && facts.service_type.as_deref() == Some("oneshot")
        {
            let why = "it has run and ended well, so there is nothing to monitor: set \
                RemainAfterExit=yes in the unit";
            return Failure::generic(format!("{}: {why}", self.unit.id));
        }
        Failure::generic(format!("{why}{}", story(self.context, &self.unit, &facts)))
    }

    /// Takes the start back: what came up later would be where the cluster does not expect it.
    fn withdraw(&mut self, why: &str) -> Failure {
        let ended =
            self.manager.order(Verb::Stop, &self.unit, "replace", self.context.budget.rollback());
        let undone = match ended {
            Ok(Ended::With(result)) if result == "done" => "it was stopped again",
            Ok(Ended::Unheard) => "it was stopped again",
            Ok(_) => "it is being stopped",
            Err(_) => "it could not be stopped again",
        };
        Failure::generic(format!("{} {why}; {undone}", self.unit.id))
    }
}
