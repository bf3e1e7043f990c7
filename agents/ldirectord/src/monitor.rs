//! Does it run, and does it direct?
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ocf::daemon::{Daemon, complaint};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command;
use ocf::sys::file::{self, Trust};
use ocf::sys::process::Process;

use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::params::OnLow;
use crate::record::Record;
use crate::settings::{Identity, Settings};
use crate::table::{self, Service, Wanted};

/// How long a daemon may take to look at every real server for the first time. It begins with all
/// of them out, and a restart would only make it begin again.
const FIRST_ROUND: Duration = Duration::from_secs(30);

/// How long the name servers may take where the start's answers can do.
const NAMES: Duration = Duration::from_secs(10);

/// How long they may take for a record of a daemon that was started by other means.
const ADOPTION: Duration = Duration::from_secs(3);

/// More bytes than a pid file has.
const LARGEST_PID_FILE: u64 = 4096;

/// Returns the state.
///
/// # Errors
/// Why it is neither running nor cleanly stopped.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let record = Record::load(context.invocation);
    let known = record.as_ref().filter(|record| record.identity == settings.identity);
    let instances = instances(context, &settings.identity, known);
    let Some((main, executed)) = instances.split_first() else { return Ok(Status::STOPPED) };
    let found = main.observe(context.budget.work())?;
    let Some(master) = found.master else {
        return match found.orphans.len() {
            0 => without_daemon(context, settings, record.as_ref()),
            count => Err(Failure::generic(format!(
                "the daemon has died, or lost its pid file {}, and {count} processes of it are \
                 left; stop ends them",
                main.pid_file.display()
            ))),
        };
    };
    if master.is_held().or_fail("/proc")? {
        return Err(Failure::generic(format!(
            "ldirectord (process {}) is held by a signal and checks nothing",
            master.pid
        )));
    }
    for instance in executed {
        if instance.observe(context.budget.work())?.master.is_none() {
            return Err(Failure::generic(format!(
                "the ldirectord of {} has died (execute=)",
                instance.conf.display()
            )));
        }
    }
    let status = match context.depth {
        0 => Status::Running,
        10 => own_status(context, settings, main, &master)?,
        _ => directs(context, settings, &master, known.map(|known| known.wanted.clone()))?,
    };
    if record.is_none() {
        adopt(context, settings, main, &master);
    }
    Ok(status)
}

/// The answer where no daemon of these parameters runs. One may that was started with other ones,
/// which were changed while nothing stopped it.
fn without_daemon(
    context: &Context<'_>,
    settings: &Settings,
    record: Option<&Record>,
) -> Result<Status, Failure> {
    let former = record.filter(|record| record.identity != settings.identity);
    let Some(former) = former else { return Ok(Status::STOPPED) };
    for instance in instances(context, &former.identity, Some(former)) {
        if !instance.observe(context.budget.work())?.is_empty() {
            return Err(Failure::generic(format!(
                "the ldirectord of {} still runs: it was started with other parameters; stop the \
                 resource",
                instance.conf.display()
            )));
        }
    }
    Ok(Status::STOPPED)
}

/// A daemon that was started by other means (the peer, before a change of agents) becomes ours: a
/// stop knows it then without its pid file, and what it had in the kernel's table when it is dead.
fn adopt(context: &Context<'_>, settings: &Settings, main: &Instance, master: &Process) {
    if context.invocation.is_explanation() || !nix::unistd::geteuid().is_root() {
        return;
    }
    if let Err(failure) = main.remember(master) {
        context.log.warn(format_args!("{failure}; without its pid file a stop may not find it"));
    }
    let limit = Deadline::after(ADOPTION).min(context.budget.work());
    let described = match check::describe(&main.conf, limit) {
        Ok(described) => described,
        Err(failure) => return context.log.debug(format_args!("there is no record: {failure}")),
    };
    let mut record = Record::of(settings, &described);
    // The file may have changed since the daemon read it: what it executes now may never have run.
    let all = instances(context, &settings.identity, Some(&record));
    let runs = |it: &Instance| it.observe(limit).is_ok_and(|found| found.master.is_some());
    let running = all.into_iter().filter(|it| it.conf == main.conf || runs(it));
    record.confs = running.map(|it| it.conf).collect();
    record.save_or_warn(context, "a stop would leave what a daemon that died had in the kernel");
}

/// What is known of the daemons that were started with these parameters.
fn known(context: &Context<'_>, settings: &Settings) -> Option<Record> {
    Record::load(context.invocation).filter(|known| known.identity == settings.identity)
}

