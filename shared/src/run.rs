//! One call from the first look at the environment to the exit code: the same frame for every
//! agent.
//!
//! ```text
//! argv, environ ─► Invocation ─► Values ─► Params ─► check_host ─► the action ─► settle ─► report
//! ```
//!
//! Nothing below this module exits, prints to stdout, or reads the process's environment.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::libc;

use crate::action::Action;
use crate::agent::{Agent, Context};
use crate::budget::Budget;
use crate::failure::{Failure, Kind, plain};
use crate::invocation::{Asked, Invocation};
use crate::lock::{Lock, LockError, lock_resource};
use crate::log::{Level, Log};
use crate::outcome::{Code, Exit, Status};
use crate::settle::settle;
use crate::spec::Spec;
use crate::{explain, refused, report, state, usage, watch};

/// Answers the call that this process was started for; the result is the exit code.
pub fn run<A: Agent>(
    arguments: Vec<&'static OsStr>,
    environment: Vec<(&'static OsStr, &'static OsStr)>,
) -> u8 {
    let started = Instant::now();
    let invocation = Invocation::new(arguments.into_iter().map(OsStr::to_os_string), environment);
    std::panic::set_hook(Box::new(remember_panic));
    let log = Log::new(A::SPEC.name, &invocation);
    let exit = catch_unwind(AssertUnwindSafe(|| answer::<A>(&invocation, &log, started)))
        .unwrap_or_else(|_| Exit::because(Code::Generic, panic_reason()));
    report::report(&exit, &invocation, &log)
}

/// What the last panic said and where; the hook must not print, for stderr belongs to the reason
/// line.
static PANIC: OnceLock<String> = OnceLock::new();

fn remember_panic(info: &std::panic::PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    let place =
        info.location().map_or_else(String::new, |l| format!(" ({}:{})", l.file(), l.line()));
    // Only the first panic names the cause.
    let _ = PANIC.set(format!("{text}{place}"));
}

fn panic_reason() -> String {
    let what = PANIC.get().map_or("unknown", String::as_str);
    match shortage(what) {
        Some(error) => {
            format!("{error}: {what}; free memory, or raise the limits of the cluster manager")
        }
        None => format!("internal error, please report it: {what}"),
    }
}

/// What the machine is short of, where a library has panicked for that: std and tokio have no other
/// answer in places, and print the error with its number.
fn shortage(panic: &str) -> Option<String> {
    let (_, rest) = panic.split_once("Os { code: ")?;
    let code: i32 = rest[..rest.find(|letter: char| !letter.is_ascii_digit())?].parse().ok()?;
    let short =
        [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN, libc::ENOBUFS, libc::ENOSPC];
    short.contains(&code).then(|| plain(&std::io::Error::from_raw_os_error(code)))
}

fn answer<A: Agent>(invocation: &Invocation, log: &Log, started: Instant) -> Exit {
    let spec = A::SPEC;
    let action = match &invocation.asked {
        Asked::Action(Action::MetaData) => return say(spec.metadata),
        Asked::Action(Action::Usage) => return say(&usage::text(spec)),
        Asked::Version => return say(&format!("{} {}\n", spec.name, spec.version)),
        Asked::Explain => Action::ValidateAll,
        Asked::Action(action) if spec.find(*action).is_some() => *action,
        Asked::Action(action) => return unknown(spec, action.word()),
        Asked::Unknown(word) => return unknown(spec, word),
        Asked::Nothing => return unknown(spec, ""),
    };
    let budget = Budget::new(action, started, time_allowed(spec, action, invocation));
    let depth =
        if invocation.is_explanation() { 0 } else { spec.depth(action, invocation.depth()) };
    let context = Context { invocation, log, budget, depth };
    if invocation.is_explanation() {
        return explain::answer::<A>(&context);
    }
    log.trace(format_args!("{} of {} {} begins", action.word(), spec.name, invocation.instance()));
    perform::<A>(&context, action)
        .unwrap_or_else(|failure| settle(action, invocation.is_probe(), &failure))
}

