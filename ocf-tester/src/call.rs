//! One call of an agent, as it was made and as it ended.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::time::Duration;

use crate::process::Ended;

/// The mark of the reason line on stderr.
pub const REASON: &str = "ocf-exit-reason:";

/// What a call that was killed at its time-out did.
pub const HUNG: &str = "did not end within";

/// A call that was made.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The call in words, such as `monitor at check level "10"`.
    pub what: String,
    /// The action, empty when there was none.
    pub action: String,
    /// The words on its command line; empty when there were none.
    pub words: Vec<String>,
    /// What was special about it, such as `as nobody`; empty when nothing.
    pub how: String,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How it ended.
    pub ended: Ended,
    /// The time-out in its environment.
    pub timeout: Duration,
    /// The tester killed it on purpose, before its time-out.
    pub cut_short: bool,
    /// The check that made it; empty when none did.
    pub check: &'static str,
    /// When it began, counted from the beginning of the run.
    pub began: Duration,
    /// What makes a shell call it like this, around the words of the call.
    pub shell: Frame,
    /// It was made as another user than the tester's.
    pub as_other: bool,
    /// The signals that it, or what it had started, sent to the tester.
    pub signals: Vec<String>,
    /// Whatever goes wrong with it is the finding of the check that makes it, and of no other.
    pub unusual: bool,
}

/// What a shell needs before the call and after it, to make it under the same circumstances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Commands, each on its own, such as `umask 077`.
    pub commands: Vec<String>,
    /// Words before `env`, such as `nice -n 5`.
    pub words: Vec<String>,
    /// Words between the environment and the agent, such as `/bin/dash`.
    pub under: Vec<OsString>,
    /// Redirections after the call, such as `<&-`.
    pub redirections: Vec<String>,
}

impl Done {
    /// The exit code as Pacemaker takes it: a code that does not exist, a signal and a time-out are
    /// 1 (services_ocf.c).
    #[must_use]
    pub fn code(&self) -> u8 {
        match self.ended.code {
            Some(code @ (0..=9 | 190 | 191)) => code as u8,
            _ => 1,
        }
    }

    /// Whether it was killed at its time-out.
    #[must_use]
    pub fn hung(&self) -> bool {
        self.ended.killed && !self.cut_short
    }

    /// Whether it answered one of these.
    #[must_use]
    pub fn is(&self, codes: &[u8]) -> bool {
        !self.ended.killed && self.ended.signal.is_none() && codes.contains(&self.code())
    }

    /// Everything on its stderr, as text.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.ended.stderr).into_owned()
    }

    /// Everything on its stdout, as text.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.ended.stdout).into_owned()
    }

    /// What Pacemaker shows: the text after the last mark, to the end of its line
    /// (services_linux.c).
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let stderr = self.stderr();
        let at = stderr.rfind(REASON)?;
        Some(stderr[at + REASON.len()..].lines().next().unwrap_or_default().trim().to_owned())
    }

    /// How it ended, in a few words, with its reason or the end of what it printed.
    #[must_use]
    pub fn ending(&self) -> String {
        let how = match (self.ended.killed, self.ended.signal, self.ended.code) {
            (true, _, _) if self.cut_short => "was killed on purpose".to_owned(),
            (true, _, _) => format!("{HUNG} {} s and was killed", self.timeout.as_secs_f32()),
            (_, Some(signal), _) => format!("died of signal {signal}"),
            (_, _, code) => format!("gave {}", code.map_or_else(|| "nothing".to_owned(), named)),
        };
        let said = self
            .reason()
            .or_else(|| last_line(&self.stderr()))
            .or_else(|| last_line(&self.stdout()));
        match said.filter(|said| !said.is_empty() && self.action != "meta-data") {
            Some(said) => format!("{how}: {said}"),
            None => how,
        }
    }

    /// The call and how it ended.
    #[must_use]
    pub fn summary(&self) -> String {
        let how = if self.how.is_empty() { String::new() } else { format!(" ({})", self.how) };
        format!("{}{how} {}", self.what, self.ending())
    }
}

fn last_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

/// An exit code with its meaning (OCF 1.1, "Exit Status Codes").
#[must_use]
pub fn named(code: i32) -> String {
    let meaning = match code {
        0 => "success",
        1 => "error",
        2 => "invalid parameter",
        3 => "unimplemented",
        4 => "insufficient privileges",
        5 => "not installed",
        6 => "not configured",
        7 => "not running",
        8 => "promoted",
        9 => "failed promoted",
        190 => "degraded",
        191 => "degraded promoted",
        _ => "no such code",
    };
    format!("{code} ({meaning})")
}

/// Several codes, as a choice.
#[must_use]
pub fn choice(codes: &[u8]) -> String {
    let names: Vec<_> = codes.iter().map(|code| named((*code).into())).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(code: i32, stderr: &str) -> Done {
        let ended = Ended { code: Some(code), stderr: stderr.into(), ..Ended::default() };
        Done { what: "start".into(), action: "start".into(), ended, ..Done::default() }
    }

    #[test]
    fn codes_that_do_not_exist_are_errors() {
        let codes = [0, 7, 9, 10, 42, 190, 192, 255].map(|code| done(code, "").code());
        assert_eq!(codes, [0, 7, 9, 1, 1, 190, 1, 1]);
        assert!(
            !Done { ended: Ended { signal: Some(9), ..Ended::default() }, ..Done::default() }
                .is(&[0, 1])
        );
    }

    #[test]
    fn the_reason_is_the_last_one_to_the_end_of_its_line() {
        let done = done(1, "x\nocf-exit-reason:first\nocf-exit-reason: second \nmore\n");
        assert_eq!(done.reason().as_deref(), Some("second"));
        assert_eq!(done.summary(), "start gave 1 (error): second");
    }

    #[test]
    fn without_a_reason_the_last_line_is_the_summary() {
        assert_eq!(done(5, "a\nno httpd\n\n").ending(), "gave 5 (not installed): no httpd");
        assert_eq!(done(0, "").ending(), "gave 0 (success)");
    }
}
