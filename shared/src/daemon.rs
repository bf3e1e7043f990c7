//! A server that detaches itself and writes a pid file: which processes are it, and how it is
//! started and ended.
//!
//! A pid file is a hint. What a process is decides whose it is ([`identity`]): its owner, its PID
//! namespace and root directory, its program by device and inode, its arguments if root owns it,
//! and what was noted about the master. What a master leaves behind when it dies is known by its
//! session: a server that detaches begins one, and its number is the master's, which no other
//! process can get while a worker lives. When all of them have ended, the kernel may give the
//! number to another program. So the note also says when the master was last seen, and a monitor
//! that finds nothing removes it.
//!
//! An agent says what its server is by [`Daemon`]; everything else is the same for all of them.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::agent::Context;
use crate::failure::{Failure, OrFail};
use crate::invocation::Invocation;
use crate::outcome::Status;
use crate::sys::clock::Deadline;
use crate::sys::process::Process;

mod earlier;
mod end;
pub mod identity;
mod keep;
mod launch;
mod look;
mod note;
mod polite;
mod shown;

pub use earlier::{end_earlier, none_of_earlier};
pub use launch::{WORDLESS, complaint, one_start_at_a_time, rolled_back};
pub use polite::{Polite, STOP_GRACE};
pub use shown::described;

/// The processes of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The process to talk to.
    pub master: Option<Process>,
    /// When there is no master: what an earlier one has left running.
    pub orphans: Vec<Process>,
}

impl Found {
    fn master(process: Process) -> Self {
        Self { master: Some(process), orphans: Vec::new() }
    }

    /// Whether there is nothing of the instance.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.master.is_none() && self.orphans.is_empty()
    }
}

/// What a look at a server says that is coming up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It serves.
    Serves,
    /// Not yet, and why.
    NotYet(Failure),
    /// There is no use in waiting any longer, and why.
    Never(Failure),
}

impl From<Result<(), Failure>> for Readiness {
    fn from(answer: Result<(), Failure>) -> Self {
        answer.map_or_else(Self::NotYet, |()| Self::Serves)
    }
}

/// What a server is called, and where it is found.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Its name in reasons.
    pub name: &'a str,
    /// The file that it writes its number to.
    pub pid_file: &'a Path,
    /// The file with the note about its master.
    pub note: &'a Path,
    /// Its executable, and others that it may be.
    pub programs: &'a [PathBuf],
}

/// One instance of a server, as its agent knows it, and what can be done with it.
pub trait Daemon {
    /// What it is called, and where it is found.
    fn about(&self) -> About<'_>;

    /// Its name in reasons.
    fn name(&self) -> &str {
        self.about().name
    }

    /// The file that it writes its number to.
    fn pid_file(&self) -> &Path {
        self.about().pid_file
    }

    /// The file with the note about its master, for a stop that has no pid file any more.
    fn note(&self) -> &Path {
        self.about().note
    }

    /// Its executable, and others that it may be, by the names that the kernel has for them.
    fn programs(&self) -> &[PathBuf] {
        self.about().programs
    }

    /// Whether a process of one of the programs was started as this instance, by its arguments;
    /// `None` when these do not say, as of a worker that has changed its title.
    fn claims(&self, arguments: &[Vec<u8>]) -> Option<bool>;

    /// The signal that lets its master end once its requests are answered, and how long that may
    /// take.
    fn polite(&self, invocation: &Invocation) -> Polite;

    /// Whether it forks once more after it has begun its session. Then the session's first process,
    /// whose number the session has, is gone as soon as the master is there, and only the pid file
    /// or the note says which one that is.
    fn forks_twice(&self) -> bool {
        false
    }

    /// Whether the process to talk to becomes another user, and may change its root directory. It
    /// is known by its pid file then, and by the note.
    fn drops_rights(&self) -> bool {
        false
    }

    /// Whether its children that run other programs belong to it, and must not outlive it.
    fn has_helpers(&self) -> bool {
        false
    }