fn perform<A: Agent>(context: &Context<'_>, action: Action) -> Result<Exit, Failure> {
    let spec = A::SPEC;
    let values = &context.invocation.values;
    let changes = !action.is_monitor() && action != Action::ValidateAll;
    if changes && spec.needs_root && !nix::unistd::geteuid().is_root() {
        return Err(Failure::new(Kind::Permission, format!("{} must run as root", action.word())));
    }
    if changes {
        watch::forget(spec, context);
    }
    let mut faults = values.faults(spec.parameters);
    let params = A::params(values, context.invocation, &mut faults);
    if changes || action == Action::ValidateAll {
        warn_of_unknown(context, spec);
    }
    let judged = match (faults.into_failure(), params) {
        (Some(failure), _) => Err(failure),
        (None, Some(params)) => Ok(params),
        (None, None) => Err(Failure::generic("the parameters were refused without a reason")),
    };
    // A stop is never gated by parameters, a reload-agent not by all of them, and everything else
    // by them first.
    let goes_on = judged.is_ok() || matches!(action, Action::Stop | Action::ReloadAgent);
    let lock = if changes && goes_on { take_lock(context, spec)? } else { None };
    let done = act::<A>(context, action, judged);
    // A file that stays says that its action was killed.
    lock.into_iter().for_each(Lock::remove);
    done
}

fn act<A: Agent>(
    context: &Context<'_>,
    action: Action,
    judged: Result<A::Params, Failure>,
) -> Result<Exit, Failure> {
    if action == Action::Stop {
        if let Err(failure) = &judged {
            context.log.warn(format_args!("stopping in spite of faulty parameters: {failure}"));
        }
        A::stop(context, &A::identity(context.invocation))?;
        refused::forget::<A>(context);
        return Ok(Exit::OK);
    }
    let (params, faulty) = match judged {
        Ok(params) => (params, None),
        Err(failure) if action == Action::Monitor && context.invocation.is_probe() => {
            return look_in_spite_of::<A>(context, failure);
        }
        Err(failure) => {
            (lenient::<A>(context, action).ok_or_else(|| failure.clone())?, Some(failure))
        }
    };
    if action == Action::ValidateAll && context.depth >= 10 {
        A::check_host(context, &params)?;
    }
    match action {
        Action::Start => A::start(context, &params).inspect(|()| refused::forget::<A>(context))?,
        Action::Reload => A::reload(context, &params)?,
        Action::ReloadAgent => {
            if let Some(failure) = &faulty {
                context
                    .log
                    .warn(format_args!("{failure}; the default applies, and monitors report 190"));
            }
            refused::reload_agent::<A>(context, &params)?;
        }
        Action::MigrateTo => A::migrate_to(context, &params)?,
        Action::MigrateFrom => A::migrate_from(context, &params)?,
        Action::Monitor => {
            let status = watch::monitor::<A>(context, &params)?;
            return Ok(match faulty {
                Some(failure) => {
                    refused::with_reason(status, format!("{failure}; the default applies"))
                }
                None => status,
            }
            .into());
        }
        Action::Status => return refused::monitor::<A>(context, &params).map(tell_status),
        Action::ValidateAll | Action::Stop | Action::MetaData | Action::Usage => {}
    }
    Ok(Exit::OK)
}

/// The parameters of a service that runs or may run, when only values of reloadable ones are
/// faulty: these have their defaults then. A failure would stop the service, on every node, for a
/// value that it does not need.
fn lenient<A: Agent>(context: &Context<'_>, action: Action) -> Option<A::Params> {
    if !matches!(action, Action::Monitor | Action::ReloadAgent) {
        return None;
    }
    let values = context.invocation.values.without_faulty_reloadable(A::SPEC.parameters);
    let mut faults = values.faults(A::SPEC.parameters);
    let params = A::params(&values, context.invocation, &mut faults);
    params.filter(|_| faults.is_empty())
}