/// The daemon of the parameters first, then those that its configuration executes.
fn instances(context: &Context<'_>, identity: &Identity, known: Option<&Record>) -> Vec<Instance> {
    let confs =
        known.map_or_else(|| vec![identity.configfile.clone()], |known| known.confs.clone());
    let instance = |(number, conf): (usize, &PathBuf)| {
        Instance::new(context.invocation, &identity.program, conf, number)
    };
    confs.iter().enumerate().map(instance).collect()
}

/// The ends of the daemons.
///
/// # Errors
/// When they cannot be looked at.
pub fn sources(context: &Context<'_>, settings: &Settings) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    for instance in instances(context, &settings.identity, known(context, settings).as_ref()) {
        if let Some(master) = instance.observe(context.budget.work())?.master {
            sources.add_process(master, "the daemon")?;
        }
    }
    Ok(sources)
}

/// Level 10: the daemon's program asks itself. A mistake in the file, of which the running daemon
/// knows nothing, is for people to see: a restart would make it worse.
fn own_status(
    context: &Context<'_>,
    settings: &Settings,
    main: &Instance,
    master: &Process,
) -> Result<Status, Failure> {
    let spoiled = |why: &dyn std::fmt::Display| {
        Ok(Status::Degraded(format!("the daemon runs, but a restart would fail: {why}")))
    };
    // With a mistake in the file, the program would remove the pid file of the running daemon.
    let limit = Deadline::after(NAMES).min(context.budget.work());
    let usable = check::files(settings)
        .and_then(|()| check::describe(&main.conf, limit))
        .and_then(|described| check::loadable(&described, &settings.identity, limit));
    if let Err(failure) = usable {
        return spoiled(&failure);
    }
    let pid_file = file::read(&main.pid_file, LARGEST_PID_FILE, Trust::Anyone).ok();
    let output = command::run(main.command("status"), None, context.budget.work());
    if let Some(bytes) = pid_file
        && !main.pid_file.exists()
        && master.lives().or_fail("/proc")?
    {
        file::write_atomic(&main.pid_file, &bytes, 0o644).or_fail(main.pid_file.display())?;
    }
    let output = output.map_err(|error| Failure::generic(format!("ldirectord status {error}")))?;
    let said = complaint(&output.stderr, &output.stdout);
    match output.code {
        Some(0) => Ok(Status::Running),
        Some(2) if said.contains("] reading file ") => spoiled(&said),
        code => Err(Failure::generic(format!(
            "ldirectord status: exit code {}: {said}",
            code.unwrap_or(-1)
        ))),
    }
}

/// Level 20: the kernel has the virtual services, and a server to send their clients to.
fn directs(
    context: &Context<'_>,
    settings: &Settings,
    master: &Process,
    started: Option<Vec<Wanted>>,
) -> Result<Status, Failure> {
    let what = "the kernel's table of virtual services";
    let kernel = Kernel::open().or_fail(what)?;
    let Some(kernel) = kernel else {
        return Err(Failure::generic("this kernel has no IP Virtual Server (ip_vs)"));
    };
    let table = kernel.table().or_fail(what)?;
    let wanted = expected(context, started, &settings.identity.configfile, &table)?;
    let lacks = table::judge(&wanted, &table);
    if !lacks.services.is_empty() {
        // The daemon never puts one back that was removed by other means; a restart does.
        return Err(Failure::generic(lacks.services_text()));
    }
    match settings.on_low {
        _ if lacks.servers.is_empty() => Ok(Status::Running),
        OnLow::Fail if master.age().or_fail("/proc")? < FIRST_ROUND => Ok(Status::Degraded(
            format!("{} (the first checks may still be under way)", lacks.servers_text()),
        )),
        OnLow::Degraded => Ok(Status::Degraded(lacks.servers_text())),
        OnLow::Fail => Err(Failure::generic(lacks.servers_text())),
    }
}

/// The virtual services that should be there: those of the start, or those of the file as it is
/// now, for the daemon may have been ordered to read it again.
fn expected(
    context: &Context<'_>,
    started: Option<Vec<Wanted>>,
    conf: &Path,
    table: &[Service],
) -> Result<Vec<Wanted>, Failure> {
    let complete = |wanted: &[Wanted]| table::judge(wanted, table).services.is_empty();
    match started {
        Some(started) => {
            let now = check::describe(conf, Deadline::after(NAMES).min(context.budget.work()))
                .ok()
                .map(|described| described.wanted);
            Ok(now.filter(|now| complete(now)).unwrap_or(started))
        }
        None => check::describe(conf, context.budget.work()).map(|described| described.wanted),
    }
}
