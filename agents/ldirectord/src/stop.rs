//! Ends the daemon, and leaves the kernel's table as it was before its start.
#![forbid(unsafe_code)]

use ocf::daemon::{self, Daemon};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::bridge;
use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::record::Record;
use crate::settings::Identity;
use crate::table;

/// Ends what was started, and what the parameters mean now if that is something else. A record that
/// cannot be removed is no failure: it names what is gone.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop(context: &Context<'_>, identity: Option<&Identity>) -> Result<(), Failure> {
    let deadline = context.budget.work();
    let known = Record::load(context.invocation);
    let same = known.as_ref().is_some_and(|known| Some(&known.identity) == identity);
    let mut failures = Vec::new();
    if let Some(known) = known {
        bridge::save_services(context, &known);
        failures.extend(end(context, &known, true, deadline).err());
    }
    if let Some(identity) = identity.filter(|_| !same) {
        let identity = identity.clone();
        // It is not known what this one has added to the table, unless it runs.
        let confs = vec![identity.configfile.clone()];
        failures.extend(
            end(context, &Record { identity, confs, ..Record::default() }, false, deadline).err(),
        );
    }
    if let Some(failure) = Failure::collect(failures) {
        return Err(failure);
    }
    if let Err(failure) = Record::forget(context.invocation) {
        context.log.warn(format_args!("nothing runs any more, but {failure}"));
    }
    Ok(())
}

/// Looks for what a stop would end.
///
/// # Errors
/// As [`daemon::probe`].
pub fn probe_without_params(
    context: &Context<'_>,
    identity: Option<&Identity>,
) -> Result<Status, Failure> {
    let instance = |identity: &Identity| {
        Instance::new(context.invocation, &identity.program, &identity.configfile, 0)
    };
    daemon::probe(
        context,
        Record::load(context.invocation).map(|known| instance(&known.identity)),
        || identity.map(instance),
    )
}

/// Ends the daemons of a record, and puts the table right. `started` says that the record is of a
/// start.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end(
    context: &Context<'_>,
    record: &Record,
    started: bool,
    deadline: Deadline,
) -> Result<(), Failure> {
    // The file may say something else by now, or nothing; and the daemon may have read it again
    // since. Name servers may be silent now: what the start has found for its names is in the
    // record.
    let described = check::describe_offline(&record.identity.configfile).ok();
    let mut confs = record.confs.clone();
    let mut wanted = [record.wanted.as_slice(), &record.pending].concat();
    if let Some(described) = described {
        confs.extend(described.confs.into_iter().filter(|conf| !record.confs.contains(conf)));
        // The daemon's last value of cleanstop is what the file says now.
        wanted.retain(|old| described.wanted.iter().all(|new| new.id != old.id));
        wanted.extend(described.wanted);
    }
    let mut failures = Vec::new();
    let mut ran = false;
    for (number, conf) in confs.iter().enumerate() {
        let instance = Instance::new(context.invocation, &record.identity.program, conf, number);
        match end_one(context, &instance, deadline) {
            Ok(found) => ran |= found,
            Err(failure) => failures.push(failure),
        }
        // A start that was killed has left a record, and no note of a master.
        if started && number == 0 && !instance.was_up() {
            failures.extend(instance.end_late(deadline).err());
        }
    }
    if failures.is_empty() && (started || ran) {
        failures.extend(put_back(context, record, &wanted).err());
    }
    Failure::collect(failures).map_or(Ok(()), Err)
}

/// Ends a daemon, and says whether there was one.
fn end_one(
    context: &Context<'_>,
    instance: &Instance,
    deadline: Deadline,
) -> Result<bool, Failure> {
    let ran = !instance.observe(deadline)?.is_empty();
    instance.end_politely(context, deadline)?;
    Ok(ran)
}

/// Makes the table what it was.
fn put_back(
    context: &Context<'_>,
    record: &Record,
    wanted: &[table::Wanted],
) -> Result<(), Failure> {
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
