//! Reload: the server reads its configuration again and loses no connection.
#![forbid(unsafe_code)]

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::process::Process;

use crate::instance;
use crate::known::Known;
use crate::monitor::{self, Depth};
use crate::server::Server;
use crate::settings::Settings;
use crate::start;

/// How long a server may take to read its configuration.
const RENEWAL: Duration = Duration::from_secs(10);

/// Takes over changed parameters: all but `config_serial` are read by whatever uses them.
///
/// # Errors
/// Why not; the server goes on as before.
pub fn reload_agent(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let known = instance::remembered(context, &settings.place);
    match known.and_then(|known| known.serial) {
        Some(serial) if serial == settings.serial => confirm(context, settings),
        // Nobody knows when a server that another has started read its configuration: again does no harm.
        None if settings.serial.is_empty() => confirm(context, settings),
        _ => reload(context, settings),
    }
}

/// Lets the server read its configuration again, once it has judged it.
///
/// # Errors
/// As [`reload_agent`].
pub fn reload(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let running = match instance::remembered(context, &settings.place) {
        Some(known) => known,
        None => monitor::resolve(context, &settings.place, None),
    };
    let found = instance::with(context, &running, |daemon| daemon.observe())?;
    let config = running.config.display();
    let Some(master) = found.master else {
        return Err(Failure::generic(format!("the web server of {config} does not run: start it")));
    };
    let start::Plan { program, mut server } = start::plan(Server::read(context, &settings.place), settings)?;
    // A server that is told to read what it refuses ends.
    server.ask(&program, context.budget.work())?;
    let before = written(&server.pid_file);
    let handle = master.open().or_fail("the server's master")?;
    let Some(handle) = handle else {
        return Err(Failure::generic(format!("the web server of {config} has just ended")));
    };
    handle.signal(Signal::SIGUSR1).or_fail("the server's master")?;
    renewed(&master, &server.pid_file, &before, context.budget.work().min(Deadline::after(RENEWAL)))?;
    let known = Known { serial: Some(settings.serial.clone()), ..instance::describe(&server, &settings.place) };
    known.save(context.invocation)?;
    confirm(context, settings)
}

/// When a file was written, and which one it was.
fn written(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.modified().ok()?))
}

/// Waits until the master has read its configuration and opened its addresses: then it writes its number anew. New
/// processes would prove less, for a server begins some now and then.
fn renewed(
    master: &Process,
    pid_file: &Path,
    before: &Option<(u64, SystemTime)>,
    deadline: Deadline,
) -> Result<(), Failure> {
    let seen = deadline.poll(|| match master.lives() {
        Ok(false) => Some(Err(Failure::generic("the server ended instead of reading its configuration again"))),
        Ok(true) => written(pid_file).filter(|now| Some(*now) != *before).map(|_| Ok(())),
        Err(error) => Some(Err(error).or_fail("/proc")),
    });
    seen.unwrap_or_else(|| {
        Err(Failure::generic("the server has not read its configuration in time: see its error log"))
    })
}

fn confirm(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    match monitor::status(context, settings, Depth::Basic)? {
        Status::Running | Status::Degraded(_) => Ok(()),
        Status::NotRunning(_) => {
            let config = settings.place.config();
            Err(Failure::generic(format!("the web server of {} does not run: start it", config.display())))
        }
    }
}
