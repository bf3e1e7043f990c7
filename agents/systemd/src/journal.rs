//! The last line that a unit wrote, for reasons: what the administrator would look up first.
//!
//! The journal's files are read by its own program, which is asked for one line: their format is no interface, and the
//! library for it is written in C. It is asked only after a failure; without it, or without an answer in time, the reason goes
//! without the line.
#![forbid(unsafe_code)]

use std::process::Command;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::command::{self, find_in_path};

use crate::state::{Facts, Unit};

/// A journal on a slow disk must not cost the action its time.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a line may be under way.
const ARRIVING: Duration = Duration::from_millis(300);

/// A line is cut here, so that it does not hide the rest of the reason.
const LETTERS: usize = 160;

/// The last line that processes of this run of the unit wrote. The run's own number is no help: the journal does not know it of
/// processes that end at once, which are those in question.
pub fn last_line(context: &Context<'_>, unit: &Unit, facts: &Facts) -> Option<String> {
    let began = facts.began? / 1_000_000;
    let program = find_in_path("journalctl", context.invocation.variable("PATH").unwrap_or_default())?;
    let limit = Deadline::after(LONGEST).min(context.budget.rollback());
    // What a process wrote just before its end takes a moment to get there.
    Deadline::after(ARRIVING).min(limit).poll(|| {
        let mut command = Command::new(&program);
        command.args(["--quiet", "--no-pager", "--output=cat", "--lines=1"]);
        command.arg(format!("--since=@{began}")).arg(format!("_SYSTEMD_UNIT={}", unit.id));
        let output = command::run(command, None, limit).ok()?;
        (output.code == Some(0)).then(|| shown(&String::from_utf8_lossy(&output.stdout))).flatten()
    })
}

fn shown(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    match line.char_indices().nth(LETTERS) {
        Some((end, _)) => Some(format!("{}…", &line[..end])),
        None => Some(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_and_no_more() {
        assert_eq!(shown("a\n b \n\n").as_deref(), Some("b"));
        assert_eq!(shown(" \n"), None);
        assert_eq!(shown(&"ü".repeat(500)).unwrap().chars().count(), LETTERS + 1);
    }
}
