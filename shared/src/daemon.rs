//! A server that detaches itself and writes a pid file: who of all processes is it, and how all of it is ended.
//!
//! A pid file is a hint. A process is this instance's master if it is told so by what it is (executable and arguments);
//! what a master leaves behind when it dies is known by its session: a server that detaches begins one, and its number is
//! the master's, which no other process can get while a worker lives.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::budget::Budget;
use crate::failure::{Failure, OrFail};
use crate::sys::clock::Deadline;
use crate::sys::command::{self, RunError};
use crate::sys::process::{Member, Process, end_all, everybody, running};
use crate::sys::{file, pidfile};

mod polite;

pub use polite::{Polite, STOP_GRACE};

/// Records are two lines.
const LARGEST: u64 = 4096;

/// How long a server may be invisible between the end of the program that detached it and its pid file.
const APPEARING: Duration = Duration::from_secs(2);

/// How long a program may take from the decision to start it until it can be seen.
const BEGINNING: Duration = Duration::from_millis(100);

/// The part of a stop's time that is kept for SIGTERM and SIGKILL, whatever a server may take to end by itself.
pub const FORCE: Duration = Duration::from_secs(2);

/// How long those may take to hear SIGTERM whose master is dead. Some do not (apache's workers wait for a word of it), and
/// the others end within milliseconds.
const ORPHANS: Duration = Duration::from_millis(100);

/// How processes are ended that have been asked before, or need not be.
const END: [Signal; 2] = [Signal::SIGTERM, Signal::SIGKILL];

/// How those are ended that hear nothing else.
const KILL: [Signal; 1] = [Signal::SIGKILL];

/// One instance of a server.
pub struct Daemon<'a> {
    /// What people call it.
    pub name: &'a str,
    /// The file that it writes its number to.
    pub pid_file: &'a Path,
    /// Where what is known of its master is kept, for a stop that has no configuration any more.
    pub record: &'a Path,
    /// Its executable, and others that it may be: those that its processes run.
    pub programs: &'a [PathBuf],
    /// Whether a process that runs one of the programs was started as this instance, by its arguments; `None` when that
    /// cannot be told, as of a worker that has changed its title.
    pub is_instance: &'a dyn Fn(&[Vec<u8>]) -> Option<bool>,
    /// Whether it forks once more after it has begun its session. Then the session's first process, whose number the
    /// session has, is gone as soon as the master is there, and only the pid file or the record tells who that is.
    pub forks_twice: bool,
}

/// Who there is of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The one to talk to.
    pub master: Option<Process>,
    /// When there is no master: what an earlier one has left running.
    pub orphans: Vec<Process>,
}

/// A master that was remembered.
struct Recorded {
    pid: i32,
    session: i32,
}

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    member: Member,
    /// Whether its arguments are this instance's.
    claims: Option<bool>,
}

/// Tells master and orphans among the processes that run the program. `known` are the sessions of masters that are, or
/// were: of the pid file and the record.
fn tell_apart(candidates: &[Candidate], known: &[i32], forks_twice: bool) -> Found {
    let own = |candidate: &&Candidate| {
        let of_session = known.contains(&candidate.member.session);
        candidate.claims.unwrap_or(of_session) || of_session && candidate.claims != Some(false)
    };
    let own: Vec<Candidate> = candidates.iter().filter(own).copied().collect();
    let leads = |candidate: &&Candidate| !forks_twice && candidate.member.session == candidate.member.process.pid;
    let master = own.iter().filter(|candidate| candidate.claims != Some(false)).find(leads);
    match master {
        Some(master) => Found { master: Some(master.member.process), orphans: Vec::new() },
        None => Found { master: None, orphans: own.iter().map(|candidate| candidate.member.process).collect() },
    }
}