    /// Keeps what a stop must know of this instance, before the server is there.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn save(&self, invocation: &Invocation) -> Result<(), Failure>;

    /// Removes what [`Self::save`] has written.
    ///
    /// # Errors
    /// When it stays.
    fn forget(&self, invocation: &Invocation) -> Result<(), Failure>;

    /// Removes what an earlier server has left and what would keep a new one from starting.
    ///
    /// # Errors
    /// What stays.
    fn make_way(&self, _context: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Fails where the pid file is that of another server, which a start would take from it:
    /// whatever ends that one by its pid file would end the new one. `setting` says where another
    /// file is named.
    ///
    /// # Errors
    /// Whose it is.
    fn expect_own_pid_file(&self, setting: &str) -> Result<(), Failure> {
        match look::other_in_pid_file(self).or_fail("/proc")? {
            None => Ok(()),
            Some(Process { pid, .. }) => Err(Failure::generic(format!(
                "{} is the pid file of another server, process {pid}: set {setting}",
                self.pid_file().display()
            ))),
        }
    }

    /// [`Self::end`] calls this when the master has ended by itself, and before it ends the other
    /// processes and removes files.
    fn seen_to_end(&self) {}

    /// Removes files that only a running server needs, and that one that was killed leaves.
    ///
    /// # Errors
    /// What stays.
    fn sweep(&self, _context: &Context<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks which processes of it there are. A healthy instance is found by its pid file; only
    /// else is every process looked at.
    ///
    /// # Errors
    /// When /proc cannot be read, and when nothing was found but a process that may be of the
    /// instance and cannot be looked at.
    fn observe(&self, deadline: Deadline) -> Result<Found, Failure> {
        let seen = look::look(self, &[], deadline)?;
        match seen.doubt {
            Some(doubt) if seen.found.is_empty() => Err(doubt.failure(self.name())),
            _ => Ok(seen.found),
        }
    }

    /// As [`Self::observe`], for a monitor, of an instance that is on record: keeps the note about
    /// its master true, and removes that of one of which nothing is left.
    ///
    /// # Errors
    /// As [`Self::observe`].
    fn observe_recorded(&self, context: &Context<'_>) -> Result<Found, Failure> {
        keep::observe(self, context)
    }

    /// Writes the note about the master.
    ///
    /// # Errors
    /// When the note cannot be written.
    fn remember(&self, master: &Process) -> Result<(), Failure> {
        keep::note_of(self, master)?.save(self.note())
    }

    /// Whether a start has got as far as to see a master, and no stop has followed.
    fn was_up(&self) -> bool {
        self.note().exists()
    }

    /// Starts the server, and keeps what a stop must know. What an earlier master has left is ended
    /// first. When the server does not come to serve, what it has left is ended, and what was kept
    /// is forgotten only if nothing is left.
    ///
    /// # Errors
    /// What the program said, that the server has ended, or what `ready` was still waiting for.
    fn launch(
        &self,
        context: &Context<'_>,
        program: Command,
        ready: &mut dyn FnMut(&Process) -> Readiness,
    ) -> Result<(), Failure> {
        launch::launch(self, context, program, ready)
    }

    /// As [`Self::launch`], for an agent that keeps and forgets what it knows by itself.
    ///
    /// # Errors
    /// As [`Self::launch`].
    fn start(
        &self,
        context: &Context<'_>,
        program: Command,
        ready: &mut dyn FnMut(&Process) -> Readiness,
    ) -> Result<(), Failure> {
        launch::start(self, context, program, ready)
    }

    /// Takes over a master that runs already, if it serves; one that does not is ended. Says
    /// whether it was taken over.
    ///
    /// # Errors
    /// When it cannot be looked at or ended, or the note cannot be written.
    fn take_over(
        &self,
        context: &Context<'_>,
        serves: impl FnOnce(&Process) -> Result<(), Failure>,
    ) -> Result<bool, Failure>
    where
        Self: Sized,
    {
        launch::take_over(self, context, serves)
    }

    /// Ends the instance, all of it: first by the polite signal to its master, then by SIGTERM,
    /// then by SIGKILL. Success means that nothing is left.
    ///
    /// # Errors
    /// What is left, or could not be looked at.
    fn end(&self, polite: Option<Polite>, deadline: Deadline) -> Result<(), Failure> {
        end::end(self, polite, deadline)
    }

    /// As [`Self::end`], politely, and removes what the server leaves.
    ///
    /// # Errors
    /// As [`Self::end`].
    fn end_politely(&self, context: &Context<'_>, deadline: Deadline) -> Result<(), Failure> {
        self.end(Some(self.polite(context.invocation)), deadline)?;
        if let Err(failure) = self.sweep(context) {
            context.log.warn(format_args!("nothing runs any more, but {failure}"));
        }
        Ok(())
    }

    /// Ends what appears only after a stop. A start that was killed may have been about to run the
    /// server, and then, for an instant, nothing shows that it will be one.
    ///
    /// # Errors
    /// As [`Self::end`].
    fn end_late(&self, deadline: Deadline) -> Result<(), Failure> {
        end::end_late(self, deadline)
    }

    /// Ends what an earlier master has left, so that a new one finds its addresses free.
    ///
    /// # Errors
    /// What is left, or could not be looked at.
    fn clear(&self, deadline: Deadline) -> Result<(), Failure> {
        end::clear(self, deadline)
    }
}

/// Ends what was started, and what the parameters mean now if that is something else. A file that
/// cannot be removed is no failure: nothing runs any more.
///
/// # Errors
/// What is left, or could not be looked at.
pub fn stop<S: Daemon>(
    context: &Context<'_>,
    recorded: Option<S>,
    meant: impl FnOnce() -> Option<S>,
) -> Result<(), Failure> {
    let deadline = context.budget.work();
    let mut failures = Vec::new();
    if let Some(server) = &recorded {
        // A start that was killed has left a record, and no note of a master.
        let was_up = server.was_up();
        let ended = server.end_politely(context, deadline);
        failures.extend(
            ended.and_then(|()| if was_up { Ok(()) } else { server.end_late(deadline) }).err(),
        );
    }
    let meant = meant();
    failures.extend(meant.as_ref().and_then(|server| server.end_politely(context, deadline).err()));
    if let Some(failure) = Failure::collect(failures) {
        return Err(failure);
    }
    if let Some(Err(failure)) = recorded.or(meant).map(|server| server.forget(context.invocation)) {
        context.log.warn(format_args!("nothing runs any more, but {failure}"));
    }
    Ok(())
}

/// Looks for what [`stop`] would end, for a probe whose parameters are faulty.
///
/// # Errors
/// When only processes of a master that died are left, or it cannot be known.
pub fn probe<S: Daemon>(
    context: &Context<'_>,
    recorded: Option<S>,
    meant: impl FnOnce() -> Option<S>,
) -> Result<Status, Failure> {
    for server in recorded.into_iter().chain(meant()) {
        let found = server.observe(context.budget.work())?;
        if found.master.is_some() {
            return Ok(Status::Running);
        }
        if !found.is_empty() {
            return Err(Failure::generic(format!(
                "the master of {} has died and left processes",
                server.name()
            )));
        }
    }
    Ok(Status::STOPPED)
}

/// What a new server needs of a start's time: one that runs already and does not answer may use the
/// rest, and no more.
pub const STARTING: Duration = Duration::from_secs(3);

/// The signals for processes that have had the polite one, or need none.
const END: [Signal; 2] = [Signal::SIGTERM, Signal::SIGKILL];

/// The signal for processes that are held, or that do not hear SIGTERM.
const KILL: [Signal; 1] = [Signal::SIGKILL];

#[cfg(test)]
mod tests;
