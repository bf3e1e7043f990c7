//! A page for people: self-contained, without a script, light or dark as the reader's system is.
#![forbid(unsafe_code)]

mod timeline;

use super::{fails, find, plain, shown};
use crate::call::Done;
use crate::check::Check;
use crate::checks;
use crate::verdict::{Judgement, Report, Verdict};

const STYLE: &str = include_str!("html/style.css");

/// How many of the calls before a finding are shown.
const BEFORE: usize = 6;

/// As much of an output as is shown.
const SHOWN: usize = 4000;

/// The page of all runs. `trouble` is why not everything could be tested.
#[must_use]
pub fn page(
    reports: &[Report],
    table: &[&'static Check],
    strict: bool,
    trouble: Option<&str>,
) -> String {
    let agent = reports.first().map_or("", |report| report.agent.as_str());
    let name = escaped(agent.rsplit('/').next().unwrap_or(agent));
    let failures: usize = reports.iter().map(|report| super::text::failures(report, strict)).sum();
    let outcome = match (failures, trouble) {
        (_, Some(why)) => format!("<p class=\"outcome fail\">Not finished: {}</p>", escaped(why)),
        (0, None) => "<p class=\"outcome pass\">All checks passed</p>".to_owned(),
        (1, None) => "<p class=\"outcome fail\">1 check failed</p>".to_owned(),
        (count, None) => format!("<p class=\"outcome fail\">{count} checks failed</p>"),
    };
    let runs: String = reports.iter().map(|report| run(report, table, strict)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name}: ocf-tester</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n\
         <p class=\"path\">{}</p>\n{outcome}\n\
         </header>\n<main>\n{runs}</main>\n<footer>ocf-tester {}; a rule is kept, broken, or could \
         not be tested: a skip is \
         no pass.</footer>\n</body>\n</html>\n",
        escaped(agent),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Text as an HTML page shows it, in an attribute's quotes as well.
#[must_use]
pub fn escaped(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn run(report: &Report, table: &[&'static Check], strict: bool) -> String {
    let title = if report.set.is_empty() {
        String::new()
    } else {
        format!("<h2>{}</h2>\n", escaped(&report.set))
    };
    let counts: String = [
        ("fail", "failed"),
        ("warn", "warned"),
        ("info", "informed"),
        ("skip", "skipped"),
        ("pass", "passed"),
    ]
    .map(|(word, label)| {
        let count = report.count(word);
        let class = if count == 0 { "none" } else { word };
        format!("<li class=\"{class}\"><b>{count}</b> {label}</li>\n")
    })
    .concat();
    let (seconds, calls) = (report.took.as_secs_f64(), report.calls.len());
    let mut text = format!(
        "<section>\n{title}<ul class=\"counts\">\n{counts}</ul>\n\
         <p>{calls} calls in {seconds:.1} s</p>\n"
    );
    let list = |heading: &str, lines: &[String]| {
        let items: String =
            lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line))).collect();
        if lines.is_empty() {
            items
        } else {
            format!("<h3>{heading}</h3>\n<ul class=\"notes\">\n{items}</ul>\n")
        }
    };
    text += &list("To know", &report.notes);
    text += &list("What has changed", &report.changes);
    let first = first_failure(report, strict);
    if let Some(first) = first {
        text += &format!("<h3>What failed first</h3>\n{}", finding(report, first, table, true));
    }
    for (word, heading) in
        [("fail", "What failed besides"), ("warn", "Warnings"), ("info", "Information")]
    {
        let others = report.judgements.iter().filter(|judgement| judgement.verdict.word() == word);
        let others = others.filter(|judgement| first.is_none_or(|first| first.id != judgement.id));
        let cards: String =
            others.map(|judgement| finding(report, judgement, table, false)).collect();
        if !cards.is_empty() {
            text += &format!("<h3>{heading}</h3>\n{cards}");
        }
    }
    text + &timeline::of(report) + &everything(report, table) + "</section>\n"
}

/// The failure whose call was made first: what came later is often its consequence.
fn first_failure(report: &Report, strict: bool) -> Option<&Judgement> {
    let failed = report.judgements.iter().filter(|judgement| fails(&judgement.verdict, strict));
    failed.min_by_key(|judgement| judgement.call.as_ref().map(|call| call.began))
}

/// A finding: what was called, what came, the rule, what it costs, how to mend it.
fn finding(report: &Report, judgement: &Judgement, table: &[&'static Check], open: bool) -> String {
    let (word, found) =
        (judgement.verdict.word(), escaped(judgement.verdict.found().unwrap_or_default()));
    let check = find(judgement.id, table);
    let says = check.map_or_else(String::new, |check| escaped(check.says));
    let mut text = format!(
        "<article class=\"{word}\" id=\"{id}\">\n\
         <h4><span class=\"word\">{word}</span> {says}</h4>\n\
         <p class=\"id\">{id}</p>\n<p class=\"found\">{found}</p>\n<dl>\n",
        id = escaped(judgement.id)
    );
    if let Some(check) = check {
        for (name, text_of) in
            [("Rule", check.clause), ("What it costs", check.costs), ("How to mend it", check.fix)]
        {
            text += &format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(text_of));
        }
    }
    text += "</dl>\n";
    if let (Some(call), Some(command)) = (&judgement.call, shown(report, judgement)) {
        let open = if open { " open" } else { "" };
        text += &format!(
            "<details{open}>\n<summary>What was called, and what came</summary>\n\
             {}<pre class=\"command\">{}</pre>\n{}</details>\n",
            before(report, call),
            escaped(&command),
            came(call)
        );
    }
    text + "</article>\n"
}

/// The calls that the check had made before: they made the state in which this one was made.
fn before(report: &Report, call: &Done) -> String {
    let own = report.calls.iter().filter(|done| !call.check.is_empty() && done.check == call.check);
    let mut earlier: Vec<&Done> = own.filter(|done| done.began < call.began).collect();
    earlier.sort_by_key(|done| done.began);
    let last = earlier.len().saturating_sub(BEFORE);
    let items: String = earlier[last..]
        .iter()
        .map(|done| format!("<li>{}</li>\n", escaped(&done.summary())))
        .collect();
    if items.is_empty() {
        items
    } else {
        format!("<p>After:</p>\n<ul class=\"notes\">\n{items}</ul>\n")
    }
}

/// How a call ended, and what it printed.
fn came(call: &Done) -> String {
    let mut text = format!(
        "<p>{}, after {} ms</p>\n",
        escaped(&call.summary()),
        call.ended.elapsed.as_millis()
    );
    for (name, bytes) in [("stdout", &call.ended.stdout), ("stderr", &call.ended.stderr)] {
        if bytes.is_empty() {
            continue;
        }
        let all = String::from_utf8_lossy(bytes);
        let part: String = all.chars().take(SHOWN).collect();
        let more = if part.len() < all.len() { "\n…" } else { "" };
        text += &format!(
            "<p class=\"stream\">{name}</p>\n<pre>{}{more}</pre>\n",
            escaped(part.trim_end())
        );
    }
    text
}

/// Every check, in groups.
fn everything(report: &Report, table: &[&'static Check]) -> String {
    let (mut rows, mut group) = (String::new(), "");
    for judgement in &report.judgements {
        let own = checks::group(judgement.id);
        if std::mem::replace(&mut group, own) != own {
            rows += &format!("<tr class=\"group\"><th colspan=\"4\">{}</th></tr>\n", escaped(own));
        }
        let word = judgement.verdict.word();
        let says = find(judgement.id, table).map_or_else(String::new, |check| escaped(check.says));
        let why = match &judgement.verdict {
            Verdict::Skip(why) => format!("<br><small>{}</small>", escaped(why)),
            _ => String::new(),
        };
        let id = escaped(judgement.id);
        let shown = if judgement.verdict.found().is_some() {
            format!("<a href=\"#{id}\">{id}</a>")
        } else {
            id
        };
        rows += &format!(
            "<tr class=\"{word}\"><td><span \
             class=\"word\">{word}</span></td><td>{shown}</td><td>{says}{why}</td><td>{} \
             ms</td></tr>\n",
            judgement.took.as_millis()
        );
    }
    format!(
        "<details>\n<summary>Every check</summary>\n<div class=\"wide\"><table>\n\
         <thead><tr><th>Verdict</th><th>Check</th>\
         <th>Rule</th><th>Time</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n\
         </details>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{NASTY, report, table};
    use std::time::Duration;

    #[test]
    fn the_page_is_whole_and_nothing_in_it_is_markup_of_others() {
        let mut one = report();
        one.judgements[0].call =
            Some(Done { what: "start".into(), how: NASTY.into(), ..Done::default() });
        one.changes.push(NASTY.to_owned());
        let text = page(&[one.clone(), one], &table(), false, None);
        // Read as XML, but for what HTML does not close.
        let body = text
            .split("</head>")
            .nth(1)
            .unwrap()
            .replace("<br>", "<br/>")
            .replace("<details open>", "<details>");
        roxmltree::Document::parse(&format!("<html>{}", body.trim())).unwrap();
        for part in [
            "2 checks failed",
            "What failed first",
            "What has changed",
            "To know",
            "Start it.",
            "Warnings",
        ] {
            assert!(text.contains(part), "{part}");
        }
        for foreign in ["http://", "https://", "<script", "src=", "url("] {
            assert!(!text.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn the_first_failure_is_the_one_whose_call_was_first() {
        let mut all = report();
        all.judgements[1].verdict = Verdict::Fail("early".to_owned());
        let at = |seconds| Some(Done { began: Duration::from_secs(seconds), ..Done::default() });
        (all.judgements[0].call, all.judgements[1].call) = (at(5), at(2));
        assert_eq!(first_failure(&all, false).unwrap().id, "stops");
    }

    #[test]
    fn a_run_that_was_not_finished_says_so() {
        assert!(
            page(&[], &table(), false, Some("interrupted")).contains("Not finished: interrupted")
        );
        assert!(page(&[Report::default()], &table(), false, None).contains("All checks passed"));
    }
}