impl Daemon<'_> {
    /// Looks who there is. A healthy instance is found by its pid file; only else is every process looked at.
    ///
    /// # Errors
    /// When /proc cannot be read. A pid file that cannot be trusted is none.
    pub fn observe(&self) -> Result<Found, Failure> {
        let named = pidfile::living(self.pid_file, |process| self.claims(process)).unwrap_or_default();
        if let Some(master) = named.first() {
            return Ok(Found { master: Some(*master), orphans: Vec::new() });
        }
        if self.forks_twice
            && let Some(Recorded { pid, .. }) = self.recorded()
            && let Some(master) = Process::find(pid).or_fail("/proc")?
            && self.claims(&master) == Some(true)
        {
            return Ok(Found { master: Some(master), orphans: Vec::new() });
        }
        self.look_at_all(&[])
    }

    /// Looks at every process; `former` are sessions of masters that have been there a moment ago.
    fn look_at_all(&self, former: &[i32]) -> Result<Found, Failure> {
        let candidates = self.candidates().or_fail("/proc")?;
        let mut known = pidfile::read(self.pid_file).unwrap_or_default();
        known.extend(self.recorded().map(|recorded| recorded.session));
        known.extend(former);
        Ok(tell_apart(&candidates, &known, self.forks_twice))
    }

    /// Whether a process is of this instance: `Some(false)` when it runs another program or has other arguments.
    fn claims(&self, process: &Process) -> Option<bool> {
        match process.exe() {
            Ok(exe) if self.programs.contains(&exe) => {
                process.arguments().ok().and_then(|arguments| (self.is_instance)(&arguments))
            }
            Ok(_) => Some(false),
            // Gone, or another user's: nobody can say.
            Err(_) => None,
        }
    }

    /// Whether a process runs one of the programs, and not as another instance.
    fn may_be_ours(&self, process: &Process) -> bool {
        process.exe().is_ok_and(|exe| self.programs.contains(&exe)) && self.claims(process) != Some(false)
    }

    /// Every process that runs one of the programs.
    fn candidates(&self) -> io::Result<Vec<Candidate>> {
        let all = running(self.programs)?.into_iter();
        Ok(all.map(|member| Candidate { member, claims: self.claims(&member.process) }).collect())
    }

    /// Keeps in mind who the master is.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn remember(&self, master: &Process) -> Result<(), Failure> {
        if let Some(directory) = self.record.parent() {
            file::ensure_dir(directory, 0o755).or_fail(directory.display())?;
        }
        let text = format!("{}\n{}\n", master.pid, self.session(master)?);
        file::write_if_changed(self.record, text.as_bytes(), 0o600).or_fail(self.record.display()).map(drop)
    }

    /// The last master that was remembered.
    fn recorded(&self) -> Option<Recorded> {
        let bytes = file::read_small(self.record, LARGEST).ok().flatten()?;
        let mut numbers = std::str::from_utf8(&bytes).ok()?.lines().map(|line| line.trim().parse().ok());
        let pid = numbers.next()?.filter(|pid| *pid > 1)?;
        let session = numbers.next().unwrap_or(Some(pid)).filter(|session| *session > 1)?;
        Some(Recorded { pid, session })
    }

    /// The session that is a master's own. One that was begun by another program is somebody else's: of a terminal that the
    /// server was started in, say. Our own first process may live a moment longer than it takes to write a pid file.
    fn session(&self, master: &Process) -> Result<i32, Failure> {
        if !self.forks_twice {
            return Ok(master.pid);
        }
        let session = master.session().or_fail("/proc")?.unwrap_or(master.pid);
        let foreign = Process::find(session).or_fail("/proc")?.is_some_and(|first| self.claims(&first) == Some(false));
        Ok(if foreign { master.pid } else { session })
    }

    /// Runs the program that detaches the server, waits until `ready` says that it serves, and keeps in mind who it is.
    /// When it does not come up, nothing of it is left.
    ///
    /// # Errors
    /// What the program said, that the server has ended, or what `ready` was still waiting for.
    pub fn start(
        &self,
        program: Command,
        budget: Budget,
        ready: &mut dyn FnMut(&Process) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let started = self.bring_up(program, budget.work(), ready);
        let Err(failure) = started else { return Ok(()) };
        match self.stop(None, budget.rollback()) {
            Ok(()) => Err(failure),
            Err(left) => {
                Err(Failure::collect(vec![failure, left.wrap("roll back")]).unwrap_or_else(|| Failure::generic("")))
            }
        }
    }

    fn bring_up(
        &self,
        program: Command,
        deadline: Deadline,
        ready: &mut dyn FnMut(&Process) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match command::run(program, None, deadline) {
            Ok(output) if output.code == Some(0) => {}
            Ok(output) => {
                return Err(Failure::generic(format!("{}: {}", self.name, complaint(&output.stderr, &output.stdout))));
            }
            Err(RunError::TimedOut(output)) => {
                let said = complaint(&output.stderr, &output.stdout);
                return Err(Failure::generic(format!("{} did not detach in time: {said}", self.name)));
            }
            Err(error) => return Err(Failure::generic(format!("{} {error}", self.name))),
        }
        let appearing = Deadline::after(APPEARING).min(deadline);
        let found = appearing.poll(|| match self.observe() {
            Ok(Found { master: Some(master), .. }) => Some(Ok(master)),
            Ok(_) => None,
            Err(failure) => Some(Err(failure)),
        });
        let master = found.unwrap_or_else(|| {
            Err(Failure::generic(format!("{} ended as soon as it had detached: see its error log", self.name)))
        })?;
        self.remember(&master)?;
        let mut last = None;
        let served = deadline.poll(|| match (ready(&master), master.lives()) {
            (Ok(()), _) => Some(Ok(())),
            (Err(_), Ok(false)) => Some(Err(Failure::generic(format!("{} has ended: see its error log", self.name)))),
            (Err(failure), _) => {
                last = Some(failure);
                None
            }
        });
        served.unwrap_or_else(|| {
            let why = last.map_or_else(String::new, |failure| format!(": {failure}"));
            Err(Failure::generic(format!("{} runs but does not serve in time{why}", self.name)))
        })
    }

    /// Ends the instance, all of it: first as its master is asked politely, then by SIGTERM, then by SIGKILL. Success means that
    /// nothing is left.
    ///
    /// # Errors
    /// What is left, or could not be looked at.
    pub fn stop(&self, polite: Option<Polite>, deadline: Deadline) -> Result<(), Failure> {
        let found = self.observe()?;
        let mut former = Vec::new();
        if let Some(master) = found.master {
            former.push(self.session(&master)?);
            let mut tree = self.tree(&master)?;
            // What is held by a signal hears no other one, but SIGKILL.
            let held = tree.iter().any(|member| member.held);
            if let Some(Polite { signal, grace }) = polite.filter(|_| !held) {
                let limit = Deadline::after(grace).min(deadline.minus(FORCE));
                self.ask(&master, signal, tree.len() > 1, limit).or_fail(self.name)?;
                tree.extend(self.tree(&master)?);
            }
            let mut all: Vec<Process> = tree.iter().map(|member| member.process).collect();
            all.sort_unstable();
            all.dedup();
            if held {
                self.end(&all, &KILL, deadline)?;
            } else if master.lives().or_fail("/proc")? {
                self.end(&all, &END, deadline)?;
            } else {
                self.end_orphans(&all, deadline)?;
            }
        }
        // One that was ended may have left others that began in the meantime: a master its workers, and one that is just
        // detaching, from a start that was killed, the rest of its life. So the last look is one that finds nobody.
        loop {
            let left = self.look_at_all(&former)?;
            self.end_orphans(&left.orphans, deadline)?;
            let all: Vec<Process> = left.master.into_iter().chain(left.orphans).collect();
            if all.is_empty() {
                break;
            }
            self.end(&all, &END, deadline)?;
            former.extend(all.iter().map(|process| process.pid));
        }
        self.forget()
    }

    /// Ends what appears only after a stop. A start that was killed may have been about to run the server, and then, for an
    /// instant, nothing shows that it will be one.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub fn stop_late(&self, deadline: Deadline) -> Result<(), Failure> {
        let appeared = Deadline::after(BEGINNING).min(deadline).poll(|| {
            let found = self.observe().ok()?;
            (found.master.is_some() || !found.orphans.is_empty()).then_some(())
        });
        appeared.map_or(Ok(()), |()| self.stop(None, deadline))
    }

    /// Ends what an earlier master has left, so that a new one finds its addresses free.
    ///
    /// # Errors
    /// What is left, or could not be looked at.
    pub fn clear(&self, deadline: Deadline) -> Result<(), Failure> {
        loop {
            let found = self.observe()?;
            if found.master.is_some() || found.orphans.is_empty() {
                return Ok(());
            }
            self.end_orphans(&found.orphans, deadline)?;
        }
    }

    /// A master with everything that it has started: by parentage, and by session where the parent has died.
    fn tree(&self, master: &Process) -> Result<Vec<Member>, Failure> {
        let all = everybody().or_fail("/proc")?;
        let below = master.below(&all);
        let session = self.session(master)?;
        let belongs = |member: &Member| {
            member.process == *master
                || below.contains(&member.process)
                || member.session == session && self.may_be_ours(&member.process)
        };
        Ok(all.into_iter().filter(belongs).collect())
    }

    /// Ends what has no master: there is no use in waiting for long until it hears SIGTERM.
    fn end_orphans(&self, orphans: &[Process], deadline: Deadline) -> Result<(), Failure> {
        let hearing = deadline.min(Deadline::after(ORPHANS));
        let deaf = end_all(orphans, &[Signal::SIGTERM], hearing).or_fail(self.name)?;
        self.end(&deaf, &KILL, deadline)
    }

    fn end(&self, processes: &[Process], signals: &[Signal], deadline: Deadline) -> Result<(), Failure> {
        if processes.is_empty() {
            return Ok(());
        }
        let left = end_all(processes, signals, deadline).or_fail(self.name)?;
        if left.is_empty() {
            return Ok(());
        }
        let numbers: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
        Err(Failure::generic(format!(
            "{} is left, not even SIGKILL ended it: process {}",
            self.name,
            numbers.join(", ")
        )))
    }

    /// Takes away what would mislead: the record, and a pid file that names nobody who lives.
    fn forget(&self) -> Result<(), Failure> {
        let named = pidfile::read(self.pid_file).unwrap_or_default();
        let lives = |pid: &i32| Process::find(*pid).is_ok_and(|process| process.is_some());
        let stale = !named.is_empty() && !named.iter().any(lives);
        for path in [Some(self.record), stale.then_some(self.pid_file)].into_iter().flatten() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).or_fail(path.display()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a program said about its failure: the last lines of stderr, else of stdout, in one.
#[must_use]
pub fn complaint(stderr: &[u8], stdout: &[u8]) -> String {
    let text = if stderr.iter().all(u8::is_ascii_whitespace) { stdout } else { stderr };
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => "it failed without a word".to_owned(),
        lines => lines[lines.len().saturating_sub(3)..].join(" / "),
    }
}

#[cfg(test)]
mod tests;
