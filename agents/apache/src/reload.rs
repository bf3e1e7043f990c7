//! Reload: the server reads its configuration again and loses no connection.
#![forbid(unsafe_code)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::listen::{self, Place};
use ocf::sys::process::Process;

use crate::instance;
use crate::listen::Listen;
use crate::monitor::{self, Depth};
use crate::mpm;
use crate::record::Record;
use crate::server::Server;
use crate::settings::Settings;
use crate::start;
use crate::trial;

/// How long a server may take to read its configuration.
const RENEWAL: Duration = Duration::from_secs(10);

/// Applies changed parameters: all but `config_serial` are read by the actions that use them.
///
/// # Errors
/// The server does not run, or does not serve after the reload.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    let known = instance::remembered(context, &settings.identity);
    match known.and_then(|known| known.serial) {
        Some(serial) if serial == settings.serial => confirm(context, settings),
        // When a server that was adopted has read its configuration is not known: reading it again
        // does no harm.
        None if settings.serial.is_empty() => confirm(context, settings),
        _ => renew(context, settings),
    }
}

/// Makes the server read its configuration again, after a check.
///
/// # Errors
/// As [`reload_agent`], and when the server keeps its old configuration.
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    renew(context, settings)?.or_refused()
}

fn renew(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    let running = match instance::remembered(context, &settings.identity) {
        Some(known) => known,
        None => monitor::resolve(context, &settings.identity, None),
    };
    let found = monitor::observe(context, &running)?;
    let config = running.config.display();
    let Some(master) = found.master else {
        return Err(Failure::generic(format!(
            "the web server of {config} does not run; the cluster starts it"
        )));
    };
    let refused = |why: &Failure| {
        Ok(Reloaded::Refused(format!(
            "configuration refused: {why}; apache keeps its old configuration"
        )))
    };
    // A server that is signalled to read what it refuses ends.
    let checked =
        start::plan(Server::read(context, &settings.identity), settings).and_then(|mut plan| {
            plan.server.check(&plan.program, context.budget.work())?;
            let facts = &plan.server.facts;
            mpm::check(&facts.modules, &master)?;
            let places: Vec<Place> = facts.listens.iter().map(place).collect();
            listen::check(&places, &master, context.budget.work())?;
            trial::start(context, &plan.server, &plan.program)?;
            Ok(plan.server)
        });
    let server = match checked {
        Ok(server) => server,
        Err(failure) => return refused(&failure),
    };
    let before = written(&server.pid_file);
    let handle = master.open().or_fail("the server's master")?;
    let Some(handle) = handle else {
        return Err(Failure::generic(format!("the web server of {config} has just ended")));
    };
    handle.signal(Signal::SIGUSR1).or_fail("the server's master")?;
    match renewed(
        &master,
        &server.pid_file,
        &before,
        context.budget.work().min(Deadline::after(RENEWAL)),
    ) {
        Err(failure) if master.lives().or_fail("/proc")? => return refused(&failure),
        other => other?,
    }
    let known = Record {
        serial: Some(settings.serial.clone()),
        ..instance::describe(&server, &settings.identity)
    };
    known.save_or_warn(context, "the next reload will repeat this one");
    confirm(context, settings)
}

/// What the server binds for a `Listen`. Without an address it is one socket for both families.
fn place(listen: &Listen) -> Place {
    Place { host: listen.host.clone(), port: listen.port, only_ipv6: false }
}

/// When a file was written, and which one it was.
fn written(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.modified().ok()?))
}

/// Waits until the master has read its configuration and opened its addresses: then it writes its
/// number anew. New processes would prove less, for a server begins some now and then.
fn renewed(
    master: &Process,
    pid_file: &Path,
    before: &Option<(u64, SystemTime)>,
    deadline: Deadline,
) -> Result<(), Failure> {
    let seen = deadline.poll(|| match master.lives() {
        Ok(false) => Some(Err(Failure::generic(
            "the server ended instead of reading its configuration again",
        ))),
        Ok(true) => written(pid_file).filter(|now| Some(*now) != *before).map(|_| Ok(())),
        Err(error) => Some(Err(error).or_fail("/proc")),
    });
    seen.unwrap_or_else(|| {
        Err(Failure::generic(
            "the server has not read its configuration in time: see its error log",
        ))
    })
}

fn confirm(context: &Context<'_>, settings: &Settings) -> Result<Reloaded, Failure> {
    match monitor::status(context, settings, Depth::Basic)? {
        Status::Running | Status::Degraded(_) => Ok(Reloaded::Done),
        Status::NotRunning(_) => {
            let config = settings.identity.config();
            Err(Failure::generic(format!(
                "the web server of {} does not run; the cluster starts it",
                config.display()
            )))
        }
    }
}
