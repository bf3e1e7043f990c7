//! Start, and what the machine must have for it.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Uid, User};
use ocf::daemon::{self, Daemon as _, Readiness, one_start_at_a_time};
use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::file::{Owner, make_dir};

use crate::check;
use crate::config::Facts;
use crate::instance::{self, Instance};
use crate::monitor::{self, Depth};
use crate::record::Record;
use crate::server::Server;
use crate::settings::Settings;
use crate::trial::{self, Logs};

/// How long a server that answers may take to answer well.
const WARMING: Duration = Duration::from_secs(1);

/// How long the distribution's own tool may take to make its directories.
const PREPARING: Duration = Duration::from_secs(10);

/// A server with its program, and what is known of it once it is started.
pub struct Plan {
    /// The program.
    pub program: PathBuf,
    /// The server.
    pub server: Server,
}

/// Finds program and configuration for a server.
///
/// # Errors
/// What this machine lacks.
pub fn plan(server: Server, settings: &Settings) -> Result<Plan, Failure> {
    let program = settings.identity.program()?;
    let config = settings.identity.config();
    if !config.is_file() {
        let path = config.display();
        return Err(Failure::installed(format!(
            "configfile={path}: no such file: install the web server, or set configfile"
        )));
    }
    if let Some(file) = settings.checks.testconffile.as_ref().filter(|file| !file.is_file()) {
        return Err(Failure::installed(format!("testconffile={}: no such file", file.display())));
    }
    match server.envfile.clone() {
        Some(failure) => Err(failure),
        None => Ok(Plan { program, server }),
    }
}

/// Judges the machine without changing anything.
///
/// # Errors
/// What it lacks.
pub fn check_host(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let mut plan = plan(Server::read(context, &settings.identity), settings)?;
    // Without its directories, which a start makes, the server refuses its configuration.
    let missing = directories(&plan.server).iter().any(|directory| !directory.exists());
    if !missing {
        plan.server.check(&plan.program, context.budget.work())?;
        trial::start(context, &plan.server, &plan.program)?;
    }
    check::test(context, &instance::describe(&plan.server, &settings.identity), &settings.checks)
        .map(drop)
}

/// Starts the server; returns when it serves as the monitor wants it.
///
/// # Errors
/// Why not. Nothing of the attempt is left.
pub fn start(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let server = Server::read(context, &settings.identity);
    let config = server.config.clone();
    one_start_at_a_time(context, "apache", &config, || start_alone(context, settings, server))
}

fn start_alone(context: &Context<'_>, settings: &Settings, server: Server) -> Result<(), Failure> {
    if let Some((instance, master)) = monitor::running(context, settings, &server)? {
        return match monitor::status(context, settings, Depth::Basic)? {
            // It may have been started by other means; a stop must know it all the same.
            Status::Running | Status::Degraded(_) => instance.remember(&master),
            Status::NotRunning(_) => {
                Err(Failure::generic("the web server has just ended; the cluster starts it again"))
            }
        };
    }
    daemon::end_earlier(context, instance::earlier(context, &settings.identity))?;
    let Plan { program, mut server } = plan(server, settings)?;
    make_directories(&server)?;
    server.prepare_distribution(Deadline::after(PREPARING).min(context.budget.work()))?;
    server.ask(&program, context.budget.work())?;
    // The server has its own word on where its number goes.
    if let Some(directory) = server.pid_file.parent() {
        make_directory(directory, None)?;
    }
    let known = Record {
        serial: Some(settings.serial.clone()),
        ..instance::describe(&server, &settings.identity)
    };
    bring_up(context, settings, known, &server, &program)
}

fn bring_up(
    context: &Context<'_>,
    settings: &Settings,
    known: Record,
    server: &Server,
    program: &Path,
) -> Result<(), Failure> {
    let instance = Instance::new(context, known.clone());
    let (work, checks) = (context.budget.work(), &settings.checks);
    let mut since: Option<Deadline> = None;
    let logs = Logs::now(server);
    let launched = instance.launch(context, server.command(program, &[]), &mut |_| {
        let Err(failure) = check::basic(&known, checks, work) else { return Readiness::Serves };
        let until = *since.get_or_insert_with(|| Deadline::after(WARMING));
        // What is still wrong then will stay so: there is no use in waiting for the time-out.
        if until.expired() { Readiness::Never(failure) } else { Readiness::NotYet(failure) }
    });
    launched.map_err(|failure| explain(failure, &logs, server))
}

/// A start that fails by the configuration is a fault of this machine, which the server may have
/// explained in its log alone.
fn explain(failure: Failure, logs: &Logs, server: &Server) -> Failure {
    let said = failure.to_string();
    match logs.telling_line() {
        Some(line) if trial::is_bare(&said) => server.refused(&line),
        _ if said.contains("Syntax error on line") => server.refused(&said),
        _ => failure,
    }
}

/// The directories that the server needs and that a boot or a fresh file system takes away.
fn directories(server: &Server) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = server.pid_file.parent().map(Path::to_owned).into_iter().collect();
    all.extend(server.facts.directories.iter().cloned());
    // Debian's own tool makes these two, whether the configuration has them or not.
    let named =
        ["APACHE_RUN_DIR", "APACHE_LOCK_DIR"].iter().filter_map(|name| server.variables.get(name));
    all.extend(named.map(PathBuf::from));
    all.retain(|directory| directory.is_absolute());
    all.sort();
    all.dedup();
    all
}

fn make_directories(server: &Server) -> Result<(), Failure> {
    for directory in directories(server) {
        // Locks are made by the server's workers, as the user that they become.
        let is_for_locks = server
            .variables
            .get("APACHE_LOCK_DIR")
            .is_some_and(|lock| directory == Path::new(lock));
        let owner = if is_for_locks { owner(&server.facts) } else { None };
        make_directory(&directory, owner)?;
    }
    Ok(())
}

/// Makes a directory with those above it, unless it is there. Through a link that leads to nothing,
/// too: Debian's /var/lock is one into /run, which a boot may leave without it.
fn make_directory(directory: &Path, owner: Option<Owner>) -> Result<(), Failure> {
    make_dir(directory, 0o755, owner).or_fail(directory.display()).map(drop)
}

/// The user that the server's workers become. One that does not exist is the server's to complain
/// about.
fn owner(facts: &Facts) -> Option<Owner> {
    let name = facts.user.as_deref()?;
    match name.strip_prefix('#').and_then(|number| number.parse().ok()) {
        Some(number) => Some(Owner { user: Uid::from_raw(number), group: None }),
        None => {
            let user = User::from_name(name).ok().flatten()?;
            Some(Owner { user: user.uid, group: Some(user.gid) })
        }
    }
}
