//! Other processes: who they are, and how to end exactly those.
//!
//! A process is known by its number and its start time; a number alone may be another process's by
//! now. Signals go through a pidfd (Linux 5.3) that was opened first and checked afterwards, so
//! they reach the intended process or none.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_gettime};

use super::clock::Deadline;
use super::file;

mod entry;

pub use entry::{Entry, Executable, FileId, LONGEST_ARGUMENTS};

/// Clock ticks in a second: USER_HZ, the same on every Linux that Rust runs on.
const TICKS: u64 = 100;

/// One process, for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it began, in clock ticks since the boot.
    pub start_time: u64,
}

/// What /proc/PID/stat says that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: i32,
    session: i32,
    threads: u32,
    start_time: u64,
}

impl Stat {
    /// Whether nothing of the process runs any more. A main thread that has left shows as a zombie,
    /// too, while the others work on (pthread_exit(3), proc_pid_stat(5)).
    fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }

    fn is_held(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// Reads /proc/PID/stat. The second field is the program's name in parentheses and may itself hold
/// parentheses, spaces and line ends: what counts begins after the last one (proc_pid_stat(5)).
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&text[end + 1..]).ok()?.split_ascii_whitespace();
    // In the order of the fields: 3, 4, 6, 20 and 22, counted from 1 with number and name.
    Some(Stat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        session: fields.nth(1)?.parse().ok()?,
        threads: fields.nth(13)?.parse().ok()?,
        start_time: fields.nth(1)?.parse().ok()?,
    })
}

fn stat(pid: i32) -> io::Result<Option<Stat>> {
    match read(pid, "stat") {
        Ok(bytes) => parse_stat(&bytes)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is in no known form"))),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads one of a process's files whole.
fn read(pid: i32, name: &str) -> io::Result<Vec<u8>> {
    file::read_kernel(Path::new(&format!("/proc/{pid}/{name}")))
}

/// ESRCH: it ended between open and read.
pub(crate) fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// A living process and its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The process.
    pub process: Process,
    /// The number of its parent: of process 1, or of another that adopts, when the parent has
    /// ended.
    pub parent: i32,
    /// The number of its session: of the process that began it. The kernel gives that number to no
    /// other process while one of the session lives, the first one or not (kernel/pid.c: a number
    /// is freed when nothing refers to it).
    pub session: i32,
    /// A signal or a debugger holds it: it does nothing until it may go on.
    pub held: bool,
}

impl Member {
    /// The living process with a number, as [`Process::find`], and what else is known of it.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn find(pid: i32) -> io::Result<Option<Self>> {
        Ok(stat(pid)?.and_then(|stat| Self::living(pid, &stat)))
    }

    /// A process by what its file `stat` says; `None` when it has ended.
    fn living(pid: i32, stat: &Stat) -> Option<Self> {
        let process = Process { pid, start_time: stat.start_time };
        let member =
            Self { process, parent: stat.parent, session: stat.session, held: stat.is_held() };
        (!stat.has_ended()).then_some(member)
    }
}

impl Process {
    /// The living process with a number; `None` when there is none, or only a zombie, which does
    /// nothing any more.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn find(pid: i32) -> io::Result<Option<Self>> {
        Ok(Member::find(pid)?.map(|member| member.process))
    }

    /// Whether it still lives.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn lives(&self) -> io::Result<bool> {
        Ok(Self::find(self.pid)? == Some(*self))
    }

    /// The number of its session; `None` when it has ended.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn session(&self) -> io::Result<Option<i32>> {
        Ok(stat(self.pid)?
            .filter(|stat| stat.start_time == self.start_time)
            .map(|stat| stat.session))
    }

    /// This moment, as the start time of a process that begins now.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn now() -> io::Result<u64> {
        // A container's /proc/uptime may be that of the container; the kernel's clock is not.
        let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?);
        Ok((now.as_millis() as u64) / (1000 / TICKS))
    }

    /// How long ago it began.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn age(&self) -> io::Result<Duration> {
        let text = file::read_kernel_text(Path::new("/proc/uptime"))?;
        let up = text.split_whitespace().next().and_then(|seconds| seconds.parse::<f64>().ok());
        let up = up.ok_or_else(|| io::Error::other("/proc/uptime has no number"))?;
        Ok(Duration::from_secs_f64((up - self.start_time as f64 / TICKS as f64).max(0.0)))
    }

    /// How long its main thread has run or waited for a processor since it began; `None` when it
    /// has ended, and where the kernel does not count that (`CONFIG_SCHED_INFO`,
    /// Documentation/scheduler/sched-stats.rst).
    #[must_use]
    pub fn busy(&self) -> Option<Duration> {
        let text = String::from_utf8(read(self.pid, "schedstat").ok()?).ok()?;
        let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
        let (run, wait) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        self.lives().ok()?.then_some(Duration::from_nanos(run.saturating_add(wait)))
    }

    /// Whether a signal or a debugger holds it.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn is_held(&self) -> io::Result<bool> {
        Ok(stat(self.pid)?.is_some_and(|stat| stat.start_time == self.start_time && stat.is_held()))
    }

    /// Its living children, and theirs.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn descendants(&self) -> io::Result<Vec<Self>> {
        Ok(self.below(&everybody()?))
    }

    /// Those of `all` that are its children, and theirs.
    pub fn below(&self, all: &[Member]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut parents = vec![self.pid];
        while let Some(parent) = parents.pop() {
            for member in all.iter().filter(|member| member.parent == parent) {
                parents.push(member.process.pid);
                found.push(member.process);
            }
        }
        found
    }

    /// A hold on it, for signals and waiting; `None` when it has ended.
    ///
    /// # Errors
    /// For numbers that are never another process's (1 and below, and our own), and the kernel's.
    pub fn open(&self) -> io::Result<Option<Handle>> {
        if self.pid <= 1 || self.pid == std::process::id() as i32 {
            return Err(io::Error::other(format!("refusing to touch process {}", self.pid)));
        }
        let fd = match open_pid(self.pid) {
            Ok(fd) => fd,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            Err(error) => return Err(error),
        };
        // The number may have changed hands before we opened it; it cannot any more.
        Ok(self.lives()?.then_some(Handle { fd }))
    }
}

