//! The first step into an agent's binary.
//!
//! Agents start thousands of times a day, and a third of what a monitor costs is Rust's own start:
//! before `main` it reads /proc/self/maps to place a guard that only makes the message of a stack
//! overflow nicer. So an agent is what a library of Rust is to a program in C: the C library calls
//! `main`, and the two things of Rust's start that matter are done here.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;

use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};

/// Makes the `main` of an agent's binary, which begins with `#![no_main]`.
#[macro_export]
macro_rules! main {
    ($agent:ty) => {
        /// Called by the C library.
        ///
        /// # Safety
        /// The arguments are those of `main` in C.
        // SAFETY: with `no_main` there is no other symbol of this name in the program.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            // SAFETY: this is how the C library calls `main`.
            unsafe { $crate::entry::enter::<$agent>(count, arguments) }
        }
    };
}

/// Prepares the process and answers the call; the result is the exit code.
///
/// # Safety
/// `count` and `arguments` are those that the C library gives to `main`. (Without Rust's own start,
/// std has them on glibc only.)
pub unsafe fn enter<A: crate::agent::Agent>(count: c_int, arguments: *const *const c_char) -> i32 {
    open_standard_streams();
    // A reader that has gone is an error of a write, not the end of us. Programs that we start have
    // the default again (std sees to it). SAFETY: to ignore a signal installs no handler.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    // A caller that ignores SIGCHLD passes that on, and then the kernel keeps no exit code of our
    // programs (wait(2), ECHILD). SAFETY: the default action is no handler.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
    // SAFETY: promised by the caller.
    let arguments = unsafe { texts(arguments) }
        .take(count.try_into().unwrap_or(0))
        .map(OsStr::from_bytes)
        .collect();
    crate::run::run::<A>(arguments, environment()).into()
}

/// The texts of an array that ends with a null pointer; the array itself may be missing.
///
/// # Safety
/// Each entry points to text that ends with NUL; nothing of it moves or changes while the process
/// lives.
unsafe fn texts(mut entry: *const *const c_char) -> impl Iterator<Item = &'static [u8]> {
    std::iter::from_fn(move || {
        // SAFETY: not behind the last entry, for that is null and was not passed.
        let text = unsafe { entry.as_ref() }.filter(|text| !text.is_null())?;
        // SAFETY: as above.
        entry = unsafe { entry.add(1) };
        // SAFETY: promised by the caller.
        Some(unsafe { CStr::from_ptr(*text) }.to_bytes())
    })
}

/// The environment where the kernel has put it. std's copy of it is a tenth of a monitor's
/// instructions.
fn environment() -> Vec<(&'static OsStr, &'static OsStr)> {
    unsafe extern "C" {
        // environ(7)
        static environ: *const *const c_char;
    }
    let mut all = Vec::with_capacity(64);
    // SAFETY: the C library has set it before `main`; it may be missing (clearenv(3)). Nothing in
    // an agent changes its own environment: clippy.toml forbids it.
    for text in unsafe { texts(environ) } {
        if let Some(at) = text.iter().position(|byte| *byte == b'=') {
            all.push((OsStr::from_bytes(&text[..at]), OsStr::from_bytes(&text[at + 1..])));
        }
    }
    all
}

/// Opens those of the three standard streams that the caller has left closed: the next thing that
/// is opened must not take their place and get our messages.
fn open_standard_streams() {
    for stream in 0..=2 {
        // SAFETY: F_GETFD takes a number, which may be of no descriptor.
        let closed = unsafe { libc::fcntl(stream, libc::F_GETFD) } == -1;
        if closed && let Ok(null) = crate::sys::file::null() {
            // The kernel gives the lowest free number, which is this stream's.
            let _ = null.into_raw_fd();
        }
    }
}
