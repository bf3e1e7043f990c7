//! What start and monitor go by, in words, from their own functions.
#![forbid(unsafe_code)]

use ocf::prelude::*;

use crate::manager::Manager;
use crate::name::Kind as UnitKind;
use crate::settings::{Checks, Settings};
use crate::state::{Facts, Unit, UnitState};
use crate::{dropin, host, monitor, start};

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    explanation.because("unit", &settings.identity.unit, "unit, and instance");
    let mut manager = Manager::new(context, &settings.identity)?;
    let why = if manager.bus.is_own {
        "the bus of this machine"
    } else {
        "bus_address, or the environment"
    };
    explanation.because("bus", &manager.bus.address, why);
    let monitor::Seen { unit, others } = monitor::look(&mut manager, settings)?;
    if let Ok(version) = manager.version() {
        explanation.line("version", format_args!("systemd {version}"));
    }
    let facts = manager.facts(&unit, &settings.identity.unit);
    state(&unit, &facts, explanation);
    explanation.list("required unit", &others, "none");
    checks(&settings.checks, explanation);
    explanation.monitor(&monitor::monitor(context, settings));
    for warning in host::warnings(&unit, &facts, settings) {
        explanation.line("warning", warning);
    }
    settings_of_ours(&mut manager, &unit, settings, explanation)?;
    monitor::installed(&others)?;
    if matches!(unit.verdict(), UnitState::Running | UnitState::Reloading) {
        explanation.because("start", "does nothing but the checks", "the unit is active");
        return Ok(());
    }
    start::startable(&unit, settings, || facts.load_error.clone())?;
    if facts.refuses_stop {
        return Err(start::refuses_stop(&unit));
    }
    explanation.because(
        "start",
        format_args!("orders {} from systemd", unit.id),
        format_args!("job mode {}", settings.identity.job_mode),
    );
    Ok(())
}

fn state(unit: &Unit, facts: &Facts, explanation: &mut Explanation) {
    explanation.because("state", unit, &unit.load);
    if let Some(job) = &unit.job {
        explanation.line("job", format_args!("{} is under way", job.verb));
    }
    if !facts.file_state.is_empty() {
        explanation.line("unit file", &facts.file_state);
    }
    if let Some(kind) = &facts.service_type {
        let why = if facts.notifies_when_ready() {
            "it notifies systemd when it is ready"
        } else {
            "start_settle shows whether it lives"
        };
        explanation.because("type", kind, why);
    }
    if let Some(pid) = facts.main_pid {
        explanation.line("process", pid);
    }
    if let Some(end) = facts.end() {
        explanation.line("last run", end);
    }
    explanation.list("drop-in", &facts.drop_ins, "none");
}

/// What monitors at levels 10 and 20 check, and a start.
fn checks(checks: &Checks, explanation: &mut Explanation) {
    if let Some((page, _)) = &checks.http {
        explanation.because("level 10 requests", ocf::sys::http::shown(page), "check_http");
    }
    if let Some(place) = &checks.tcp {
        explanation.because(
            "level 10 requests",
            format_args!("port {} of {}", place.port, place.host),
            "check_tcp",
        );
    }
    if let Some(path) = &checks.unix {
        explanation.because("level 10 requests", path.display(), "check_unix");
    }
    if let Some(words) = &checks.command {
        explanation.because("level 20 runs", words.join(" "), "check_command");
    }
}

/// The drop-in that a start writes.
fn settings_of_ours(
    manager: &mut Manager,
    unit: &Unit,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    if !settings.identity.drop_in || settings.identity.unit.kind == UnitKind::Scope {
        return Ok(());
    }
    let search = manager.unit_path()?;
    let directory = dropin::directory(&search);
    if let Some(directory) = &directory {
        explanation.because(
            "settings for the cluster",
            directory.display(),
            "drop_in: a start writes them",
        );
        if let Some(other) = dropin::shadow(&search, directory, &unit.id) {
            explanation.because("warning", other.display(), "takes the place of our settings");
        }
    }
    Ok(())
}