fn open_pid(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and gives a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Every living process.
///
/// # Errors
/// When /proc cannot be read.
pub fn everybody() -> io::Result<Vec<Member>> {
    let mut all = Vec::new();
    for pid in numbers()? {
        all.extend(Member::find(pid)?);
    }
    Ok(all)
}

/// The number of every process, living or not.
///
/// # Errors
/// When /proc cannot be read.
pub fn numbers() -> io::Result<Vec<i32>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        all.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(all)
}

/// The number of a process's parent, of a zombie's as well; `None` when there is no such process.
///
/// # Errors
/// When /proc cannot be read.
pub fn parent_of(pid: i32) -> io::Result<Option<i32>> {
    Ok(stat(pid)?.map(|stat| stat.parent))
}

/// The program that a number's process runs, by the name that it was started by. The kernel's mark
/// of a removed file, ` (deleted)`, is left out (proc_pid_exe(5)). It is one link, which the kernel
/// reads faster than it writes down a state.
///
/// # Errors
/// `PermissionDenied` when this caller may not trace the process; otherwise when it has none, or
/// has ended.
pub fn program_of(pid: i32) -> io::Result<PathBuf> {
    let exe = std::fs::read_link(format!("/proc/{pid}/exe"))?;
    let name = exe.as_os_str().as_bytes();
    Ok(OsStr::from_bytes(name.strip_suffix(b" (deleted)").unwrap_or(name)).into())
}

/// A hold on a process: no other process can get its number meanwhile.
#[derive(Debug)]
pub struct Handle {
    /// Readable when the process has ended (pidfd_open(2)).
    pub(super) fd: OwnedFd,
}

impl AsFd for Handle {
    /// For waiting on several things at a time; readable when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Handle {
    /// A hold on a child that has not been waited for: until then no other process gets its number.
    pub(super) fn of_child(child: &Child) -> io::Result<Self> {
        Ok(Self { fd: open_pid(child.id() as i32)? })
    }

    /// Sends a signal; to one that has just ended, nothing happens.
    ///
    /// # Errors
    /// The kernel's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a descriptor of ours, a signal's number, no siginfo (which is allowed), no flags.
        let sent = unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal as i32, none, 0)
        };
        if sent == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
    }

    /// Waits for its end; `false` when it still lives at the deadline.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self, deadline: Deadline) -> io::Result<bool> {
        loop {
            let left = deadline.left();
            let limit = left.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
            let mut wait = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
            let limit = PollTimeout::try_from(limit).map_err(io::Error::other)?;
            match poll(&mut wait, limit) {
                Ok(0) if deadline.expired() => return Ok(false),
                Ok(0) | Err(nix::Error::EINTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Ends processes: the first signal to each, then the next to those that are left, and so on. Each
/// signal but the last has an equal share of the time; the last has what is left, and a moment in
/// any case. Gives those that live on.
///
/// # Errors
/// The first one of a process that could not be looked at, signalled or waited for; the others are
/// ended all the same.
pub fn end_all(
    processes: &[Process],
    signals: &[Signal],
    deadline: Deadline,
) -> io::Result<Vec<Process>> {
    let mut left: Vec<(Process, Handle)> = Vec::new();
    let mut failed = None;
    for process in processes {
        match process.open() {
            Ok(Some(handle)) => left.push((*process, handle)),
            Ok(None) => {}
            Err(error) => note(&mut failed, process, &error),
        }
    }
    for (signal, rest) in signals.iter().zip((1..=signals.len() as u32).rev()) {
        for (process, handle) in &left {
            if let Err(error) = handle.signal(*signal) {
                note(&mut failed, process, &error);
            }
        }
        let share = deadline.left() / rest;
        // SIGKILL takes effect within milliseconds, but not at once.
        let until =
            Deadline::after(if rest == 1 { share.max(Duration::from_millis(100)) } else { share });
        let mut still = Vec::new();
        for (process, handle) in left {
            match handle.wait(until) {
                Ok(true) => {}
                Ok(false) => still.push((process, handle)),
                Err(error) => note(&mut failed, &process, &error),
            }
        }
        left = still;
        if left.is_empty() {
            break;
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(left.into_iter().map(|(process, _)| process).collect()),
    }
}

/// Keeps the first error; the later ones are mostly its consequences.
fn note(first: &mut Option<io::Error>, process: &Process, error: &io::Error) {
    first.get_or_insert_with(|| {
        io::Error::new(error.kind(), format!("process {}: {error}", process.pid))
    });
}

#[cfg(test)]
mod tests;
