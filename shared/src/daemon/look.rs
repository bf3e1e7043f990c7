//! Looks at processes, and finds those of an instance.
#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use super::identity::{self, Answer, Claim, Facts, Missing, Rules, Seen, Standing};
use super::note::Note;
use super::{Daemon, Found};
use crate::failure::{Failure, OrFail};
use crate::sys::clock::Deadline;
use crate::sys::pidfile;
use crate::sys::process::{self, Entry, FileId, Member, Process};

/// How long a look at every process may take in any case.
const ONE_LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// What a look found.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The processes that are the instance's.
    pub found: Found,
    /// A process that may be of the instance, and cannot be looked at.
    pub doubt: Option<Doubt>,
    /// The sessions that are proven to be the instance's now.
    pub sessions: Vec<i32>,
}

/// A process of which nothing can be said.
#[derive(Clone, Debug)]
pub struct Doubt {
    pid: i32,
    name: String,
    missing: Missing,
}

impl Doubt {
    /// As a failure of an action on the server called `name`.
    pub fn failure(&self, name: &str) -> Failure {
        let Self { pid, name: program, missing } = self;
        Failure::generic(match missing {
            Missing::Trace => {
                format!(
                    "{name}: process {pid} ({program}) cannot be looked at; give the agent \
                     CAP_SYS_PTRACE"
                )
            }
            Missing::Arguments => {
                format!(
                    "{name}: process {pid} ({program}) has a command line over 128 KiB; end it if \
                     it is foreign"
                )
            }
        })
    }
}

/// A session that may be of the instance.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Its number: of the process that began it.
    pub number: i32,
    /// Where that is known from: the pid file alone, or better.
    pub standing: Standing,
    /// Whether it is known to be that session still: its first process lives and is the
    /// instance's, or it was there a moment ago. Else all of it may have ended, and another program
    /// may have a session with this number, whose first process has ended as well.
    pub is_proven: bool,
}

/// Looks by the pid file and the note first: a healthy instance has its master there. Only else is
/// every process looked at; `former` are sessions of masters that have been there a moment ago.
pub fn look<S: Daemon + ?Sized>(
    server: &S,
    former: &[i32],
    deadline: Deadline,
) -> Result<Look, Failure> {
    let (named, doubt) = by_pid_file(server).or_fail("/proc")?;
    if let Some(master) = named {
        return Ok(Look { found: Found::master(master), ..Look::default() });
    }
    if let Some(note) = Note::load(server.note())
        && let Some(master) = by_note(server, &note).or_fail("/proc")?
    {
        return Ok(Look { found: Found::master(master), ..Look::default() });
    }
    let mut all = look_at_all(server, former, deadline)?;
    all.doubt = all.doubt.or(doubt);
    Ok(all)
}

/// The master that the pid file names, or a process that it names and that cannot be looked at.
fn by_pid_file<S: Daemon + ?Sized>(server: &S) -> io::Result<(Option<Process>, Option<Doubt>)> {
    let mut doubt = None;
    // A pid file that cannot be trusted is none.
    for pid in pidfile::others(server.pid_file()).unwrap_or_default() {
        let Some((entry, member)) = living(pid)? else { continue };
        let Some(facts) = facts(&entry, server.programs())? else { continue };
        let mut answer = judge(server, &entry, &facts, Standing::None);
        if answer != Answer::Ours
            && pidfile::is_younger_than(server.pid_file(), &member.process).unwrap_or(false)
        {
            answer = judge(server, &entry, &facts, Standing::PidFile);
        }
        match answer {
            Answer::Ours => return Ok((Some(member.process), None)),
            Answer::Unknown(missing) => {
                doubt = doubt.or_else(|| Some(Doubt::of(&entry, pid, missing)))
            }
            Answer::NotOurs => {}
        }
    }
    Ok((None, doubt))
}

