//! Makes the server read its configuration again without losing a request.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use ocf::daemon::Daemon;
use ocf::invocation::Asked;
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

/// As [`RENEWAL`], for a monitor that tries a refused configuration again, beyond twice what nginx
/// took to check it: nginx tries to bind its addresses for 2.5 s (`ngx_open_listening_sockets`).
const RETRY: Duration = Duration::from_secs(3);

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
    let began = Instant::now();
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
    // The agent's own reading takes as long as the server's.
    let limit = if is_retry(context) { RETRY + 2 * began.elapsed() } else { RENEWAL };
    let before = master.descendants().or_fail("/proc")?;
    let handle = master.open().or_fail("nginx")?.ok_or_else(ended)?;
    handle.signal(Signal::SIGHUP).or_fail("nginx")?;
    let deadline = Deadline::after(limit).min(context.budget.work());
    if !renewed(master, &before, deadline)? {
        return refused("no new worker has started: see nginx's error log".to_owned());
    }
    serves(context, settings, described, master)?;
    let record =
        Record { serial: settings.config_serial.clone(), ..described.instance.record.clone() };
    record.save_or_warn(context, "the next reload will repeat this one");
    Ok(Reloaded::Done)
}

/// Whether it is a monitor that tries a refused configuration again.
fn is_retry(context: &Context<'_>) -> bool {
    matches!(context.invocation.asked, Asked::Action(action) if action.is_monitor())
}

/// Waits for new workers, which come with the new configuration only; says whether there are any.
fn renewed(master: &Process, before: &[Process], deadline: Deadline) -> Result<bool, Failure> {
    let seen = deadline.poll(|| match (master.lives(), master.descendants()) {
        (Ok(false), _) => Some(Err(ended())),
        (Ok(true), Ok(now)) => now.iter().any(|it| !before.contains(it)).then_some(Ok(true)),
        (Err(error), _) | (_, Err(error)) => Some(Err(error).or_fail("/proc")),
    });
    seen.unwrap_or(Ok(false))
}

/// Waits until the server answers.
fn serves(
    context: &Context<'_>,
    settings: &Settings,
    described: &Described,
    master: &Process,
) -> Result<(), Failure> {
    let mut last = Failure::generic("nginx does not serve");
    let work = context.budget.work();
    let seen = work.poll(|| match ask::alive(&described.instance.record, settings.port, work) {
        Ok(()) => Some(Ok(())),
        Err(_) if !master.lives().unwrap_or(true) => Some(Err(ended())),
        Err(failure) => {
            last = failure;
            None
        }
    });
    seen.unwrap_or_else(|| Err(last.wrap("after the reload")))
}

fn ended() -> Failure {
    Failure::generic("nginx has just ended")
}
