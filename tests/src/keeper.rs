//! Clearing up, whatever happens: the work is done by a child, and this process outlives it.
//!
//! On Ctrl-C (or SIGTERM, SIGHUP) the child is killed. Its machines die with it, because each lives
//! only while the child holds the other end of a pipe; as subreaper this process adopts what is
//! left of them and waits until nothing is. Then it removes the directory of their disks.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Until everything must be gone.
const LIMIT: Duration = Duration::from_secs(20);

/// What a shell makes of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs this program again as a child that does the work, with the same arguments and after them
/// `--inside` and the directory for the nodes' disks, whose name begins with `name`; and clears up
/// after it.
pub fn keep(name: &str) -> io::Result<ExitCode> {
    // SAFETY: plain system call.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) })?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let news = SignalFd::new(&signals)?;
    let directory = TempDir::with_prefix_in(name, crate::cluster::memory())?;
    let mut child = Command::new(std::env::current_exe()?);
    // A group of its own: the terminal's Ctrl-C comes here alone.
    child.args(std::env::args_os().skip(1)).arg("--inside").arg(directory.path()).process_group(0);
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        child.pre_exec(|| {
            // What is blocked here would be blocked in everything that it starts: Pacemaker would
            // hear of no end.
            SigSet::empty().thread_set_mask()?;
            // Dies with this process, should that be killed.
            Errno::result(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))
                .map(drop)
                .map_err(Into::into)
        });
    }
    let child = Pid::from_raw(child.spawn()?.id() as i32);
    let code = watch(&news, child)?;
    let deadline = Instant::now() + LIMIT;
    while waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) != Err(Errno::ECHILD)
        && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    directory.close()?;
    if code == INTERRUPTED {
        let _ = io::stdout().write_all(b"All machines are gone, and their files.\n");
    }
    Ok(ExitCode::from(code))
}

/// Waits for the end of the child, and ends it when this process is to end.
fn watch(news: &SignalFd, child: Pid) -> io::Result<u8> {
    let mut interrupted = false;
    loop {
        let _ = poll(&mut [PollFd::new(news.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE);
        let signal = news.read_signal()?.map(|it| it.ssi_signo as i32);
        if signal.is_some_and(|signal| signal != libc::SIGCHLD) && !interrupted {
            interrupted = true;
            let _ = io::stdout().write_all(b"\nInterrupted: cutting everybody's power.\n");
            let _ = kill(child, Signal::SIGKILL);
        }
        // Others that ended are reaped too.
        loop {
            match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child => {
                    return Ok(if interrupted { INTERRUPTED } else { code as u8 });
                }
                Ok(WaitStatus::Signaled(pid, ..)) if pid == child => {
                    return Ok(if interrupted { INTERRUPTED } else { 1 });
                }
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {}
            }
        }
    }
}
