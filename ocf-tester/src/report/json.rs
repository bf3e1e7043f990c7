//! One JSON object a run, each on its own line.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::json;

use super::shown;
use crate::verdict::Report;

/// The line of a run.
#[must_use]
pub fn line(report: &Report) -> String {
    let checks: Vec<_> = report
        .judgements
        .iter()
        .map(|judgement| {
            json!({
                "id": judgement.id,
                "verdict": judgement.verdict.word(),
                "text": judgement.verdict.text(),
                "took_ms": milliseconds(judgement.took),
                "run": shown(report, judgement),
            })
        })
        .collect();
    let run = json!({
        "agent": report.agent,
        "set": report.set,
        "checks": checks,
        "notes": report.notes,
        "changes": report.changes,
        "calls": report.calls.len(),
        "took_ms": milliseconds(report.took),
    });
    format!("{run}\n")
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{NASTY, report};

    #[test]
    fn a_run_is_one_line_that_keeps_every_character() {
        let line = line(&report());
        assert_eq!(line.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["checks"][0]["text"], NASTY);
        assert_eq!(read["checks"][0]["took_ms"], 1500);
        assert_eq!(read["checks"][1]["verdict"], "warn");
        assert!(read["checks"][2]["text"].is_null());
        assert_eq!(read["notes"][0], NASTY);
        assert_eq!(read["calls"], 0);
    }
}
