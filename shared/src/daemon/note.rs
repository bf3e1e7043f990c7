//! The note about an instance's master: three lines, for a stop that has no pid file any more.
#![forbid(unsafe_code)]

use std::path::Path;

use crate::failure::{Failure, OrFail};
use crate::sys::file;
use crate::sys::process::Process;

/// Notes are three lines.
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
}

impl Note {
    /// Reads a note; `None` when there is none that can be trusted and understood.
    pub fn load(path: &Path) -> Option<Self> {
        let bytes = file::read_small(path, LARGEST).ok().flatten()?;
        Self::parse(std::str::from_utf8(&bytes).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim);
        let number = |line: &str| line.parse().ok().filter(|number| *number > 1);
        let pid = number(lines.next()?)?;
        let session = lines.next().map_or(Some(pid), number)?;
        let start_time = lines.next().map(|line| line.parse()).transpose().ok()?;
        Some(Self { pid, session, start_time })
    }

    fn text(&self) -> String {
        let start = self.start_time.map_or_else(String::new, |start| format!("{start}\n"));
        format!("{}\n{}\n{start}", self.pid, self.session)
    }

    /// Writes the note.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        if let Some(directory) = path.parent() {
            file::ensure_dir(directory, 0o755).or_fail(directory.display())?;
        }
        file::write_if_changed(path, self.text().as_bytes(), 0o600)
            .or_fail(path.display())
            .map(drop)
    }

    /// Whether it is about this process, and not an earlier one of the same number.
    pub fn is_about(&self, process: &Process) -> bool {
        process.pid == self.pid && self.start_time.is_none_or(|start| start == process.start_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_any_note_is_read() {
        crate::testing::fuzz::survives_text(&["12\n11\n4711\n"], |text| {
            if let Some(note) = Note::parse(text) {
                assert!(note.pid > 1 && note.session > 1);
            }
        });
    }

    #[test]
    fn notes_of_the_first_release_are_read() {
        let note = |pid, session, start_time| Some(Note { pid, session, start_time });
        for (text, expected) in [
            ("12\n11\n4711\n", note(12, 11, Some(4711))),
            ("12\n11\n", note(12, 11, None)),
            ("12\n", note(12, 12, None)),
            ("", None),
            ("1\n", None),
            ("12\n1\n", None),
            ("12\n11\nsoon\n", None),
        ] {
            assert_eq!(Note::parse(text), expected, "{text:?}");
        }
        for note in [note(12, 11, Some(4711)), note(12, 11, None)].into_iter().flatten() {
            assert_eq!(Note::parse(&note.text()), Some(note));
        }
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let note = Note { pid: 12, session: 12, start_time: Some(7) };
        assert!(note.is_about(&Process { pid: 12, start_time: 7 }));
        assert!(!note.is_about(&Process { pid: 12, start_time: 8 }));
        assert!(Note { start_time: None, ..note }.is_about(&Process { pid: 12, start_time: 8 }));
    }
}
