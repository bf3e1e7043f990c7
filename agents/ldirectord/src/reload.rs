//! Makes the daemon read its configuration again, while the kernel directs on.
#![forbid(unsafe_code)]

use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::Daemon;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;

use crate::check;
use crate::instance::Instance;
use crate::kernel::Kernel;
use crate::record::Record;
use crate::settings::Settings;
use crate::table;

/// How long the daemon may take: it hears a signal only between two checks.
const RENEWAL: Duration = Duration::from_secs(15);

/// Reads the configuration again. What does not run is not started: for the cluster it would be
/// stopped all the same.
///
/// # Errors
/// Why not: the old configuration stays in effect then.
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    renew(context, settings, known(context, settings))?.or_refused()
}

/// Applies changed parameters. All but `config_serial` are read anew by the action that uses them.
///
/// # Errors
/// The daemon does not run.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    let known = known(context, settings);
    if known.as_ref().and_then(|known| known.serial.as_ref()) == settings.config_serial.as_ref() {
        return Ok(Reloaded::Done);
    }
    renew(context, settings, known)
}

fn known(context: &Context<'_>, settings: &Settings) -> Option<Record> {
    Record::load(context.invocation).filter(|known| known.identity == settings.identity)
}

fn renew(
    context: &Context<'_>,
    settings: &Settings,
    known: Option<Record>,
) -> Result<Reloaded, Failure> {
    let (identity, work) = (&settings.identity, context.budget.work());
    let main = Instance::new(context.invocation, &identity.program, &identity.configfile, 0);
    let stopped = || Failure::generic("ldirectord does not run on this node");
    let master = main.observe(work)?.master.ok_or_else(stopped)?;
    let usable = check::files(settings)
        .and_then(|()| check::describe(&identity.configfile, work))
        .and_then(|described| check::loadable(&described, identity, work).map(|()| described));
    let described = match usable {
        Ok(described) => described,
        Err(failure) => {
            return Ok(kept(&failure));
        }
    };
    described.remarks.iter().for_each(|remark| context.log.warn(format_args!("{remark}")));
    let what = "the kernel's table of virtual services";
    let no_kernel = || Failure::generic("this kernel has no IP Virtual Server (ip_vs)");
    let kernel = Kernel::open().or_fail(what)?.ok_or_else(no_kernel)?;
    let mut record = known.unwrap_or_else(|| Record {
        identity: identity.clone(),
        // What was before is not known: a stop takes away what the daemon had.
        confs: described.confs.clone(),
        wanted: described.wanted.clone(),
        ..Record::default()
    });
    // What others have in the place of a service that is new is put back by a stop, also by one
    // that comes before the daemon has read the file, or this action has ended.
    let has = |all: &[table::Wanted], id| all.iter().any(|wanted| wanted.id == id);
    let is_ours = |id| has(&record.wanted, id) || has(&record.pending, id);
    let new = described.wanted.iter().filter(|wanted| !is_ours(wanted.id)).copied();
    let new: Vec<table::Wanted> = new.collect();
    let others = kernel.table().or_fail(what)?.into_iter().filter(|it| has(&new, it.id));
    record.before.retain(|it| !has(&new, it.id));
    record.before.extend(others);
    record.pending.extend(new);
    record.autoreload |= described.autoreload;
    if let Err(failure) = record.save(context.invocation) {
        return Ok(kept(&failure));
    }
    let handle = master.open().or_fail("ldirectord")?.ok_or_else(stopped)?;
    handle.signal(Signal::SIGHUP).or_fail("ldirectord")?;
    let is_renewed = Deadline::after(RENEWAL).min(work).poll(|| {
        let now = kernel.table().ok()?;
        table::is_renewed(&record.wanted, &described.wanted, &now).then_some(())
    });
    if is_renewed.is_none() {
        return Ok(Reloaded::Refused(
            "the new configuration is not in effect yet: ldirectord is busy with checks; see its \
             log"
            .to_owned(),
        ));
    }
    record.pending.clear();
    record.confs = described.confs;
    record.wanted = described.wanted;
    record.autoreload = described.autoreload;
    record.serial.clone_from(&settings.config_serial);
    record.save_or_warn(context, "the next reload will repeat this one");
    Ok(Reloaded::Done)
}

/// The answer where ldirectord goes on as it was.
fn kept(failure: &Failure) -> Reloaded {
    Reloaded::Refused(format!(
        "configuration refused: {failure}; ldirectord keeps its old configuration"
    ))
}
