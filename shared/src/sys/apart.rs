//! Runs a program apart from everything that runs: it may be tried out beside a server that must
//! not be disturbed.
//!
//! It has a network, IPC and PID namespace of its own and is process 1 there. So it takes no
//! address from the server, cannot signal it or use its shared memory, and the kernel ends all that
//! it has started as soon as it ends itself. Its files are this machine's. So a server must not go
//! on behind its detaching: it would write its number over that of the server that runs, and take
//! over its local sockets. The process that detaches calls setsid(2) first of all, and waits there
//! until the kernel ends it.

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
        0 => {
            hold_at_setsid()?;
            // It does not outlive the one that waits for it.
            Ok(set_pdeathsig(Signal::SIGKILL)?)
        }
        child => pass_on(child),
    }
}

/// The kernel's number for this machine's system calls (AUDIT_ARCH_… in linux/audit.h): those of
/// another kind are numbered otherwise.
const KIND: Option<u32> = if cfg!(target_arch = "x86_64") {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else {
    None
};

/// Lets each call of setsid(2), in this process and its children, wait for the answer of a
/// supervisor (SECCOMP_RET_USER_NOTIF, seccomp(2), Linux 5.0), which never comes.
fn hold_at_setsid() -> io::Result<()> {
    /// From linux/seccomp.h.
    const SET_MODE_FILTER: libc::c_ulong = 1;
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    const ALLOW: u32 = 0x7fff_0000;
    const ASK: u32 = 0x7fc0_0000;
    /// Load a word, compare with a number, return (linux/bpf_common.h).
    const LOAD: u16 = 0x20;
    const COMPARE: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let Some(kind) = KIND else { return Err(io::Error::from(io::ErrorKind::Unsupported)) };
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // The words of struct seccomp_data: the number of the call, and of which kind it is.
    let mut filter = [
        step(LOAD, 0, 0, 4),
        step(COMPARE, 0, 3, kind),
        step(LOAD, 0, 0, 0),
        step(COMPARE, 0, 1, libc::SYS_setsid as u32),
        step(RETURN, 0, 0, ASK),
        step(RETURN, 0, 0, ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its steps live until the call returns, which only reads them.
    let listener = unsafe {
        libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, NEW_LISTENER, &raw const program)
    };
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    // As long as it is open anywhere a call waits; those that wait have it open themselves.
    // SAFETY: a descriptor that the kernel has just made, and a flag.
    match unsafe { libc::fcntl(listener as i32, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
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