/// Waits until no other action changes the resource: one that a killed caller has left behind, or a
/// person's. Where there can be no lock (the state directory is read-only or full), the action goes
/// on: to stop a resource matters more.
fn take_lock(context: &Context<'_>, spec: &Spec) -> Result<Option<Lock>, Failure> {
    match lock_resource(context.invocation, spec.name, context.budget.work()) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Busy(holder)) => {
            let holder = if holder.is_empty() { "unknown".to_owned() } else { holder };
            Err(Failure::generic(format!(
                "another action of this resource goes on ({holder}); wait for its end, or end \
                 that process"
            )))
        }
        Err(LockError::File(error)) => {
            let path = state::directory(context.invocation).display();
            // Any user may call an agent that does not need root.
            let level = if error.kind() == ErrorKind::PermissionDenied {
                Level::Debug
            } else {
                Level::Warn
            };
            context.log.write(
                level,
                format_args!("no lock in {path}: {}; going on without", plain(&error)),
            );
            Ok(None)
        }
    }
}

/// A probe with faulty parameters. It says "not running" only after a look that has found nothing:
/// else the cluster would start the resource on another node, beside the one that runs here.
fn look_in_spite_of<A: Agent>(context: &Context<'_>, faulty: Failure) -> Result<Exit, Failure> {
    let seen = match lenient::<A>(context, Action::Monitor) {
        Some(params) => A::monitor(context, &params),
        None => A::probe_without_params(context, &A::identity(context.invocation)),
    };
    match seen {
        Ok(Status::NotRunning(_)) => Err(faulty),
        Ok(status) => {
            context.log.warn(format_args!("it runs in spite of faulty parameters: {faulty}"));
            Ok(status.into())
        }
        Err(doubt) => Err(Failure::generic(format!("{faulty}; {doubt}"))),
    }
}

fn tell_status(status: Status) -> Exit {
    let printed = say(&format!("{}\n", status.word()));
    if printed == Exit::OK { status.into() } else { printed }
}

/// Names that mean nothing are most often typos of names that do. Reported where a person may be
/// looking, not at each monitor.
fn warn_of_unknown(context: &Context<'_>, spec: &Spec) {
    for (name, nearest) in context.invocation.values.unknown(spec.parameters) {
        if name.starts_with("trace_") {
            continue;
        }
        let hint = nearest.map_or_else(String::new, |known| format!("; did you mean {known}?"));
        context.log.warn(format_args!("unknown parameter {name} is ignored{hint}"));
    }
    if let Some(path) = context.log.refused_trace() {
        context
            .log
            .warn(format_args!("no trace is written to {path}; choose a file below /var/log"));
    }
}

fn unknown(spec: &Spec, word: &str) -> Exit {
    let words: Vec<&str> = spec.actions.iter().map(|entry| entry.action.word()).collect();
    let mut known: Vec<&str> = Vec::new();
    for word in words {
        if !known.contains(&word) {
            known.push(word);
        }
    }
    let problem = if word.is_empty() {
        "no action given".to_owned()
    } else {
        format!("no such action: {}", word.escape_debug())
    };
    Exit::because(Code::Unimplemented, format!("{problem}; expected one of {}", known.join(" ")))
}

/// Writes to stdout. A reader that has gone (`agent meta-data | head -1`) is no failure of ours.
pub(crate) fn say(text: &str) -> Exit {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Exit::because(Code::Generic, format!("cannot write to stdout: {error}"))
        }
        _ => Exit::OK,
    }
}

/// The caller's time-out, or the advertised one of the action.
fn time_allowed(spec: &Spec, action: Action, invocation: &Invocation) -> Duration {
    let advertised = spec.find(action).map_or(20, |entry| entry.timeout);
    invocation.timeout().unwrap_or(Duration::from_secs(advertised.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_panics_for_want_of_something_is_no_internal_error() {
        let tokio = "failed to create UnixStream: Os { code: 24, kind: Uncategorized, message: \
            \"Too many open files\" } (unix.rs:68)";
        assert_eq!(shortage(tokio).as_deref(), Some("Too many open files"));
        for other in [
            "index out of bounds (x.rs:1)",
            "Os { code: 2, kind: NotFound }",
            "Os { code: x",
            "Os { code: 24",
        ] {
            assert_eq!(shortage(other), None, "{other}");
        }
    }
}