/// A process of one of the programs that the pid file names and that is not the instance's: it has
/// written that file, if it began before.
pub fn other_in_pid_file<S: Daemon + ?Sized>(server: &S) -> io::Result<Option<Process>> {
    for pid in pidfile::others(server.pid_file()).unwrap_or_default() {
        let Some((entry, member)) = living(pid)? else { continue };
        let Some(facts) = facts(&entry, server.programs())? else { continue };
        // Another user's cannot have written root's file.
        let may_write = facts.owner == 0 || server.drops_rights();
        let is_server = may_write && facts.program == Seen::Same && facts.numbers == Seen::Same;
        if is_server
            && judge(server, &entry, &facts, Standing::PidFile) == Answer::NotOurs
            && pidfile::is_younger_than(server.pid_file(), &member.process)?
        {
            return Ok(Some(member.process));
        }
    }
    Ok(None)
}

/// The noted master, if it lives and still is this instance's. Where the kernel's numbers alone are
/// noted, its arguments must say so, too.
fn by_note<S: Daemon + ?Sized>(server: &S, note: &Note) -> io::Result<Option<Process>> {
    if note.start_time.is_none() && !server.forks_twice() {
        return Ok(None);
    }
    let standing = if note.start_time.is_some() { Standing::Recorded } else { Standing::None };
    let Some((entry, member)) = living(note.pid)? else { return Ok(None) };
    if !note.is_about(&member.process) {
        return Ok(None);
    }
    Ok((answer(server, &entry, standing)? == Some(Answer::Ours)).then_some(member.process))
}

/// The noted master while it is ending: its program is gone, and it has its addresses until all of
/// its memory is given back.
pub fn ending_master<S: Daemon + ?Sized>(server: &S) -> io::Result<Option<Process>> {
    let Some(note) = Note::load(server.note()) else { return Ok(None) };
    let Some((entry, member)) = living(note.pid)? else { return Ok(None) };
    let is_noted = note.start_time.is_some() && note.is_about(&member.process);
    Ok((is_noted && answer(server, &entry, Standing::Recorded)?.is_none())
        .then_some(member.process))
}

