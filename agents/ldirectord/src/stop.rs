//! Ends the daemon, and leaves the kernel's table as it was before its start.
#![forbid(unsafe_code)]

use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::FORCE;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::bridge;
use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::params;
use crate::record::Record;
use crate::settings::{Identity, Settings};
use crate::table;

/// How long the daemon may take to end by itself: it hears a signal only between two checks, and a check of a server that does
/// not answer takes as long as the configuration allows.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends what was started, and what the parameters mean now if that is something else.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, settings: Option<&Settings>) -> Result<(), Failure> {
    let values = &context.invocation.values;
    let identity = match settings {
        Some(settings) => Some(settings.identity.clone()),
        // What is meant by a faulty path is not the usual one, whose daemon is somebody else's.
        None if values.is_given(&params::CONFIGFILE) && values.get(&params::CONFIGFILE).is_none() => None,
        None => Some(Identity::of(values)),
    };
    let known = Record::load(context.invocation);
    let same = known.as_ref().is_some_and(|known| Some(&known.identity) == identity.as_ref());
    let mut failures = Vec::new();
    if let Some(known) = known {
        bridge::keep(context, &known);
        failures.extend(end(context, &known, true, context.budget.work()).err());
    }
    if let Some(identity) = identity.filter(|_| !same) {
        // Nobody knows what this one has added to the table, unless it runs.
        let confs = vec![identity.configfile.clone()];
        failures
            .extend(end(context, &Record { identity, confs, ..Record::default() }, false, context.budget.work()).err());
    }
    match Failure::collect(failures) {
        Some(failure) => Err(failure),
        None => Record::forget(context.invocation),
    }
}

/// Ends the daemons of a record, and puts the table right. `started` says that the record is of a start.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end(context: &Context<'_>, record: &Record, started: bool, deadline: Deadline) -> Result<(), Failure> {
    // The file may say something else by now, or nothing; and the daemon may have read it again since.
    let described = check::describe(&record.identity.configfile).ok();
    let mut confs = record.confs.clone();
    let mut wanted = record.wanted.clone();
    if let Some(described) = described {
        confs.extend(described.confs.into_iter().filter(|conf| !record.confs.contains(conf)));
        // What the daemon was told of cleanstop last is what the file says now.
        wanted.retain(|old| described.wanted.iter().all(|new| new.id != old.id));
        wanted.extend(described.wanted);
    }
    let mut failures = Vec::new();
    let mut ran = false;
    for (number, conf) in confs.iter().enumerate() {
        let instance = Instance::new(context.invocation, &record.identity.program, conf, number);
        match end_one(&instance, deadline) {
            Ok(found) => ran |= found,
            Err(failure) => failures.push(failure),
        }
        // A start that was killed has left a record, and no note of a master.
        if started && number == 0 && !instance.was_up() {
            failures.extend(instance.with(|daemon| daemon.stop_late(deadline)).err());
        }
    }
    if failures.is_empty() && (started || ran) {
        failures.extend(put_back(context, record, &wanted).err());
    }
    Failure::collect(failures).map_or(Ok(()), Err)
}

/// Ends a daemon: it gets time to end by itself, for it may have a command to run and children to end. Tells whether there
/// was one.
fn end_one(instance: &Instance, deadline: Deadline) -> Result<bool, Failure> {
    let found = instance.observe()?;
    let ran = found.master.is_some() || !found.orphans.is_empty();
    // What is held by a signal hears no other one, but SIGKILL.
    if let Some(master) = found.master
        && !master.is_held().or_fail("/proc")?
        && let Some(handle) = master.open().or_fail("ldirectord")?
    {
        // A second SIGTERM would end it in the middle of what it does.
        handle.signal(Signal::SIGTERM).or_fail("ldirectord")?;
        handle.wait(Deadline::after(PATIENCE).min(deadline.minus(FORCE))).or_fail("ldirectord")?;
    }
    instance.with(|daemon| daemon.stop(None, deadline))?;
    Ok(ran)
}

/// Makes the table what it was.
fn put_back(context: &Context<'_>, record: &Record, wanted: &[table::Wanted]) -> Result<(), Failure> {
    let what = "the kernel's table of virtual services";
    if wanted.is_empty() {
        return Ok(());
    }
    // A kernel without IPVS has no table.
    let Some(kernel) = Kernel::open().or_fail(what)? else { return Ok(()) };
    let now = kernel.table().or_fail(what)?;
    for change in table::restore(wanted, &record.before, &now) {
        context.log.debug(format_args!("{what}: {change:?}"));
        kernel.apply(&change).or_fail(what)?;
    }
    Ok(())
}
