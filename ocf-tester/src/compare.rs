//! What has changed since an earlier run, whose report of `--format json` was kept.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::verdict::Report;

/// The runs of an earlier report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Old {
    runs: Vec<Run>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Run {
    agent: String,
    set: String,
    verdicts: BTreeMap<String, String>,
}

/// Verdicts, from the best to the worst. What was skipped is not known to be well.
const ORDER: [&str; 5] = ["pass", "skip", "info", "warn", "fail"];

/// Reads a report: one JSON object a line.
///
/// # Errors
/// In one line that begins with the line's number, when it is none.
pub fn parse(text: &str) -> Result<Old, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let runs = lines.map(|(number, line)| {
        let no_report = || format!("line {}: no report of --format json", number + 1);
        let value: Value = serde_json::from_str(line).map_err(|_| no_report())?;
        run(&value).ok_or_else(no_report)
    });
    let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
    if runs.is_empty() {
        Err("line 1: no report of --format json".to_owned())
    } else {
        Ok(Old { runs })
    }
}

fn run(value: &Value) -> Option<Run> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let checks = value["checks"].as_array()?.iter();
    let verdicts = checks
        .map(|check| Some((text(&check["id"])?, text(&check["verdict"])?)))
        .collect::<Option<_>>()?;
    Some(Run { agent: text(&value["agent"])?, set: text(&value["set"])?, verdicts })
}

/// What is different in this run, one line each: what is worse first.
#[must_use]
pub fn changes(old: &Old, report: &Report) -> Vec<String> {
    let file = |path: &str| Path::new(path).file_name().map(ToOwned::to_owned);
    // An agent is often tested in another directory than before.
    let same = |run: &&Run| run.set == report.set && file(&run.agent) == file(&report.agent);
    let Some(before) = old.runs.iter().find(same) else {
        return vec!["there is no earlier run of this agent with these parameters".to_owned()];
    };
    let rank = |verdict: &str| ORDER.iter().position(|known| *known == verdict);
    let (mut worse, mut better, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for judgement in &report.judgements {
        let (id, now) = (judgement.id, judgement.verdict.word());
        match before.verdicts.get(id).map(String::as_str) {
            None => other.push(format!("new: {id}: {now}")),
            Some(was) if was == now => {}
            Some(was) => {
                let text =
                    judgement.verdict.text().map_or_else(String::new, |text| format!(": {text}"));
                let change = format!("{id}: {was} before, {now} now{text}");
                if rank(now) > rank(was) {
                    worse.push(format!("worse: {change}"));
                } else {
                    better.push(format!("better: {change}"));
                }
            }
        }
    }
    let is_there = |id: &String| report.judgements.iter().any(|judgement| judgement.id == id);
    let gone = before.verdicts.iter().filter(|(id, _)| !is_there(id));
    other.extend(gone.map(|(id, was)| format!("not made: {id}: {was} before")));
    worse.into_iter().chain(better).chain(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json;
    use crate::verdict::{Judgement, Verdict};
    use std::time::Duration;

    fn report(agent: &str, verdicts: &[(&'static str, Verdict)]) -> Report {
        let judged = |(id, verdict): &(&'static str, Verdict)| Judgement {
            id,
            verdict: verdict.clone(),
            took: Duration::ZERO,
            call: None,
        };
        Report {
            agent: agent.to_owned(),
            judgements: verdicts.iter().map(judged).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn what_is_worse_comes_first_and_what_is_the_same_is_left_out() {
        let fail = || Verdict::Fail("it hangs".to_owned());
        let before = report(
            "/old/agent",
            &[("a", Verdict::Pass), ("b", fail()), ("c", fail()), ("e", Verdict::Pass)],
        );
        let old = parse(&json::line(&before)).unwrap();
        let now = report(
            "/new/agent",
            &[("d", Verdict::Pass), ("b", Verdict::Pass), ("c", fail()), ("a", fail())],
        );
        let expected = [
            "worse: a: pass before, fail now: it hangs",
            "better: b: fail before, pass now",
            "new: d: pass",
            "not made: e: pass before",
        ];
        assert_eq!(changes(&old, &now), expected);
        assert!(
            changes(&old, &report("/new/other", &[]))[0].starts_with("there is no earlier run")
        );
    }

    #[test]
    fn what_is_no_report_is_told_with_its_line() {
        for (text, line) in [("", "line 1"), ("{}", "line 1"), ("\n[1]", "line 2"), ("x", "line 1")]
        {
            let error = parse(text).unwrap_err();
            assert!(
                error.starts_with(line) && error.contains("--format json"),
                "{text:?}: {error}"
            );
        }
    }
}
