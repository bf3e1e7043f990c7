//! Ends the daemon, and leaves the kernel's table as it was before its start.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::daemon::{self, Daemon, Found};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::bridge;
use crate::check::{self, Described};
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::record::Record;
use crate::settings::Identity;
use crate::table::{self, Id, Wanted};

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
        let today = check::describe_offline(&known.identity.configfile).ok();
        failures.extend(end(context, &known, today.as_ref(), true, deadline).err());
    }
    if let Some(identity) = identity.filter(|_| !same) {
        let today = check::describe_offline(&identity.configfile).ok();
        // It is not known what this one has added to the table, unless it runs.
        let meant = Record::unknown(identity);
        failures.extend(end(context, &meant, today.as_ref(), false, deadline).err());
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

/// Ends what was started with other parameters, before a start forgets it. Where a daemon of this
/// configuration runs, it is that one: only its program has another name now, and it goes on.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end_former(context: &Context<'_>, main: &Instance, former: &Record) -> Result<(), Failure> {
    let (deadline, conf) = (context.budget.work(), &former.identity.configfile);
    if *conf == main.conf && main.observe(deadline)?.master.is_some() {
        return Ok(());
    }
    context.log.info(format_args!("ending first what was started with {}", conf.display()));
    end(context, former, check::describe_offline(conf).ok().as_ref(), true, deadline)
}

/// Ends the daemons of a record, and puts the table right. `today` is what the file says by now, as
/// far as that is known; `started` says that the record is of a start.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn end(
    context: &Context<'_>,
    record: &Record,
    today: Option<&Described>,
    started: bool,
    deadline: Deadline,
) -> Result<(), Failure> {
    let mut confs = record.confs.clone();
    let today_confs = today.iter().flat_map(|today| &today.confs);
    confs.extend(today_confs.filter(|conf| !record.confs.contains(conf)).cloned());
    let instance = |(number, conf): (usize, &PathBuf)| {
        Instance::new(context.invocation, &record.identity.program, conf, number)
    };
    let instances: Vec<Instance> = confs.iter().enumerate().map(instance).collect();
    // Before the first one ends: as it does, it ends those that it executes.
    let seen: Vec<_> = instances.iter().map(|instance| instance.observe(deadline)).collect();
    let mut failures = Vec::new();
    let (mut ran, mut purged) = (false, true);
    for (number, (instance, seen)) in instances.iter().zip(seen).enumerate() {
        match seen.and_then(|seen| end_one(context, instance, &seen, deadline)) {
            Ok(Ended::Nothing) => purged &= number >= record.confs.len(),
            Ok(Ended::ByItself) => ran = true,
            Ok(Ended::Killed) => (ran, purged) = (true, false),
            Err(failure) => failures.push(failure),
        }
        // A start that was killed has left a record, and no note of a master.
        if started && number == 0 && !instance.was_up() {
            failures.extend(instance.end_late(deadline).err());
        }
    }
    if failures.is_empty() && (started || ran) {
        let today = today.map_or(&[][..], |today| &today.wanted);
        // It has taken away whatever it had. What else the file says may be another director's.
        let has_read = !purged && (record.autoreload || !started);
        failures.extend(put_back(context, record, &ours(record, today, has_read)).err());
    }
    Failure::collect(failures).map_or(Ok(()), Err)
}

/// The virtual services that the daemons of a record may have left: those that they had, and those
/// of today's file where they may have read that.
fn ours(record: &Record, today: &[Wanted], has_read: bool) -> Vec<Wanted> {
    let had = record.wanted.iter().chain(&record.pending);
    let find = |id: Id| today.iter().find(|new| new.id == id);
    // The daemon's last value of cleanstop is what the file says now. Name servers may be silent
    // now: what the start has found for its names is in the record.
    let mut ours: Vec<Wanted> = had.map(|old| *find(old.id).unwrap_or(old)).collect();
    if has_read {
        ours.extend(today);
    }
    ours.sort_unstable_by_key(|wanted| wanted.id);
    ours.dedup_by_key(|wanted| wanted.id);
    ours
}

/// How a daemon has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// There was none.
    Nothing,
    /// It has taken its virtual services away.
    ByItself,
    /// It was killed now, or had been and left processes.
    Killed,
}

/// Ends a daemon, of which a moment ago that much was seen.
fn end_one(
    context: &Context<'_>,
    instance: &Instance,
    seen: &Found,
    deadline: Deadline,
) -> Result<Ended, Failure> {
    let gone = match &seen.master {
        Some(master) => !master.lives().or_fail("/proc")? && !instance.pid_file.exists(),
        None => false,
    };
    instance.end_politely(context, deadline)?;
    Ok(match seen.is_empty() {
        true => Ended::Nothing,
        false if gone || instance.has_purged() => Ended::ByItself,
        false => Ended::Killed,
    })
}

/// Makes the table what it was.
fn put_back(context: &Context<'_>, record: &Record, wanted: &[Wanted]) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn todays_file_adds_only_what_the_daemon_may_have_read() {
        let wanted = |port: u16, kept| {
            let id = Id::parse(&format!("tcp 10.0.0.1:{port}")).unwrap();
            Wanted { id, kept, off: false }
        };
        let record = Record {
            wanted: vec![wanted(80, false), wanted(82, false)],
            pending: vec![wanted(81, false)],
            ..Record::default()
        };
        let today = [wanted(80, true), wanted(83, false)];
        let had = vec![wanted(80, true), wanted(81, false), wanted(82, false)];
        assert_eq!(ours(&record, &today, false), had);
        assert_eq!(ours(&record, &today, true), [had, vec![wanted(83, false)]].concat());
        assert_eq!(ours(&Record::default(), &today, false), []);
        assert_eq!(ours(&Record::default(), &today, true), today);
    }
}
