//! Starts haproxy, and returns when all its frontends listen.
#![forbid(unsafe_code)]

use std::time::Duration;

use ocf::lock::{Lock, LockError};
use ocf::prelude::*;
use ocf::state;
use ocf::sys::clock::Deadline;
use ocf::sys::process::Process;

use crate::ask;
use crate::bind;
use crate::check::{self, Verdict};
use crate::instance::{self, Instance};
use crate::record::Record;
use crate::settings::Settings;
use crate::stop;
use crate::sum;

/// How long one that does not serve may take to end before it is started anew.
const ENDING: Duration = Duration::from_secs(10);

/// What a new server needs of the time: one that runs already and does not answer may use the rest, and no more.
const STARTING: Duration = Duration::from_secs(3);

/// How long the workers of a dead master may take to end.
const CLEARING: Duration = Duration::from_secs(5);

/// Starts haproxy. Nothing happens when it runs already and serves.
///
/// # Errors
/// Why it does not; nothing of the attempt is left then.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let _turn = turn(context, settings)?;
    let described = || instance::describe(context.invocation, &settings.identity);
    let known = Instance::recorded(context.invocation).filter(|known| known.record.identity == settings.identity);
    let running = known.unwrap_or_else(described);
    if let Some(master) = running.with(|daemon| daemon.observe())?.master {
        let running = running.taken_from(&master);
        match adopt(context, settings, &running, &master) {
            Ok(()) => return Ok(()),
            Err(failure) => {
                context.log.warn(format_args!("starting anew what does not serve: {failure}"));
                stop::end(context, &running, Deadline::after(ENDING).min(context.budget.work().minus(STARTING)))?;
            }
        }
    }
    let mut instance = described();
    instance.record.serial.clone_from(&settings.config_serial);
    instance.record.sum = sum::of(&instance.record.identity.configs);
    let started = launch(context, settings, &instance);
    started.inspect_err(|_| {
        let is_left = |found: ocf::daemon::Found| found.master.is_some() || !found.orphans.is_empty();
        if instance.with(|daemon| daemon.observe()).map_or(true, is_left) {
            return;
        }
        let swept = instance.sweep(context.invocation);
        if let Err(failure) = swept.and_then(|()| Record::forget(context.invocation)) {
            context.log.debug(format_args!("what is left of the attempt: {failure}"));
        }
    })
}

/// Lets starts of one configuration take turns: SO_REUSEPORT would let each of them have a master. A configuration that
/// cannot be opened is told by the check.
fn turn(context: &Context<'_>, settings: &Settings) -> Result<Option<Lock>, Failure> {
    let Some(path) = settings.identity.configs.first() else { return Ok(None) };
    match Lock::take_existing(path, context.budget.work()) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::File(_)) => Ok(None),
        Err(LockError::Busy) => {
            Err(Failure::generic(format!("another start with {} takes too long: end it", path.display())))
        }
    }
}

/// Takes over one that runs already and serves. The serial of an earlier record stays: haproxy has not read anything since.
fn adopt(context: &Context<'_>, settings: &Settings, instance: &Instance, master: &Process) -> Result<(), Failure> {
    if !instance.has_configuration(master) {
        return Err(Failure::generic("it has another configuration"));
    }
    ask::serves(&instance.record, master, context.budget.work().minus(STARTING))?;
    instance.with(|daemon| daemon.remember(master))?;
    let mut record = instance.record.clone();
    if record.sum.is_empty() {
        record.sum = sum::of(&settings.identity.configs);
        record.serial.clone_from(&settings.config_serial);
    }
    record.save(context.invocation)
}

fn launch(context: &Context<'_>, settings: &Settings, instance: &Instance) -> Result<(), Failure> {
    if instance.installed {
        instance.write_extra(settings.hard_stop_after)?;
    }
    match check::check(context, instance, true)? {
        Verdict::Good => {}
        Verdict::NotNow(why) | Verdict::Denied(why) => return Err(Failure::generic(why)),
        Verdict::Bad(why) => return Err(Failure::installed(why)),
    }
    // /run is empty after a boot.
    let sockets = [&instance.record.master_socket, &instance.record.stats_socket];
    for path in sockets.into_iter().flatten().chain([&instance.record.pid_file]) {
        if path.parent().is_some_and(|directory| !directory.is_dir()) {
            state::ensure_directory(path)?;
        }
    }
    instance.with(|daemon| daemon.clear(Deadline::after(CLEARING).min(context.budget.work())))?;
    // Before haproxy is there: a start that is killed anywhere leaves what a stop knows.
    instance.record.save(context.invocation)?;
    let started = instance.with(|daemon| {
        daemon.start(instance.start_command(), context.budget, &mut |master| {
            ask::serves(&instance.record, master, context.budget.work())
        })
    });
    started.map_err(|failure| match bind::reason(&failure.to_string()) {
        Some(reason) => Failure::new(failure.kind, reason),
        None => failure,
    })
}
