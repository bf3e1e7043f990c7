//! What the tester said of an agent.

use std::collections::{BTreeMap, BTreeSet};

use harness::host::built_directory;
use harness::process::Finished;
use serde_json::Value;

/// The tester that was built with the suites.
pub fn tester() -> String {
    let path = built_directory().join("ocf-tester");
    assert!(path.is_file(), "{} is not there: run cargo build --workspace first", path.display());
    path.display().to_string()
}

/// Checks that cannot say anything about every agent: about what is optional, and about what only
/// some have.
pub const OPTIONAL: &[&str] = &[
    "empty-path",
    "status",
    "monitor-depths",
    "validate-level-0",
    "interpreters",
    "promote",
    "promote-promoted",
    "demote",
    "demote-unpromoted",
    "stop-promoted",
    "notify",
    "reload",
    "reload-agent",
    "migrate",
    "missing-required",
    "bad-integer",
    "large-integer",
    "bad-boolean",
    "bad-select",
    "probe-without-parameters",
    "stop-without-parameters",
    "stop-bad-values",
];

/// A report in JSON, read back.
#[derive(Debug)]
pub struct Said {
    /// Verdict and text by check.
    checks: BTreeMap<String, (String, String)>,
    /// What there was to say besides.
    pub notes: Vec<String>,
    /// How many calls were made.
    pub calls: u64,
    /// The tester's exit code.
    pub code: Option<i32>,
}

impl Said {
    /// Of a run with `--format json` and one set of parameters. Where there is no report, that is
    /// the only note.
    pub fn of(done: &Finished) -> Self {
        let report = done.stdout.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let report = report
            .unwrap_or_else(|| serde_json::json!({ "notes": [format!("no report: {done:?}")] }));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entry =
            |check: &Value| (text(&check["id"]), (text(&check["verdict"]), text(&check["text"])));
        Self {
            checks: report["checks"].as_array().into_iter().flatten().map(entry).collect(),
            notes: report["notes"].as_array().into_iter().flatten().map(text).collect(),
            calls: report["calls"].as_u64().unwrap_or_default(),
            code: done.code,
        }
    }

    /// The verdict of a check; empty when it was not run.
    pub fn verdict(&self, id: &str) -> &str {
        self.checks.get(id).map_or("", |(verdict, _)| verdict)
    }

    /// What a check had to say.
    pub fn text(&self, id: &str) -> &str {
        self.checks.get(id).map_or("", |(_, text)| text)
    }

    /// The checks with one of these verdicts.
    pub fn with(&self, verdicts: &[&str]) -> BTreeSet<&str> {
        let found =
            self.checks.iter().filter(|(_, (verdict, _))| verdicts.contains(&verdict.as_str()));
        found.map(|(id, _)| id.as_str()).collect()
    }

    /// In lines, for people: what it found, and what it left out unless that is usual.
    pub fn report(&self) -> String {
        let mut lines = String::new();
        for (id, (verdict, text)) in &self.checks {
            if verdict != "pass" && !(verdict == "skip" && OPTIONAL.contains(&id.as_str())) {
                lines.push_str(&format!("    {verdict} {id}: {text}\n"));
            }
        }
        format!("{lines}    exit code {:?}, notes {:?}", self.code, self.notes)
    }

    /// The notes that do not count calls of a cluster's tools.
    pub fn warnings(&self) -> Vec<&str> {
        self.notes
            .iter()
            .map(String::as_str)
            .filter(|note| !note.starts_with("of a cluster's tool"))
            .collect()
    }

    /// Whether nothing was found, and no check left out that applies to every agent.
    pub fn is_clean(&self) -> bool {
        self.with(&["fail", "warn", "info"]).is_empty()
            && self.with(&["skip"]).iter().all(|id| OPTIONAL.contains(id))
            && self.warnings().is_empty()
            && self.code == Some(0)
    }
}
