//! How all of an instance is ended.
#![forbid(unsafe_code)]

use std::time::Duration;

use nix::sys::signal::Signal;

use super::keep::session;
use super::look::{self, Look};
use super::polite::{self, Polite};
use super::shown::{described, named};
use super::{Daemon, END, KILL};
use crate::failure::{Failure, OrFail};
use crate::sys::clock::Deadline;
use crate::sys::process::{Member, Process, end_all, everybody};
use crate::sys::{file, pidfile};

/// How long a program may take from the decision to start it until it can be seen.
const BEGINNING: Duration = Duration::from_millis(100);

/// How long those may take to hear SIGTERM whose master is dead. Some do not (apache's workers wait
/// for a word of it), and the others end within milliseconds.
const ORPHANS: Duration = Duration::from_millis(100);

/// How long the workers of a dead master may take to end before a new one is started.
const CLEARING: Duration = Duration::from_secs(5);

/// As [`Daemon::end`].
pub fn end<S: Daemon + ?Sized>(
    server: &S,
    polite: Option<Polite>,
    deadline: Deadline,
) -> Result<(), Failure> {
    let seen = look::look(server, &[], deadline)?;
    let mut former = Vec::new();
    if let Some(master) = seen.found.master {
        former.push(session(server, &master)?);
        let mut tree = tree(server, &master)?;
        // What is held by a signal hears no other one, but SIGKILL.
        let held = tree.iter().any(|member| member.held);
        if let Some(polite) = polite.filter(|_| !held) {
            polite::ask(&polite, &master, tree.len() > 1, deadline)
                .or_fail(format_args!("cannot ask {} to end", server.name()))?;
            tree.extend(self::tree(server, &master)?);
        }
        let mut all: Vec<Process> = tree.iter().map(|member| member.process).collect();
        all.sort_unstable();
        all.dedup();
        if held {
            end_each(server, &all, &KILL, deadline)?;
        } else if master.lives().or_fail("/proc")? {
            end_each(server, &all, &END, deadline)?;
        } else {
            server.seen_to_end();
            end_orphans(server, &all, deadline)?;
        }
    }
    // One that was ended may have left others that began in the meantime: a master its workers, and
    // one that is just detaching, from a start that was killed, the rest of its life. So the last
    // look is one that finds nothing.
    loop {
        let Look { found, doubt, sessions } = look::look(server, &former, deadline)?;
        if found.is_empty() {
            // What is ours is ended by now, whatever the other is.
            let Some(doubt) = doubt else { break };
            return Err(doubt.failure(server.name()));
        }
        let all: Vec<Process> =
            found.master.into_iter().chain(found.orphans.iter().copied()).collect();
        in_time(server, &all, deadline)?;
        end_orphans(server, &found.orphans, deadline)?;
        end_each(server, &all, &END, deadline)?;
        former.extend(all.iter().map(|process| process.pid).chain(sessions));
    }
    await_ending(server, deadline)?;
    forget(server);
    Ok(())
}

/// Waits until a master that was killed by other means has given back what it has: its addresses
/// are in use until then.
fn await_ending<S: Daemon + ?Sized>(server: &S, deadline: Deadline) -> Result<(), Failure> {
    match look::ending_master(server).or_fail("/proc")? {
        Some(master) => end_each(server, &[master], &KILL, deadline),
        None => Ok(()),
    }
}

/// As [`Daemon::end_late`].
pub fn end_late<S: Daemon + ?Sized>(server: &S, deadline: Deadline) -> Result<(), Failure> {
    let limit = Deadline::after(BEGINNING).min(deadline);
    let appeared = limit.poll(|| {
        let seen = look::look(server, &[], limit).ok()?;
        (!seen.found.is_empty()).then_some(())
    });
    appeared.map_or(Ok(()), |()| end(server, None, deadline))
}

/// As [`Daemon::clear`].
pub fn clear<S: Daemon + ?Sized>(server: &S, deadline: Deadline) -> Result<(), Failure> {
    let deadline = Deadline::after(CLEARING).min(deadline);
    loop {
        let found = server.observe(deadline)?;
        if found.master.is_some() {
            return Ok(());
        }
        if found.orphans.is_empty() {
            return await_ending(server, deadline);
        }
        in_time(server, &found.orphans, deadline)?;
        end_orphans(server, &found.orphans, deadline)?;
    }
}

/// Whether there is time to end what is there. When there is none any more, others have come for
/// each that was ended.
fn in_time<S: Daemon + ?Sized>(
    server: &S,
    left: &[Process],
    deadline: Deadline,
) -> Result<(), Failure> {
    match left.first() {
        Some(one) if deadline.expired() => Err(Failure::generic(format!(
            "{}: new processes keep appearing: {}; end what starts them",
            server.name(),
            described(one)
        ))),
        _ => Ok(()),
    }
}

/// A master with everything that it has started: by parentage, and by session where the parent has
/// died.
fn tree<S: Daemon + ?Sized>(server: &S, master: &Process) -> Result<Vec<Member>, Failure> {
    let all = everybody().or_fail("/proc")?;
    let below = master.below(&all);
    let session = session(server, master)?;
    let mut tree = Vec::new();
    for member in all {
        let is_child = member.process == *master || below.contains(&member.process);
        if is_child
            || member.session == session
                && look::belongs(server, &member.process).or_fail("/proc")?
        {
            tree.push(member);
        }
    }
    Ok(tree)
}

/// Ends what has no master: there is no use in waiting for long until it hears SIGTERM.
fn end_orphans<S: Daemon + ?Sized>(
    server: &S,
    orphans: &[Process],
    deadline: Deadline,
) -> Result<(), Failure> {
    let hearing = deadline.min(Deadline::after(ORPHANS));
    let deaf = end_all(orphans, &[Signal::SIGTERM], hearing)
        .or_fail(format_args!("cannot end the processes of {}", server.name()))?;
    end_each(server, &deaf, &KILL, deadline)
}

fn end_each<S: Daemon + ?Sized>(
    server: &S,
    processes: &[Process],
    signals: &[Signal],
    deadline: Deadline,
) -> Result<(), Failure> {
    if processes.is_empty() {
        return Ok(());
    }
    let left = end_all(processes, signals, deadline)
        .or_fail(format_args!("cannot end the processes of {}", server.name()))?;
    let Some(one) = left.first() else { return Ok(()) };
    let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
    Err(Failure::generic(format!(
        "process {}{more} survived SIGKILL (uninterruptible sleep?)",
        named(one)
    )))
}

/// Removes what would mislead: the note, and a pid file that names no living process. What stays in
/// a directory that is read-only by now does no harm: it names processes that are known to have
/// ended.
fn forget<S: Daemon + ?Sized>(server: &S) {
    let named = pidfile::read(server.pid_file()).unwrap_or_default();
    let lives = |pid: &i32| Process::find(*pid).is_ok_and(|process| process.is_some());
    let stale = !named.is_empty() && !named.iter().any(lives);
    let _ = file::remove_written(server.note());
    if stale {
        let _ = file::remove(server.pid_file());
    }
}
