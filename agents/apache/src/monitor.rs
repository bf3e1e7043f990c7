//! Monitor: is there a master of this instance, and does it answer?
//!
//! A server that this resource has started gets its request right away, by what is known of it.
//! Only when that gives no good answer the configuration is read.
#![forbid(unsafe_code)]

use ocf::daemon::{self, Daemon as _, Found};
use ocf::prelude::*;
use ocf::sys::process::Process;

use crate::check;
use crate::instance::{self, Instance};
use crate::record::Record;
use crate::server::Server;
use crate::settings::{Identity, Settings};

/// How much is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Level 0.
    Basic,
    /// Level 10.
    Deep,
}

/// Returns the state at the level of the call.
///
/// # Errors
/// Why it is neither running nor cleanly stopped.
pub fn monitor(context: &Context<'_>, settings: &Settings) -> Result<Status, Failure> {
    let depth = if context.depth >= 10 { Depth::Deep } else { Depth::Basic };
    let status = status(context, settings, depth)?;
    if let Status::NotRunning(_) = status {
        daemon::none_of_earlier(context, instance::earlier(context, &settings.identity))?;
    }
    Ok(status)
}

/// Returns the state.
///
/// # Errors
/// As [`monitor`].
pub fn status(context: &Context<'_>, settings: &Settings, depth: Depth) -> Result<Status, Failure> {
    let remembered = instance::remembered(context, &settings.identity);
    let first = match &remembered {
        Some(known) => {
            let found = Instance::new(context, known.clone()).observe_recorded(context)?;
            Some(look(context, settings, known, depth, &found)?)
        }
        None => None,
    };
    if let Some(Seen::Serving(status)) = first {
        return Ok(status);
    }
    let known = resolve(context, &settings.identity, remembered.as_ref());
    if remembered.as_ref() == Some(&known) {
        return first.map_or(Ok(Status::STOPPED), Seen::status);
    }
    let seen = look(context, settings, &known, depth, &observe(context, &known)?)?;
    match (&seen, first) {
        // Found by its configuration, after a reload by hand or a start by other means: known from
        // now on.
        (Seen::Serving(_), _) => {
            let saved = known.save(context.invocation);
            // The note about its master, too: only that knows the children of one that dies.
            let instance = Instance::new(context, known);
            if let Err(failure) = saved.and(instance.observe_recorded(context)) {
                context.log.debug(format_args!("not remembered: {failure}"));
            }
            seen.status()
        }
        // What was started is what counts, whatever its configuration says by now.
        (_, Some(first @ Seen::Failing(_))) => first.status(),
        _ => seen.status(),
    }
}

/// The instance of the parameters and its master, serving or not, if there is one; `server` is what
/// the configuration says now.
///
/// # Errors
/// When that is not known.
pub fn running(
    context: &Context<'_>,
    settings: &Settings,
    server: &Server,
) -> Result<Option<(Instance, Process)>, Failure> {
    let there = |known: &Record| {
        let instance = Instance::new(context, known.clone());
        let found = instance.observe(context.budget.work())?;
        Ok(found.master.map(|master| (instance, master)))
    };
    let remembered = instance::remembered(context, &settings.identity);
    if let Some(known) = &remembered
        && let Some(running) = there(known)?
    {
        return Ok(Some(running));
    }
    let known = merge(server, &settings.identity, remembered.as_ref());
    if remembered.as_ref() == Some(&known) { Ok(None) } else { there(&known) }
}

/// Who there is of an instance.
///
/// # Errors
/// When that is not known.
pub fn observe(context: &Context<'_>, known: &Record) -> Result<Found, Failure> {
    Instance::new(context, known.clone()).observe(context.budget.work())
}

/// What a look at an instance saw.
enum Seen {
    Serving(Status),
    Failing(Failure),
    Nothing,
}

impl Seen {
    fn status(self) -> Result<Status, Failure> {
        match self {
            Self::Serving(status) => Ok(status),
            Self::Failing(failure) => Err(failure),
            Self::Nothing => Ok(Status::STOPPED),
        }
    }
}

fn look(
    context: &Context<'_>,
    settings: &Settings,
    known: &Record,
    depth: Depth,
    found: &Found,
) -> Result<Seen, Failure> {
    if found.master.is_none() {
        return Ok(without_master(found, known));
    }
    let answer = match depth {
        Depth::Basic => check::basic(known, &settings.checks, context.budget.work()),
        Depth::Deep => check::deep(context, known, &settings.checks, context.budget.work()),
    };
    Ok(match answer {
        Ok(status) => Seen::Serving(status),
        Err(failure) => {
            // It may have ended during the request.
            let still = observe(context, known)?;
            if still.master.is_some() {
                Seen::Failing(failure)
            } else {
                without_master(&still, known)
            }
        }
    })
}

/// The master's children answer on without it, but nothing supervises them.
fn without_master(found: &Found, known: &Record) -> Seen {
    if found.orphans.is_empty() {
        return Seen::Nothing;
    }
    let (count, config) = (found.orphans.len(), known.config.display());
    Seen::Failing(Failure::generic(format!(
        "the master of the web server of {config} has died; {count} of its processes are left, \
         which stop or start end"
    )))
}

/// What is known by the configuration as it is now. The server's program is not run, for a monitor
/// starts no program: whose a process is, its arguments tell.
pub fn resolve(context: &Context<'_>, identity: &Identity, before: Option<&Record>) -> Record {
    merge(&Server::read(context, identity), identity, before)
}

fn merge(server: &Server, identity: &Identity, before: Option<&Record>) -> Record {
    let now = instance::describe(server, identity);
    match before {
        // What the server itself has said about its number, and when it was ordered to read its
        // configuration, still holds.
        Some(before) if before.config == now.config => {
            Record { pid_file: before.pid_file.clone(), serial: before.serial.clone(), ..now }
        }
        _ => now,
    }
}
