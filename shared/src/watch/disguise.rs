//! How a waiting monitor looks to people and to the kernel: not like the server that it watches,
//! and worth keeping.
//!
//! `pkill nginx` is meant for the server and must not end the monitor beside it. Its command name
//! is `ocf-wait` alone, for a resource is often called like the server; the arguments name the
//! resource.

use std::ffi::CString;
use std::io;
use std::path::Path;

use nix::libc;
use nix::sys::prctl;

use crate::sys::{code, file};

/// The command name, at most 15 bytes (prctl(2)).
const NAME: &std::ffi::CStr = c"ocf-wait";

/// Our OOM score while we wait: the OOM killer ends the server and much else first
/// (proc_pid_oom_score_adj(5)).
const KEEP: &str = "-900";

const OOM: &str = "/proc/self/oom_score_adj";

/// What was changed, to be taken back where it must be.
#[derive(Debug)]
pub struct Disguise {
    /// The value before, while ours is set.
    oom: Option<String>,
}

impl Disguise {
    /// Changes command name and arguments, and gives back memory that the first check has left.
    /// What fails has no consequence but that the process looks as it did.
    pub fn put_on(instance: &str) -> Self {
        let _ = prctl::set_name(NAME);
        if let Ok(text) = CString::new(format!("ocf-wait: {instance}")) {
            let _ = write_arguments(text.as_bytes());
        }
        give_back_memory();
        Self { oom: None }
    }

    /// Asks the kernel to keep this process when memory is short, and has little of it.
    pub fn begin_waiting(&mut self) {
        let before = file::read_kernel_text(Path::new(OOM)).ok();
        let lower = |text: &String| text.parse::<i32>().is_ok_and(|value| value > -900);
        if let Some(before) = before.filter(lower)
            && file::write_kernel(Path::new(OOM), KEEP).is_ok()
        {
            self.oom = Some(before);
        }
        code::discard_pages();
    }

    /// Takes that back: programs that a check starts would have it from us.
    pub fn end_waiting(&mut self) {
        if let Some(before) = self.oom.take() {
            let _ = file::write_kernel(Path::new(OOM), &before);
        }
    }
}

/// Writes over the arguments of this process where the kernel has put them; what is too long is cut
/// off. The environment, which begins behind them and is still in use, is not touched.
fn write_arguments(text: &[u8]) -> io::Result<()> {
    let (from, to) = arguments_area(&file::read_kernel(Path::new("/proc/self/stat"))?)
        .ok_or_else(|| io::Error::other("/proc/self/stat is in no known form"))?;
    let room = to.saturating_sub(from);
    if from == 0 || room == 0 {
        return Ok(());
    }
    // The last byte stays 0: else the kernel takes the environment for a part of the arguments
    // (fs/proc/base.c).
    let length = text.len().min(room - 1);
    // SAFETY: the kernel made this area for the arguments (proc_pid_stat(5), fields 48 and 49), it
    // is writable memory of this process, and no other code reads or writes it: arguments are read
    // once, before this.
    unsafe {
        let area = std::ptr::with_exposed_provenance_mut::<u8>(from);
        area.write_bytes(0, room);
        area.copy_from_nonoverlapping(text.as_ptr(), length);
    }
    Ok(())
}

/// Where the arguments are, by /proc/self/stat.
fn arguments_area(stat: &[u8]) -> Option<(usize, usize)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    // The first one after the name is field 3.
    let from = fields.nth(48 - 3)?.parse().ok()?;
    Some((from, fields.next()?.parse().ok()?))
}

/// Gives free memory back to the kernel, as far as the C library can.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without a precondition (malloc_trim(3)).
    unsafe {
        libc::malloc_trim(0);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = libc::EXIT_SUCCESS;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_of_the_arguments_is_found_whatever_the_name_is() {
        let rest: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        let stat = format!("7 (a) b) c) {}", rest.join(" "));
        assert_eq!(arguments_area(stat.as_bytes()), Some((48, 49)));
        assert_eq!(arguments_area(b"7 (a) S 1 2"), None);
        let (from, to) = arguments_area(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        assert!(from > 0 && to > from);
    }
}
