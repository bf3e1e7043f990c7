//! Stands in the place of each agent of a soak: notes that it was called, and becomes the agent.
//!
//! Its name is the agent's. `/etc/soak/provider` names the provider of the real one; a file below
//! `/opt/soak`, if there is one, comes before the installed one. It is the same process then: its
//! parent, its group and its pipes are what Pacemaker made them. For each call a line of JSON goes
//! to `/var/log/soak-calls`.
//!
//! When `/etc/soak/kill` names the resource (`RESOURCE MICROSECONDS`), the file is taken away and
//! the agent gets SIGKILL after so long.
#![allow(
    clippy::disallowed_methods,
    reason = "part of the harness: it becomes another program, and reads its own environment"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is called too often, and says nothing about a resource.
const QUIET: [&str; 3] = ["meta-data", "usage", "validate-all"];

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let own = PathBuf::from(words.next().unwrap_or_default());
    let words: Vec<_> = words.collect();
    let kind = own.file_name().unwrap_or_default().to_owned();
    let provider = fs::read_to_string("/etc/soak/provider").unwrap_or_default();
    let provider = provider.trim();
    let places = [
        Path::new("/opt/soak").join(provider),
        Path::new("/usr/lib/ocf/resource.d").join(provider),
        // Not every provider has every agent.
        PathBuf::from("/usr/lib/ocf/resource.d/native"),
    ];
    let real = places.iter().map(|place| place.join(&kind)).find(|file| file.is_file());
    let Some(real) = real else { return ExitCode::from(5) };
    let action = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    if !QUIET.contains(&action.as_str()) {
        note(&action);
        kill_later();
    }
    let error = Command::new(&real).args(words).env("OCF_RESOURCE_PROVIDER", provider).exec();
    let _ = writeln!(std::io::stderr(), "{}: {error}", real.display());
    ExitCode::from(5)
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn note(action: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let line = serde_json::json!({
        "at": now,
        "pid": std::process::id(),
        "resource": variable("OCF_RESOURCE_INSTANCE"),
        "action": action,
        "interval": variable("OCF_RESKEY_CRM_meta_interval").parse::<u64>().unwrap_or_default(),
    });
    let file =
        fs::OpenOptions::new().append(true).create(true).mode(0o600).open("/var/log/soak-calls");
    // In one piece: other calls write too.
    let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
}

/// A process of its own, in a session of its own and without a single descriptor of ours, kills
/// this one.
fn kill_later() {
    let Ok(wish) = fs::read_to_string("/etc/soak/kill") else { return };
    let Some((resource, after)) = wish.trim().split_once(' ') else { return };
    if resource != variable("OCF_RESOURCE_INSTANCE") || fs::remove_file("/etc/soak/kill").is_err() {
        return;
    }
    let after = Duration::from_micros(after.parse().unwrap_or_default());
    let victim = std::process::id() as libc::pid_t;
    // SAFETY: this program has one thread; the children make system calls only, and end by _exit.
    unsafe {
        let child = libc::fork();
        if child != 0 {
            libc::waitpid(child, std::ptr::null_mut(), 0);
            return;
        }
        // Its parent ends at once: the agent has no child that it did not make.
        if libc::fork() != 0 {
            libc::_exit(0);
        }
        libc::setsid();
        let handle = libc::syscall(libc::SYS_pidfd_open, victim, 0) as libc::c_int;
        for descriptor in (0..64).filter(|descriptor| *descriptor != handle) {
            libc::close(descriptor);
        }
        libc::usleep(after.as_micros() as libc::c_uint);
        libc::syscall(libc::SYS_pidfd_send_signal, handle, libc::SIGKILL, 0, 0);
        libc::_exit(0);
    }
}
