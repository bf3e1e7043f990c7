//! Work that goes on after the action has ended.
//!
//! Pacemaker closes its ends of our pipes when the action's process ends, and kills the process
//! group when the action takes too long: the work gets a session and standard streams of its own.
//! It is found again by a lock that it holds (the kernel gives the process), never by a number in a
//! file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::libc;
use nix::unistd::{
    ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe, read, setsid, write,
};
use ocf::lock;

/// Runs `work` in a process of its own, and returns when that process holds the lock. The work
/// begins when the caller has ended. What it gives back is dropped after the lock, for that may
/// take its time.
///
/// The caller must have no threads: the new process begins with a copy of this one's memory. Of
/// what the caller has open, only `keep` is open there: a lock, above all, must not outlive its
/// owner in a copy.
///
/// # Errors
/// When there is no new process, or when another process holds the lock.
pub fn run<T>(lock: &Path, keep: Option<RawFd>, work: impl FnOnce() -> T) -> io::Result<()> {
    let file = lock::open_holder(lock)?;
    let (ready_reader, ready) = pipe()?;
    let (gone, alive) = pipe()?;
    // SAFETY: no thread but this one exists (tokio's runtime is of the current-thread kind and has
    // ended), so no lock of the allocator or of std can be held by a thread that the copy does not
    // have.
    match unsafe { fork() }? {
        ForkResult::Parent { .. } => {
            drop(ready);
            // Stays open until this process ends: that is what the other one waits for.
            let _ = alive.into_raw_fd();
            let mut answer = [0];
            match read(&ready_reader, &mut answer)? {
                1 => Ok(()),
                _ => Err(io::Error::other("the background process ended at once")),
            }
        }
        ForkResult::Child => {
            let done = catch_unwind(AssertUnwindSafe(move || {
                drop((ready_reader, alive));
                let mut kept = vec![file.as_raw_fd(), ready.as_raw_fd(), gone.as_raw_fd()];
                kept.extend(keep);
                close_others(kept);
                if detach().is_err() || !lock::hold(&file).unwrap_or(false) {
                    return;
                }
                if write(&ready, &[1]).is_ok() {
                    drop(ready);
                    // Nothing is ever written: this ends when the caller does.
                    let _ = read(&gone, &mut [0]);
                    let rest = work();
                    // The work is done: a stop that looks for it must not wait for what is left to
                    // be closed.
                    drop(file);
                    drop(rest);
                }
            }));
            // SAFETY: ends this process at once. Its exit handlers are the parent's and must not
            // run twice, and what it has copies of must not be dropped twice.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
    }
}

/// Closes everything above the standard streams but these.
fn close_others(mut kept: Vec<RawFd>) {
    kept.sort_unstable();
    let mut first: libc::c_uint = 3;
    for fd in kept.iter().map(|fd| *fd as libc::c_uint).chain([libc::c_uint::MAX]) {
        if fd > first {
            // SAFETY: takes three numbers. The descriptors in the range have owners in this copy of
            // the caller's memory; none of them is used or dropped again, for the copy ends with
            // _exit. Where the kernel (before 5.9) does not know the call, they stay open, which
            // costs nothing but a lock held longer after a crash.
            unsafe { libc::syscall(libc::SYS_close_range, first, fd - 1, 0) };
        }
        first = fd.saturating_add(1).max(first);
    }
}

/// A session of our own, and no standard streams of the caller's.
fn detach() -> io::Result<()> {
    setsid()?;
    let null = ocf::sys::file::null()?;
    dup2_stdin(null.as_fd())?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    // For those who look at the process list.
    let name = c"IPaddr2-announce";
    // SAFETY: PR_SET_NAME reads a string that ends with a zero, of which it keeps a copy of 15
    // bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    Ok(())
}
