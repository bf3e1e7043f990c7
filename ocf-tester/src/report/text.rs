//! Text for people. What programs used to look for is as the shell tester had it: the first line,
//! and the last.
#![forbid(unsafe_code)]

use super::{fails, find, plain, shown};
use crate::check::Check;
use crate::checks;
use crate::verdict::{Judgement, Report, Verdict};

/// How much is printed, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Every check, with its reasons.
    pub verbose: bool,
    /// Failures only.
    pub quiet: bool,
    /// A warning is a failure.
    pub strict: bool,
    /// With colours.
    pub colour: bool,
}

/// The first line of a run; `round` is empty when there is one only.
#[must_use]
pub fn opening(agent: &str, set: &str, round: &str) -> String {
    let parts: Vec<_> = [set, round].into_iter().filter(|part| !part.is_empty()).collect();
    let about = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("Beginning tests for {}...\n", plain(&format!("{agent}{about}")))
}

/// The last line of everything, when all is well.
#[must_use]
pub fn passed(agent: &str) -> String {
    format!("{} passed all tests\n", plain(agent))
}

/// The last line of everything otherwise.
#[must_use]
pub fn failed(agent: &str, count: usize) -> String {
    format!("Tests failed: {} failed {count} tests\n", plain(agent))
}

/// How many judgements of a run are failures.
#[must_use]
pub fn failures(report: &Report, strict: bool) -> usize {
    report.judgements.iter().filter(|judgement| fails(&judgement.verdict, strict)).count()
}

