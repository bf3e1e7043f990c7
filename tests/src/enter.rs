//! Going into a simulated machine: a std [`Command`] that starts inside.
//!
//! Joining a PID namespace takes effect for children only, so between the caller and the program
//! stands one process that waits and passes the exit on. It runs no program of its own: it is what
//! `fork` left of the caller, reduced to system calls. The program is therefore what it would be
//! under Pacemaker's executor: on demand, leader of its own process group as seen from inside too.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;

/// Which namespaces to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// All of the machine's.
    Machine,
    /// Only its network: programs, files and process ids are the caller's.
    Network,
}

/// How a program starts inside.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(crate) join: Join,
    pub(crate) own_group: bool,
    pub(crate) user: Option<u32>,
    pub(crate) without: Vec<i32>,
}

impl Default for Entry {
    fn default() -> Self {
        Entry { join: Join::Machine, own_group: false, user: None, without: Vec::new() }
    }
}

impl Entry {
    /// Only the network namespace.
    #[must_use]
    pub fn network() -> Self {
        Entry { join: Join::Network, ..Entry::default() }
    }

    /// As leader of a process group of its own.
    #[must_use]
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// As this user and group, without supplementary groups.
    #[must_use]
    pub fn user(mut self, id: u32) -> Self {
        self.user = Some(id);
        self
    }

    /// Without a capability (its number in `linux/capability.h`), for ever.
    #[must_use]
    pub fn without_capability(mut self, number: i32) -> Self {
        self.without.push(number);
        self
    }
}

/// Number of the capability that raw sockets need.
pub const CAP_NET_RAW: i32 = 13;
/// Number of the capability that looking at other users' processes needs.
pub const CAP_SYS_PTRACE: i32 = 19;
/// Number of the capability that network configuration needs.
pub const CAP_NET_ADMIN: i32 = 12;

/// Reports the program's process id, as the caller sees it.
#[derive(Debug)]
pub struct PidPipe(File);

impl PidPipe {
    /// The program's process id. Call it after `spawn`.
    pub fn read(mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes)?;
        Ok(i32::from_ne_bytes(bytes))
    }
}

/// Makes `command` start inside the machine whose process 1 `pidfd` means.
pub(crate) fn enter(
    command: &mut Command,
    pidfd: Arc<OwnedFd>,
    entry: Entry,
) -> io::Result<PidPipe> {
    let (reader, writer) = io::pipe()?;
    let writer = Arc::new(OwnedFd::from(writer));
    // The writing end lives as long as the command, so that it is closed only by exec and by the
    // process in between.
    let closure = move || go_inside(pidfd.as_raw_fd(), writer.as_raw_fd(), &entry);
    // SAFETY: between fork and exec only system calls are made; nothing allocates, no lock is
    // taken.
    unsafe { command.pre_exec(closure) };
    Ok(PidPipe(File::from(OwnedFd::from(reader))))
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn go_inside(pidfd: RawFd, report: RawFd, entry: &Entry) -> io::Result<()> {
    let flags = match entry.join {
        Join::Network => libc::CLONE_NEWNET,
        Join::Machine => {
            libc::CLONE_NEWNET
                | libc::CLONE_NEWNS
                | libc::CLONE_NEWUTS
                | libc::CLONE_NEWIPC
                | libc::CLONE_NEWPID
        }
    };
    // SAFETY: plain system calls on descriptors that the command keeps open.
    unsafe {
        check(libc::setns(pidfd, flags))?;
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            child => {
                // The caller may not want to know.
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                let bytes = child.to_ne_bytes();
                libc::write(report, bytes.as_ptr().cast(), bytes.len());
                libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
                pass_on(child)
            }
        }
        if entry.own_group {
            check(libc::setpgid(0, 0))?;
        }
        for capability in &entry.without {
            check(libc::prctl(libc::PR_CAPBSET_DROP, *capability as libc::c_ulong, 0, 0, 0))?;
        }
        if let Some(id) = entry.user {
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(id, id, id))?;
            check(libc::setresuid(id, id, id))?;
        }
        // The process in between is killed with the caller's child handle: the program goes with
        // it.
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))
    }
}

/// Waits for the program and ends as it did.
fn pass_on(child: i32) -> ! {
    let mut status = 0;
    // SAFETY: plain system calls; this process has no other purpose.
    unsafe {
        while libc::waitpid(child, &mut status, 0) < 0 && *libc::__errno_location() == libc::EINTR {
        }
        if libc::WIFSIGNALED(status) {
            let signal = libc::WTERMSIG(status);
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &none);
            libc::signal(signal, libc::SIG_DFL);
            libc::kill(libc::getpid(), signal);
        }
        libc::_exit(libc::WEXITSTATUS(status))
    }
}

/// A process handle of the kernel for `pid`.
pub(crate) fn open_pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call returns a new descriptor that has no other owner, or -1.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if fd < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(std::os::fd::FromRawFd::from_raw_fd(fd as RawFd))
        }
    }
}

/// A machine's network, to be entered later and from any thread.
#[derive(Debug, Clone)]
pub struct Network(pub(crate) Arc<OwnedFd>);

impl Network {
    /// Runs `work` on a thread of its own inside.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        in_network(&self.0, work)
    }
}

/// Runs `work` on a thread of its own inside the network namespace of the machine. What it opens
/// there stays usable.
pub(crate) fn in_network<T: Send>(pidfd: &OwnedFd, work: impl FnOnce() -> T + Send) -> T {
    let raw = pidfd.as_raw_fd();
    let inside = std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // SAFETY: plain system call; it changes this thread alone, which ends with the scope.
            check(unsafe { libc::setns(raw, libc::CLONE_NEWNET) }).map(|()| work())
        });
        thread.join()
    });
    match inside {
        Ok(Ok(value)) => value,
        Ok(Err(error)) => panic!("cannot go into the machine's network namespace: {error}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
