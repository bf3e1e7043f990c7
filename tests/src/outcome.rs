//! What an agent's action came to, and assertions about it that print everything when they fail.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::process::Finished;

/// What Pacemaker looks for on stderr.
pub const REASON: &str = "ocf-exit-reason:";

/// The exit codes that exist (services_ocf.c); everything else becomes 1.
pub const LEGAL: [i32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 190, 191];

/// What an agent's action came to. Every assertion returns it, so that they chain.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code; 128 + signal after a signal, as a shell says it.
    pub code: i32,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
    /// What Pacemaker would show: the text after the last reason prefix, to the end of its line.
    pub reason: Option<String>,
    /// How often the reason prefix stands at the beginning of a line.
    pub reasons: usize,
    /// From start to end.
    pub elapsed: Duration,
    /// The limit passed and the process group was killed.
    pub timed_out: bool,
    /// Another process still held its output open after its end.
    pub held_output: bool,
    what: String,
    environment: BTreeMap<String, String>,
}

impl Outcome {
    pub(crate) fn new(what: String, environment: BTreeMap<String, String>, done: Finished) -> Self {
        let reason = done.stderr.rfind(REASON).map(|at| {
            let text = &done.stderr[at + REASON.len()..];
            text.lines().next().unwrap_or_default().trim().to_owned()
        });
        Outcome {
            code: done.code.unwrap_or_else(|| 128 + done.signal.unwrap_or_default()),
            reasons: done.stderr.lines().filter(|line| line.starts_with(REASON)).count(),
            reason,
            stdout: done.stdout,
            stderr: done.stderr,
            elapsed: done.elapsed,
            timed_out: done.timed_out,
            held_output: done.held_output,
            what,
            environment,
        }
    }

    /// What holds for every action of every agent.
    #[track_caller]
    pub(crate) fn expect_protocol(&self, action: &str) {
        self.check(!self.timed_out, "it must end by itself before the time-out");
        self.check(LEGAL.contains(&self.code), "its exit code must be one that exists");
        match self.code {
            0 => self.check(self.reasons == 0, "success has no exit reason"),
            7 => {
                self.check(
                    action == "monitor" || action == "status",
                    "7 is an answer of monitor alone",
                );
                self.check(self.reasons <= 1, "there is at most one reason line");
            }
            _ => self.check(self.reasons == 1, "a failure has exactly one reason line"),
        }
        self.check(self.reason.as_deref() != Some(""), "the reason must say something");
        self.check(
            !self.held_output,
            "no process may hold its output after its end: the next write there is a SIGPIPE",
        );
    }

    #[track_caller]
    fn check(&self, holds: bool, expected: &str) {
        assert!(holds, "{expected}:\n{self}");
    }

    /// The exit code is this one.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        self.check(self.code == code, &format!("exit code {code} is expected"));
        self
    }

    /// The exit code is one of these.
    #[track_caller]
    pub fn expect_code_in(&self, codes: &[i32]) -> &Self {
        self.check(
            codes.contains(&self.code),
            &format!("one of the exit codes {codes:?} is expected"),
        );
        self
    }

    /// The reason names all of this, in any case.
    #[track_caller]
    pub fn expect_reason(&self, parts: &[&str]) -> &Self {
        let reason = self.reason.as_deref().unwrap_or_default().to_lowercase();
        for part in parts {
            self.check(
                reason.contains(&part.to_lowercase()),
                &format!("a reason with {part:?} in it is expected"),
            );
        }
        self
    }

    /// Nothing was printed anywhere.
    #[track_caller]
    pub fn expect_silent(&self) -> &Self {
        self.check(self.stdout.is_empty() && self.stderr.is_empty(), "nothing may be printed");
        self
    }

    /// Something on stderr has all of this in it, in any case.
    #[track_caller]
    pub fn expect_stderr(&self, parts: &[&str]) -> &Self {
        let stderr = self.stderr.to_lowercase();
        for part in parts {
            self.check(
                stderr.contains(&part.to_lowercase()),
                &format!("{part:?} on stderr is expected"),
            );
        }
        self
    }

    /// Its output has each of these lines.
    #[track_caller]
    pub fn expect_lines(&self, lines: &[&str]) -> &Self {
        for line in lines {
            self.check(
                self.stdout.lines().any(|said| said == *line),
                &format!("the line {line:?} is expected"),
            );
        }
        self
    }

    /// It took less than this.
    #[track_caller]
    pub fn expect_within(&self, limit: Duration) -> &Self {
        self.check(self.elapsed < limit, &format!("an end within {limit:?} is expected"));
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "  {} => {} after {:?}", self.what, self.code, self.elapsed)?;
        if self.timed_out {
            writeln!(out, "  killed at the time-out")?;
        }
        if self.held_output {
            writeln!(out, "  another process held its output")?;
        }
        for (name, value) in self.environment.iter().filter(|(name, _)| name.starts_with("OCF_")) {
            writeln!(out, "    {name}={value}")?;
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(out, "  {name}:")?;
                text.lines().try_for_each(|line| writeln!(out, "    {line}"))?;
            }
        }
        Ok(())
    }
}
