//! The Test Anything Protocol, version 14. All runs are one stream with one numbering.
//!
//! A warning is `ok` with its text in a diagnostic block: consumers read TODO as "known to fail",
//! which it is not.
#![forbid(unsafe_code)]

use super::{fails, find, folded, shown, titled};
use crate::check::Check;
use crate::verdict::{Judgement, Report, Verdict};

/// The stream of all runs.
#[must_use]
pub fn stream(reports: &[Report], table: &[&'static Check], strict: bool) -> String {
    let count: usize = reports.iter().map(|report| report.judgements.len()).sum();
    let mut text = format!("TAP version 14\n1..{count}\n");
    let mut number = 0;
    for report in reports {
        let set = if report.set.is_empty() { String::new() } else { format!("[{}] ", report.set) };
        text.push_str(&format!("# {}\n", folded(&format!("{set}{}", report.agent))));
        for note in report.notes.iter().chain(&report.changes) {
            text.push_str(&format!("# {}\n", folded(note)));
        }
        for judgement in &report.judgements {
            number += 1;
            let ok = if fails(&judgement.verdict, strict) { "not ok" } else { "ok" };
            let title = description(&format!("{set}{}", titled(judgement, table)));
            text.push_str(&format!("{ok} {number} - {title}{}", detail(report, judgement, table)));
        }
    }
    text
}

/// The end of a stream whose runs could not all be made.
#[must_use]
pub fn bail_out(why: &str) -> String {
    format!("Bail out! {}\n", folded(why))
}

/// Without what would be an escape or begin a directive.
fn description(text: &str) -> String {
    folded(text).replace('\\', r"\\").replace('#', r"\#")
}

/// The rest of a test's line, and the block after it.
fn detail(report: &Report, judgement: &Judgement, table: &[&'static Check]) -> String {
    let (severity, found) = match &judgement.verdict {
        Verdict::Pass => return "\n".to_owned(),
        Verdict::Skip(why) => return format!(" # SKIP {}\n", description(why)),
        Verdict::Info(found) => ("info", found),
        Verdict::Warn(found) => ("warn", found),
        Verdict::Fail(found) => ("fail", found),
    };
    let mut block = format!("\n  ---\n  severity: {severity}\n  message: {}\n", quoted(found));
    if let Some(check) = find(judgement.id, table) {
        block.push_str(&format!(
            "  rule: {}\n  fix: {}\n",
            quoted(check.clause),
            quoted(check.fix)
        ));
    }
    if let Some(command) = shown(report, judgement) {
        block.push_str(&format!("  run: {}\n", quoted(&command)));
    }
    block + &format!("  duration_ms: {}\n  ...\n", judgement.took.as_millis())
}

/// A YAML scalar: JSON's strings are YAML's, once what JSON allows and YAML does not is spelled out
/// (YAML 1.2, 5.1).
fn quoted(text: &str) -> String {
    serde_json::Value::from(super::plain(text)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, table};

    #[test]
    fn all_runs_are_numbered_through() {
        let one = Report {
            judgements: report().judgements.split_off(2),
            set: "a".into(),
            ..Report::default()
        };
        let text = stream(&[one.clone(), one], &table(), false);
        assert!(text.starts_with("TAP version 14\n1..4\n"), "{text}");
        let numbered: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("ok ")?.split_once(' '))
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbered, ["1", "2", "3", "4"]);
        assert!(text.contains("ok 3 - [a] starts: It starts \\#1.\n"), "{text}");
    }

    #[test]
    fn nasty_text_breaks_no_line() {
        let text = stream(&[report()], &table(), false);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.iter().all(|line| !line.chars().any(char::is_control)), "{text}");
        assert!(lines.contains(&"not ok 1 - starts: It starts \\#1."), "{text}");
        let skip = lines.iter().find(|line| line.starts_with("ok 4 - unknown # SKIP ")).unwrap();
        assert_eq!(skip.replace("\\#", "").matches('#').count(), 1, "{skip}");
        assert_eq!(lines.iter().filter(|line| **line == "  ---").count(), 2);
        assert_eq!(lines.iter().filter(|line| **line == "  ...").count(), 2);
        let message = lines.iter().find_map(|line| line.strip_prefix("  message: ")).unwrap();
        assert!(serde_json::from_str::<String>(message).unwrap().ends_with("second: \\u{202e}x\n"));
    }

    #[test]
    fn a_warning_fails_only_when_strict() {
        assert!(stream(&[report()], &table(), false).contains("\nok 2 - stops"));
        assert!(stream(&[report()], &table(), true).contains("\nnot ok 2 - stops"));
    }
}
