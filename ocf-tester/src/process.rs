//! The edge to the system's processes: starts a program as Pacemaker's executor does, and knows
//! what it left behind.
//!
//! This process adopts whatever its children leave (PR_SET_CHILD_SUBREAPER, prctl(2)): a daemon
//! that an agent starts becomes ours, so that "is anything left?" has an exact answer. One thread
//! waits for all of them, for a dead daemon must vanish at once: an agent's stop may be waiting for
//! just that.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use ocf::sys::clock::Deadline;
use ocf::sys::file;
use ocf::sys::process::{self, Process};

use crate::place::Place;
use crate::stream::Stream;

/// How long another process may still have the output open after the agent's end: an ordinary child
/// that is about to end.
const GRACE: Duration = Duration::from_millis(200);

/// How often to look whether the user wants an end, in milliseconds.
const LOOKING: u128 = 100;

/// How long what was killed may take to vanish.
const DYING: Duration = Duration::from_secs(2);

/// A program to run, with everything that it gets.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file, and its arguments.
    pub words: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// What it reads; empty when nothing.
    pub input: Vec<u8>,
    /// Where it runs.
    pub place: Place,
    /// Killed at this moment, with its whole process group.
    pub limit: Duration,
    /// File mode creation mask.
    pub umask: u32,
}

/// How a program ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Its standard error, byte for byte.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub elapsed: Duration,
    /// It was killed, because the limit passed.
    pub killed: bool,
    /// Who still had its output open after its end, such as `sleep (4711)`.
    pub holders: Vec<String>,
    /// Its number.
    pub pid: i32,
}

/// What the thread that waits for our children knows.
#[derive(Default)]
struct Children {
    /// Started by [`run`] and not yet collected; with the status once it has ended.
    ours: HashMap<i32, Option<WaitStatus>>,
    /// Those that ended last, and when.
    ended: VecDeque<(i32, Instant)>,
}

/// How many of those that ended are remembered, and for how long.
const REMEMBERED: (usize, Duration) = (16, Duration::from_secs(1));

/// How far the number of a process may be from that of the call in which it began.
const NEAR: i32 = 1000;

static CHILDREN: OnceLock<Mutex<Children>> = OnceLock::new();
static CHANGED: Condvar = Condvar::new();

fn children() -> MutexGuard<'static, Children> {
    CHILDREN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to adopt what children leave behind. To be called once, before anything runs.
///
/// # Errors
/// The kernel's.
pub fn adopt_orphans() -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    if CHILDREN.set(Mutex::default()).is_ok() {
        std::thread::Builder::new().name("reaper".to_owned()).spawn(reap_for_ever)?;
    }
    Ok(())
}

fn reap_for_ever() {
    loop {
        // Only looks: the child may be one that is just being started, whose number is not written
        // down yet.
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Ok(status) => {
                let mut children = children();
                if let Some(pid) = status.pid()
                    && let Ok(status) = waitpid(pid, Some(WaitPidFlag::WNOHANG))
                    && let Some(place) = children.ours.get_mut(&pid.as_raw())
                {
                    *place = Some(status);
                    CHANGED.notify_all();
                }
            }
            Err(Errno::EINTR) => {}
            // No children. A start notifies; the limit is only a belt to these braces.
            Err(_) => drop(CHANGED.wait_timeout(children(), Duration::from_secs(1))),
        }
    }
}

