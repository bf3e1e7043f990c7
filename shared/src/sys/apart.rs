//! Runs a program apart from everything that runs: it may be tried out beside a server that must
//! not be disturbed.
//!
//! It has a network, IPC and PID namespace of its own and is process 1 there. So it takes no
//! address from the server, cannot signal it or use its shared memory, and the kernel ends all that
//! it has started as soon as it ends itself. Its files are this machine's.

use std::ffi::CStr;
use std::io;

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

/// What lets a program bind addresses that its network does not have. The kernel shows the files of
/// the network namespace of the process that opens them.
const ANY_ADDRESS: [&CStr; 2] =
    [c"/proc/sys/net/ipv4/ip_nonlocal_bind", c"/proc/sys/net/ipv6/ip_nonlocal_bind"];

/// Goes apart; for a child between fork and exec. The caller's child waits for the one that is
/// apart, and ends as it does.
///
/// # Errors
/// The kernel's: EPERM without CAP_SYS_ADMIN, as in most containers.
pub(super) fn leave() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWPID)?;
    for file in ANY_ADDRESS {
        if let Ok(file) = open(file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            // Where it cannot be written (a container), addresses cannot be bound, and the program
            // says so.
            let _ = nix::unistd::write(&file, b"1");
        }
    }
    // SAFETY: this process has one thread, and both halves make system calls alone.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // It does not outlive the one that waits for it.
        0 => Ok(set_pdeathsig(Signal::SIGKILL)?),
        child => pass_on(child),
    }
}

/// Waits for the program, and ends with its code; one that was killed leaves 128 and the signal's
/// number.
fn pass_on(child: i32) -> ! {
    let mut status = 0;
    // SAFETY: system calls alone, on a place of ours; this process has no other purpose.
    unsafe {
        // The caller learns by one of these that the program runs.
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        while libc::waitpid(child, &mut status, 0) < 0
            && nix::errno::Errno::last_raw() == libc::EINTR
        {}
        let killed = libc::WIFSIGNALED(status);
        libc::_exit(if killed { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) })
    }
}