/// Looks at every process.
fn look_at_all<S: Daemon + ?Sized>(
    server: &S,
    former: &[i32],
    deadline: Deadline,
) -> Result<Look, Failure> {
    let limit = deadline.max(Deadline::after(ONE_LOOK));
    let sessions = sessions(server, former).or_fail("/proc")?;
    let (mut own, mut others, mut doubt) = (Vec::new(), Vec::new(), None);
    for pid in process::numbers().or_fail("/proc")? {
        if limit.expired() {
            return Err(Failure::generic(format!(
                "{}: there are too many processes to look at in time",
                server.name()
            )));
        }
        let runs = process::program_of(pid);
        let is_candidate = match &runs {
            Ok(program) => server.programs().contains(program),
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        // What runs no program is of the kernel, or has ended.
        if !is_candidate && (runs.is_err() || !server.has_helpers() || sessions.is_empty()) {
            continue;
        }
        let Some((entry, member)) = living(pid).or_fail("/proc")? else { continue };
        let standing = standing(&sessions, &member);
        if server.has_helpers()
            && standing == Standing::Recorded
            && is_helper(&entry, runs.ok(), server.programs())
        {
            others.push(member);
            continue;
        }
        match answer(server, &entry, standing).or_fail("/proc")? {
            Some(Answer::Ours) => own.push(member),
            Some(Answer::Unknown(missing)) => {
                doubt = doubt.or_else(|| Some(Doubt::of(&entry, pid, missing)))
            }
            Some(Answer::NotOurs) | None => {}
        }
    }
    let mut found = tell_apart(&own, server.forks_twice());
    let proven: Vec<i32> = proven(&sessions, &own);
    if found.master.is_none() {
        let note = Note::load(server.note());
        let is_seen = |process: &Process| note.is_some_and(|note| note.has_seen(process));
        others.retain(|member| proven.contains(&member.session) || is_seen(&member.process));
        found.orphans.extend(others.iter().map(|member| member.process));
    }
    Ok(Look { found, doubt, sessions: proven })
}

/// The sessions in which whatever runs is the instance's: a process of the server itself that is
/// in one shows it, too.
pub fn proven(sessions: &[Session], own: &[Member]) -> Vec<i32> {
    let has_own = |number: i32| own.iter().any(|member| member.session == number);
    let proven = sessions.iter().filter(|session| session.is_proven || has_own(session.number));
    proven.map(|session| session.number).collect()
}

/// Whether a process of the instance's session is one that the server has started and that runs
/// another program.
fn is_helper(entry: &Entry, runs: Option<PathBuf>, programs: &[PathBuf]) -> bool {
    runs.is_none_or(|program| !programs.contains(&program))
        && entry.shares_numbers().unwrap_or(true)
}

/// Divides the instance's processes into master and orphans: a master leads its session. Where it
/// forks once more after it has begun the session, only the pid file or the note says which one is
/// the master.
pub fn tell_apart(own: &[Member], forks_twice: bool) -> Found {
    let leads = |member: &&Member| !forks_twice && member.session == member.process.pid;
    match own.iter().find(leads) {
        Some(master) => Found::master(master.process),
        None => Found { master: None, orphans: own.iter().map(|member| member.process).collect() },
    }
}

/// The sessions that are the instance's: of the note, of masters of a moment ago, and of the pid
/// file. The number of a session is not used again while one of its processes lives, so a session
/// whose first process lives belongs to whatever that process belongs to. One whose first process
/// has ended may be the instance's or, once nothing of that was left, anybody's. A first process
/// that is ending has no program to judge by: its session is the instance's if it began before the
/// note or the pid file was written.
fn sessions<S: Daemon + ?Sized>(server: &S, former: &[i32]) -> io::Result<Vec<Session>> {
    let note = Note::load(server.note());
    let recorded = note.iter().map(|note| note.session).chain(former.iter().copied());
    let named = pidfile::others(server.pid_file()).unwrap_or_default();
    let all = recorded
        .map(|number| (number, Standing::Recorded))
        .chain(named.into_iter().map(|number| (number, Standing::PidFileSession)));
    let mut ours: Vec<Session> = Vec::new();
    for (number, standing) in all {
        if ours.iter().any(|known| known.number == number) {
            continue;
        }
        let is_proven = match is_ours(server, number, note.as_ref())? {
            Some(false) => continue,
            Some(true) => true,
            None => former.contains(&number),
        };
        ours.push(Session { number, standing, is_proven });
    }
    Ok(ours)
}

/// Whether the session with this number is the instance's by its first process; `None` when that
/// has ended.
fn is_ours<S: Daemon + ?Sized>(
    server: &S,
    number: i32,
    note: Option<&Note>,
) -> io::Result<Option<bool>> {
    let Some((entry, member)) = living(number)? else { return Ok(None) };
    let is_noted = note.is_some_and(|note| note.is_about(&member.process));
    let standing = if is_noted { Standing::Recorded } else { Standing::None };
    if let Some(answer) = answer(server, &entry, standing)? {
        return Ok(Some(answer == Answer::Ours));
    }
    let began = member.process.start_time;
    let is_older = note.and_then(|note| note.start_time).is_some_and(|start| began <= start);
    let is_named = || pidfile::is_younger_than(server.pid_file(), &member.process).unwrap_or(false);
    Ok(Some(is_older || is_named()))
}

/// What the session of a process makes of it.
pub fn standing(sessions: &[Session], member: &Member) -> Standing {
    sessions
        .iter()
        .find(|session| session.number == member.session)
        .map_or(Standing::None, |session| session.standing)
}

/// Whether a process of a master's own session is of the instance, too.
pub fn belongs<S: Daemon + ?Sized>(server: &S, process: &Process) -> io::Result<bool> {
    let Some(entry) = process.entry()? else { return Ok(false) };
    if server.has_helpers() {
        return entry.shares_numbers().or(Ok(true));
    }
    Ok(answer(server, &entry, Standing::Recorded)? == Some(Answer::Ours))
}

/// Whether a living process is another program's, or another instance's. One that is ending is not
/// known to be.
pub fn is_foreign<S: Daemon + ?Sized>(server: &S, pid: i32) -> io::Result<bool> {
    let Some((entry, _)) = living(pid)? else { return Ok(false) };
    Ok(answer(server, &entry, Standing::None)?.is_some_and(|answer| answer != Answer::Ours))
}

/// A process that lives, and what is known of it.
pub fn living(pid: i32) -> io::Result<Option<(Entry, Member)>> {
    let Some(entry) = Entry::open(pid)? else { return Ok(None) };
    Ok(entry.member()?.map(|member| (entry, member)))
}

/// Whose a process is; `None` when it has ended, or is ending: the kernel takes its program and its
/// arguments away first, and only when its memory, files and sockets are given back, it is no
/// living process any more.
fn answer<S: Daemon + ?Sized>(
    server: &S,
    entry: &Entry,
    standing: Standing,
) -> io::Result<Option<Answer>> {
    let Some(facts) = facts(entry, server.programs())? else { return Ok(None) };
    let answer = judge(server, entry, &facts, standing);
    // Arguments that were read a moment later are none.
    Ok(Some(answer).filter(|answer| *answer != Answer::NotOurs || !entry.is_ending()))
}

fn judge<S: Daemon + ?Sized>(
    server: &S,
    entry: &Entry,
    facts: &Facts,
    standing: Standing,
) -> Answer {
    let rules =
        Rules { drops_rights: server.drops_rights(), may_act: nix::unistd::geteuid().is_root() };
    identity::judge(facts, standing, rules, || match entry.arguments() {
        Ok((arguments, is_whole)) => match server.claims(&arguments) {
            Some(true) if is_whole => Claim::Yes,
            Some(true) => Claim::TooLong,
            Some(false) => Claim::No,
            None => Claim::Silent,
        },
        // It has ended.
        Err(_) => Claim::No,
    })
}

/// What the kernel says about a process; `None` when it has ended.
fn facts(entry: &Entry, programs: &[PathBuf]) -> io::Result<Option<Facts>> {
    let gather = || -> io::Result<Facts> {
        let owner = entry.owner()?;
        let program = seen(entry.executable().map(|program| {
            let is_same = || FileId::of(&program.path).is_ok_and(|file| file == program.file);
            // An update that replaces the file of a running program does not make it another one.
            programs.contains(&program.path) && (program.removed || is_same())
        }))?;
        let is_named = program != Seen::Hidden || is_named(&entry.name()?, programs);
        Ok(Facts {
            owner,
            numbers: seen(entry.shares_numbers())?,
            root: seen(entry.shares_root())?,
            program,
            is_named,
        })
    };
    match gather() {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if process::gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn seen(is_same: io::Result<bool>) -> io::Result<Seen> {
    match is_same {
        Ok(true) => Ok(Seen::Same),
        Ok(false) => Ok(Seen::Other),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Seen::Hidden),
        Err(error) => Err(error),
    }
}

/// Whether the kernel's short name of a program is that of one of these.
fn is_named(name: &[u8], programs: &[PathBuf]) -> bool {
    /// The kernel keeps fifteen bytes (TASK_COMM_LEN).
    const KEPT: usize = 15;
    let file = |program: &PathBuf| program.file_name().map(|name| name.as_encoded_bytes().to_vec());
    programs.iter().filter_map(file).any(|file| file[..file.len().min(KEPT)] == *name)
}

impl Doubt {
    fn of(entry: &Entry, pid: i32, missing: Missing) -> Self {
        Self {
            pid,
            name: String::from_utf8_lossy(&entry.name().unwrap_or_default()).into_owned(),
            missing,
        }
    }
}
