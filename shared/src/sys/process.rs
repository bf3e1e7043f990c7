//! Other processes: who they are, and how to end exactly those.
//!
//! A process is known by its number and its start time; a number alone may be somebody else's by now. Signals go
//! through a pidfd (Linux 5.3) that was opened first and checked afterwards, so they reach the process meant or nobody.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use super::clock::Deadline;

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
    start_time: u64,
}

/// Reads /proc/PID/stat. The second field is the program's name in parentheses and may itself hold parentheses, spaces
/// and line ends: what counts begins after the last one (proc_pid_stat(5)).
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        // Field 22, counted from 1 with number and name.
        start_time: fields.get(19)?.parse().ok()?,
    })
}

fn stat(pid: i32) -> io::Result<Option<Stat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => parse_stat(&String::from_utf8_lossy(&bytes))
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is in no known form"))),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// ESRCH: it ended between open and read.
fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

impl Process {
    /// The living process with a number; `None` when there is none, or only a zombie, which does nothing any more.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn find(pid: i32) -> io::Result<Option<Self>> {
        Ok(stat(pid)?
            .filter(|stat| !matches!(stat.state, 'Z' | 'X' | 'x'))
            .map(|stat| Self { pid, start_time: stat.start_time }))
    }

    /// Whether it still lives.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn lives(&self) -> io::Result<bool> {
        Ok(Self::find(self.pid)? == Some(*self))
    }

    /// The program that it runs.
    ///
    /// # Errors
    /// When it is gone or not ours to look at.
    pub fn exe(&self) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/{}/exe", self.pid))
    }

    /// The arguments that it was started with.
    ///
    /// # Errors
    /// As [`Self::exe`].
    pub fn arguments(&self) -> io::Result<Vec<Vec<u8>>> {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.pid))?;
        Ok(bytes.strip_suffix(&[0]).unwrap_or(&bytes).split(|b| *b == 0).map(<[u8]>::to_vec).collect())
    }

    /// Its living children, and theirs.
    ///
    /// # Errors
    /// When /proc cannot be read.
    pub fn descendants(&self) -> io::Result<Vec<Self>> {
        let all = everybody()?;
        let mut found: Vec<(Self, i32)> = Vec::new();
        let mut parents = vec![self.pid];
        while let Some(parent) = parents.pop() {
            for (process, of) in all.iter().filter(|(_, of)| *of == parent) {
                parents.push(process.pid);
                found.push((*process, *of));
            }
        }
        Ok(found.into_iter().map(|(process, _)| process).collect())
    }

    /// A hold on it, for signals and waiting; `None` when it has ended.
    ///
    /// # Errors
    /// For numbers that are never another process's (1 and below, and our own), and the kernel's.
    pub fn open(&self) -> io::Result<Option<Handle>> {
        if self.pid <= 1 || self.pid == std::process::id() as i32 {
            return Err(io::Error::other(format!("refusing to touch process {}", self.pid)));
        }
        // SAFETY: pidfd_open takes two numbers and gives a new descriptor or an error.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            return if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) };
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        // The number may have changed hands before we opened it; it cannot any more.
        Ok(self.lives()?.then_some(Handle { fd }))
    }
}

/// Every living process with its parent's number.
fn everybody() -> io::Result<Vec<(Process, i32)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if let Some(stat) = stat(pid)?.filter(|stat| !matches!(stat.state, 'Z' | 'X' | 'x')) {
            all.push((Process { pid, start_time: stat.start_time }, stat.parent));
        }
    }
    Ok(all)
}

/// A hold on a process: nobody else can get its number's place in it.
#[derive(Debug)]
pub struct Handle {
    fd: OwnedFd,
}

