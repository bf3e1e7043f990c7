//! Starts the daemon, and returns when its virtual services are in the kernel's table.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use ocf::daemon::{Daemon, complaint, rolled_back};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command;
use ocf::sys::process::Process;
use ocf::sys::{file, pidfile};

use crate::argv::{self, Role};
use crate::bridge;
use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::record::Record;
use crate::settings::Settings;
use crate::stop;
use crate::table;

/// Where the daemon looks for the tool that it changes the table with.
const IPVSADM: [&str; 2] = ["/sbin/ipvsadm", "/usr/sbin/ipvsadm"];

/// How long a start waits for the first live real server. It does not fail without one: real
/// servers that are all down are not cured by it.
const FIRST_CHECKS: Duration = Duration::from_secs(10);

/// How long ipvsadm may take to load the kernel's module.
const LOADING: Duration = Duration::from_secs(5);

/// Starts the daemon. Nothing happens when it runs already.
///
/// # Errors
/// Why it does not; nothing of the attempt is left then.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let identity = &settings.identity;
    check::files(settings)?;
    let described = check::describe(&identity.configfile, context.budget.work())?;
    check::loadable(&described, identity, context.budget.work())?;
    described.remarks.iter().for_each(|remark| context.log.warn(format_args!("{remark}")));
    let instances: Vec<Instance> = described
        .confs
        .iter()
        .enumerate()
        .map(|(number, conf)| Instance::new(context.invocation, &identity.program, conf, number))
        .collect();
    let Some(main) = instances.first() else {
        return Err(Failure::generic("there is no configuration"));
    };
    let kernel = kernel(context.budget.work())?;
    let (known, former) = match Record::load(context.invocation) {
        Some(record) if record.identity != *identity => (None, Some(record)),
        known => (known, None),
    };
    if let Some(former) = former {
        stop::end_former(context, main, &former)?;
    }
    let mut new = Record::of(settings, &described);
    let table = || kernel.table().or_fail("the kernel's table of virtual services");
    if let Some(master) = main.observe(context.budget.work())?.master {
        let lacks = table::judge(&new.wanted, &table()?);
        if lacks.services.is_empty() && !master.is_held().or_fail("/proc")? {
            // It may have been started by other means; a stop must know it all the same. What was
            // before is not known then.
            main.remember(&master)?;
            return known.map_or_else(|| new.save(context.invocation), |_| Ok(()));
        }
        context.log.warn(format_args!("starting anew a daemon that does not direct"));
        let (running, started) = (known.clone(), known.is_some());
        let running = running.unwrap_or_else(|| Record::unknown(identity));
        stop::end(context, &running, Some(&described), started, context.budget.work())?;
    }
    for instance in &instances {
        instance.clear(context.budget.work())?;
        free_pid_file(context, instance, &identity.program)?;
    }
    // A daemon that died has left its services; what was before its start still counts.
    new.before = known.map_or_else(table, |known| Ok(known.before))?;
    // Before the daemon is there: a start that is killed anywhere leaves what a stop knows.
    new.save(context.invocation)?;
    bridge::restore_services(context, &new, &kernel);
    let mut command = main.command("start");
    if let Some(ca) = &settings.ca {
        // What LWP, the daemon's client, reads.
        command.env("HTTPS_CA_FILE", ca);
    }
    // The daemon's pid file and logs have the modes that the caller's mask leaves, and no agent
    // trusts a pid file that everybody may write.
    umask(Mode::from_bits_truncate(0o022));
    let started = main.start(context, command, &mut |_| {
        let judged = table().map(|table| table::judge(&new.wanted, &table));
        let lacks = judged.and_then(|lacks| match lacks.services.is_empty() {
            true => Ok(()),
            false => Err(Failure::generic(lacks.services_text())),
        });
        lacks.into()
    });
    if let Err(failure) = started {
        return Err(roll_back(context, &new, explained(failure)));
    }
    let patience = Deadline::after(FIRST_CHECKS).min(context.budget.work());
    let mut lacks = None;
    patience.poll(|| {
        let found = table::judge(&new.wanted, &kernel.table().ok()?);
        let served = found.servers.is_empty();
        lacks = Some(found);
        served.then_some(())
    });
    if let Some(lacks) = lacks.filter(|lacks| !lacks.servers.is_empty()) {
        context.log.warn(format_args!("the director runs, but {}", lacks.servers_text()));
    }
    Ok(())
}

/// IPVS of this kernel.
fn kernel(deadline: Deadline) -> Result<Kernel, Failure> {
    let open = || Kernel::open().or_fail("the kernel's IPVS");
    let Some(tool) = IPVSADM.iter().map(Path::new).find(|path| path.is_file()) else {
        return Err(Failure::installed("ipvsadm is not installed; ldirectord needs it"));
    };
    if let Some(kernel) = open()? {
        return Ok(kernel);
    }
    // It loads the module where the kernel does not do so by itself.
    let mut command = Command::new(tool);
    command.arg("-Ln");
    let said = command::run(command, None, Deadline::after(LOADING).min(deadline))
        .map_err(|error| error.to_string());
    let said = said.map_or_else(|error| error, |output| complaint(&output.stderr, &output.stdout));
    open()?.ok_or_else(|| {
        Failure::installed(format!(
            "this kernel has no IP Virtual Server: {said}; load the module ip_vs"
        ))
    })
}

/// The daemon takes a pid file for its own when the process in it has "ldirectord" anywhere in its
/// arguments, and then starts nothing and says that all is well.
fn free_pid_file(
    context: &Context<'_>,
    instance: &Instance,
    program: &Path,
) -> Result<(), Failure> {
    let path = &instance.pid_file;
    for pid in pidfile::read(path).unwrap_or_default() {
        let Some(process) = Process::find(pid).or_fail("/proc")? else { continue };
        // Another user's process may have written anything there.
        let arguments = process.arguments_of_root().unwrap_or_default();
        if let Role::Daemon(other) = argv::read(&arguments, program) {
            return Err(Failure::generic(format!(
                "{} is in use by the ldirectord of {}: give one of the configuration files \
                 another name",
                path.display(),
                other.display()
            )));
        }
        context
            .log
            .info(format_args!("{} names process {pid}, which is no ldirectord", path.display()));
        file::remove(path).or_fail(path.display())?;
    }
    // /run is empty after a boot.
    path.parent()
        .filter(|directory| !directory.is_dir())
        .map_or(Ok(()), |directory| file::ensure_dir(directory, 0o755).or_fail(directory.display()))
}

/// What the daemon found wrong with its configuration is this machine's lack, as what we found.
fn explained(failure: Failure) -> Failure {
    let text = failure.to_string();
    let is_config = text.contains("Error [") && text.contains("] reading file ");
    if is_config { Failure::installed(text) } else { failure }
}

fn roll_back(context: &Context<'_>, record: &Record, failure: Failure) -> Failure {
    let left = stop::end(context, record, None, true, context.budget.rollback())
        .and_then(|()| Record::forget(context.invocation));
    rolled_back(failure, left)
}
