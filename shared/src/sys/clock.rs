//! Time: deadlines, and the only place where anything waits without an event.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// A moment by which something must be done. Actions get one a little before the caller's time-out;
/// steps get earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// This moment.
    #[must_use]
    pub fn at(moment: Instant) -> Self {
        Self(moment)
    }

    /// So long from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self::from_start(Instant::now(), duration)
    }

    /// So long after a moment.
    #[must_use]
    pub fn from_start(moment: Instant, duration: Duration) -> Self {
        // A duration too long to be added is as good as one of a year.
        Self(moment.checked_add(duration).unwrap_or(moment + Duration::from_secs(31_536_000)))
    }

    /// What is left; zero when it is over.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    #[must_use]
    pub fn expired(self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        std::cmp::Ord::min(self, other)
    }

    /// A deadline so much earlier: for a step that must leave time for the next one.
    #[must_use]
    pub fn minus(self, kept: Duration) -> Self {
        Self(self.0.checked_sub(kept).unwrap_or_else(Instant::now))
    }

    /// Waits, at most until the deadline.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that sleeps, with an end in sight"
    )]
    pub fn sleep(self, duration: Duration) {
        std::thread::sleep(duration.min(self.left()));
    }

    /// Looks at once and then now and then until `look` finds something; `None` at the deadline,
    /// after one last look.
    pub fn poll<T>(self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        for pause in pauses() {
            if let Some(found) = look() {
                return Some(found);
            }
            if self.expired() {
                return None;
            }
            self.sleep(pause);
        }
        None
    }
}

/// The times between looks: from a millisecond to fifty, so that a short wait stays short and a
/// long one costs little.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_millis(1)), |pause| {
        Some((*pause * 3 / 2).min(Duration::from_millis(50)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_one_to_fifty_milliseconds() {
        let all: Vec<Duration> = pauses().take(30).collect();
        assert_eq!(all[0], Duration::from_millis(1));
        assert_eq!(all[29], Duration::from_millis(50));
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn a_deadline_that_is_over_still_allows_one_look() {
        let over = Deadline::at(Instant::now());
        assert_eq!(over.poll(|| Some(1)), Some(1));
        let mut looks = 0;
        assert_eq!(
            over.poll(|| {
                looks += 1;
                None::<()>
            }),
            None
        );
        assert!(looks >= 1);
    }

    #[test]
    fn a_step_that_leaves_more_than_there_is_has_no_time() {
        let whole = Deadline::after(Duration::from_secs(100));
        let earlier = whole.minus(Duration::from_secs(40)).left();
        assert!(
            earlier > Duration::from_secs(55) && earlier <= Duration::from_secs(60),
            "{earlier:?}"
        );
        assert!(whole.minus(Duration::from_secs(101)).expired());
        assert!(whole.minus(Duration::MAX).expired());
        assert!(!Deadline::after(Duration::MAX).expired());
    }
}