impl Handle {
    /// Sends a signal; to one that has just ended, nothing happens.
    ///
    /// # Errors
    /// The kernel's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a descriptor of ours, a signal's number, no siginfo (which is allowed), no flags.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal as i32, none, 0) };
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

/// Ends processes: the first signal to each, then the next to those that are left, and so on. Each signal but the last
/// has an equal share of the time; the last has what is left, and a moment in any case. Gives those that live on.
///
/// # Errors
/// When a process can be neither looked at nor signalled.
pub fn end_all(processes: &[Process], signals: &[Signal], deadline: Deadline) -> io::Result<Vec<Process>> {
    let mut left: Vec<(Process, Handle)> = Vec::new();
    for process in processes {
        if let Some(handle) = process.open()? {
            left.push((*process, handle));
        }
    }
    for (number, signal) in signals.iter().enumerate() {
        for (_, handle) in &left {
            handle.signal(*signal)?;
        }
        let rest = signals.len() - number;
        let until = if rest == 1 {
            // SIGKILL takes effect within milliseconds, but not at once.
            deadline.left().max(std::time::Duration::from_millis(100))
        } else {
            deadline.left() / rest as u32
        };
        let until = Deadline::after(until);
        let mut still = Vec::new();
        for (process, handle) in left {
            if !handle.wait(until)? {
                still.push((process, handle));
            }
        }
        left = still;
        if left.is_empty() {
            break;
        }
    }
    Ok(left.into_iter().map(|(process, _)| process).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    fn sleeper() -> (Child, Process) {
        let child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let process = Process::find(child.id() as i32).unwrap().unwrap();
        (child, process)
    }

    /// Ignores SIGTERM and says when it does.
    fn stubborn() -> (Child, Process) {
        use std::io::Read;
        let mut child = Command::new("/bin/sh")
            .args(["-c", "trap '' TERM INT QUIT; echo ready; while :; do /bin/sleep 1; done"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
        let process = Process::find(child.id() as i32).unwrap().unwrap();
        (child, process)
    }

    #[test]
    fn names_with_parentheses_spaces_and_line_ends_do_not_mislead() {
        let numbers = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1 1";
        for name in ["sleep", "a) S 1 2", "((", "x\n) y", ""] {
            let parsed = parse_stat(&format!("42 ({name}) {numbers}")).unwrap();
            assert_eq!(parsed, Stat { state: 'S', parent: 7, start_time: 4711 }, "{name}");
        }
        assert_eq!(parse_stat("42 (x"), None);
        assert_eq!(parse_stat("42 (x) S 7"), None);
    }

    #[test]
    fn sl_06_a_number_with_another_start_time_is_another_process() {
        let (mut child, process) = sleeper();
        let impostor = Process { start_time: process.start_time - 1, ..process };
        assert!(!impostor.lives().unwrap());
        assert!(impostor.open().unwrap().is_none());
        assert!(process.lives().unwrap());
        assert_eq!(end_all(&[impostor], &[Signal::SIGKILL], Deadline::after(Duration::from_secs(5))).unwrap(), []);
        assert!(process.lives().unwrap(), "the process with that number must live");
        child.kill().unwrap();
        // Not yet reaped: a zombie does nothing any more.
        assert!(Deadline::after(Duration::from_secs(5)).poll(|| (!process.lives().unwrap()).then_some(())).is_some());
        child.wait().unwrap();
    }

    #[test]
    fn numbers_that_are_never_somebody_elses_are_refused() {
        for pid in [-1, 0, 1, std::process::id() as i32] {
            assert!(Process { pid, start_time: 0 }.open().is_err(), "{pid}");
        }
    }

    #[test]
    fn sl_01_all_are_gone_only_when_each_of_them_is() {
        let (mut dead, dead_process) = sleeper();
        dead.kill().unwrap();
        dead.wait().unwrap();
        for first_dead in [true, false] {
            let (mut child, process) = stubborn();
            let both = if first_dead { [dead_process, process] } else { [process, dead_process] };
            let soon = Deadline::after(Duration::from_millis(300));
            assert_eq!(end_all(&both, &[Signal::SIGTERM], soon).unwrap(), [process]);
            let later = Deadline::after(Duration::from_secs(5));
            assert_eq!(end_all(&both, &[Signal::SIGTERM, Signal::SIGKILL], later.share(0.2)).unwrap(), []);
            child.wait().unwrap();
        }
    }

    #[test]
    fn sl_02_little_time_is_shared_among_all_signals() {
        let (mut child, process) = stubborn();
        let began = Instant::now();
        let signals = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL];
        assert_eq!(end_all(&[process], &signals, Deadline::after(Duration::from_secs(2))).unwrap(), []);
        assert!(began.elapsed() >= Duration::from_secs(1), "the gentle signals had their time");
        child.wait().unwrap();
    }

    #[test]
    fn descendants_are_found_by_parentage() {
        let (mut child, process) = stubborn();
        let found = Deadline::after(Duration::from_secs(5)).poll(|| {
            let all = process.descendants().unwrap();
            all.iter().any(|p| p.exe().is_ok_and(|exe| exe.ends_with("sleep"))).then_some(all)
        });
        assert!(found.is_some());
        let all: Vec<Process> = found.unwrap().into_iter().chain([process]).collect();
        end_all(&all, &[Signal::SIGKILL], Deadline::after(Duration::from_secs(5))).unwrap();
        child.wait().unwrap();
    }
}
