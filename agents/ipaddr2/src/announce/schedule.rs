//! When to announce. Pure.
//!
//! By itself: at once, after 0.2 s, then at steps of 1.1 s. A neighbour that has just changed its
//! entry ignores most announcements for a second (locktime, net/ipv4/arp.c; kernels before 4.12
//! ignore all), so some must come later than that; and the first may be lost by a switch port that
//! is still learning.
#![forbid(unsafe_code)]

use std::time::Duration;

/// From the first announcement to the second.
const SECOND: Duration = Duration::from_millis(200);
/// From one to the next afterwards: just over the neighbours' locktime of one second.
const STEP: Duration = Duration::from_millis(1100);

/// The moments of all announcements but the first, counted from the first.
pub fn later(count: u32, interval: Option<Duration>) -> impl Iterator<Item = Duration> {
    (1..count).map(move |n| match interval {
        Some(interval) => interval * n,
        None => SECOND + STEP * (n - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(count: u32, interval: Option<u64>) -> Vec<u128> {
        later(count, interval.map(Duration::from_millis)).map(|d| d.as_millis()).collect()
    }

    #[test]
    fn by_itself_it_outlasts_the_locktime_of_neighbours() {
        assert_eq!(moments(5, None), [200, 1300, 2400, 3500]);
    }

    #[test]
    fn ip_53_a_given_interval_is_kept_exactly() {
        assert_eq!(moments(5, Some(200)), [200, 400, 600, 800]);
        assert_eq!(moments(2, Some(1)), [1]);
    }

    #[test]
    fn one_announcement_has_none_after_it() {
        assert_eq!(moments(1, None), [0_u128; 0]);
        assert_eq!(moments(0, Some(5)), [0_u128; 0]);
    }
}
