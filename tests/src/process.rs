//! Running a program with a limit: the one place that waits for processes.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ocf_tester::stream::Stream;

use crate::enter::{PidPipe, open_pidfd};

/// How long to look for the process that keeps a pipe open after the program has ended.
const GRACE: Duration = Duration::from_secs(3);

/// What became of a program.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
    /// From the start to its end.
    pub elapsed: Duration,
    /// The limit passed and it was killed.
    pub timed_out: bool,
    /// After its end another process still held its standard output or standard error open.
    pub held_output: bool,
    /// Its process id outside; the group's too when it led one.
    pub pid: i32,
}

/// What to kill when the limit passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The program's process group, as Pacemaker does.
    Group,
    /// The program alone.
    Process,
}

/// Runs `command` until it ends or `limit` passes, then SIGKILLs `victim`. Output is read as
/// Pacemaker's executor reads it: until the program itself ends, then the pipes are closed, even if
/// another process still holds the other end.
pub fn run(
    command: &mut Command,
    pid: PidPipe,
    limit: Duration,
    victim: Victim,
) -> io::Result<Finished> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn()?;
    let inside = pid.read()?;
    let ended = open_pidfd(child.id() as i32)?;
    let mut out = Stream::new(child.stdout.take().map(OwnedFd::from));
    let mut err = Stream::new(child.stderr.take().map(OwnedFd::from));
    let mut deadline = Some(began + limit);
    let mut timed_out = false;
    loop {
        let mut watched = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        watched.extend([&out, &err].into_iter().filter_map(Stream::watch));
        let wait = match deadline {
            Some(deadline) => timeout(deadline.saturating_duration_since(Instant::now())),
            None => PollTimeout::NONE,
        };
        retry(&mut watched, wait)?;
        let over = watched[0].revents().is_some_and(|events| !events.is_empty());
        out.drain()?;
        err.drain()?;
        if over {
            break;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            deadline = None;
            timed_out = true;
            kill(inside, victim);
        }
    }
    let elapsed = began.elapsed();
    let status = reap(&mut child)?;
    let grace = Instant::now() + GRACE;
    let mut held_output = false;
    let mut seen = false;
    while out.is_open() || err.is_open() {
        // Two looks: the kernel closes a program's inherited descriptors a moment after it has
        // become another program.
        let held = held_by_another(&[&out, &err]);
        held_output = held && seen;
        seen = held;
        let left = grace.saturating_duration_since(Instant::now());
        if held_output || left.is_zero() {
            break;
        }
        let mut watched: Vec<PollFd<'_>> =
            [&out, &err].into_iter().filter_map(Stream::watch).collect();
        retry(&mut watched, timeout(left.min(Duration::from_millis(20))))?;
        out.drain()?;
        err.drain()?;
    }
    use std::os::unix::process::ExitStatusExt as _;
    Ok(Finished {
        code: status.code(),
        signal: status.signal(),
        held_output,
        stdout: text(out),
        stderr: text(err),
        elapsed,
        timed_out,
        pid: inside,
    })
}

/// Whether another program has the writing end of a pipe. A fork of ours that has not begun its own
/// program yet does not count: tests run in parallel, and it has every descriptor for a moment. So
/// its program is read first: it may begin between the two questions.
fn held_by_another(streams: &[&Stream]) -> bool {
    let pipes: Vec<_> = streams.iter().filter_map(|stream| stream.name()).collect();
    let own = std::fs::read_link("/proc/self/exe").ok();
    let has_it = |process: &Path| {
        let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        targets.any(|target| pipes.contains(&target))
    };
    let processes =
        std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    processes
        .filter(|path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())
        })
        .any(|path| {
            std::fs::read_link(path.join("exe")).is_ok_and(|exe| Some(exe) != own) && has_it(&path)
        })
}

/// Rounds up, so that a poll never returns just before its deadline.
fn timeout(left: Duration) -> PollTimeout {
    PollTimeout::try_from(left.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32)
        .unwrap_or(PollTimeout::MAX)
}

fn retry(watched: &mut [PollFd<'_>], wait: PollTimeout) -> io::Result<()> {
    match poll(watched, wait) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn reap(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    child.wait()
}

/// Sends SIGKILL to a process that the harness started, or to its group.
pub(crate) fn kill(pid: i32, victim: Victim) {
    assert!(pid > 1, "refusing to kill process {pid}");
    let target = if victim == Victim::Group { -pid } else { pid };
    // SAFETY: plain system call; the pid is of a child that has not been reaped, so it cannot mean
    // anybody else.
    unsafe { libc::kill(target, libc::SIGKILL) };
}

/// What came, for people: nothing that the suites compare is anything but text.
fn text(stream: Stream) -> String {
    String::from_utf8_lossy(&stream.into_bytes()).into_owned()
}

/// Asks `question` again and again, from a millisecond upward, until it answers or `limit` passes.
pub fn wait_until<T>(limit: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
