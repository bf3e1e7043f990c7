//! How a server is started, and what is undone when it does not come to serve.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Daemon, Found, Readiness, STARTING};
use crate::agent::Context;
use crate::failure::Failure;
use crate::lock::{Lock, LockError, lock_common};
use crate::sys::clock::Deadline;
use crate::sys::command::{self, RunError};
use crate::sys::process::Process;

/// How long a server may be invisible between the end of the program that detached it and its pid
/// file.
const APPEARING: Duration = Duration::from_secs(2);

/// How long one that does not serve may take to end before it is started anew.
const ENDING: Duration = Duration::from_secs(10);

/// What says that a server serves.
type Ready<'a> = &'a mut dyn FnMut(&Process) -> Readiness;

/// As [`Daemon::launch`].
pub fn launch<S: Daemon + ?Sized>(
    server: &S,
    context: &Context<'_>,
    program: Command,
    ready: Ready<'_>,
) -> Result<(), Failure> {
    server.clear(context.budget.work())?;
    server.make_way(context)?;
    // Before the server is there: a start that is killed anywhere leaves what a stop knows.
    server.save(context.invocation)?;
    start(server, context, program, ready).inspect_err(|_| {
        let swept = server.sweep(context);
        // What still runs must be found by a stop.
        if !server.observe(context.budget.rollback()).is_ok_and(|found| found.is_empty()) {
            return;
        }
        if let Err(failure) = swept.and_then(|()| server.forget(context.invocation)) {
            context.log.debug(format_args!("what is left of the attempt: {failure}"));
        }
    })
}

/// As [`Daemon::start`].
pub fn start<S: Daemon + ?Sized>(
    server: &S,
    context: &Context<'_>,
    program: Command,
    ready: Ready<'_>,
) -> Result<(), Failure> {
    let started = bring_up(server, program, context.budget.work(), ready);
    started.map_err(|failure| rolled_back(failure, server.end(None, context.budget.rollback())))
}

/// Lets starts with one configuration take turns, whatever their resources are called: of two at
/// once each would find no server, and make one.
///
/// # Errors
/// Those of `start`, and that another start hangs.
pub fn one_start_at_a_time(
    context: &Context<'_>,
    agent: &str,
    config: &Path,
    start: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let deadline = context.budget.work();
    let turn = match lock_common(context.invocation, agent, &config.to_string_lossy(), deadline) {
        Ok(lock) => Some(lock),
        // Without a state directory there is no start either: that is said where the record is
        // written.
        Err(LockError::File(_)) => None,
        Err(LockError::Busy(_)) => {
            return Err(Failure::generic(format!(
                "another start with {} hangs; look at ps for its agent",
                config.display()
            )));
        }
    };
    let started = start();
    turn.into_iter().for_each(Lock::remove);
    started
}

/// The failure of a start, and what its rollback could not undo.
pub fn rolled_back(failure: Failure, rollback: Result<(), Failure>) -> Failure {
    let kind = failure.kind;
    match rollback {
        Ok(()) => failure,
        Err(left) => Failure::collect(vec![failure, left.wrap("rollback")])
            .unwrap_or_else(|| Failure::new(kind, "the start failed")),
    }
}

/// As [`Daemon::take_over`].
pub fn take_over<S: Daemon>(
    server: &S,
    context: &Context<'_>,
    serves: impl FnOnce(&Process) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let Some(master) = server.observe(context.budget.work())?.master else { return Ok(false) };
    match serves(&master) {
        Ok(()) => server.remember(&master).map(|()| true),
        Err(failure) => {
            context.log.warn(format_args!("starting anew what does not serve: {failure}"));
            let limit = Deadline::after(ENDING).min(context.budget.work().minus(STARTING));
            server.end_politely(context, limit).map(|()| false)
        }
    }
}

fn bring_up<S: Daemon + ?Sized>(
    server: &S,
    program: Command,
    deadline: Deadline,
    ready: Ready<'_>,
) -> Result<(), Failure> {
    let name = server.name();
    match command::run(program, None, deadline) {
        Ok(output) if output.code == Some(0) => {}
        Ok(output) => {
            return Err(Failure::generic(format!(
                "{name}: {}",
                complaint(&output.stderr, &output.stdout)
            )));
        }
        Err(RunError::TimedOut(output)) => {
            let said = complaint(&output.stderr, &output.stdout);
            return Err(Failure::generic(format!("{name} did not detach in time: {said}")));
        }
        Err(error) => return Err(Failure::generic(format!("{name} {error}"))),
    }
    let appearing = Deadline::after(APPEARING).min(deadline);
    let found = appearing.poll(|| match server.observe(appearing) {
        Ok(Found { master: Some(master), .. }) => Some(Ok(master)),
        Ok(_) => None,
        Err(failure) => Some(Err(failure)),
    });
    let master = found.unwrap_or_else(|| {
        Err(Failure::generic(format!("{name} ended as soon as it had detached: see its error log")))
    })?;
    server.remember(&master)?;
    let mut last = None;
    let served = deadline.poll(|| match (ready(&master), master.lives()) {
        (Readiness::Serves, _) => {
            // What it has started by now was seen with it; the note itself is there.
            if server.has_helpers() {
                let _ = server.remember(&master);
            }
            Some(Ok(()))
        }
        (_, Ok(false)) => {
            Some(Err(Failure::generic(format!("{name} has ended: see its error log"))))
        }
        (Readiness::Never(failure), _) => Some(Err(failure)),
        (Readiness::NotYet(failure), _) => {
            last = Some(failure);
            None
        }
    });
    served.unwrap_or_else(|| {
        let why = last.map_or_else(String::new, |failure| format!(": {failure}"));
        Err(Failure::generic(format!("{name} runs but does not serve in time{why}")))
    })
}

/// What servers say with every failure, and what says nothing about its cause (haproxy, apache,
/// ipvsadm).
const USUAL: [&str; 8] = [
    "[NOTICE]",
    "Some protocols failed to start",
    "no listening sockets available",
    "Unable to open logs",
    "Pre-configuration failed",
    "Configuration check failed",
    "Configuration Failed",
    "Are you sure that IP Virtual Server is built in the kernel",
];

/// What apache adds to each unknown directive; a reason has no room for it.
const PERHAPS: &str =
    ", perhaps misspelled or defined by a module not included in the server configuration";

/// What is said of a program that failed and said nothing itself.
pub const WORDLESS: &str = "it failed without a word";

/// What a program said about its failure: the last lines of stderr, else of stdout, in one.
#[must_use]
pub fn complaint(stderr: &[u8], stdout: &[u8]) -> String {
    let text = if stderr.iter().all(u8::is_ascii_whitespace) { stdout } else { stderr };
    let text = String::from_utf8_lossy(text).replace(PERHAPS, "");
    let all: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_usual = |line: &&str| USUAL.iter().any(|usual| line.contains(usual));
    let mut lines: Vec<&str> = all.iter().filter(|line| !is_usual(line)).copied().collect();
    if lines.is_empty() {
        lines = all;
    }
    match lines.as_slice() {
        [] => WORDLESS.to_owned(),
        lines => lines[lines.len().saturating_sub(3)..].join(" / "),
    }
}
