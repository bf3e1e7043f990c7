//! Becoming root without being root.
//!
//! Every namespace but the user namespace needs privileges. A process with one thread may make a
//! user namespace in which it is root, and a test process has one thread only before `main`: so
//! this runs as an initialiser of the program. As root it does nothing.

use std::sync::atomic::{AtomicI32, Ordering};

/// 0: privileged (or made so); otherwise the errno of the attempt.
static RESULT: AtomicI32 = AtomicI32::new(0);

#[used]
// SAFETY: the section's contract is a table of functions without arguments that are called once
// before main.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = become_root;

extern "C" fn become_root() {
    // SAFETY: plain system calls; no other thread exists yet.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    if uid == 0 {
        return;
    }
    // SAFETY: as above.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
        RESULT.store(
            std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EPERM),
            Ordering::Relaxed,
        );
        return;
    }
    let written = std::fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")))
        .and_then(|()| std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")));
    if let Err(error) = written {
        RESULT.store(error.raw_os_error().unwrap_or(libc::EPERM), Ordering::Relaxed);
    }
}

/// `Ok` when namespaces can be made; else what was missing.
pub fn available() -> Result<(), String> {
    match RESULT.load(Ordering::Relaxed) {
        0 => Ok(()),
        errno => Err(format!(
            "neither root nor allowed to make a user namespace ({})",
            std::io::Error::from_raw_os_error(errno)
        )),
    }
}

/// True when more than one user exists here: false as root of a user namespace with a single user
/// in it.
#[must_use]
pub fn has_other_users() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| {
        map.lines().any(|line| line.split_whitespace().nth(2).is_some_and(|count| count != "1"))
    })
}

/// [`has_other_users`] for a test that needs a user for a server's workers: `None` and a loud skip
/// without one.
#[must_use]
pub fn users_for_workers() -> Option<()> {
    if !has_other_users() {
        crate::skip::skip("there is no user for workers");
        return None;
    }
    Some(())
}
