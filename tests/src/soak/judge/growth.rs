//! Nothing grows: files of state, waiting monitors and what they hold, lines in the log.

use std::collections::BTreeMap;

use super::super::history::{Event, History, Waiter};
use super::super::resources;
use super::{Rule, Violation, violation};

/// A resource has at most so many files of state: its record, its locks, its appointments, and what
/// a background announcement needs.
const FILES: usize = 8;

/// What a waiting monitor may hold.
const DESCRIPTORS: usize = 32;

/// Its memory, in KiB.
const MEMORY: u64 = 16 << 10;

/// Lines of the log for each call of an agent, on average.
const LINES: u64 = 4;

pub(super) fn judge(history: &History) -> Vec<Violation> {
    let most = resources().count();
    let mut found = Vec::new();
    let mut last: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
    for entry in &history.entries {
        let Event::Sample { node, files, waiters, lines } = &entry.event else { continue };
        let mut say = |text: String| found.push(violation(Rule::Growth, entry.t, text));
        if files.len() > most * FILES {
            say(format!("{node}: {} files in the state directory", files.len()));
        }
        if waiters.len() > most {
            say(format!("{node}: {} monitors wait for {most} resources", waiters.len()));
        }
        for Waiter { pid, descriptors, memory } in waiters {
            if *descriptors > DESCRIPTORS || *memory > MEMORY {
                say(format!(
                    "{node}: the waiting monitor {pid} has {descriptors} descriptors and {memory} \
                     KiB"
                ));
            }
        }
        let (since, before) = last.insert(node, (entry.t, *lines)).unwrap_or((0.0, 0));
        let calls = history.calls().filter(|it| it.node == *node);
        let calls = calls.filter(|it| it.began > since && it.began <= entry.t).count() as u64;
        let new = lines.saturating_sub(before);
        if new > LINES * calls.max(20) {
            say(format!("{node}: {new} lines in the log for {calls} calls"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::made_up::history;
    use super::*;

    fn found(files: usize, waiters: Vec<Waiter>, lines: u64) -> usize {
        let files = (0..files).map(|number| format!("file{number}")).collect();
        let sample = Event::Sample { node: "node1".into(), files, waiters, lines };
        judge(&history(vec![(9.0, sample)])).len()
    }

    #[test]
    fn more_files_waiters_descriptors_memory_or_lines_than_needed_are_reported() {
        let waiter = |descriptors, memory| Waiter { pid: 1, descriptors, memory };
        assert_eq!(found(20, vec![waiter(9, 5000); 3], 60), 0);
        assert_eq!(found(200, vec![], 0), 1);
        assert_eq!(found(0, vec![waiter(9, 5000); 30], 0), 1);
        assert_eq!(found(0, vec![waiter(99, 5000)], 0), 1);
        assert_eq!(found(0, vec![waiter(9, 50_000)], 0), 1);
        assert_eq!(found(0, vec![], 600), 1);
    }
}
