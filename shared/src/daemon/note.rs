//! The note about an instance's master, for a stop that has no pid file any more: a record as in
//! [`crate::state`]. The first release wrote three lines, which are still read.
#![forbid(unsafe_code)]

use std::path::Path;

use crate::failure::Failure;
use crate::state::{self, Pairs};
use crate::sys::file;
use crate::sys::process::Process;

/// The most bytes of a note of the first release.
const LARGEST: u64 = 4096;

/// A master that was noted when it was proven to be the instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub pid: i32,
    /// The session that is its own.
    pub session: i32,
    /// When it began; `None` in notes of the first release.
    pub start_time: Option<u64>,
    /// When it was last seen alive, as [`Process::start_time`]; `None` in notes of former releases.
    pub seen: Option<u64>,
}

impl Note {
    /// Reads a note; `None` when there is none that can be trusted and understood.
    pub fn load(path: &Path) -> Option<Self> {
        if let Some(pairs) = state::read(path) {
            return Self::from_pairs(&pairs);
        }
        let bytes = file::read_small(path, LARGEST).ok().flatten()?;
        Self::from_lines(std::str::from_utf8(&bytes).ok()?)
    }

    fn from_pairs(pairs: &Pairs) -> Option<Self> {
        let value = |key: &str| pairs.iter().find(|(name, _)| name == key).map(|(_, it)| it);
        let number = |key: &str| value(key)?.parse().ok().filter(|number| *number > 1);
        let time = |key: &str| value(key).map(|text| text.parse()).transpose().ok();
        let (start_time, seen) = (time("start_time")?, time("seen")?);
        Some(Self { pid: number("pid")?, session: number("session")?, start_time, seen })
    }

    /// What the first release wrote; notes before that had fewer lines.
    fn from_lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim);
        let number = |line: &str| line.parse().ok().filter(|number| *number > 1);
        let pid = number(lines.next()?)?;
        let session = lines.next().map_or(Some(pid), number)?;
        let start_time = lines.next().map(|line| line.parse()).transpose().ok()?;
        Some(Self { pid, session, start_time, seen: None })
    }

    fn to_pairs(self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("pid", self.pid.to_string()), ("session", self.session.to_string())];
        pairs.extend(self.start_time.map(|start| ("start_time", start.to_string())));
        pairs.extend(self.seen.map(|seen| ("seen", seen.to_string())));
        pairs
    }

    /// Writes the note.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        state::write(path, &self.to_pairs())
    }

    /// Whether it is about this process, and not an earlier one of the same number.
    pub fn is_about(&self, process: &Process) -> bool {
        process.pid == self.pid && self.start_time.is_none_or(|start| start == process.start_time)
    }

    /// Whether a process had begun when the master was last seen. One of the master's session that
    /// had is the server's: the kernel gives the number of a session to another program only when
    /// all of the session has ended.
    pub fn has_seen(&self, process: &Process) -> bool {
        self.seen.is_some_and(|seen| process.start_time <= seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_any_note_is_read() {
        crate::testing::fuzz::survives_text(&["12\n11\n4711\n"], |text| {
            if let Some(note) = Note::from_lines(text) {
                assert!(note.pid > 1 && note.session > 1);
            }
        });
    }

    #[test]
    fn notes_of_the_first_release_are_read() {
        let note = |pid, session, start_time| Some(Note { pid, session, start_time, seen: None });
        for (text, expected) in [
            ("12\n11\n4711\n", note(12, 11, Some(4711))),
            ("12\n11\n", note(12, 11, None)),
            ("12\n", note(12, 12, None)),
            ("", None),
            ("1\n", None),
            ("12\n1\n", None),
            ("12\n11\nsoon\n", None),
        ] {
            assert_eq!(Note::from_lines(text), expected, "{text:?}");
        }
        let whole = Note { pid: 12, session: 11, start_time: Some(4711), seen: Some(4712) };
        for note in [Some(whole), note(12, 11, None)].into_iter().flatten() {
            let owned = |(key, value): (&str, String)| (key.to_owned(), value);
            assert_eq!(
                Note::from_pairs(&note.to_pairs().into_iter().map(owned).collect()),
                Some(note)
            );
        }
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let note = Note { pid: 12, session: 12, start_time: Some(7), seen: Some(9) };
        assert!(note.is_about(&Process { pid: 12, start_time: 7 }));
        assert!(!note.is_about(&Process { pid: 12, start_time: 8 }));
        assert!(Note { start_time: None, ..note }.is_about(&Process { pid: 12, start_time: 8 }));
        assert!(note.has_seen(&Process { pid: 13, start_time: 9 }));
        assert!(!note.has_seen(&Process { pid: 13, start_time: 10 }));
    }
}
