//! Many agents in one table: a line for each, then how many break each rule.
#![forbid(unsafe_code)]

use super::{fails, folded, plain};
use crate::check::Check;
use crate::verdict::Report;

/// The words of findings, the gravest first.
const GRAVITY: [&str; 3] = ["fail", "warn", "info"];

/// The table.
#[must_use]
pub fn table(reports: &[Report], checks: &[&'static Check], verbose: bool) -> String {
    let names: Vec<String> = reports.iter().map(|report| short(&report.agent)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (report, name) in reports.iter().zip(&names) {
        let found: Vec<String> = GRAVITY.iter().filter_map(|word| listed(report, word)).collect();
        let result = if found.is_empty() { "well".to_owned() } else { found.join("; ") };
        text.push_str(&format!("{name:width$}  {result}\n"));
        // An agent without meta-data has no other finding: its line alone would not say what to do.
        let details =
            report.judgements.iter().filter(|judgement| verbose || judgement.id == "meta-data");
        for (id, found) in
            details.filter_map(|judgement| Some((judgement.id, judgement.verdict.found()?)))
        {
            text.push_str(&format!("{:width$}    {id}: {}\n", "", folded(found)));
        }
        text.extend(
            report.notes.iter().map(|note| format!("{:width$}    note: {}\n", "", folded(note))),
        );
    }
    text.push_str(&format!("\n{:>5} {:>5} {:>5}  check\n", "fail", "warn", "info"));
    for check in checks {
        let counts = GRAVITY.map(|word| count(reports, check.id, word));
        if counts.iter().sum::<usize>() > 0 {
            let [fail, warn, info] =
                counts.map(|count| if count == 0 { ".".to_owned() } else { count.to_string() });
            text.push_str(&format!(
                "{fail:>5} {warn:>5} {info:>5}  {}: {}\n",
                check.id, check.says
            ));
        }
    }
    text
}

/// The last line: how many agents are well.
#[must_use]
pub fn conclusion(reports: &[Report], strict: bool) -> String {
    let well = |report: &&Report| {
        !report.judgements.iter().any(|judgement| fails(&judgement.verdict, strict))
    };
    format!("{} of {} agents passed\n", reports.iter().filter(well).count(), reports.len())
}

fn count(reports: &[Report], id: &str, word: &str) -> usize {
    let all = reports.iter().flat_map(|report| &report.judgements);
    all.filter(|judgement| judgement.id == id && judgement.verdict.word() == word).count()
}

fn listed(report: &Report, word: &str) -> Option<String> {
    let found = report.judgements.iter().filter(|judgement| judgement.verdict.word() == word);
    let ids: Vec<&str> = found.map(|judgement| judgement.id).collect();
    (!ids.is_empty()).then(|| format!("{word} {}", ids.join(" ")))
}

/// Provider and name.
fn short(agent: &str) -> String {
    let parts: Vec<&str> = agent.rsplitn(3, '/').collect();
    plain(&parts.iter().take(2).rev().copied().collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, table as checks};

    #[test]
    fn each_agent_has_a_line_and_each_broken_rule_its_numbers() {
        let well = Report { agent: "/usr/lib/acme/web".to_owned(), ..Report::default() };
        let text = table(&[report(), well.clone()], &checks(), false);
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("note: ")).collect();
        let expected = [
            "x/agent   fail starts; warn stops",
            "acme/web  well",
            "",
            " fail  warn  info  check",
            "    1     .     .  starts: It starts #1.",
            "    .     1     .  stops: It stops.",
        ];
        assert_eq!(lines, expected);
        assert_eq!(conclusion(&[report(), well], false), "1 of 2 agents passed\n");
        assert!(table(&[report()], &checks(), true).contains("stops: slow"));
    }
}
