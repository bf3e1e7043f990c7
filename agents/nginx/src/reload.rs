//! Makes the server read its configuration again without losing a request.
#![forbid(unsafe_code)]

use std::time::Duration;

use nix::sys::signal::Signal;
use ocf::daemon::Daemon;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::listen;
use ocf::sys::process::Process;

use crate::ask;
use crate::check::{self, Verdict};
use crate::instance::{self, Described};
use crate::record::Record;
use crate::settings::Settings;

/// How long a master may take to read its configuration and to begin new workers.
const RENEWAL: Duration = Duration::from_secs(30);

/// Reads the configuration again. What does not run is not started: for the cluster it would be
/// stopped all the same.
///
/// # Errors
/// Why not: the old workers go on then, with the old configuration.
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let described = instance::describe(context, &settings.identity);
    let master = master(context, &described)?.ok_or_else(stopped)?;
    renew(context, settings, &described, &master)?.or_refused()
}

/// Applies changed parameters. All but `config_serial` are read anew by the action that uses them.
///
/// # Errors
/// The server does not run, or does not serve after the reload.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    let described = instance::describe(context, &settings.identity);
    let master = master(context, &described)?.ok_or_else(stopped)?;
    let known = Record::load(context.invocation);
    if known.is_some_and(|known| known.serial == settings.config_serial) {
        return Ok(Reloaded::Done);
    }
    renew(context, settings, &described, &master)
}

fn stopped() -> Failure {
    Failure::generic("nginx does not run on this node")
}

/// The master, by the record where there is one: the configuration may have another pid file by
/// now.
fn master(context: &Context<'_>, described: &Described) -> Result<Option<Process>, Failure> {
    let known = instance::Instance::recorded(context.invocation)
        .filter(|instance| instance.record.identity == described.instance.record.identity);
    if let Some(instance) = known
        && let Some(master) = instance.observe(context.budget.work())?.master
    {
        return Ok(Some(master));
    }
    Ok(described.instance.observe(context.budget.work())?.master)
}

fn renew(
    context: &Context<'_>,
    settings: &Settings,
    described: &Described,
    master: &Process,
) -> Result<Reloaded, Failure> {
    let refused = |why: String| {
        Ok(Reloaded::Refused(format!(
            "configuration refused: {why}; nginx keeps its old configuration"
        )))
    };
    match check::check(context, described) {
        Ok(Verdict::Good) => {}
        Ok(
            Verdict::NoAddress(why)
            | Verdict::NoName(why)
            | Verdict::Denied(why)
            | Verdict::Bad(why),
        ) => {
            return refused(why);
        }
        Err(failure) => return refused(failure.to_string()),
    }
    // nginx's own check passes over an address that is in use, for the one that asks may be the one
    // that uses it.
    if let Err(failure) = listen::check(&described.places, master, context.budget.work()) {
        return refused(failure.to_string());
    }
    let before = master.descendants().or_fail("/proc")?;
    let handle =
        master.open().or_fail("nginx")?.ok_or_else(|| Failure::generic("nginx has just ended"))?;
    handle.signal(Signal::SIGHUP).or_fail("nginx")?;
    // New workers come with the new configuration only.
    let renewed =
        Deadline::after(RENEWAL).min(context.budget.work()).poll(|| match master.descendants() {
            Ok(now) => now.iter().any(|worker| !before.contains(worker)).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
    match renewed {
        Some(result) => result.or_fail("/proc")?,
        None => return refused("no new worker has started: see nginx's error log".to_owned()),
    }
    let mut last = None;
    let serves = context.budget.work().poll(|| {
        let answer = ask::alive(&described.instance.record, settings.port, context.budget.work());
        answer.map_err(|failure| last = Some(failure)).ok()
    });
    if serves.is_none() {
        return Err(last
            .unwrap_or_else(|| Failure::generic("nginx does not serve"))
            .wrap("after the reload"));
    }
    let record =
        Record { serial: settings.config_serial.clone(), ..described.instance.record.clone() };
    record.save_or_warn(context, "the next reload will repeat this one");
    Ok(Reloaded::Done)
}
