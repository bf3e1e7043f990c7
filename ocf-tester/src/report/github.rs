//! Annotations of GitHub Actions ("Workflow commands"): a line for each finding, which GitHub shows
//! at the agent's file.
#![forbid(unsafe_code)]

use std::path::Path;

use super::{fails, find, folded, shown};
use crate::check::Check;
use crate::verdict::{Report, Verdict};

/// The annotations of a run; `base` is the directory that GitHub's paths begin in.
#[must_use]
pub fn annotations(report: &Report, table: &[&'static Check], strict: bool, base: &Path) -> String {
    let path = Path::new(&report.agent);
    let file = property(&path.strip_prefix(base).unwrap_or(path).to_string_lossy());
    let set = if report.set.is_empty() { String::new() } else { format!(" [{}]", report.set) };
    let mut text = String::new();
    for judgement in &report.judgements {
        let Some(found) = judgement.verdict.found() else { continue };
        let level = match &judgement.verdict {
            verdict if fails(verdict, strict) => "error",
            Verdict::Warn(_) => "warning",
            _ => "notice",
        };
        let mut lines = vec![folded(found)];
        if let Some(check) = find(judgement.id, table) {
            lines.extend([
                format!("rule: {}", check.clause),
                format!("costs: {}", check.costs),
                format!("fix: {}", check.fix),
            ]);
        }
        lines.extend(shown(report, judgement).map(|command| format!("run: {}", folded(&command))));
        let title = property(&format!("ocf-tester{set}: {}", judgement.id));
        text.push_str(&format!(
            "::{level} file={file},title={title}::{}\n",
            message(&lines.join("\n"))
        ));
    }
    for note in report.notes.iter().chain(&report.changes) {
        text.push_str(&format!(
            "::notice file={file},title=ocf-tester::{}\n",
            message(&folded(note))
        ));
    }
    let counts = ["pass", "fail", "warn", "info", "skip"]
        .map(|word| format!("{} {word}", report.count(word)));
    text + &format!("{}{set}: {}\n", folded(&report.agent), counts.join(", "))
}

/// The text of a command, escaped as the runner reads it (actions/toolkit, command.ts).
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command, likewise.
fn property(text: &str) -> String {
    message(&folded(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, table};

    #[test]
    fn each_finding_is_one_line_at_the_file() {
        let text = annotations(&report(), &table(), false, Path::new("/x"));
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("::error file=agent,title=ocf-tester%3A starts::a\\u{1b}[2J"),
            "{text}"
        );
        assert!(lines[0].contains("%0Arule: OCF 1.1, start%0Acosts: "), "{text}");
        assert!(
            lines[1].starts_with("::warning file=agent,title=ocf-tester%3A stops::slow%0A"),
            "{text}"
        );
        assert!(lines[2].starts_with("::notice "), "{text}");
        assert_eq!(lines[3], "/x/agent: 1 pass, 1 fail, 1 warn, 0 info, 1 skip");
        assert!(
            annotations(&report(), &table(), true, Path::new("/y"))
                .contains("\n::error file=/x/agent,"),
            "{text}"
        );
    }

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(
            (message("50%\n"), property("a:b,c")),
            ("50%25%0A".to_owned(), "a%3Ab%2Cc".to_owned())
        );
    }
}
