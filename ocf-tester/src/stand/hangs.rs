//! What did not end by itself. Nothing waits for it a second time, so that an agent that hangs
//! anywhere costs minutes at most.
//!
//! The time that is spent waiting for calls that were killed at their time-out is counted once
//! where they wait side by side. The checks may spend two of the longest advertised time-outs, and
//! the cleaning-up after them one more.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::call::{Done, HUNG};

/// How many of the longest time-outs the checks may spend on calls that hang.
const OF_CHECKS: u32 = 2;
/// How many the whole run may.
const OF_RUN: u32 = 3;

/// What the killing of a call may take besides its time-out.
const KILLING: Duration = Duration::from_millis(500);

/// What is known of calls that hang.
#[derive(Debug, Default)]
pub(super) struct Hangs {
    known: Vec<Hang>,
    wasted: Duration,
    until: Option<Instant>,
}

#[derive(Debug)]
struct Hang {
    what: String,
    how: String,
    ending: String,
}

impl Hangs {
    /// Remembers a call that was killed at its time-out.
    pub(super) fn note(&mut self, done: &Done, began: Instant, ended: Instant) {
        let from = self.until.map_or(began, |until| until.max(began));
        self.wasted += ended.saturating_duration_since(from);
        self.until = Some(self.until.map_or(ended, |until| until.max(ended)));
        let (what, how) = (done.what.clone(), done.how.clone());
        self.known.push(Hang { what, how, ending: done.summary() });
    }

    /// Whether a plain call in these words hangs.
    pub(super) fn knows(&self, what: &str) -> bool {
        self.known.iter().any(|hang| hang.how.is_empty() && hang.what == what)
    }

    /// The time that a call may take, or why it is not made: it, or another one under the same
    /// unusual circumstances, has hung before, or too much time has gone that way.
    pub(super) fn allow(
        &self,
        what: &str,
        how: &str,
        timeout: Duration,
        longest: Duration,
        cleans: bool,
    ) -> Result<Duration, String> {
        let same =
            |hang: &&Hang| if hang.how.is_empty() { hang.what == what } else { hang.how == how };
        if let Some(hang) = self.known.iter().find(same) {
            return Err(format!(
                "{}, and is not called again (see the check in-time)",
                hang.ending
            ));
        }
        let left = (longest * if cleans { OF_RUN } else { OF_CHECKS }).saturating_sub(self.wasted);
        if self.known.is_empty() || timeout <= left + KILLING {
            return Ok(timeout);
        }
        if cleans && !left.is_zero() {
            return Ok(left);
        }
        let first = self.known.first().map_or("", |hang| hang.ending.as_str());
        let (count, seconds) = (self.known.len(), self.wasted.as_secs());
        Err(format!(
            "not called after {seconds} s of waiting for calls that {HUNG} their time-outs \
             ({count}); the first: {first}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ended;

    const LONGEST: Duration = Duration::from_secs(20);

    /// Calls that hang for so many seconds, each with its beginning.
    fn hangs(calls: &[(&str, &str, u64, u64)]) -> Hangs {
        let (mut hangs, start) = (Hangs::default(), Instant::now());
        for (what, how, began, took) in calls {
            let ended = Ended { killed: true, ..Ended::default() };
            let done = Done {
                what: (*what).into(),
                how: (*how).into(),
                ended,
                timeout: LONGEST,
                ..Done::default()
            };
            let began = start + Duration::from_secs(*began);
            hangs.note(&done, began, began + Duration::from_secs(*took));
        }
        hangs
    }

    fn allows(hangs: &Hangs, what: &str, how: &str) -> bool {
        hangs.allow(what, how, LONGEST, LONGEST, false).is_ok()
    }

    #[test]
    fn what_has_hung_is_not_called_again_and_all_else_is() {
        let hangs = hangs(&[("start", "", 0, 20)]);
        assert!(
            !allows(&hangs, "start", "")
                && !allows(&hangs, "start", "as nobody")
                && hangs.knows("start")
        );
        assert!(allows(&hangs, "stop", "") && allows(&hangs, "probe", ""));
    }

    #[test]
    fn circumstances_under_which_something_has_hung_are_left_out() {
        let hangs = hangs(&[("start", "as nobody", 0, 20)]);
        assert!(!allows(&hangs, "stop", "as nobody") && !hangs.knows("start"));
        assert!(allows(&hangs, "start", "") && allows(&hangs, "start", "umask 077"));
    }

    #[test]
    fn time_is_counted_once_where_calls_wait_side_by_side() {
        let together = hangs(&[("validate-all", "", 0, 20), ("x", "", 1, 20), ("y", "", 2, 18)]);
        assert_eq!(together.wasted.as_secs(), 21);
        assert!(!allows(&together, "start", ""), "41 s are more than two time-outs of 20 s");
        assert_eq!(together.allow("stop", "", LONGEST, LONGEST, true), Ok(LONGEST));
    }

    #[test]
    fn cleaning_up_gets_what_is_left_of_three_time_outs() {
        let most = hangs(&[("start", "", 0, 20), ("stop", "", 20, 20), ("probe", "x", 40, 15)]);
        assert_eq!(most.allow("monitor", "", LONGEST, LONGEST, true), Ok(Duration::from_secs(5)));
        let text = most.allow("status", "", LONGEST, LONGEST, false).unwrap_err();
        assert!(
            text.contains(
                "after 55 s of waiting for calls that did not end within their time-outs (3); the \
                 first: start"
            ),
            "{text}"
        );
    }
}
