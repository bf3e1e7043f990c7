//! Processes in words, for reasons.
#![forbid(unsafe_code)]

use super::look::living;
use crate::sys::process::{Entry, Process};

/// A process in words: `4711 (nginx) of user 33, started by 1 (systemd)`.
pub fn described(process: &Process) -> String {
    let name =
        |entry: &Entry| String::from_utf8_lossy(&entry.name().unwrap_or_default()).into_owned();
    let Ok(Some((entry, member))) = living(process.pid) else { return process.pid.to_string() };
    let owner = match entry.owner() {
        Ok(0) => "root".to_owned(),
        Ok(owner) => format!("user {owner}"),
        Err(_) => "an unknown user".to_owned(),
    };
    let parent =
        Entry::open(member.parent).ok().flatten().map_or_else(String::new, |parent| name(&parent));
    format!(
        "{} ({}) of {owner}, started by {} ({parent})",
        process.pid,
        name(&entry),
        member.parent
    )
}

/// A process with its name: `4711 (nginx)`.
pub fn named(process: &Process) -> String {
    let name =
        process.entry().ok().flatten().and_then(|entry| entry.name().ok()).unwrap_or_default();
    format!("{} ({})", process.pid, String::from_utf8_lossy(&name))
}
