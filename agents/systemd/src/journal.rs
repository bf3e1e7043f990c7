//! The last line that a unit wrote, for reasons: what the administrator would look up first.
//!
//! The journal's files are read by its own program (`journalctl -n 1`): their format is no
//! interface, and the library for it is written in C. It runs only after a failure; without it, or
//! without an answer in time, the reason goes without the line.
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
const ARRIVING: Duration = Duration::from_millis(500);

/// systemd notes the beginning of a run only when it has begun its process, which may have written
/// by then; in microseconds.
const FORKING: u64 = 100_000;

/// The journal's name for the number of the run that a process belonged to.
const OF_RUN: &str = "_SYSTEMD_INVOCATION_ID";

/// A line is cut here, so that it does not hide the rest of the reason; the journal has it whole.
const LETTERS: usize = 48;

/// As many of its last lines are looked at: among them may be late ones of the run before.
const LINES: &str = "--lines=50";

/// The last line that processes of this run of the unit wrote, or what systemd says of a run that
/// never came to its program.
pub fn last_line(context: &Context<'_>, unit: &Unit, facts: &Facts) -> Option<String> {
    let began = facts.began?.saturating_sub(FORKING);
    let program =
        find_in_path("journalctl", context.invocation.variable("PATH").unwrap_or_default())?;
    let limit = Deadline::after(LONGEST).min(context.budget.rollback());
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["--quiet", "--no-pager", LINES]).args(arguments);
        let output = command::run(command, None, limit).ok()?;
        (output.code == Some(0)).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let since = format!("--since=@{}.{:06}", began / 1_000_000, began % 1_000_000);
    let fields = format!("--output-fields=MESSAGE,{OF_RUN}");
    let of_unit = format!("_SYSTEMD_UNIT={}", unit.id);
    let own = Deadline::after(arriving(facts)).min(limit).poll(|| {
        let export = ask(&["--output=export", &fields, &since, &of_unit])?;
        last_of_run(&export, facts.invocation.as_deref())
    });
    if let Some(line) = own {
        return shown(line.strip_prefix(&format!("{}: ", unit.id)).unwrap_or(&line));
    }
    let said = ask(&[
        "--output=cat",
        "--priority=err",
        &format!("INVOCATION_ID={}", facts.invocation.as_deref()?),
    ])?;
    let line = said.lines().find(|line| !line.trim().is_empty())?;
    shown(line.strip_prefix(&format!("{}: ", unit.id)).unwrap_or(line))
}

/// How long a line is waited for. What a process wrote just before its end takes a moment to get
/// there; a process that was killed wrote none, and the recovery of the service must not wait.
fn arriving(facts: &Facts) -> Duration {
    let was_killed = facts.main_end.is_some_and(|(code, _)| code == nix::libc::CLD_KILLED);
    if was_killed { Duration::ZERO } else { ARRIVING }
}

/// The last line that systemd itself wrote about a unit since the boot: what happened to one whose
/// run it has forgotten.
pub fn last_of_systemd(context: &Context<'_>, unit: &Unit) -> Option<String> {
    let program =
        find_in_path("journalctl", context.invocation.variable("PATH").unwrap_or_default())?;
    let mut command = Command::new(program);
    command
        .args(["--quiet", "--no-pager", "--boot", "--lines=1", "--output=cat"])
        .arg(format!("UNIT={}", unit.id));
    let output =
        command::run(command, None, Deadline::after(LONGEST).min(context.budget.rollback()))
            .ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next()?;
    (output.code == Some(0))
        .then(|| shown(line.strip_prefix(&format!("{}: ", unit.id)).unwrap_or(line)))
        .flatten()
}

/// The last message in an export (systemd.dev/JOURNAL_EXPORT_FORMATS: a field a line, an empty line
/// after each entry) that is not of another run. The journal does not know the run of processes
/// that end at once.
fn last_of_run(export: &str, run: Option<&str>) -> Option<String> {
    let field = |entry: &str, name: &str| {
        entry.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    };
    let of_run =
        |entry: &&str| field(entry, OF_RUN).is_none_or(|of| run.is_none_or(|run| of == run));
    let messages = export.split("\n\n").filter(of_run).filter_map(|entry| field(entry, "MESSAGE"));
    messages.filter(|message| !message.trim().is_empty()).last()
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
    fn a_line_of_a_process_that_was_killed_is_not_waited_for() {
        let of = |code| arriving(&Facts { main_end: Some((code, 9)), ..Facts::default() });
        assert_eq!(of(nix::libc::CLD_KILLED), Duration::ZERO);
        assert_eq!(of(nix::libc::CLD_EXITED), ARRIVING);
        assert_eq!(of(nix::libc::CLD_DUMPED), ARRIVING);
        assert_eq!(arriving(&Facts::default()), ARRIVING);
    }

    #[test]
    fn sd_f2_lines_of_an_earlier_run_are_not_quoted() {
        let entry = |run: &str, text: &str| format!("__CURSOR=x\n{run}MESSAGE={text}\n\n");
        let of = |run: &str| format!("{OF_RUN}={run}\n");
        let export =
            [entry(&of("b"), "mine"), entry(&of("a"), "late"), entry(&of("b"), "  ")].concat();
        assert_eq!(last_of_run(&export, Some("b")).as_deref(), Some("mine"));
        assert_eq!(last_of_run(&export, Some("c")), None);
        assert_eq!(last_of_run(&export, None).as_deref(), Some("late"));
        let short =
            [entry(&of("a"), "late"), entry("", "of a process that ended at once")].concat();
        assert_eq!(
            last_of_run(&short, Some("b")).as_deref(),
            Some("of a process that ended at once")
        );
        assert_eq!(last_of_run("", Some("b")), None);
    }

    #[test]
    fn a_line_is_shown_and_no_more() {
        assert_eq!(shown("a\n b \n\n").as_deref(), Some("b"));
        assert_eq!(shown(" \n"), None);
        assert_eq!(shown(&"ü".repeat(500)).unwrap().chars().count(), LETTERS + 1);
    }
}