/// The status of a child of [`run`], which has ended or is about to; `None` when it does not end in
/// time.
fn status_of(pid: i32, limit: Duration) -> Option<WaitStatus> {
    let deadline = Instant::now() + limit;
    let mut children = children();
    loop {
        if let Some(status) = children.ours.get(&pid).copied().flatten() {
            children.ours.remove(&pid);
            children.ended.push_front((pid, Instant::now()));
            children.ended.truncate(REMEMBERED.0);
            return Some(status);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        children = CHANGED.wait_timeout(children, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Whether a process that has ended is likely to be one of an agent's: its number was given during
/// a call that is under way or has just ended. Numbers are given in their order.
#[must_use]
pub fn began_in_a_call(pid: i32) -> bool {
    let children = children();
    let recent = children
        .ended
        .iter()
        .filter(|(_, ended)| ended.elapsed() < REMEMBERED.1)
        .map(|(pid, _)| pid);
    recent.chain(children.ours.keys()).any(|call| (*call..*call + NEAR).contains(&pid))
}

/// Processes that agents left behind and that still live, and what those have started.
///
/// Other threads start and end calls meanwhile. A call that is under way before or after the look
/// at the machine, or has just ended, is no orphan.
///
/// # Errors
/// When /proc cannot be read.
pub fn orphans() -> io::Result<Vec<Process>> {
    let mut calls = calls();
    if adopted(&calls) == Some(false) {
        return Ok(Vec::new());
    }
    let everybody = process::everybody()?;
    calls.extend(self::calls());
    let below = |pid: i32| Process { pid, start_time: 0 }.below(&everybody);
    let running: Vec<i32> = calls.iter().flat_map(|pid| below(*pid)).map(|it| it.pid).collect();
    let left = below(std::process::id() as i32).into_iter();
    let left = left.filter(|it| !calls.contains(&it.pid) && !running.contains(&it.pid));
    left.filter_map(|it| it.lives().map(|lives| lives.then_some(it)).transpose()).collect()
}

/// The processes of calls that are under way or have just ended.
fn calls() -> Vec<i32> {
    let children = children();
    let ended = children.ended.iter().map(|(pid, _)| *pid);
    children.ours.keys().copied().chain(ended).collect()
}

/// Whether we have other children than these, from the kernel's short list of them
/// (CONFIG_PROC_CHILDREN). Most often there are none, and that saves a look at every process of the
/// machine.
fn adopted(ours: &[i32]) -> Option<bool> {
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        match file::read_kernel_text(&thread.ok()?.path().join("children")) {
            Ok(list)
                if list
                    .split_whitespace()
                    .any(|pid| pid.parse().is_ok_and(|pid| !ours.contains(&pid))) =>
            {
                return Some(true);
            }
            Ok(_) => {}
            // A thread may end while we look; without the option there is no such file at all.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::metadata("/proc/thread-self/children").ok()?;
            }
            Err(_) => return None,
        }
    }
    Some(false)
}

/// A process in words, such as `nginx (4711)`.
#[must_use]
pub fn name_of(process: &Process) -> String {
    let arguments = process.arguments().unwrap_or_default();
    if arguments.is_empty() {
        return format!("process {}", process.pid);
    }
    let words: Vec<_> = arguments.iter().map(|word| String::from_utf8_lossy(word)).collect();
    format!("{} ({})", words.join(" "), process.pid)
}

/// Runs a program until it ends, or is killed at its limit with its process group. Then its output
/// is closed, even if other processes has it open. `stop` ends it early, in the same way.
///
/// # Errors
/// When it cannot be started or served.
pub fn run(program: &Program, stop: Option<&AtomicBool>) -> io::Result<Ended> {
    let words = program.words.split_first();
    let (file, arguments) = words.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut command = Command::new(file);
    command
        .args(arguments)
        .env_clear()
        .envs(program.environment.iter().map(|(name, value)| (name, value)));
    command
        .stdin(input(&program.input)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    program.place.enter(&mut command, program.umask)?;
    let began = Instant::now();
    let mut child = {
        let mut children = children();
        let child = command.spawn()?;
        children.ours.insert(child.id() as i32, None);
        CHANGED.notify_all();
        child
    };
    let pid = child.id() as i32;
    let mut out = Stream::new(child.stdout.take().map(OwnedFd::from));
    let mut err = Stream::new(child.stderr.take().map(OwnedFd::from));
    let served = serve(pid, [&mut out, &mut err], Deadline::after(program.limit), stop);
    let elapsed = began.elapsed();
    if !matches!(served, Ok(true)) {
        // The group has the child's number, and no other process gets that while `ours` holds it
        // unreaped or the group lives.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let status = status_of(pid, DYING);
    let killed = !served?;
    // What was killed takes its descriptors along.
    let holders = if killed { Vec::new() } else { held(&mut [&mut out, &mut err])? };
    let (code, signal) = match status {
        Some(WaitStatus::Exited(_, code)) => (Some(code), None),
        Some(WaitStatus::Signaled(_, signal, _)) => (None, Some(signal as i32)),
        _ => (None, Some(Signal::SIGKILL as i32)),
    };
    Ok(Ended {
        code,
        signal,
        stdout: out.into_bytes(),
        stderr: err.into_bytes(),
        elapsed,
        killed,
        holders,
        pid,
    })
}

/// A file without a name, as the program's standard input.
fn input(bytes: &[u8]) -> io::Result<Stdio> {
    use std::io::{Seek as _, Write as _};
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads both streams until the process itself ends (`true`) or the deadline passes.
fn serve(
    pid: i32,
    streams: [&mut Stream; 2],
    deadline: Deadline,
    stop: Option<&AtomicBool>,
) -> io::Result<bool> {
    let [out, err] = streams;
    let handle = open_pidfd(pid)?;
    loop {
        let ended = handle.as_ref().is_none_or(|handle| {
            let mut watched = vec![PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
            watched.extend([&*out, &*err].into_iter().filter_map(Stream::watch));
            matches!(poll(&mut watched, until(deadline)), Ok(1..))
                && watched[0].any().unwrap_or(true)
        });
        out.drain()?;
        err.drain()?;
        if ended {
            return Ok(true);
        }
        if deadline.expired() || stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Ok(false);
        }
    }
}

/// Rounds up, so that a poll never returns just before its deadline.
fn until(deadline: Deadline) -> PollTimeout {
    PollTimeout::from(deadline.left().as_micros().div_ceil(1000).min(LOOKING) as u16)
}

/// `None` when it has been waited for already.
fn open_pidfd(pid: i32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: pidfd_open takes two numbers and gives a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd >= 0 {
        // SAFETY: the kernel has just made this descriptor for us alone.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd as i32) }));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(None) } else { Err(error) }
}

/// Who has the streams open although the program has ended.
fn held(streams: &mut [&mut Stream]) -> io::Result<Vec<String>> {
    let deadline = Deadline::after(GRACE);
    while streams.iter().any(|stream| stream.is_open()) {
        if deadline.expired() {
            let pipes: Vec<_> = streams.iter().filter_map(|stream| stream.name()).collect();
            return holders(&pipes);
        }
        let mut watched: Vec<PollFd<'_>> =
            streams.iter().filter_map(|stream| stream.watch()).collect();
        let _ = poll(&mut watched, until(deadline));
        for stream in &mut *streams {
            stream.drain()?;
        }
    }
    Ok(Vec::new())
}

/// The processes that have one of these pipes open, us left out.
fn holders(pipes: &[PathBuf]) -> io::Result<Vec<String>> {
    let own = std::process::id() as i32;
    let mut found = Vec::new();
    for process in (Process { pid: own, start_time: 0 }).descendants()? {
        let descriptors =
            std::fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        if targets.any(|target| pipes.contains(&target)) {
            found.push(name_of(&process));
        }
    }
    if found.is_empty() {
        found.push("a process that is none of ours".to_owned());
    }
    Ok(found)
}
