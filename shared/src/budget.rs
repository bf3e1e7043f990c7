//! The time of one action, divided once into its phases: work, rollback, reply.
//!
//! ```text
//! begin              work()              rollback()            time-out: SIGKILL
//!   │── work ───────────│── rollback ────────│── reply ──────────│
//! ```
//!
//! Whatever waits takes the deadline of its phase, and a step with a limit of its own the earlier
//! of both: `Deadline::after(limit).min(budget.work())`. Parts of what is left are never handed on:
//! they multiply, and in the end it is not clear how long a step may take.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::action::Action;
use crate::sys::clock::Deadline;

/// The longest time that is kept for a rollback, when the time-out is generous.
const LONGEST_ROLLBACK: Duration = Duration::from_secs(20);

/// The deadlines of one action's phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    work: Deadline,
    rollback: Deadline,
}

impl Budget {
    /// Divides the time of an action that began at `start` and is killed after `timeout`.
    ///
    /// An action that changes something for the better keeps a fifth of its time (20 s at most) to
    /// undo what it could not finish. A stop, a monitor and a validation have nothing to undo.
    #[must_use]
    pub fn new(action: Action, start: Instant, timeout: Duration) -> Self {
        let end = timeout - reply(timeout);
        let kept =
            if can_roll_back(action) { (end / 5).min(LONGEST_ROLLBACK) } else { Duration::ZERO };
        Self {
            work: Deadline::from_start(start, end - kept),
            rollback: Deadline::from_start(start, end),
        }
    }

    /// The end of the action's own work.
    #[must_use]
    pub fn work(self) -> Deadline {
        self.work
    }

    /// The end of the rollback after work that failed, and of the action: only the reply comes
    /// after it. The same as [`Self::work`] for stop, monitor and validate-all.
    #[must_use]
    pub fn rollback(self) -> Deadline {
        self.rollback
    }
}

/// Whether an action may have to undo what it has begun.
fn can_roll_back(action: Action) -> bool {
    match action {
        Action::Start
        | Action::Reload
        | Action::ReloadAgent
        | Action::MigrateTo
        | Action::MigrateFrom => true,
        Action::Stop
        | Action::Monitor
        | Action::Status
        | Action::ValidateAll
        | Action::MetaData
        | Action::Usage => false,
    }
}

/// The time that is kept for the log line, the reason and the exit, before the caller's SIGKILL.
fn reply(timeout: Duration) -> Duration {
    (timeout / 20).clamp(Duration::from_millis(20), Duration::from_secs(1)).min(timeout / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Where work and rollback end, counted from the start.
    fn phases(action: Action, timeout: Duration) -> (Duration, Duration) {
        let start = Instant::now();
        let budget = Budget::new(action, start, timeout);
        let from = |end: Duration| Deadline::from_start(start, end);
        let found = |deadline: Deadline| {
            (0..=timeout.as_millis())
                .map(|ms| MS(u64::try_from(ms).unwrap()))
                .find(|end| from(*end) >= deadline)
                .unwrap()
        };
        (found(budget.work()), found(budget.rollback()))
    }

    #[test]
    fn the_reply_is_a_small_part_and_never_all_of_the_time() {
        assert_eq!(reply(MS(20_000)), MS(1_000));
        assert_eq!(reply(MS(2_000)), MS(100));
        assert_eq!(reply(MS(100)), MS(20));
        assert_eq!(reply(MS(10)), MS(5));
        assert_eq!(reply(MS(600_000)), MS(1_000));
    }

    #[test]
    fn what_changes_something_keeps_a_fifth_of_its_time_for_the_rollback() {
        assert_eq!(phases(Action::Start, MS(20_000)), (MS(15_200), MS(19_000)));
        assert_eq!(phases(Action::Reload, MS(2_000)), (MS(1_520), MS(1_900)));
        assert_eq!(phases(Action::ReloadAgent, MS(300_000)), (MS(279_000), MS(299_000)));
    }

    #[test]
    fn what_has_nothing_to_undo_works_to_the_end() {
        for action in [Action::Stop, Action::Monitor, Action::Status, Action::ValidateAll] {
            assert_eq!(phases(action, MS(20_000)), (MS(19_000), MS(19_000)), "{action:?}");
        }
    }

    #[test]
    fn a_time_out_beyond_all_measure_is_no_panic() {
        let budget = Budget::new(Action::Stop, Instant::now(), Duration::MAX);
        assert!(!budget.work().expired());
    }
}