/// A run.
#[must_use]
pub fn run(report: &Report, table: &[&'static Check], style: Style) -> String {
    let mut text = if style.verbose {
        everything(report, table, style)
    } else {
        findings(report, table, style)
    };
    if !style.quiet {
        text.extend(report.notes.iter().map(|note| indented("note: ", "      ", note)));
        text.extend(report.changes.iter().map(|change| indented("changed: ", "         ", change)));
        text.push_str(&summary(report, style));
    }
    text
}

/// Failures and warnings, one after another.
fn findings(report: &Report, table: &[&'static Check], style: Style) -> String {
    let printed = |judgement: &&Judgement| match judgement.verdict {
        Verdict::Fail(_) => true,
        Verdict::Warn(_) => !style.quiet || style.strict,
        Verdict::Info(_) => !style.quiet,
        Verdict::Pass | Verdict::Skip(_) => false,
    };
    let one = |judgement: &Judgement| {
        format!(
            "{} {}\n{}",
            word(&judgement.verdict, style),
            super::titled(judgement, table),
            details(report, judgement, table)
        )
    };
    report.judgements.iter().filter(printed).map(one).collect()
}

/// Every check, in groups.
fn everything(report: &Report, table: &[&'static Check], style: Style) -> String {
    let width = report.judgements.iter().map(|judgement| judgement.id.len()).max().unwrap_or(0);
    let (mut text, mut group) = (String::new(), "");
    for judgement in &report.judgements {
        if std::mem::replace(&mut group, checks::group(judgement.id)) != group {
            text.push_str(&format!("{group}\n"));
        }
        let says = find(judgement.id, table).map_or("", |check| check.says);
        let line = format!("  {} {:width$}  {says}", word(&judgement.verdict, style), judgement.id);
        text.push_str(&format!("{}\n{}", line.trim_end(), details(report, judgement, table)));
    }
    text
}

/// What was found, the rule and the remedy.
fn details(report: &Report, judgement: &Judgement, table: &[&'static Check]) -> String {
    const MARGIN: &str = "             ";
    match &judgement.verdict {
        Verdict::Pass => String::new(),
        Verdict::Skip(why) => indented("       why:  ", MARGIN, why),
        Verdict::Info(found) | Verdict::Warn(found) | Verdict::Fail(found) => {
            let mut text = indented("       what: ", MARGIN, found);
            if let Some(check) = find(judgement.id, table) {
                text.push_str(&indented("       rule: ", MARGIN, check.clause));
                text.push_str(&indented("       fix:  ", MARGIN, check.fix));
            }
            if let Some(command) = shown(report, judgement) {
                text.push_str(&format!("       run:  {}\n", plain(&command)));
            }
            text
        }
    }
}

fn indented(first: &str, others: &str, text: &str) -> String {
    let text = plain(text.trim_end());
    let mut lines = text.lines();
    let mut text = format!("{first}{}\n", lines.next().unwrap_or_default());
    for line in lines {
        text.push_str(&format!("{others}{line}\n"));
    }
    text
}

fn word(verdict: &Verdict, style: Style) -> String {
    let (word, colour) = match verdict {
        Verdict::Pass => ("pass", 32),
        Verdict::Info(_) => ("info", 34),
        Verdict::Warn(_) => ("WARN", 33),
        Verdict::Fail(_) => ("FAIL", 31),
        Verdict::Skip(_) => ("skip", 36),
    };
    if style.colour { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

fn summary(report: &Report, style: Style) -> String {
    let [passed, failed, warned, skipped] =
        ["pass", "fail", "warn", "skip"].map(|word| report.count(word));
    let informed = report.count("info");
    let informed = if informed > 0 { format!("{informed} informed, ") } else { String::new() };
    let mut text = format!(
        "checks: {passed} passed, {failed} failed, {warned} warned, {informed}{skipped} skipped; \
         {} calls in {:.1} s\n",
        report.calls.len(),
        report.took.as_secs_f64()
    );
    if skipped > 0 && !style.verbose {
        let what = if skipped == 1 { "1 check was" } else { &format!("{skipped} checks were") };
        text.push_str(&format!("{what} skipped, which is no pass: -v shows why\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, table};

    fn report_in(style: Style) -> String {
        run(&report(), &table(), style)
    }

    #[test]
    fn by_default_what_is_not_well_is_told_with_rule_and_remedy() {
        let text = report_in(Style::default());
        assert!(text.starts_with("FAIL starts: It starts #1.\n       what: a\\u{1b}[2J"), "{text}");
        assert!(
            text.contains(
                "       rule: OCF 1.1, start\n       fix:  Start it.\nWARN stops: It stops.\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("checks: 1 passed, 1 failed, 1 warned, 1 skipped; 0 calls in 0.0 s\n"),
            "{text}"
        );
        assert!(text.ends_with("1 check was skipped, which is no pass: -v shows why\n"), "{text}");
        assert!(!text.contains("pass starts") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn verbose_tells_every_check_in_groups() {
        let text = report_in(Style { verbose: true, ..Style::default() });
        assert!(text.starts_with("  FAIL starts   It starts #1.\n"), "{text}");
        assert!(text.contains("  pass starts   It starts #1.\n"), "{text}");
        assert!(text.contains("  skip unknown\n       why:  a"), "{text}");
        assert!(!text.contains("-v shows why"), "{text}");
    }

    #[test]
    fn quiet_tells_failures_only() {
        let text = report_in(Style { quiet: true, ..Style::default() });
        assert!(
            text.contains("FAIL") && !text.contains("WARN") && !text.contains("passed"),
            "{text}"
        );
        assert!(
            report_in(Style { quiet: true, strict: true, ..Style::default() }).contains("WARN")
        );
    }

    #[test]
    fn colours_are_ours_alone() {
        let text = report_in(Style { colour: true, ..Style::default() });
        assert!(text.starts_with("\x1b[31mFAIL\x1b[0m starts"), "{text}");
        assert_eq!(text.matches('\x1b').count(), 4, "{text}");
    }

    #[test]
    fn the_first_and_the_last_line_are_the_shell_testers() {
        assert_eq!(opening("/x/a", "", ""), "Beginning tests for /x/a...\n");
        assert_eq!(opening("/x/a", "v6", "round 2"), "Beginning tests for /x/a (v6, round 2)...\n");
        assert_eq!(passed("/x/a"), "/x/a passed all tests\n");
        assert_eq!(failed("/x/a", 3), "Tests failed: /x/a failed 3 tests\n");
        assert_eq!((failures(&report(), false), failures(&report(), true)), (1, 2));
    }
}
