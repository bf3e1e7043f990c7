//! Keeps the note about a master true, between its start and its stop.
#![forbid(unsafe_code)]

use super::note::Note;
use super::{Daemon, Found, look};
use crate::agent::Context;
use crate::failure::{Failure, OrFail};
use crate::sys::file;
use crate::sys::process::{Member, Process, everybody};

/// As [`Daemon::observe_recorded`]. What cannot be written now is written by the next monitor.
pub fn observe<S: Daemon + ?Sized>(server: &S, context: &Context<'_>) -> Result<Found, Failure> {
    let noted = Note::load(server.note());
    let found = server.observe(context.budget.work())?;
    if !nix::unistd::geteuid().is_root() || context.invocation.is_explanation() {
        return Ok(found);
    }
    let kept = match (&found.master, &noted) {
        (Some(master), _) => renew(server, master, noted.as_ref()),
        (None, Some(noted)) if found.is_empty() => forget_gone(server, noted),
        _ => Ok(()),
    };
    if let Err(failure) = kept {
        context.log.debug(format_args!("the note about the master: {failure}"));
    }
    Ok(found)
}

/// Writes the note about a master anew where it is another one by now, as after an upgrade of its
/// program by hand, and where it matters when it was last seen.
fn renew<S: Daemon + ?Sized>(
    server: &S,
    master: &Process,
    noted: Option<&Note>,
) -> Result<(), Failure> {
    let now = note_of(server, master)?;
    let is_same = noted.is_some_and(|noted| Note { seen: noted.seen, ..now } == *noted);
    // A stop that has just ended it leaves no note.
    if is_same && !server.has_helpers() || !master.lives().or_fail("/proc")? {
        return Ok(());
    }
    now.save(server.note())
}

/// Removes the note about a master of which no process is left, unless a newer note has taken its
/// place: the kernel may give the number of the session to another program.
fn forget_gone<S: Daemon + ?Sized>(server: &S, noted: &Note) -> Result<(), Failure> {
    // One that is ending has its addresses yet, and a stop waits for it.
    let lives = Process::find(noted.pid).or_fail("/proc")?.is_some();
    if lives || Note::load(server.note()).as_ref() != Some(noted) {
        return Ok(());
    }
    file::remove_written(server.note()).or_fail(server.note().display())
}

/// What a note says about a master that lives now.
pub fn note_of<S: Daemon + ?Sized>(server: &S, master: &Process) -> Result<Note, Failure> {
    Ok(Note {
        pid: master.pid,
        session: lasting_session(server, master)?,
        start_time: Some(master.start_time),
        seen: Process::now().ok(),
    })
}

/// The session that is a master's own, or will be: while its program is upgraded, the master before
/// lives yet, whose session it is in.
fn lasting_session<S: Daemon + ?Sized>(server: &S, master: &Process) -> Result<i32, Failure> {
    let noted = Note::load(server.note()).map(|note| note.session);
    let now = master.session().or_fail("/proc")?;
    match noted.filter(|noted| Some(*noted) == now) {
        Some(noted) if !look::is_foreign(server, noted).or_fail("/proc")? => Ok(noted),
        _ => session(server, master),
    }
}

/// The session that is a master's own. One that was begun by another program is not: it is that of
/// a terminal in which the server was started, say. Our own first process may live a moment longer
/// than it takes to write a pid file.
pub fn session<S: Daemon + ?Sized>(server: &S, master: &Process) -> Result<i32, Failure> {
    let found =
        Member::find(master.pid).or_fail("/proc")?.filter(|member| member.process == *master);
    let Some(session) = found.map(|member| member.session) else { return Ok(master.pid) };
    let is_own = if server.forks_twice() {
        !look::is_foreign(server, session).or_fail("/proc")?
    } else {
        session == master.pid || is_inherited(server, master, session)?
    };
    Ok(if is_own { session } else { master.pid })
}

/// Whether a session that another process began is a master's own by now: after an upgrade of the
/// program, the new master is in the session of the old one, which has ended. Proof is the note, or
/// that the session has no other process than the master and those below it.
fn is_inherited<S: Daemon + ?Sized>(
    server: &S,
    master: &Process,
    session: i32,
) -> Result<bool, Failure> {
    if Process::find(session).or_fail("/proc")?.is_some() {
        return Ok(false);
    }
    if Note::load(server.note()).is_some_and(|note| note.session == session) {
        return Ok(true);
    }
    Ok(has_to_itself(master, session, &everybody().or_fail("/proc")?))
}

/// Whether all of a session are a process and what it has started.
fn has_to_itself(master: &Process, session: i32, all: &[Member]) -> bool {
    let below = master.below(all);
    let is_own = |process: &Process| process == master || below.contains(process);
    all.iter().filter(|member| member.session == session).all(|member| is_own(&member.process))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_with_somebody_else_in_it_is_not_a_masters_own() {
        let member = |pid: i32, parent: i32, session: i32| {
            let process = Process { pid, start_time: 1 };
            Member { process, parent, session, held: false }
        };
        let master = member(12, 1, 10).process;
        let own = vec![member(12, 1, 10), member(13, 12, 10), member(14, 13, 10)];
        assert!(has_to_itself(&master, 10, &own));
        assert!(has_to_itself(&master, 10, &[own.clone(), vec![member(30, 1, 30)]].concat()));
        assert!(!has_to_itself(&master, 10, &[own, vec![member(15, 1, 10)]].concat()));
    }
}
