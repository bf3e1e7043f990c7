//! Starts haproxy, and returns when all its frontends listen.
#![forbid(unsafe_code)]

use ocf::daemon::{self, Daemon, STARTING, one_start_at_a_time};
use ocf::prelude::*;
use ocf::state;
use ocf::sys::clock::Deadline;
use ocf::sys::file::make_dir;
use ocf::sys::process::Process;

use crate::ask;
use crate::bind;
use crate::check;
use crate::instance::{self, Instance};
use crate::monitor::RELOADING;
use crate::plain;
use crate::settings::Settings;
use crate::sum;

/// Starts haproxy. Nothing happens when it runs already and serves.
///
/// # Errors
/// Why it does not; nothing of the attempt is left then.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let start = || start_alone(context, settings);
    match settings.identity.configs.first() {
        // SO_REUSEPORT would let each of two starts have a master.
        Some(path) => one_start_at_a_time(context, "haproxy", path, start),
        None => start(),
    }
}

fn start_alone(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let described = || instance::describe(context.invocation, &settings.identity);
    let known = Instance::recorded(context.invocation)
        .filter(|known| known.record.identity == settings.identity);
    let running = known.unwrap_or_else(described);
    if let Some(master) = running.observe(context.budget.work())?.master {
        let running = running.taken_from(&master);
        if running.take_over(context, |master| serves(context, &running, master))? {
            return adopt(context, settings, &running);
        }
    }
    daemon::end_earlier(context, Instance::earlier(context.invocation, &settings.identity))?;
    let mut instance = described();
    instance.expect_own_pid_file("pidfile")?;
    instance.record.serial.clone_from(&settings.config_serial);
    instance.record.sum = sum::of(&instance.record.identity.configs);
    prepare(context, settings, &instance).inspect_err(|_| {
        if let Err(failure) = instance.sweep(context) {
            context.log.debug(format_args!("what is left of the attempt: {failure}"));
        }
    })?;
    let work = context.budget.work();
    let started = instance.launch(context, instance.start_command(), &mut |master| {
        ask::serves(&instance.record, master, work).into()
    });
    started.map_err(|failure| match bind::reason(&failure.to_string()) {
        Some(reason) => Failure::new(failure.kind, reason),
        None => failure,
    })
}

/// Whether a haproxy that runs already serves with this configuration.
fn serves(context: &Context<'_>, instance: &Instance, master: &Process) -> Result<(), Failure> {
    if !instance.has_configuration(master) {
        return Err(Failure::generic("it has another configuration"));
    }
    let limit = context.budget.work().minus(STARTING);
    // One that is just being reloaded gets the question again.
    let mut last = Ok(());
    let served = Deadline::after(RELOADING).min(limit).poll(|| {
        last = ask::serves(&instance.record, master, limit);
        last.is_ok().then_some(())
    });
    served.map_or(last, Ok)
}

/// Records a haproxy that runs already. The serial of an earlier record stays: haproxy has not read
/// anything since.
///
/// # Errors
/// When the record cannot be written.
pub fn adopt(
    context: &Context<'_>,
    settings: &Settings,
    instance: &Instance,
) -> Result<(), Failure> {
    let mut record = instance.record.clone();
    if record.sum.is_empty() {
        record.sum = sum::of(&settings.identity.configs);
        record.serial.clone_from(&settings.config_serial);
    }
    record.save(context.invocation)
}

/// Writes what haproxy needs beside its configuration, and lets it judge all of it.
fn prepare(context: &Context<'_>, settings: &Settings, instance: &Instance) -> Result<(), Failure> {
    if instance.installed {
        instance.write_extra(settings.hard_stop_after)?;
    }
    check::check(context, instance, true)?.for_start()?;
    // /run is empty after a boot.
    for directory in plain::socket_directories(&instance.record.identity.configs) {
        make_dir(&directory, 0o755, None).or_fail(directory.display())?;
    }
    let sockets = [&instance.record.master_socket, &instance.record.stats_socket];
    for path in sockets.into_iter().flatten().chain([&instance.record.pid_file]) {
        if path.parent().is_some_and(|directory| !directory.is_dir()) {
            state::ensure_directory(path)?;
        }
    }
    Ok(())
}
