//! The processes of a node, counted from outside: nothing runs inside for it, and no number is used
//! up there.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

/// Which network namespace a process is in.
pub(crate) fn network_of(pid: i32) -> u64 {
    std::fs::metadata(format!("/proc/{pid}/ns/net")).map_or(0, |namespace| namespace.ino())
}

/// The processes that live in one of these network namespaces.
pub(crate) fn processes_in(networks: &[u64]) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| networks.contains(&network_of(*pid)))
        .filter(|pid| network_of(*pid) != 0)
        .collect()
}

/// Those of them that have this name, and are not dead.
pub(super) fn named(networks: &[u64], name: &str) -> Vec<i32> {
    let mut found = processes_in(networks);
    found.retain(|pid| stat(*pid).is_some_and(|stat| stat.name == name && stat.state != "Z"));
    found
}

/// What a process and the children that it has waited for have used of the processor:
/// `(its own, its children's)`.
pub(super) fn cpu(pid: i32) -> (Duration, Duration) {
    stat(pid).map(|stat| (stat.own, stat.children)).unwrap_or_default()
}

/// A process as the kernel shows it.
pub(crate) struct Stat {
    pub(crate) name: String,
    /// A letter: `Z` is dead, `T` is stopped by a signal.
    pub(crate) state: String,
    pub(crate) parent: i32,
    /// When it began, in clock ticks since the boot: no other process with its number has the same.
    pub(crate) began: u64,
    own: Duration,
    children: Duration,
}

pub(crate) fn stat(pid: i32) -> Option<Stat> {
    read(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The line of `/proc/PID/stat` (proc_pid_stat(5)): the name may hold anything, so what follows
/// begins after the last `)`.
fn read(line: &str) -> Option<Stat> {
    let (before, after) = line.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // Times are in clock ticks, which are hundredths of a second for every program on Linux.
    let ticks = |index: usize| {
        fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default()
    };
    let time = |user, kernel| Duration::from_millis(10 * (ticks(user) + ticks(kernel)));
    Some(Stat {
        name: name.to_owned(),
        state: (*fields.first()?).to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        began: ticks(19),
        own: time(11, 12),
        children: time(13, 14),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read() {
        let line = "42 (a) (b) S 1 42 42 0 -1 4194560 1 2 3 4 15 6 7 8 20 0 1 0 4711";
        let stat = read(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.state.as_str()), ("a) (b", "S"));
        assert_eq!((stat.parent, stat.began), (1, 4711));
        assert_eq!(
            (stat.own, stat.children),
            (Duration::from_millis(210), Duration::from_millis(150))
        );
    }
}
